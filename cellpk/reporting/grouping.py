"""Which group each patient belongs to, and in which order groups are printed."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.reporting.printed import inside

if TYPE_CHECKING:
    from cellpk.study.study import Study

_MOST = 8


@dataclass(frozen=True, eq=False)
class Grouping:
    """The patients of a study in groups.

    Parameters
    ----------
    by : str
        Endpoint or column of the patients; empty for all patients in one group.
    label : str
        What the groups differ in.
    of : Series of str, indexed by patient
        The group of each patient; NA where it is not known.
    names : tuple of str
        All groups of the study in the order of printing.

    Examples
    --------
    >>> dose = pd.Series(["DL1", "DL2", None], index=["1", "2", "3"], dtype="str")
    >>> Grouping("dose_level", "Dose level", dose, ("DL1", "DL2")).ungrouped
    ('3',)
    """

    by: str
    label: str
    of: pd.Series
    names: tuple[str, ...]

    @property
    def ungrouped(self) -> tuple[str, ...]:
        """Patients whose group is not known."""
        return tuple(self.of.index[self.of.isna()])

    @property
    def sizes(self) -> dict[str, int]:
        """How many patients of the study each group has."""
        return {name: int(self.of.eq(name).sum()) for name in self.names}

    def title(self, name: str) -> str:
        """Return a group's name that says what the groups differ in.

        Examples
        --------
        >>> dose = pd.Series(["DL1"], index=["1"], dtype="str")
        >>> Grouping("dose_level", "Dose level", dose, ("DL1",)).title("DL1")
        'Dose level: DL1'
        """
        return f"{self.label}: {name}" if self.label else name

    def note(self) -> tuple[str, ...]:
        """Say how many patients are in no group, if there are any."""
        if not self.ungrouped:
            return ()
        several = len(self.ungrouped) > 1
        return (
            f"{len(self.ungrouped)} patient{'s' if several else ''} without a known "
            f"{inside(self.label)} {'are' if several else 'is'} in no group.",
        )


def grouping(study: "Study", by: str | None) -> Grouping:
    """Put the patients of a study in groups.

    Parameters
    ----------
    study : Study
        The study.
    by : str or None
        An endpoint (such as ``"response"``), a column of ``study.patients`` (such as
        ``"dose_level"``), or ``None`` for all patients in one group.

    Returns
    -------
    Grouping
        Groups of an endpoint are "yes" and "no"; others stand in their natural order.

    Raises
    ------
    DataError
        If ``by`` is neither, or has more different values than a table can hold.

    Examples
    --------
    >>> import cellpk as ck
    >>> grouping(ck.simulate_study(seed=1), "dose_level").names
    ('1', '2', '3')
    """
    if by is None:
        patients = study.patients["patient"]
        of = pd.Series("All patients", index=patients, dtype="str")
        return Grouping("", "", of, ("All patients",))
    from cellpk.outcomes.endpoints import ENDPOINTS

    if by in ENDPOINTS:
        return _by_endpoint(study, by)
    if by in study.patients.columns.drop("patient"):
        return _by_column(study, by)
    known = [*ENDPOINTS, *study.patients.columns.drop("patient")]
    raise DataError(
        Problem(
            "there is nothing to group the patients by", nearest(by, known), value=by
        )
    )


def _by_endpoint(study: "Study", by: str) -> Grouping:
    from cellpk.outcomes.endpoints import ENDPOINTS, endpoint_values

    words = {True: "yes", False: "no"}
    values = endpoint_values(study, by).reindex(study.patients["patient"])
    of = values.map(words, na_action="ignore").astype("str")
    names = tuple(word for word in words.values() if of.eq(word).any())
    return Grouping(by, ENDPOINTS[by].label, of, names)


def _by_column(study: "Study", by: str) -> Grouping:
    column = study.patients.set_index("patient")[by]
    of = column.map(_word, na_action="ignore").astype("str")
    names = tuple(sorted(of.dropna().unique(), key=_natural))
    if len(names) > _MOST:
        raise DataError(
            Problem(
                f"{len(names)} different values are too many groups",
                f"Group by a column of at most {_MOST} values.",
                column=by,
            )
        )
    return Grouping(by, by.replace("_", " ").capitalize(), of, names)


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _natural(text: str) -> list[tuple[int, float, str]]:
    """Sort key that puts DL2 before DL10."""
    parts = re.findall(r"\d+\.?\d*|\D+", text)
    return [
        (0, float(part), "") if part[0].isdigit() else (1, 0.0, part) for part in parts
    ]
