"""Tables of individual fits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.data import FitData
from cellpk.fit.error_size import sized
from cellpk.fit.individual.cases import Case, counts
from cellpk.fit.individual.influence import LeftOut
from cellpk.fit.individual.numbers import Numbers, numbers_of_all, quantity_names
from cellpk.fit.individual.question import Question
from cellpk.fit.individual.solution import Solution
from cellpk.fit.individual.words import Fitted, sentences
from cellpk.fit.signed_roots import signed_roots

Array = NDArray[np.float64]


class Frames(NamedTuple):
    """The tables of individual fits; see ``IndividualFits``.

    Parameters
    ----------
    table, long, failed, samples : DataFrame
        As there.

    Examples
    --------
    >>> Frames._fields
    ('table', 'long', 'failed', 'samples')
    """

    table: pd.DataFrame
    long: pd.DataFrame
    failed: pd.DataFrame
    samples: pd.DataFrame


class Made(NamedTuple):
    """What fits are made of: see ``IndividualFits``.

    Parameters
    ----------
    data : FitData
        Samples of the N patients with a fit.
    asked : Question
        What they were asked.
    solution : Solution
        Their fits.
    left : LeftOut
        Fits without single samples.
    cases : tuple of Case
        All patients of the study.
    scales : tuple of float
        Per assay, by what levels of the fit are multiplied to be in the study's unit.

    Examples
    --------
    >>> Made._fields[-2:]
    ('cases', 'scales')
    """

    data: FitData
    asked: Question
    solution: Solution
    left: LeftOut
    cases: tuple[Case, ...]
    scales: tuple[float, ...]


def frames_of(made: Made, *, level: float) -> Frames:
    """Return the tables.

    Parameters
    ----------
    made : Made
        The fits.
    level : float
        Probability that intervals hold.

    Returns
    -------
    Frames

    Examples
    --------
    >>> frames_of.__name__                          # see fit_individuals
    'frames_of'
    """
    data, asked, solution = made.data, made.asked, made.solution
    numbers = numbers_of_all(data, asked, solution, level=level)
    samples = _samples(made)
    said = sentences(Fitted(data, asked, solution, numbers, made.left, samples))
    failed = [(c.patient, c.status, c.reason) for c in made.cases if c.reason]
    return Frames(
        table=_table(made, numbers, said),
        long=_long(made, numbers),
        failed=pd.DataFrame(failed, columns=["patient", "status", "reason"]),
        samples=samples,
    )


def units_of(data: FitData, asked: Question) -> dict[str, str]:
    """Return the units of parameters and derived quantities.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> from cellpk.fit.individual.door import question
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="flow")
    >>> units_of(data, question(data, None, starts=4, seed=1))["auc_0_28"]
    'day*cells/uL'
    """
    prior = asked.prior.table
    return dict(zip(prior["parameter"], prior["unit"], strict=True)) | (
        data.quantity_units
    )


def with_ends(names: Iterable[str]) -> list[str]:
    """Return each name, followed by those of the ends of its interval.

    Examples
    --------
    >>> with_ends(["cmax"])
    ['cmax', 'cmax_low', 'cmax_high']
    """
    return [name + end for name in names for end in ("", "_low", "_high")]


def _samples(made: Made) -> pd.DataFrame:
    """Return the samples of the assays with what the fits make of them."""
    data, solution = made.data, made.solution
    table = data.samples.assign(predicted=np.nan, residual=np.nan)
    errors, levels = sized(data.errors, solution.sizes), []
    if data.patients:
        levels = data.levels(made.asked.ties.full(solution.theta))
    predicted, residual = (table[x].to_numpy(copy=True) for x in table.columns[-2:])
    parts = zip(levels, data.series, errors, made.scales, strict=False)
    for found, one, error, scale in parts:
        rows = one.rows[one.known]
        predicted[rows] = scale * np.exp(found.log_level[one.known])
        r, _ = signed_roots(found.log_level, one.said, error)
        residual[rows] = r[one.known]
    assays = [one.assay for one in data.series]
    table = table.assign(predicted=predicted, residual=residual)
    return table[table["assay"].isin(assays)].reset_index(drop=True)


def _long(made: Made, numbers: Numbers) -> pd.DataFrame:
    """Return one row per patient and quantity."""
    names = quantity_names(made.data.model)
    units = units_of(made.data, made.asked)
    count, free = len(made.data.patients), len(made.data.model.free)
    kinds = ["parameter"] * free + ["derived"] * (len(names) - free)
    flat = {name: getattr(numbers, name).ravel() for name in Numbers.__annotations__}
    last = {"se": flat.pop("error"), "information": flat.pop("information")}
    return pd.DataFrame(
        {
            "patient": np.repeat(np.array(made.data.patients, object), len(names)),
            "quantity": list(names) * count,
            "kind": kinds * count,
            **flat,
            "unit": [units[name] for name in names] * count,
            **last,
        }
    ).astype({"patient": "str"})


def _table(made: Made, numbers: Numbers, said: Sequence[str]) -> pd.DataFrame:
    """Return one row per patient of the study."""
    data, solution = made.data, made.solution
    names, place = (
        quantity_names(data.model),
        {n: i for i, n in enumerate(data.patients)},
    )
    rows = np.array([place.get(case.patient, -1) for case in made.cases], np.intp)
    fitted = rows >= 0
    methods = np.array(["map" if reason else "ml" for reason in solution.no_ml] + [""])
    sure = np.array([not doubts for doubts in solution.doubts] + [False])
    ends = np.stack([numbers.value, numbers.low, numbers.high], axis=-1)
    ends = ends.reshape(len(data.patients), 3 * len(names))
    wide = np.full((len(rows), 3 * len(names)), np.nan)
    wide[fitted] = ends[rows[fitted]]
    found = pd.DataFrame(
        {
            "patient": [case.patient for case in made.cases],
            "assay": " and ".join(one.assay for one in data.series),
            "status": [case.status for case in made.cases],
            "method": np.where(fitted, methods[rows], "none"),
            **_counts(made),
            "converged": fitted & sure[rows],
        }
    ).astype({"method": "str"})
    columns = pd.DataFrame(wide, columns=pd.Index(with_ends(names)))
    spoken = [
        said[row] if row >= 0 else case.reason
        for row, case in zip(rows, made.cases, strict=True)
    ]
    return pd.concat([found, columns], axis=1).assign(
        sentence=pd.Series(spoken, dtype="str")
    )


def _counts(made: Made) -> Mapping[str, Array]:
    """Return how many samples each patient of the study has."""
    found = counts(made.data.samples).reindex([case.patient for case in made.cases])
    return {name: found[name].fillna(0).to_numpy(int) for name in found.columns}
