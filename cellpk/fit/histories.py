"""What happened to the patients of a study, in the terms of a model."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import DataError, Problem, nearest
from cellpk.model.inputs import Inputs
from cellpk.model.levels import Levels
from cellpk.model.model import Model
from cellpk.model.rows import Covariate
from cellpk.study.study import Study
from cellpk.study.units import factor

Array = NDArray[np.float64]
Steps = tuple[tuple[float, float], ...]

_NO_DRUG = {"first", "last", "latest", "start", "day"}
"""Words of a covariate's name or label that name no drug."""


@dataclass(frozen=True, eq=False)
class Group:
    """Patients for whom the model is solved in one call.

    Parameters
    ----------
    rows : ndarray of int, shape (m,)
        Which patients.
    inputs : Inputs
        Their covariates and infusions.

    Examples
    --------
    >>> Group(np.array([0, 2]), Inputs()).rows.size
    2
    """

    rows: NDArray[np.intp]
    inputs: Inputs

    def of(self, rows: NDArray[np.intp]) -> "Group | None":
        """Return those of the group who are among some patients; None where none is.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Some of all patients; where they stand here are the new rows.
        """
        here = np.flatnonzero(np.isin(rows, self.rows))
        if not here.size:
            return None
        own = np.searchsorted(self.rows, rows[here])
        values = {
            name: value[..., own] if np.ndim(value) else value
            for name, value in self.inputs.fixed().items()
        }
        return Group(here, replace(self.inputs, values=values))


def joined(parts: Sequence[Levels], groups: Sequence[Group]) -> Levels:
    """Put the patients of groups back into their order.

    Parameters
    ----------
    parts : sequence of Levels
        Of each group, patients along the last axis but one of the levels.
    groups : sequence of Group
        Who they are.

    Examples
    --------
    >>> last, first = Group(np.array([1]), Inputs()), Group(np.array([0]), Inputs())
    >>> parts = [Levels(np.array([[x]]), None, (None,)) for x in (7.0, 3.0)]
    >>> joined(parts, [last, first]).log_level.ravel()
    array([3., 7.])
    """
    order = np.argsort(np.concatenate([group.rows for group in groups]))
    every = np.concatenate([part.log_level for part in parts], axis=-2)
    log_level = every[..., order, :]
    wide = [part.gradient for part in parts if part.gradient is not None]
    gradient = np.concatenate(wide, axis=-3)[..., order, :, :] if wide else None
    lead = log_level.shape[:-2]
    reasons = np.concatenate(
        [np.array(part.reasons, dtype=object).reshape(*lead, -1) for part in parts],
        axis=-1,
    )
    return Levels(log_level, gradient, tuple(reasons[..., order].ravel()))


@dataclass(frozen=True, eq=False)
class Histories:
    """Covariates and infusions of patients, as a model takes them.

    Parameters
    ----------
    patients : tuple of str
        Who.
    fixed : dict of str to ndarray, shape (patients,)
        Covariates fixed in time, in the units of the model.
    steps : dict of str to tuple
        Covariates that change with time: for each patient pairs of day and value.
    infusions : tuple, or None
        For each patient pairs of day and cells; None where the model takes none.
    notes : tuple of str
        Where covariates that are no column of the patients' table come from.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> found = read_histories(stein, ck.simulate_study(seed=1), ["S01", "S02"])
    >>> [(rows.tolist(), inputs.days.size) for rows, inputs in found.groups(stein)]
    [([0, 1], 0)]
    """

    patients: tuple[str, ...]
    fixed: Mapping[str, Array] = field(default_factory=dict)
    steps: Mapping[str, tuple[Steps, ...]] = field(default_factory=dict)
    infusions: tuple[Steps, ...] | None = None
    notes: tuple[str, ...] = ()

    def groups(self, model: Model) -> list[tuple[NDArray[np.intp], Inputs]]:
        """Return the patients to solve a model for in one call, and their inputs.

        They share the days and cells of infusions and the steps of covariates;
        covariates fixed in time may differ between them.
        """
        shared: dict[object, list[int]] = {}
        for i in range(len(self.patients)):
            infused = None if self.infusions is None else self.infusions[i]
            key = (infused, *(steps[i] for steps in self.steps.values()))
            shared.setdefault(key, []).append(i)
        found = []
        for members in shared.values():
            rows, first = np.array(members), members[0]
            given = {name: values[rows] for name, values in self.fixed.items()}
            given |= {name: dict(steps[first]) for name, steps in self.steps.items()}
            infused = None if self.infusions is None else self.infusions[first]
            found.append((rows, model.inputs(covariates=given, infusions=infused)))
        return found


def read_histories(
    model: Model,
    study: Study,
    patients: Sequence[str],
    *,
    comedication: Mapping[str, str | Sequence[str]] | None = None,
) -> Histories:
    """Return what the model asks of patients, from the tables of the study.

    A covariate is the column of that name in ``study.patients``. Where there is none,
    one that is the day of a drug takes the drug's first day from
    ``study.comedication``, never where it was not given; one that is 1 while a drug is
    given takes its days; and one that is the day of the latest infusion those of
    ``study.infusions``. The drug is the one given in ``comedication``, or else those
    whose names share a word with the covariate's name or label.

    Parameters
    ----------
    model : Model
        Which covariates there are, and whether it takes infusions.
    study : Study
        Where the values stand.
    patients : sequence of str
        Who is asked for.
    comedication : mapping of str to str or sequence of str, optional
        Drug or drugs by covariate.

    Raises
    ------
    DataError
        Naming all patients of whom a covariate or a dose is not known.

    Examples
    --------
    >>> import cellpk as ck
    >>> model = ck.load_model("stein_2019_comedication")
    >>> found = read_histories(model, ck.simulate_study(seed=1), ["S01", "S02"])
    >>> found.fixed["toci_day"], found.notes[0]
    (array([12.2,  inf]), 'toci_day: first day of tocilizumab, never where not given')
    """
    reader = _Reader(model, study, tuple(patients), dict(comedication or {}))
    for name in reader.drugs:
        if name not in model.covariates:
            what = f"{name!r} is not a covariate of {model.name}"
            reader.problems.append(Problem(what, nearest(name, model.covariates)))
    rows = model.covariates.items()
    fixed = {name: reader.fixed(row) for name, row in rows if not row.steps}
    steps = {name: reader.stepped(row) for name, row in rows if row.steps}
    infusions = None if model.infusions is None else reader.infusions()
    if reader.problems:
        raise DataError(reader.problems)
    return Histories(reader.patients, fixed, steps, infusions, tuple(reader.notes))


@dataclass(frozen=True, eq=False)
class _Reader:
    """Reads covariates and doses, and collects what is wrong with them."""

    model: Model
    study: Study
    patients: tuple[str, ...]
    drugs: dict[str, str | Sequence[str]]
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fixed(self, row: Covariate) -> Array:
        """Return one covariate of all patients."""
        if row.name in self.study.patients and row.name not in self.drugs:
            return self._column(row)
        given = self._given(row) if row.unit == "day" else None
        if given is None:
            return self._missing(row)
        first = given.groupby("patient")["time"].min()
        days = first.reindex(list(self.patients)).to_numpy(float)
        never = np.array([name not in first.index for name in self.patients])
        self._unknown(np.isnan(days) & ~never, row, "the day is not known of")
        return np.where(never, np.inf, np.maximum(days, 0.0))

    def stepped(self, row: Covariate) -> tuple[Steps, ...]:
        """Return the changes of one covariate for each patient."""
        if row.name in self.study.patients and row.name not in self.drugs:
            return tuple(((0.0, float(value)),) for value in self._column(row))
        if row.unit == "day" and "infusion" in row.label.casefold():
            self.notes.append(f"{row.name}: the days of infusions")
            days = self._per_patient(self.study.infusions, "time", "time")
            return tuple(tuple((day, day) for day, _ in pairs) for pairs in days)
        given = self._given(row) if set(row.levels) == {0.0, 1.0} else None
        if given is None:
            self._missing(row)
            return ((),) * len(self.patients)
        unknown = set(given.loc[given["time"].isna(), "patient"])
        missing = np.array([name in unknown for name in self.patients])
        self._unknown(missing, row, "the day is not known of")
        spans = self._per_patient(given, "time", "end_time")
        return tuple(_on_and_off(pairs) for pairs in spans)

    def infusions(self) -> tuple[Steps, ...]:
        """Return days and cells of the infusions of each patient."""
        assert self.model.infusions is not None
        unit, table = self.model.infusions.unit, self.study.infusions
        sizes = {one: counted_cells(one, unit) for one in table["unit"].unique()}
        for one, size in sizes.items():
            if size is None:
                what = f"doses are in {one!r}, and {self.model.name} takes {unit}"
                self.problems.append(Problem(what, f"Give them in {unit}."))
        cells = table["dose"] * table["unit"].map(sizes).astype(float)
        pairs = self._per_patient(table.assign(cells=cells), "time", "cells")
        known = [bool(own) and not np.isnan([x for _, x in own]).any() for own in pairs]
        if None not in sizes.values():
            who = [
                n
                for n, is_known in zip(self.patients, known, strict=True)
                if not is_known
            ]
            self._name(
                who, f"{self.model.name} takes infusions, and the dose is not known of"
            )
        return pairs

    def _column(self, row: Covariate) -> Array:
        """Return a column of the patients' table in the unit of the model."""
        table = self.study.patients.set_index("patient")[row.name]
        own = table.reindex(list(self.patients))
        values = pd.to_numeric(own, errors="coerce").to_numpy(float)
        stated = self.study.settings.units.get(row.name, row.unit)
        size = factor(stated, row.unit)
        if size is None:
            what = f"{row.name} is in {stated}, and {self.model.name} takes {row.unit}"
            self.problems.append(Problem(what, "Convert it in the file."))
        if row.unit == "day" and np.isposinf(row.value):
            blank = (
                own.isna().to_numpy() | (own.astype("str").str.strip() == "").to_numpy()
            )
            values = np.where(blank, np.inf, values)
        self._unknown(np.isnan(values), row, "there is no number for")
        if row.levels:
            allowed = " or ".join(f"{x:g}" for x in row.levels)
            wrong = ~np.isnan(values) & ~np.isin(values, row.levels)
            self._unknown(wrong, row, f"it is not {allowed} in")
        return values * (size or 1.0)

    def _given(self, row: Covariate) -> pd.DataFrame | None:
        """Return the rows of the drug that a covariate is about; None if it is none."""
        table = self.study.comedication
        drugs = self.drugs.get(row.name)
        if drugs is None:
            words = set(re.findall(r"[a-z]{4,}", f"{row.name} {row.label}".casefold()))
            known = table["drug"].unique()
            chosen = [d for d in known if any(w in d for w in words - _NO_DRUG)]
            if not chosen and not np.isposinf(row.value):
                return None
        else:
            chosen = [drugs] if isinstance(drugs, str) else list(drugs)
        named = " or ".join(chosen)
        said = f"first day of {named}" if row.unit == "day" else f"1 during {named}"
        said += ", never where not given" if row.unit == "day" else ""
        self.notes.append(
            f"{row.name}: {said if chosen else 'never: no such comedication is known'}"
        )
        return table.loc[table["drug"].isin([drug.casefold() for drug in chosen])]

    def _missing(self, row: Covariate) -> Array:
        what = f"{self.model.name} asks for {row.name} ({row.label or row.unit})"
        todo = "Give it as a column of the patients' table, "
        todo += "or name its drug: comedication={...}, where it is one."
        self.problems.append(Problem(what, todo, column=row.name))
        return np.full(len(self.patients), row.value)

    def _per_patient(
        self, table: pd.DataFrame, one: str, other: str
    ) -> tuple[Steps, ...]:
        """Return pairs of two columns for each patient, in the order of the first."""
        table = table.sort_values(one, kind="stable")
        own = {
            str(name): tuple(map(tuple, rows[[one, other]].to_numpy(float).tolist()))
            for name, rows in table.groupby("patient")
        }
        return tuple(own.get(name, ()) for name in self.patients)

    def _unknown(self, wrong: NDArray[np.bool_], row: Covariate, what: str) -> None:
        who = [
            name
            for name, is_wrong in zip(self.patients, wrong, strict=True)
            if is_wrong
        ]
        self._name(who, f"{row.name}: {what}", column=row.name)

    def _name(self, who: list[str], what: str, *, column: str = "") -> None:
        if who:
            one = "patient" if len(who) == 1 else "patients"
            found = f"{what} {len(who)} {one}: {', '.join(who)}"
            self.problems.append(
                Problem(found, "Complete or leave out.", column=column)
            )


def _on_and_off(spans: Steps) -> Steps:
    """Return when a drug was begun (1) and ended (0); a single dose lasts a day.

    Where the end is not known, it goes on.
    """
    changes: list[tuple[float, float]] = []
    until = -np.inf
    for begin, last in spans:
        end = np.inf if np.isnan(last) else max(last, begin + 1.0)
        if begin > until:
            changes += [(until, 0.0), (max(begin, 0.0), 1.0)]
        until = max(until, end)
    changes.append((until, 0.0))
    return tuple(change for change in changes if np.isfinite(change[0]))


def counted_cells(unit: str, to: str) -> float | None:
    """Return how many of one unit of counted cells another is; None if it is none.

    Examples
    --------
    >>> counted_cells("1e6 cells", "cells"), counted_cells("cells/kg", "cells")
    (1000000.0, None)
    """
    return factor(unit, to) or factor(f"{unit}/L", f"{to}/L")
