"""How patients differ from what is expected of them: estimated, and drawn."""

import numpy as np
import pandas as pd

from cellpk.errors import FitError
from cellpk.fit.fitted import FittedPopulation

SHRUNK = 30.0
"""Shrinkage (%) above which estimated deviations are not to be looked at."""


def etas(fit: FittedPopulation) -> pd.DataFrame:
    """Return the deviation of each patient from what is expected of her.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.

    Returns
    -------
    DataFrame
        A row for each patient and parameter that differs between patients: ``patient,
        parameter``, ``eta``, the mean of what is known of her parameter less what is
        expected of it with her covariates and her donor lot, on the parameter's own
        scale (log, logit), its ``sd``, that of the population ``omega``, and
        ``expanded``, the chance that her cells expanded at all.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> len(etas(ck.fit_population(stein, study, steps=quick)))    # 12 patients by 6
    72
    """
    known, varies = fit.posteriors, fit.structure.varies
    names = list(np.array(fit.model.free)[varies])
    variance = np.diagonal(known.covariance, axis1=-2, axis2=-1)[:, varies]
    omega = np.sqrt(np.diag(fit.state.omega))[varies]
    patients = len(known.mean)
    return pd.DataFrame(
        {
            "patient": pd.array(np.repeat(fit.patients, len(names)), dtype="str"),
            "parameter": pd.array(names * patients, dtype="str"),
            "eta": (known.mean - fit.expected)[:, varies].ravel(),
            "sd": np.sqrt(variance).ravel(),
            "omega": np.tile(omega, patients),
            "expanded": np.repeat(known.expanded, len(names)),
        }
    )


def sampled_etas(fit: FittedPopulation, *, draws: int = 1) -> pd.DataFrame:
    """Return draws of what the deviation of each patient may be.

    Unlike the estimates, which shrink towards 0 where the samples of a patient say
    little, the draws are spread as the patients are: under the true model they are
    normal with the population's SD, and hang on covariates as the parameters do.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.
    draws : int
        How many of each patient, 1 or more; at most as many as the fit keeps.

    Returns
    -------
    DataFrame
        ``draw, patient, parameter, eta, scaled`` (by the population's SD),
        ``expanded``. What a donor lot adds is taken at its mean given all samples.

    Raises
    ------
    FitError
        Where no draw is asked for.

    References
    ----------
    Lavielle M, Ribba B. Enhanced method for diagnosing pharmacometric models: random
    sampling from conditional distributions. Pharm Res 2016;33:2979-2988.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> fit = ck.fit_population(stein, study, steps=quick)
    >>> len(sampled_etas(fit, draws=2))                    # 2 of 12 patients by 6
    144
    """
    if draws < 1:
        raise FitError(f"draws = {draws}", todo="Use 1 or more.")
    one, varies = etas(fit), fit.structure.varies
    away, spread = (found[..., varies] for found in fit.deviations(draws))
    scaled = away / spread[:, None]
    columns = ["patient", "parameter", "expanded"]
    return pd.concat(
        [
            one[columns].assign(draw=i, eta=eta.ravel(), scaled=by_sd.ravel())
            for i, (eta, by_sd) in enumerate(zip(away, scaled, strict=True), 1)
        ],
        ignore_index=True,
    )[["draw", "patient", "parameter", "eta", "scaled", "expanded"]]


def shrinkage_warnings(fit: FittedPopulation) -> tuple[str, ...]:
    """Return a sentence for each parameter whose estimates have shrunk too far.

    Examples
    --------
    >>> callable(shrinkage_warnings)       # see tests/test_diagnostics.py
    True
    """
    return tuple(
        f"{name}: the samples do not tell its spread; estimates (EBE) and draws of the "
        "patients show what was assumed"
        if np.isnan(value)
        else f"{name}: shrinkage {value:.0f}%; plots of the patients' estimates (EBE) "
        "are not to be trusted, draws are"
        for name, value in fit.shrinkage.items()
        if not value <= SHRUNK
    )
