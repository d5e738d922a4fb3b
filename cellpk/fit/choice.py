"""Which of several models the samples of each patient speak for: ``choose_model``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.data import FitData
from cellpk.fit.error_size import best_sizes, sized
from cellpk.fit.individual.cases import Assays, patients_of, told, unusable
from cellpk.fit.individual.question import BATCH
from cellpk.fit.individual.search import Optimum, search
from cellpk.fit.modes import Aim, descend
from cellpk.fit.prior import Prior, prior_for
from cellpk.fit.residual_error import ResidualError, error_of
from cellpk.fit.standardised import NAMES
from cellpk.model.model import Model
from cellpk.study.study import Study

Array = NDArray[np.float64]

SCALES = (0.1, 10.0)
"""How many times the model's residual error a patient's own may be."""

USUAL = 0.5
"""SD of the log level about which the residual error of a model is sought that
publishes none."""

_TURNS, _KEPT = 30, 4
_SETTLED = 1e-3

CRITERIA = ("aicc", "bic")


@dataclass(frozen=True, eq=False, repr=False)
class ModelChoice:
    """What the samples of each patient say of several models; by `choose_model`.

    Parameters
    ----------
    table : DataFrame
        One row per patient and model: ``patient, model, n_samples, n_quantified,
        n_parameters`` (with the size of the residual error of each assay of which
        samples were quantified), ``deviance`` (-2 log L of the log levels at its
        maximum within six SDs between patients), ``aicc, bic``; ``weight`` by the
        criterion; ``best`` (of this patient); ``doubts`` of the maximum: what stands at
        its bound, and whether fewer than two starts came to it; ``reason`` where a
        number is missing.
    criterion : {"aicc", "bic"}
        By which models were weighed.

    Examples
    --------
    >>> sorted(ModelChoice.__annotations__)
    ['criterion', 'table']
    """

    table: pd.DataFrame
    criterion: str

    @property
    def summary(self) -> pd.DataFrame:
        """One row per model, best first.

        ``model``; ``patients``, of whom it could be weighed; ``best``, in how many of
        them it is the best; ``mean_weight``.
        """
        weighed = self.table[self.table["weight"].notna()]
        grouped = weighed.groupby("model", sort=False)
        found = pd.DataFrame(
            {
                "patients": grouped["patient"].size(),
                "best": grouped["best"].sum(),
                "mean_weight": grouped["weight"].mean(),
            }
        ).reindex(self.table["model"].unique())
        found[["patients", "best"]] = found[["patients", "best"]].fillna(0).astype(int)
        order = found.sort_values(["best", "mean_weight"], ascending=False)
        return order.rename_axis("model").reset_index()

    def __repr__(self) -> str:
        patients = self.table["patient"].nunique()
        weighed = self.table.loc[self.table["weight"].notna(), "patient"].nunique()
        counts = ", ".join(
            f"{name} best in {best}"
            for name, best in self.summary[["model", "best"]].to_numpy()
        )
        return (
            f"Models of {patients} patients by {self.criterion.upper()}: {weighed} "
            f"with enough samples; {counts}"
        )

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.summary.to_html(index=False)}"


def choose_model(
    models: Sequence[Model] | Mapping[str, Model],
    study: Study,
    *,
    assays: Assays = None,
    criterion: str = "aicc",
    starts: int = 16,
    seed: int = 1,
) -> ModelChoice:
    """Weigh models against each other, patient by patient.

    Each model is fitted to each patient by maximum likelihood, with residual errors of
    the patient's own size and without any prior, as the criteria ask for. Where a model
    publishes no residual error, it is taken for log-normal.

    Parameters
    ----------
    models : sequence of Model, or mapping of str to Model
        The candidates, under their own names or others.
    study : Study
        Whose patients.
    assays : str, sequence of str, or mapping of str to str, optional
        As for :func:`fit_individuals`, of all models alike; the study's main assay
        where not given.
    criterion : {"aicc", "bic"}
        What the weights rest on.
    starts : int
        How many starts per patient and model.
    seed : int
        Chance of the starts.

    Returns
    -------
    ModelChoice
        Weights add up to 1 over the models that could be weighed in a patient.

    Raises
    ------
    FitError, DataError
        Where fewer than two models are given, two have one name, or the criterion is
        not known; as :func:`fit_individuals`, where a model does not fit the study.

    References
    ----------
    Hurvich CM, Tsai C-L. Biometrika 1989;76:297-307 (AICc). Burnham KP, Anderson DR.
    Model selection and multimodel inference. 2nd ed. Springer 2002 (weights).

    Examples
    --------
    >>> import cellpk as ck
    >>> names = ("stein_2019_tisagenlecleucel", "stein_2019_smooth_peak")
    >>> models = [ck.load_model(name) for name in names]
    >>> days = [2, 4, 6, 8, 9, 10, 12, 14, 21, 28, 60, 90]
    >>> study = models[0].simulate(3, design=ck.Design(days), seed=1).study()
    >>> len(ck.choose_model(models, study, starts=4).table)
    6
    """
    named = _named(models, criterion)
    fitted = {
        name: _fitted(name, model, study, assays=assays, starts=starts, seed=seed)
        for name, model in named.items()
    }
    rows = [
        _row(patient, fits)
        for patient in patients_of(study)
        for fits in fitted.values()
    ]
    table = pd.DataFrame(rows)
    weighed = [_weighed(own, criterion) for _, own in table.groupby("patient")]
    return ModelChoice(pd.concat(weighed, ignore_index=True), criterion)


class _Fitted(NamedTuple):
    """One model at its maximum in each patient."""

    name: str
    data: FitData
    missing: dict[str, str]
    prior: Prior
    found: Optimum
    sizes: Array
    reached: NDArray[np.intp]
    starts: int


def _named(
    models: Sequence[Model] | Mapping[str, Model], criterion: str
) -> dict[str, Model]:
    if criterion not in CRITERIA:
        todo = f"Use {' or '.join(CRITERIA)}."
        raise FitError(f"criterion = {criterion!r}", todo=todo)
    if isinstance(models, Mapping):
        found = dict(models)
    else:
        found = {model.name: model for model in models}
        if len(found) < len(models):
            todo = "Give a mapping of names to models."
            raise FitError("two models have the same name", todo=todo)
    if len(found) < 2:
        given = ", ".join(found) or "none"
        raise FitError(f"models = {given}", todo="Give two or more.")
    return found


def _fitted(
    name: str, model: Model, study: Study, *, assays: Assays, starts: int, seed: int
) -> _Fitted:
    """Fit a model to each patient by maximum likelihood."""
    data, missing = told(model, study, assays)
    prior = prior_for(data)
    shape = (len(data.patients), prior.centre.size)
    errors = _errors(data)
    aim = Aim(
        data,
        errors,
        mean=np.broadcast_to(prior.centre, shape),
        precision=np.zeros((shape[1], shape[1])),
        low=prior.low,
        high=prior.high,
        reach=prior.sd,
    )
    found = search(aim, prior.draws(max(BATCH, starts), seed), starts)
    ends = found.ends.theta
    aim, found, sizes = _by_turns(aim, found, errors)
    found = search(aim, np.concatenate([found.theta[None], ends]), starts + 1)
    # The end of the turns is among those that came to the best fit, and is no start.
    reached = found.reached - 1
    _, found, sizes = _by_turns(aim, found, errors)
    return _Fitted(name, data, missing, prior, found, sizes, reached, starts)


def _by_turns(
    aim: Aim, found: Optimum, errors: list[ResidualError]
) -> tuple[Aim, Optimum, Array]:
    """Seek the residual error that suits the curve, the curve that suits it, and so on.

    The sizes of the errors come back as logs, shape (N, assays).
    """
    sizes = np.inf
    for _ in range(_TURNS):
        levels, before = aim.data.levels(found.theta), sizes
        sizes = best_sizes(aim.data, levels, errors, within=SCALES)
        aim = replace(aim, errors=sized(errors, sizes))
        found = Optimum(descend(aim, found.ends.theta[:_KEPT]).sorted())
        if np.abs(sizes - before).max() < _SETTLED:
            break
    return aim, found, np.asarray(sizes)


def _errors(data: FitData) -> list[ResidualError]:
    """Return what the size of the residual error is sought about."""
    rows = [data.model.observed[one.observed] for one in data.series]
    return [
        ResidualError("lognormal", {"sd": USUAL})
        if row.error not in NAMES
        else error_of(row)
        for row in rows
    ]


def _row(patient: str, fits: _Fitted) -> dict[str, object]:
    """Return what one model says of one patient."""
    data, number = fits.data, len(fits.data.model.free)
    row: dict[str, object] = {
        "patient": patient,
        "model": fits.name,
        "n_samples": 0,
        "n_quantified": 0,
        "n_parameters": number + len(data.series),
    }
    numbers = dict.fromkeys(("deviance", *CRITERIA), np.nan)
    if patient not in data.patients:
        assays = [one.assay for one in data.series]
        why = (
            fits.missing.get(patient) or unusable(data.samples, patient, assays).reason
        )
        return row | numbers | {"doubts": "", "reason": why}
    i = data.patients.index(patient)
    n = sum(int(one.known[i].sum()) for one in data.series)
    seen = np.array([one.said.quantified[i].sum() for one in data.series])
    k = number + int((seen > 0).sum())
    row |= {"n_samples": n, "n_quantified": int(seen.sum()), "n_parameters": k}
    reason, doubts = _reason(fits, i, seen=seen, k=k), ""
    if not reason:
        deviance, doubts = 2 * fits.found.value[i], _doubts(fits, i)
        numbers = {
            "deviance": deviance,
            "aicc": deviance + 2 * k + 2 * k * (k + 1) / (n - k - 1),
            "bic": deviance + k * np.log(n),
        }
    return row | numbers | {"doubts": doubts, "reason": reason}


def _reason(fits: _Fitted, i: int, *, seen: NDArray[np.intp], k: int) -> str:
    """Say why a model cannot be weighed in a patient; else empty."""
    if seen.sum() < k + 2:
        few = f"{seen.sum()} quantified samples are fewer than {k + 2}"
        return f"{few}, of {k} parameters"
    if not np.isfinite(fits.found.value[i]):
        return "no curve can be calculated"
    low, high = np.log(SCALES)
    sizes = fits.sizes[i][seen > 0]
    if sizes.min() < low + 0.02:
        return "the curve goes through the samples: nothing is left to weigh"
    if sizes.max() > high - 0.02:
        return "the curve misses the samples by far"
    return ""


def _doubts(fits: _Fitted, i: int) -> str:
    """Say why the maximum of a patient may be none; else empty."""
    theta, prior = fits.found.theta[i], fits.prior
    margin = 1e-3 * prior.sd
    stuck = (theta < prior.low + margin) | (theta > prior.high - margin)
    names = zip(fits.data.model.free, stuck, strict=True)
    doubts = [f"{name} stands at its bound" for name, at_bound in names if at_bound]
    reached = int(fits.reached[i])
    if reached < min(2, fits.starts):
        few = f"{reached} of {fits.starts} starts"
        doubts.append(f"the best fit was reached from {few}")
    return "; ".join(doubts)


def _weighed(own: pd.DataFrame, criterion: str) -> pd.DataFrame:
    """Return the rows of one patient with weights."""
    value = own[criterion].to_numpy(float)
    known = np.isfinite(value)
    weight = np.full(len(own), np.nan)
    best = np.zeros(len(own), bool)
    if known.any():
        away = np.exp(-0.5 * (value[known] - value[known].min()))
        weight[known] = away / away.sum()
        best[np.flatnonzero(known)[value[known].argmin()]] = True
    found = own.assign(weight=weight, best=best)
    last = ["doubts", "reason"]
    columns = [*own.columns.drop(last), "weight", "best", *last]
    return found[columns]
