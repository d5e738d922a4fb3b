"""Virtual patients: drawn from a model, sampled by a design, read by its assays."""

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.errors import ModelError, nearest
from cellpk.model.design import LIMITS, Design, Planned
from cellpk.model.draws import (
    draw_covariates,
    draw_leaving,
    draw_patients,
    draw_visits,
)
from cellpk.model.inputs import Inputs
from cellpk.model.levels import SMALLEST
from cellpk.model.parallel import over_chunks
from cellpk.model.parameters import Array
from cellpk.model.residual import Residual, read_levels, with_residual
from cellpk.study.assays import ASSAYS
from cellpk.study.limits import states
from cellpk.study.study import Study

if TYPE_CHECKING:
    from cellpk.model.model import Model

AFTER_INFUSION = 0.02
"""Days; a study takes a sample at time 0 for one before the infusion."""

PATIENTS_PER_CHUNK = 1000
"""Few enough for their levels to stay in the processor's cache."""

TOLERANCE = 1e-6
"""Relative error per step of the solver: far below any residual error."""


@dataclass(frozen=True, eq=False, repr=False)
class Simulated:
    """Virtual patients and their samples; made by :meth:`Model.simulate`.

    Parameters
    ----------
    model : Model
        What they were drawn from.
    design : Design
        When they were sampled.
    seed : int
        Where chance came from.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> virtual = stein.simulate(3, design=ck.Design([7, 14], lloq=50), seed=1)
    >>> virtual
    Simulated stein_2019_tisagenlecleucel: 3 patients, 6 qpcr samples (0 below), seed 1
    >>> virtual.study()
    Study simulated (simulated): 3 patients, 6 qpcr samples, days 7 to 14
    """

    model: "Model"
    design: Design
    seed: int
    _table: pd.DataFrame
    _parameters: pd.DataFrame
    _failed: pd.DataFrame
    _infusions: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """One row per sample, in columns of ``Study.samples``.

        ``true_level`` is the level without residual error; ``level`` what is reported,
        NaN where it is not quantified. Samples of a patient who could not be
        calculated are missing.
        """
        return self._table.copy(deep=False)

    @property
    def parameters(self) -> pd.DataFrame:
        """One row per patient: free parameters, covariates and the last contact.

        In the units of the model; ``last_contact`` is the day of leaving, else that
        of the last sample.
        """
        return self._parameters.copy(deep=False)

    @property
    def failed(self) -> pd.DataFrame:
        """One row per patient who could not be calculated, with the reason."""
        return self._failed.copy(deep=False)

    def study(self, *, assays: Mapping[str, str] | None = None) -> Study:
        """Return the samples as a study, checked as any other; labelled as simulated.

        Parameters
        ----------
        assays : mapping of str to str, optional
            Which assays of the model go into the study, and as what: its assay by that
            of the model. Where not given, all of the design, under their own names.

        Raises
        ------
        ModelError
            Where a study knows no such assay, or the design does not measure it.
        DataError
            Where the unit of a level cannot be that of its assay.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> virtual = stein.simulate(5, design=ck.Design([7, 14, 28]), seed=1)
        >>> len(ck.nca(virtual.study()).table)
        5
        >>> virtual.study(assays={"qpcr": "ddpcr"}).main_assay
        'ddpcr'
        """
        measured = [plan.row.name for plan in self.design.planned(self.model)]
        names = {name: name for name in measured} if assays is None else dict(assays)
        _check_assays(names, measured, where=self.model.name)
        table = self._table[self._table["assay"].isin(list(names))]
        samples = table.assign(assay=table["assay"].map(names).astype("str"))
        known = [name for name, row in self.model.covariates.items() if not row.steps]
        patients = self._parameters[["patient", *known, "last_contact"]]
        title = f"Simulated from {self.model.name}: {self.model.title}"
        about = {"id": "simulated", "title": title, "infusion_day": 0}
        units = {name: self.model.covariates[name].unit for name in known}
        return Study.from_frames(
            samples.drop(columns="true_level"),
            patients=_without_infinity(patients),
            infusions=self._infusions if len(self._infusions) else None,
            settings={
                "study": about | {"simulated": True},
                "analysis": {"seed": self.seed},
                "units": {name: unit for name, unit in units.items() if unit != "1"},
            },
        )

    def __repr__(self) -> str:
        n, failed = len(self._parameters), len(self._failed)
        counts = self._table.groupby(["assay", "state"], sort=False).size()
        parts = ["1 patient" if n == 1 else f"{n} patients"]
        for assay, found in counts.groupby("assay", sort=False):
            below = int(found.get((assay, "below"), 0))
            parts.append(f"{found.sum()} {assay} samples ({below} below)")
        parts += [f"{failed} failed"] if failed else []
        return f"Simulated {self.model.name}: {', '.join(parts)}, seed {self.seed}"

    def _repr_html_(self) -> str:
        rows = self._table.to_html(index=False, border=0, max_rows=10, na_rep="")
        return f"<p>{html.escape(repr(self))}</p>{rows}"


def simulate(
    model: "Model",
    n: int,
    *,
    design: Design,
    seed: int,
    covariates: pd.DataFrame | Mapping[str, Any] | None = None,
    residual: Residual | None = None,
) -> Simulated:
    """Simulate virtual patients; see :meth:`Model.simulate`.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> simulate(stein, 2, design=ck.Design([7, 28]), seed=1).table["time"].tolist()
    [7.0, 28.0, 7.0, 28.0]
    """
    n = _whole(n, "n", at_least=1, where=model.name)
    seed = _whole(seed, "seed", at_least=0, where=model.name)
    plans = [
        replace(plan, row=with_residual(plan.row, residual, model=model))
        for plan in design.planned(model)
    ]
    theta = draw_patients(model, n, seed=seed)
    given = draw_covariates(model, n, covariates, seed=seed)
    inputs = model.inputs(covariates=given, infusions=design.infusions)
    leaving = draw_leaving(n, hazard=design.dropout, seed=seed)
    series = [
        _series(model, theta, plan, inputs=inputs, jitter=design.jitter, seed=seed)
        for plan in plans
    ]
    names = pd.array([f"V{i:0{max(4, len(str(n)))}}" for i in range(1, n + 1)], "str")
    patients = {"patient": names, **_known_of(model, theta, inputs)}
    patients["last_contact"] = _last_contact(series, leaving)
    return Simulated(
        model=model,
        design=design,
        seed=seed,
        _table=_samples(names, series, leaving),
        _parameters=pd.DataFrame(patients),
        _failed=_failures(names, series),
        _infusions=_infusions(model, names, inputs, leaving),
    )


@dataclass(frozen=True, eq=False)
class _Series:
    """One assay of all patients: days (n, m), true and read levels (n, m), reasons."""

    plan: Planned
    times: Array
    true: Array
    read: Array
    reasons: tuple[str | None, ...]


def _series(
    model: "Model",
    theta: Array,
    plan: Planned,
    *,
    inputs: Inputs,
    jitter: float,
    seed: int,
) -> _Series:
    n, days = len(theta), plan.days
    times = np.where(days == 0, AFTER_INFUSION, days)
    if jitter > 0:
        times = draw_visits(times, n, jitter=jitter, seed=seed)
    log_level, reasons = _log_levels(model, theta, times, plan.row.name, inputs=inputs)
    # What counts as nothing in the solver is nothing to an instrument, too.
    true = np.where(log_level > np.log(SMALLEST), np.exp(log_level), 0.0)
    true[[reason is not None for reason in reasons]] = np.nan
    read = read_levels(true, plan.row, days, seed=seed)
    return _Series(plan, np.broadcast_to(times, true.shape), true, read, reasons)


def _log_levels(
    model: "Model", theta: Array, times: Array, assay: str, *, inputs: Inputs
) -> tuple[Array, tuple[str | None, ...]]:
    """Log levels (n, m), and for each patient why there are none."""
    # The solver wants days in order, and neighbouring visits may change places.
    order = np.argsort(times, axis=-1, kind="stable")
    days = np.take_along_axis(times, order, axis=-1)
    shape = (len(theta), times.shape[-1])
    found = np.empty(shape)
    reasons: list[str | None] = [None] * len(theta)

    def work(chunk: slice) -> None:
        levels = model.solve(
            theta[chunk],
            days if days.ndim == 1 else days[chunk],
            observed=assay,
            inputs=_part(inputs, chunk),
            tolerance=TOLERANCE,
        )
        found[chunk], reasons[chunk] = levels.log_level, levels.reasons

    # The solver spreads its patients itself.
    size = PATIENTS_PER_CHUNK if model.equations.closed else len(theta)
    over_chunks(work, len(theta), size=size)
    log_level = np.empty(shape)
    np.put_along_axis(log_level, np.broadcast_to(order, shape), found, axis=1)
    for i in np.flatnonzero(np.isnan(log_level).any(axis=1)):
        reasons[i] = reasons[i] or f"the level of {assay} is not a number"
    return log_level, tuple(reasons)


def _part(inputs: Inputs, chunk: slice) -> Inputs:
    """Return what happened to some of the patients."""
    values = {name: x[chunk] if x.ndim else x for name, x in inputs.fixed().items()}
    return replace(inputs, values=values)


def _known_of(model: "Model", theta: Array, inputs: Inputs) -> dict[str, Array]:
    """Free parameters on their natural scale, and covariates fixed in time."""
    with np.errstate(over="ignore"):
        natural = model.natural(theta)
    wide = {name: np.broadcast_to(x, len(theta)) for name, x in inputs.fixed().items()}
    return {name: natural[name] for name in model.free} | wide


def _last_contact(series: list[_Series], leaving: Array) -> Array:
    times = np.concatenate([one.times for one in series], axis=1)
    days = np.concatenate([one.plan.days for one in series])
    kept = np.where(days == 0, times, 0.0).max(axis=1)
    return np.clip(leaving, kept, times.max(axis=1))


def _samples(names: Any, series: list[_Series], leaving: Array) -> pd.DataFrame:
    """Return the table of samples: patients, then assays, then planned days."""
    sizes = [one.plan.days.size for one in series]
    times = np.concatenate([one.times for one in series], axis=1)
    nominal = np.concatenate([one.plan.days for one in series])
    limits = {
        name: np.repeat([one.plan.limits[name] for one in series], sizes)
        for name in LIMITS
    }
    read = np.concatenate([one.read for one in series], axis=1)
    true = np.concatenate([one.true for one in series], axis=1)
    state = states(read, **limits)
    taken = (nominal == 0) | (times <= leaving[:, None])
    patient, sample = np.nonzero(taken)
    assay = np.repeat(np.arange(len(series)), sizes)[sample]
    assays = pd.array([one.plan.row.name for one in series], "str")
    units = pd.array([one.plan.row.unit for one in series], "str")
    return pd.DataFrame(
        {
            "patient": names.take(patient),
            "time": times[taken],
            "nominal_time": nominal[sample],
            "assay": assays.take(assay),
            "level": np.where(state == "quantified", read, np.nan)[taken],
            "unit": units.take(assay),
            **{name: limit[sample] for name, limit in limits.items()},
            "state": pd.array(state[taken], "str"),
            "true_level": true[taken],
        }
    )


def _failures(names: Any, series: list[_Series]) -> pd.DataFrame:
    """Return the patients who could not be calculated, with the first reason."""
    first = [
        next((reason for reason in reasons if reason is not None), None)
        for reasons in zip(*(one.reasons for one in series), strict=True)
    ]
    failed = np.array([i for i, reason in enumerate(first) if reason], dtype=int)
    reasons = pd.array([first[i] for i in failed], "str")
    return pd.DataFrame({"patient": names.take(failed), "reason": reasons})


def _infusions(
    model: "Model", names: Any, inputs: Inputs, leaving: Array
) -> pd.DataFrame:
    """Return the infusions of everybody, up to the day of leaving."""
    days = inputs.days
    patient, infusion = np.nonzero((days == 0) | (days <= leaving[:, None]))
    table = {
        "patient": names.take(patient),
        "time": days[infusion],
        "dose": inputs.cells[infusion],
    }
    unit = "" if model.infusions is None else model.infusions.unit
    return pd.DataFrame(table).assign(unit=unit)


def _check_assays(names: Mapping[str, str], measured: list[str], *, where: str) -> None:
    for name, ours in names.items():
        if name not in measured:
            raise ModelError(
                f"{name!r} was not measured", where=where, todo=nearest(name, measured)
            )
        if ours not in ASSAYS:
            raise ModelError(
                f"{ours!r} is not an assay that a study knows",
                where=where,
                todo=f"Say what it is: study(assays={{{name!r}: ...}}). "
                + nearest(ours, ASSAYS),
            )


def _without_infinity(patients: pd.DataFrame) -> pd.DataFrame:
    """Leave days that never come blank, and out where they come for nobody."""
    finite = patients.replace(np.inf, np.nan)
    return finite.dropna(axis="columns", how="all")


def _whole(value: Any, name: str, *, at_least: int, where: str) -> int:
    try:
        number = index(value)
    except TypeError:
        number = at_least - 1
    if number < at_least:
        raise ModelError(
            f"{name} is {value!r}",
            where=where,
            todo=f"Give a whole number of at least {at_least}.",
        )
    return number
