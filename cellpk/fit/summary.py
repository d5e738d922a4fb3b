"""What a patient's fit says: numbers with intervals, and what the data cannot tell."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.cases import Case, counted
from cellpk.fit.likelihood import residuals
from cellpk.fit.objective import TOLERANCE
from cellpk.fit.patient import PatientFit, residual_sd
from cellpk.model.model import Model

Array = NDArray[np.float64]

LITTLE = 0.2
"""Share of information from the data below which a number is called the prior's."""

ENOUGH = 2
"""Quantified samples on one side of the highest below which their number is told."""

FAR = 2.5
"""Residual SDs from the curve beyond which a sample is named."""


def values(model: Model, theta: Array) -> dict[str, Array]:
    """Return free parameters and derived quantities by name, in natural units.

    Parameters
    ----------
    model : Model
        The model.
    theta : ndarray, shape (..., p)
        Parameters on the transformed scale.

    Returns
    -------
    dict of str to ndarray, shape (...)
        First the parameters, then the derived quantities; NaN where the model cannot
        be calculated.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> list(values(stein, stein.typical))[-3:]
    ['half_life_1', 'half_life_2', 'auc_0_28']
    """
    natural = model.natural(theta)
    derived = model.quantity_values(theta, tolerance=TOLERANCE)
    return {name: natural[name] for name in model.free} | derived


def variances(
    model: Model, theta: Array, drawn: Mapping[str, Array]
) -> dict[str, float]:
    """Return how much each quantity varies over draws.

    Parameters
    ----------
    model : Model
        The model.
    theta : ndarray, shape (n, p)
        Draws on the transformed scale.
    drawn : mapping of str to ndarray, shape (n,)
        Their :func:`values`.

    Returns
    -------
    dict of str to float
        Variance of parameters on the transformed scale, of derived quantities on the
        log scale.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> draws = stein.typical + np.array([[-1.0] * 6, [1.0] * 6])
    >>> round(variances(stein, draws, values(stein, draws))["half_life_1"], 6)
    1.0
    """
    found = dict(zip(model.free, np.var(theta, axis=0).tolist(), strict=True))
    derived = [name for name in drawn if name not in found]
    logs = {name: np.log(np.abs(_known(drawn[name]))) for name in derived}
    return found | {
        name: float(np.var(x)) if x.size else np.nan for name, x in logs.items()
    }


def _known(drawn: Array) -> Array:
    """Leave out draws of which a quantity could not be calculated."""
    return drawn[~np.isnan(drawn)]


def quantities(
    fit: PatientFit, before: Mapping[str, float], *, level: float
) -> pd.DataFrame:
    """Return the numbers of one fit, one row each.

    Parameters
    ----------
    fit : PatientFit
        The fit.
    before : mapping of str to float
        From :func:`variances` of draws from the prior.
    level : float
        Probability that the intervals hold.

    Returns
    -------
    DataFrame
        ``quantity, kind, value, low, high, information``: the estimate, equal-tailed
        interval of the draws, and which share of the prior's variance the data took
        away (NaN for ML).

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
    >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
    >>> fits.long.columns.to_list()[1:6]
    ['quantity', 'kind', 'value', 'low', 'high']
    """
    model = fit.objective.model
    best, drawn = values(model, fit.theta), values(model, fit.draws)
    after = variances(model, fit.draws, drawn)
    tails = [(1 - level) / 2, (1 + level) / 2]
    rows = []
    for name, value in best.items():
        kind = "parameter" if name in model.free else "derived"
        known = _known(drawn[name])
        low, high = np.quantile(known, tails) if known.size else (np.nan, np.nan)
        share = float(np.clip(1 - after[name] / before[name], 0, 1))
        information = np.nan if fit.method == "ml" else share
        rows.append((name, kind, float(value), low, high, information))
    columns = ["quantity", "kind", "value", "low", "high", "information"]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def described(case: Case, fit: PatientFit) -> pd.DataFrame:
    """Return the patient's samples with what the fit makes of them.

    Parameters
    ----------
    case : Case
        The patient.
    fit : PatientFit
        The fit.

    Returns
    -------
    DataFrame
        ``case.samples`` with ``predicted`` (level of the curve) and ``residual``
        (signed root of the sample's share of -2 log L, in residual SDs; for quantified
        samples log level of the curve less log level measured); NaN where not used.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
    >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
    >>> fits.samples["residual"].abs().max() < 1
    np.True_
    """
    objective = fit.objective
    mu = objective.levels(fit.theta).log_level
    used = (case.samples["left_out"] == "").to_numpy()
    predicted, residual = np.full((2, len(used)), np.nan)
    predicted[used] = np.exp(mu)
    residual[used] = residuals(mu, objective.said, objective.sd)[0]
    return case.samples.assign(predicted=predicted, residual=residual)


def sentence(
    case: Case, fit: PatientFit, *, numbers: pd.DataFrame, samples: pd.DataFrame
) -> str:
    """Return what the data of one patient cannot tell, in fixed sentences.

    Parameters
    ----------
    case : Case
        The patient.
    fit : PatientFit
        The fit.
    numbers, samples : DataFrame
        From :func:`quantities` and :func:`described`.

    Returns
    -------
    str

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
    >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
    >>> print(fits.table["sentence"][0])
    MAP, for 3 quantified samples are fewer than 10. 1 quantified sample before the
    highest (day 14). 1 quantified sample after the highest (day 14). No sample after
    day 28. Rests on the prior (information from the data): ...
    """
    parts = [
        *_method(fit),
        *_sampling(case),
        *_without_information(case),
        *_far(samples),
        *_rest_on_the_prior(numbers),
    ]
    return " ".join(part + "." for part in parts)


def _method(fit: PatientFit) -> Iterator[str]:
    if fit.doubts:
        yield f"Not converged: {'; '.join(fit.doubts)}"
    if fit.method == "map":
        yield f"MAP, for {fit.no_ml}"
    else:
        own = fit.objective.sd
        model = residual_sd(fit.objective.model, fit.objective.observed)
        yield f"ML, residual SD {own:.2g} (model {model:.2g})"


def _sampling(case: Case) -> Iterator[str]:
    times = case.quantified["time"].to_numpy(float)
    peak = times[case.quantified["level"].to_numpy(float).argmax()]
    for side, found in (("before", times < peak), ("after", times > peak)):
        if found.sum() < ENOUGH:
            seen = counted(int(found.sum()), "quantified sample")
            yield f"{seen} {side} the highest (day {peak:g})"
    yield f"No sample after day {case.times.max():g}"


def _without_information(case: Case) -> Iterator[str]:
    reasons = Counter(case.after_infusion["left_out"])
    for reason, number in sorted(reasons.items()):
        if reason:
            yield f"{counted(number, 'sample')} not used ({reason})"


def _far(samples: pd.DataFrame) -> Iterator[str]:
    residuals = samples["residual"].to_numpy(float)
    for time, residual in zip(samples["time"], residuals, strict=True):
        if abs(residual) > FAR:
            away = f"{abs(residual):.1f} residual SDs from the curve"
            yield f"The sample of day {time:g} lies {away}"


def _rest_on_the_prior(numbers: pd.DataFrame) -> Iterator[str]:
    shares = zip(numbers["quantity"], numbers["information"], strict=True)
    poor = [f"{name} {100 * share:.0f} %" for name, share in shares if share < LITTLE]
    if poor:
        yield f"Rests on the prior (information from the data): {', '.join(poor)}"
