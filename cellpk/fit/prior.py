"""What is known of a patient before any sample: the spread between patients."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.data import FitData
from cellpk.model.model import Model
from cellpk.model.parameters import Parameter

BOUND = 6.0
"""Bounds of every fit, in SDs from the centre: beyond them lies 1 patient in 5e8."""


@dataclass(frozen=True, eq=False)
class Prior:
    """A normal distribution of the parameters between patients.

    Parameters
    ----------
    centre, sd : ndarray, shape (p,)
        On the model's transformed scale.
    table : DataFrame
        One row per parameter: ``parameter, centre`` (natural scale), ``sd``
        (transformed scale), ``unit, source``.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> prior = prior_of(stein, [], observed="qpcr", unit="copies/ug")
    >>> bool((prior.low < prior.centre).all())
    True
    """

    centre: NDArray[np.float64]
    sd: NDArray[np.float64]
    table: pd.DataFrame

    @property
    def low(self) -> NDArray[np.float64]:
        """Lower bounds of a fit, shape (p,)."""
        return self.centre - BOUND * self.sd

    @property
    def high(self) -> NDArray[np.float64]:
        """Upper bounds of a fit, shape (p,)."""
        return self.centre + BOUND * self.sd

    def standardised(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how many SDs from the centre parameters are, shape (..., p).

        Examples
        --------
        >>> prior = Prior(np.array([1.0]), np.array([0.5]), pd.DataFrame())
        >>> prior.standardised(np.array([2.0]))
        array([2.])
        """
        return (theta - self.centre) / self.sd

    def draws(self, number: int, seed: int) -> NDArray[np.float64]:
        """Return evenly spread draws (a scrambled Sobol sequence), shape (number, p).

        Examples
        --------
        >>> prior = Prior(np.array([1.0]), np.array([0.5]), pd.DataFrame())
        >>> prior.draws(64, seed=1).mean().round(2)
        np.float64(1.0)
        """
        from scipy.special import ndtri
        from scipy.stats import qmc

        sobol = qmc.Sobol(self.centre.size, rng=np.random.default_rng(seed))
        return self.centre + self.sd * ndtri(sobol.random(number))


def prior_of(
    model: Model, peaks: Iterable[float], *, observed: str, unit: str
) -> Prior:
    """Return the model's between-patient distribution, as far as it fits the assay.

    A parameter in the unit of the model's level says nothing of levels in another
    unit. It is then centred on the study's own peak levels (geometric mean), with their
    spread or the model's, whichever is larger.

    Parameters
    ----------
    model : Model
        Typical values and spread.
    peaks : iterable of float
        Highest quantified level of each patient who has one, in ``unit``.
    observed : str
        Which of the model's observed levels stands for the assay.
    unit : str
        Unit of the study's levels.

    Returns
    -------
    Prior
        Its table says in one sentence where each parameter's numbers come from.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> prior = prior_of(stein, [10, 1000], observed="qpcr", unit="cells/uL")
    >>> prior.table.loc[2, ["parameter", "centre", "unit"]].astype(str).to_list()
    ['cmax', '100.0', 'cells/uL']
    """
    centre, sd = model.typical.copy(), model.spread.copy()
    own_unit = model.observed[observed].unit
    seen = np.array(list(peaks), float)
    sources, units = [], []
    for i, name in enumerate(model.free):
        row = model.parameters[name]
        if row.unit == own_unit != unit and seen.size > 0:
            logs = model.theta({name: seen})[..., i]
            spread = float(np.std(logs, ddof=1)) if seen.size > 1 else 0.0
            centre[i], sd[i] = logs.mean(), max(spread, model.spread[i])
            units.append(unit)
            sources.append(
                _moved(seen.size, spread, model.spread[i], units=(own_unit, unit))
            )
        else:
            units.append(row.unit)
            sources.append(f"Model: {_source(row) or model.source}.")
    natural = model.natural(centre)
    table = pd.DataFrame(
        {
            "parameter": model.free,
            "centre": [float(natural[name].round(12)) for name in model.free],
            "sd": sd,
            "unit": units,
            "source": sources,
        }
    )
    return Prior(centre, sd, table)


def prior_for(data: FitData) -> Prior:
    """Return the model's between-patient distribution for samples of a study.

    Parameters
    ----------
    data : FitData
        The samples; levels are in the unit of the first assay.

    Returns
    -------
    Prior

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> prior_for(fit_data(stein, ck.simulate_study(seed=1))).centre.shape
    (6,)
    """
    one = data.series[0]
    seen = np.where(one.said.quantified, one.said.low, -np.inf).max(-1)
    peaks = np.exp(seen[np.isfinite(seen)])
    return prior_of(data.model, peaks, observed=one.observed, unit=one.unit)


def _source(row: Parameter) -> str:
    """Say where the value comes from, and the spread where that is elsewhere."""
    if row.iiv_source in {"", row.source}:
        return row.source
    return f"{row.source}; spread: {row.iiv_source}"


def _moved(number: int, spread: float, iiv_sd: float, *, units: tuple[str, str]) -> str:
    """Say where the numbers of a level on another scale come from."""
    whose = "their own SD" if spread >= iiv_sd else "the model's SD, the larger one"
    return (
        f"Geometric mean of the highest level of the {number} patients of this study "
        f"with a quantified one, with {whose} (log scale: {spread:.2f} between them, "
        f"{iiv_sd:.2f} in the model), since the model's {units[0]} "
        f"say nothing of {units[1]}."
    )
