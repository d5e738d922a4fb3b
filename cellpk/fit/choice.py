"""Which of several models the samples of each patient speak for: ``choose_model``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.data import FitData, fit_data
from cellpk.fit.error_size import best_sizes, sized
from cellpk.fit.modes import Aim, descend
from cellpk.fit.prior import prior_for
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

_BATCH = 256
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
        n_parameters`` (with the size of the residual error), ``deviance`` (-2 log L of
        the log levels at its maximum), ``aicc, bic``; ``weight`` by the criterion;
        ``best`` (of this patient); ``reason`` where a number is missing.
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
    assay: str | None = None,
    criterion: str = "aicc",
    starts: int = 16,
    seed: int = 1,
) -> ModelChoice:
    """Weigh models against each other, patient by patient.

    Each model is fitted to each patient by maximum likelihood, with a residual error of
    the patient's own size and without any prior, as the criteria ask for. Where a model
    publishes no residual error, it is taken for log-normal.

    Parameters
    ----------
    models : sequence of Model, or mapping of str to Model
        The candidates, under their own names or others.
    study : Study
        Whose patients.
    assay : str, optional
        Which levels; the study's main assay where not given.
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
    FitError
        Where fewer than two models are given, two have one name, or the criterion is
        not known; as :func:`cellpk.fit.data.fit_data`, where a model does not fit the
        study.

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
        name: _fitted(name, model, study, assay=assay, starts=starts, seed=seed)
        for name, model in named.items()
    }
    patients = sorted({*study.patients["patient"], *study.samples["patient"]})
    rows = [_row(patient, fits) for patient in patients for fits in fitted.values()]
    table = pd.DataFrame(rows)
    weighed = [_weighed(own, criterion) for _, own in table.groupby("patient")]
    return ModelChoice(pd.concat(weighed, ignore_index=True), criterion)


class _Fitted(NamedTuple):
    """One model at its maximum in each patient."""

    name: str
    data: FitData
    deviance: Array
    scale: Array


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
    name: str, model: Model, study: Study, *, assay: str | None, starts: int, seed: int
) -> _Fitted:
    """Fit a model to each patient by maximum likelihood."""
    data = fit_data(model, study, assays=assay)
    prior = prior_for(data)
    shape = (len(data.patients), prior.centre.size)
    errors, scale = _errors(data), np.zeros((shape[0], 1))
    aim = Aim(
        data,
        sized(errors, scale),
        mean=np.broadcast_to(prior.centre, shape),
        precision=np.zeros((shape[1], shape[1])),
        low=prior.low,
        high=prior.high,
        reach=prior.sd,
    )
    batch = np.repeat(prior.draws(max(_BATCH, starts), seed)[:, None], shape[0], axis=1)
    order = np.argsort(aim.values(batch), axis=0, kind="stable")[:starts]
    chosen = np.take_along_axis(batch, order[..., None], axis=0)
    ends = descend(aim, chosen).sorted()
    for _ in range(_TURNS):
        # By turns: the residual error that suits the curve, the curve that suits it.
        levels, before = data.levels(ends.best), scale
        scale = best_sizes(data, levels, errors, within=SCALES)
        aim = replace(aim, errors=sized(errors, scale))
        ends = descend(aim, ends.theta[:_KEPT]).sorted()
        if np.abs(scale - before).max() < _SETTLED:
            break
    return _Fitted(name, data, 2 * ends.value.min(0), scale[:, 0])


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
    row: dict[str, object] = {
        "patient": patient,
        "model": fits.name,
        "n_samples": 0,
        "n_quantified": 0,
        "n_parameters": len(fits.data.model.free) + 1,
    }
    numbers = dict.fromkeys(("deviance", *CRITERIA), np.nan)
    if patient not in fits.data.patients:
        return row | numbers | {"reason": "no sample that says something"}
    i, (series,) = fits.data.patients.index(patient), fits.data.series
    n, k = int(series.known[i].sum()), len(fits.data.model.free) + 1
    seen = int((series.said.quantified & series.known)[i].sum())
    row |= {"n_samples": n, "n_quantified": seen}
    reason = _reason(fits, i, seen=seen, k=k)
    if not reason:
        deviance = fits.deviance[i]
        numbers = {
            "deviance": deviance,
            "aicc": deviance + 2 * k + 2 * k * (k + 1) / (n - k - 1),
            "bic": deviance + k * np.log(n),
        }
    return row | numbers | {"reason": reason}


def _reason(fits: _Fitted, i: int, *, seen: int, k: int) -> str:
    """Say why a model cannot be weighed in a patient; else empty."""
    if seen < k + 2:
        return f"{seen} quantified samples are fewer than {k + 2}, of {k} parameters"
    if not np.isfinite(fits.deviance[i]):
        return "no curve can be calculated"
    low, high = np.log(SCALES)
    if fits.scale[i] < low + 0.02:
        return "the curve goes through the samples: nothing is left to weigh"
    if fits.scale[i] > high - 0.02:
        return "the curve misses the samples by far"
    return ""


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
    columns = [*own.columns.drop("reason"), "weight", "best", "reason"]
    return found[columns]
