"""Priors of everything that a hierarchical fit estimates, in numbers and in words."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError, nearest
from cellpk.fit.bayes.prior_choice import Priors
from cellpk.fit.bayes.prior_rows import PriorRows
from cellpk.fit.data import FitData
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.structure import Structure

Array = NDArray[np.float64]


class Numbers(NamedTuple):
    """Numbers of all priors, on the scales of :class:`.layout.Layout`.

    Parameters
    ----------
    centre, sd : ndarray, shape (q,)
        Of the coefficients: normal.
    spread : ndarray, shape (v,)
        Scales of the half-normal SDs between patients, of those that vary.
    correlation : float
        Shape of the LKJ distribution.
    error : ndarray, shape (k,)
        Scales of the half-normal residual errors.
    never : (float, float)
        Beta distribution of the share.
    lot : ndarray, shape (d,)
        Scales of the half-normal SDs between lots.

    Examples
    --------
    >>> Numbers._fields[:2]
    ('centre', 'sd')
    """

    centre: Array
    sd: Array
    spread: Array
    correlation: float
    error: Array
    never: tuple[float, float]
    lot: Array


@dataclass(frozen=True, eq=False)
class PriorNumbers:
    """Priors in numbers, and as a table with a sentence for each.

    Parameters
    ----------
    numbers : Numbers
        What the sampler needs.
    table : DataFrame
        One row per estimate: ``parameter, kind`` (typical value, covariate effect,
        spread, correlation, residual error, share, spread between lots),
        ``distribution, median, low, high`` (5th and 95th percentile) in ``unit``,
        ``source``, and ``sentence``.

    Examples
    --------
    >>> sorted(PriorNumbers.__annotations__)
    ['numbers', 'table']
    """

    numbers: Numbers
    table: pd.DataFrame

    def log_density(self, layout: Layout) -> tuple[float, Array, Array]:
        """Return the log prior at estimates, on the scales of their vector.

        Constants are left out; log SDs and log odds have their Jacobian.

        Parameters
        ----------
        layout : Layout
            The estimates.

        Returns
        -------
        value : float
        slope, curvature : ndarray
            First derivatives, and minus the second ones of each estimate by itself,
            in the order of ``layout.vector()``.
        """
        prior, where, vector = self.numbers, layout.parts(), layout.vector()
        slope, curvature = np.zeros_like(vector), np.zeros_like(vector)
        away = (vector[where["beta"]] - prior.centre) / prior.sd
        value = -0.5 * float(away @ away)
        slope[where["beta"]] = -away / prior.sd
        curvature[where["beta"]] = prior.sd**-2
        scales = {"log_sd": prior.spread, "error": prior.error, "log_lot_sd": prior.lot}
        for part, scale in scales.items():
            logs = vector[where[part]]
            square = np.exp(2 * (logs - np.log(scale)))
            value += float((logs - square / 2).sum())
            slope[where[part]] = 1 - square
            curvature[where[part]] = 2 * square
        one, other = prior.never
        odds = vector[where["never"]]
        share = 1 / (1 + np.exp(-odds))
        value += float((one * np.log(share) + other * np.log1p(-share)).sum())
        slope[where["never"]] = one - (one + other) * share
        curvature[where["never"]] = (one + other) * share * (1 - share)
        return value + self._of_correlations(layout, slope, curvature), slope, curvature

    def _of_correlations(self, layout: Layout, slope: Array, curvature: Array) -> float:
        """Return the log density of the correlations, and fill in their slopes."""
        shape, pairs = self.numbers.correlation - 1, layout.pairs
        if not pairs or not shape:
            return 0.0
        omega, varies = layout.state.omega, layout.structure.varies
        sd = np.where(varies, np.sqrt(np.diag(omega)), 1.0)
        correlation = omega / np.outer(sd, sd) + np.diag(~varies)
        inverse = np.linalg.inv(correlation)
        rows, columns = np.array(pairs).T
        where = layout.parts()["correlation"]
        slope[where] = 2 * shape * inverse[rows, columns]
        curvature[where] = (
            2
            * shape
            * (
                inverse[rows, rows] * inverse[columns, columns]
                + inverse[rows, columns] ** 2
            )
        )
        return shape * float(np.linalg.slogdet(correlation)[1])


def prior_numbers(
    data: FitData, structure: Structure, choice: Priors, *, never: bool
) -> PriorNumbers:
    """Return the priors of everything that is estimated.

    Typical values are normal on their own scale about the model's value; SDs between
    patients, residual errors and SDs between lots half-normal; correlations LKJ
    (Lewandowski D, Kurowicka D, Joe H. J Multivar Anal 2009;100:1989-2001); the share
    of patients who never expand beta.

    Parameters
    ----------
    data : FitData
        Samples and model.
    structure : Structure
        How parameters differ between patients.
    choice : Priors
        How much the literature counts.
    never : bool
        Whether a class of patients who never expand is estimated.

    Returns
    -------
    PriorNumbers

    Raises
    ------
    FitError
        Where a prior is given by hand of a parameter that is not estimated.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1))
    >>> plain = Structure.without_covariates(stein.free, 18)
    >>> priors = prior_numbers(data, plain, Priors(), never=True)
    >>> print(priors.table["sentence"][1])
    tmax, typical value: log-normal with median 9.3 day, 90 % between 4.98 and 17.4 ...
    """
    _check_names(data, structure, choice)
    rows = PriorRows(data, structure, choice)
    typical, effects = rows.typical(), rows.effects()
    spread, errors, lots = rows.spread(), rows.errors(), rows.lots()
    numbers = Numbers(
        centre=np.array([*(row.centre for row in typical), *np.zeros(len(effects))]),
        sd=np.array([*(row.size for row in typical), *(row.size for row in effects)]),
        spread=np.array([row.size for row in spread]),
        correlation=choice.correlation,
        error=np.array([row.size for row in errors]),
        never=choice.never,
        lot=np.array([row.size for row in lots]),
    )
    said = [*typical, *effects, *spread, *rows.correlations(), *errors]
    said += [*rows.share()] if never else []
    return PriorNumbers(numbers, pd.DataFrame([row.said for row in [*said, *lots]]))


def _check_names(data: FitData, structure: Structure, choice: Priors) -> None:
    for name in (*choice.typical, *choice.spread):
        if name not in data.model.free:
            todo = nearest(name, data.model.free)
            raise FitError(f"a prior of {name!r}, which is not fitted", todo=todo)
    for name, varies in zip(structure.names, structure.varies, strict=True):
        if name in choice.spread and not varies:
            found = f"a prior of the spread of {name!r}, which has none"
            raise FitError(found, todo="Leave it out, or out of without_spread.")
