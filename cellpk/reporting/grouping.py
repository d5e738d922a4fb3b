"""Which group each patient belongs to, and in which order groups are printed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.reporting.printed import inside

if TYPE_CHECKING:
    from cellpk.study.study import Study

type By = str | Sequence[str] | pd.Series | Mapping[str, object] | None

_MOST = 8
_WIDEST = 24  # letters of a title that fit over a panel, before "(n = 40)"


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

    @property
    def suffix(self) -> str:
        """What the name of an exhibit by these groups ends in."""
        return f"_by_{self.by}" if self.by else ""

    @property
    def in_title(self) -> str:
        """What the title of an exhibit by these groups says of them."""
        return f" by {inside(self.label)}" if self.by else ""

    def title(self, name: str) -> str:
        """Return a group's name that says what the groups differ in, if that is short.

        Examples
        --------
        >>> dose = pd.Series(["DL1"], index=["1"], dtype="str")
        >>> Grouping("dose_level", "Dose level", dose, ("DL1",)).title("DL1")
        'Dose level: DL1'
        >>> Grouping("response", "Response (PR or better)", dose, ("yes",)).title("yes")
        'Response: yes'
        """
        short, _, _ = self.label.partition(" (")
        titles = (f"{label}: {name}" for label in (self.label, short) if label)
        return next((title for title in titles if len(title) <= _WIDEST), name)

    def note(self) -> tuple[str, ...]:
        """Say how many patients are in no group, if there are any."""
        if not self.ungrouped:
            return ()
        several = len(self.ungrouped) > 1
        return (
            f"{len(self.ungrouped)} patient{'s' if several else ''} without a known "
            f"{inside(self.label)} {'are' if several else 'is'} in no group.",
        )


def grouping(study: "Study", by: By) -> Grouping:
    """Put the patients of a study in groups.

    Parameters
    ----------
    study : Study
        The study.
    by : str, sequence of str, Series, mapping or None
        An endpoint (such as ``"response"``); a column of ``study.patients`` (such as
        ``"dose_level"``); several of these, crossed; the group of each patient, as a
        Series indexed by patient (such as ``pandas.qcut`` of a covariate returns) or a
        mapping; or ``None`` for all patients in one group.

    Returns
    -------
    Grouping
        Groups of an endpoint are "yes" and "no"; categories stand in their own order,
        others in their natural one.

    Raises
    ------
    DataError
        If ``by`` is none of these, names a patient who is not in the study, or makes
        more groups than a table can hold.

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
    if isinstance(by, pd.Series | Mapping):
        return _by_patient(study, pd.Series(by))
    if isinstance(by, Iterable) and not isinstance(by, str):
        return _crossed(study, [grouping(study, each) for each in by])
    from cellpk.outcomes.endpoints import ENDPOINTS

    if by in ENDPOINTS:
        return _by_endpoint(study, by)
    if by in study.patients.columns.drop("patient"):
        return _by_column(study, by)
    known = [*ENDPOINTS, *study.patients.columns.drop("patient")]
    raise DataError(
        Problem(
            "there is nothing to group the patients by",
            nearest(str(by), known),
            value=str(by),
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
    return _of(column, by, by.replace("_", " ").capitalize())


def _by_patient(study: "Study", given: pd.Series) -> Grouping:
    """Group by what the user says of each patient."""
    patients = study.patients["patient"]
    known = set(patients)
    strangers = [str(patient) for patient in given.index if patient not in known]
    if strangers or given.index.has_duplicates:
        what = "a group is given for patients whom the study does not have"
        twice = "a patient has two groups"
        todo = "Index the groups by the patients of the study, each once."
        value = ", ".join(strangers[:5])
        raise DataError(Problem(what if strangers else twice, todo, value=value))
    label = "Group" if given.name is None else str(given.name)
    name = re.sub(r"\W+", "_", label.lower()).strip("_") or "group"
    return _of(given.reindex(patients), name, label.replace("_", " ").capitalize())


def _crossed(study: "Study", parts: list[Grouping]) -> Grouping:
    """Cross groupings; groups without a patient are left out."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return grouping(study, None)
    words = pd.concat([part.of for part in parts], axis=1)
    names = [", ".join(each) for each in product(*(part.names for part in parts))]
    of = words.agg(lambda row: ", ".join(row) if row.notna().all() else None, axis=1)
    kept = [name for name in names if of.eq(name).any()]
    kind = pd.CategoricalDtype(kept, ordered=True)
    label = ", ".join([parts[0].label, *(inside(part.label) for part in parts[1:])])
    return _of(of.astype(kind), "_and_".join(part.by for part in parts), label)


def _of(values: pd.Series, by: str, label: str) -> Grouping:
    """Make groups of one value per patient."""
    of = values.astype("object").map(_word, na_action="ignore").astype("str")
    if isinstance(values.dtype, pd.CategoricalDtype):
        words = [_word(each) for each in values.cat.categories]
        names = tuple(word for word in words if of.eq(word).any())
    else:
        names = tuple(sorted(of.dropna().unique(), key=_natural))
    if len(names) > _MOST:
        raise DataError(
            Problem(
                f"{len(names)} different values are too many groups",
                f"Group by at most {_MOST} values; pandas.qcut cuts a number into few.",
                column=by,
            )
        )
    return Grouping(by, label, of, names)


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _natural(text: str) -> list[tuple[int, float, str]]:
    """Sort key that puts DL2 before DL10."""
    parts = re.findall(r"\d+\.?\d*|\D+", text)
    return [
        (0, float(part), "") if part[0].isdigit() else (1, 0.0, part) for part in parts
    ]
