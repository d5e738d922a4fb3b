"""What is assessed in a patient after the infusion: one row per kind of outcome."""

from dataclasses import dataclass

_GRADES = ("0", "1", "2", "3", "4", "5")
_FLAG = ("0", "1")


@dataclass(frozen=True)
class Assessment:
    """One kind of outcome and the values that it can take.

    Parameters
    ----------
    name : str
        What the ``endpoint`` column of the outcomes says.
    label : str
        What it is called in tables and titles.
    values : tuple of str
        The only values it can take.
    of_everyone : bool
        Whether every patient should have one; an event that may never come, not.
    once : bool
        Whether a patient has one value at most.

    Examples
    --------
    >>> ASSESSMENTS["mrd"].values
    ('negative', 'positive')
    """

    name: str
    label: str
    values: tuple[str, ...]
    of_everyone: bool = True
    once: bool = False

    def spell(self, text: str) -> str | None:
        """Return the value as cellpk spells it, ``None`` where it is not one.

        Examples
        --------
        >>> ASSESSMENTS["best_response"].spell("vgpr"), ASSESSMENTS["dlt"].spell("1.0")
        ('VGPR', '1')
        """
        spelt = {value.casefold(): value for value in self.values}
        return spelt.get(text.casefold().removesuffix(".0"))


_RESPONSES = ("sCR", "CR", "VGPR", "PR", "MR", "SD", "PD", "NE")

_ROWS = (
    Assessment("response", "Response", _RESPONSES),
    Assessment("best_response", "Best overall response", _RESPONSES, once=True),
    Assessment("mrd", "Measurable residual disease", ("negative", "positive")),
    Assessment("crs_grade", "Cytokine release syndrome, grade", _GRADES),
    Assessment("icans_grade", "Neurotoxicity (ICANS), grade", _GRADES),
    Assessment("dlt", "Dose-limiting toxicity", _FLAG),
    Assessment("death", "Death", _FLAG, of_everyone=False),
    Assessment("progression", "Progression", _FLAG, of_everyone=False),
)

ASSESSMENTS: dict[str, Assessment] = {row.name: row for row in _ROWS}
"""Every kind of outcome by its name."""
