"""Posterior of what matters: peak, exposure, half-lives, time above a limit."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError, nearest
from cellpk.fit.bayes.mixing import mixing
from cellpk.fit.bayes.whose import Curves, Whose, curves_of
from cellpk.fit.data import TOLERANCE
from cellpk.fit.histories import Group
from cellpk.fit.series import Series
from cellpk.model.landmarks import landmarks
from cellpk.model.quantities import AREA, AREA_END

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit

Array = NDArray[np.float64]

PEAK, PEAK_TIME, LAST = "cmax", "tmax", "tlast"

NONE_OF = (PEAK, AREA, LAST)
"""Quantities that are 0 where cells never expanded; of the others there is none."""

SHARES = (0.5, 0.05, 0.95)
"""Median, and ends of the equal-tailed 90 % interval."""

AT_ONCE = 20_000
"""Curves that are worked out at once."""


@dataclass(frozen=True, eq=False)
class Horizon:
    """Up to when, and above which level, curves are looked at.

    Parameters
    ----------
    series : Series
        Which assay.
    until : float
        Days after the first infusion.
    limit : float or None
        In the unit of the series.

    Examples
    --------
    >>> sorted(Horizon.__annotations__)
    ['limit', 'series', 'until']
    """

    series: Series
    until: float
    limit: float | None


@dataclass(frozen=True, eq=False)
class QuantityDraws:
    """Quantities of curves under all draws.

    Parameters
    ----------
    curves : Curves
        Whose: N.
    horizon : Horizon
        Up to when they were looked at.
    units : dict of str to str
        Unit of each of the Q quantities, by name.
    of_curves : ndarray, shape (chains, draws, N, Q)
        As if cells had expanded in every draw; NaN where a curve cannot be calculated.
    beyond : ndarray of bool, shape (chains, draws, N), or None
        Whether the level is above the limit at the horizon: ``tlast`` is later.

    Examples
    --------
    >>> "table" in dir(QuantityDraws)      # see quantity_draws
    True
    """

    curves: Curves
    horizon: Horizon
    units: dict[str, str]
    of_curves: Array
    beyond: NDArray[np.bool_] | None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the quantities."""
        return tuple(self.units)

    @property
    def draws(self) -> Array:
        """Draws, shape (chains, draws, N, Q).

        Where cells never expanded, peak, area and the last time above the limit are 0,
        and there is no peak's time, half-life and so on: NaN.
        """
        none = np.array([0.0 if name in NONE_OF else np.nan for name in self.names])
        return np.where(self.curves.expanded[..., None], self.of_curves, none)

    @property
    def table(self) -> pd.DataFrame:
        """One row per patient and quantity; see ``BayesFit.quantities``."""
        values = self.draws
        ends = quantiles(values.reshape(-1, *values.shape[2:]), SHARES)
        # What there is in some draws only has no chains: those of its curve stand in.
        some = self.curves.expanded.any((0, 1))[:, None]
        found = mixing(np.where(np.isnan(values) & some, self.of_curves, values))
        patients, names = self.curves.patients, self.names
        columns: dict[str, object] = {
            "patient": np.repeat(patients, len(names)),
            "quantity": np.tile(names, len(patients)),
        }
        numbers = dict(zip(("value", "low", "high"), ends, strict=True))
        columns |= {name: each.ravel() for name, each in numbers.items()}
        columns["unit"] = np.tile(list(self.units.values()), len(patients))
        expanded = self.curves.expanded.mean((0, 1))
        columns["expanded"] = np.repeat(expanded, len(names))
        columns |= {name: each.ravel() for name, each in found._asdict().items()}
        return pd.DataFrame(columns | self._censored())

    def _censored(self) -> dict[str, object]:
        """Return in which share of the draws a quantity is later, and remarks."""
        shape = len(self.curves.patients), len(self.names)
        censored = np.full(shape, np.nan)
        if self.beyond is not None:
            later = self.beyond & self.curves.expanded
            censored[:, self.names.index(LAST)] = later.mean((0, 1))
        failed = (~np.isfinite(self.of_curves)).mean((0, 1))
        pairs = zip(censored.flat, failed.flat, strict=True)
        remarks = [self._remark(later, none) for later, none in pairs]
        return {"censored": censored.ravel(), "remark": remarks}

    def _remark(self, later: float, none: float) -> str:
        said, one = [], self.horizon
        if later > 0:
            said.append(
                f"in {later:.1%} of the draws above {one.limit:g} {one.series.unit} at "
                f"the horizon, day {one.until:g}, which stands for what is later"
            )
        if none > 0:
            said.append(f"in {none:.1%} of the draws no number: these are left out")
        return "; ".join(said)


def quantiles(drawn: Array, shares: tuple[float, ...]) -> Array:
    """Return quantiles over the draws of which there is a number.

    Parameters
    ----------
    drawn : ndarray, shape (n, ...)
        Draws; NaN where there is none.
    shares : tuple of float
        Which.

    Returns
    -------
    ndarray, shape (shares, ...)
        NaN where no draw is a number.

    Examples
    --------
    >>> quantiles(np.array([[1.0, np.nan], [3.0, np.nan]]), (0.5,))
    array([[ 2., nan]])
    """
    known = np.isfinite(drawn)
    filled = np.sort(np.where(known, drawn, np.inf), axis=0)
    last = np.maximum(known.sum(0) - 1, 0)
    found = []
    for share in shares:
        place = share * last
        low = np.floor(place).astype(int)
        ends = [
            np.take_along_axis(filled, at[None], 0)[0]
            for at in (low, np.minimum(low + 1, last))
        ]
        with np.errstate(invalid="ignore"):
            between = ends[0] + (place - low) * (ends[1] - ends[0])
        found.append(np.where(known.any(0), between, np.nan))
    return np.stack(found)


def quantity_draws(
    fit: "BayesFit",
    of: Whose = "patients",
    *,
    assay: str | None = None,
    limit: float | None = None,
    until: float | None = None,
    dose: float | None = None,
) -> QuantityDraws:
    """Return draws of peak, its time, area, derived quantities, and time above a limit.

    Parameters
    ----------
    fit : BayesFit
        The fit.
    of, dose
        As for :func:`.whose.curves_of`.
    assay : str, optional
        Of which levels; the first of the fit where not given.
    limit : float, optional
        In the unit of the fit; the most frequent LLOQ of the samples where not given.
    until : float, optional
        Days up to which curves are looked at; the last sample of the study, at least
        28, where not given.

    Returns
    -------
    QuantityDraws

    Raises
    ------
    FitError
        Where an argument is not possible, or the dose is not known to the model.

    Examples
    --------
    >>> callable(quantity_draws)            # see BayesFit.quantities
    True
    """
    horizon = horizon_of(fit, assay=assay, limit=limit, until=until)
    curves = curves_of(fit, of, dose=dose)
    units = _units(fit, horizon)
    found = np.empty((*curves.expanded.shape, len(units)))
    beyond = np.zeros(curves.expanded.shape, bool)
    for group in curves.groups:
        for some in chunks(curves, group):
            theta = curves.theta[some][:, group.rows]
            own, later = _of_group(fit, theta, group, horizon)
            found[some][:, group.rows] = np.stack([own[n] for n in units], axis=-1)
            beyond[some][:, group.rows] = later
    told = None if horizon.limit is None else beyond
    return QuantityDraws(curves, horizon, units, found, told)


def chunks(curves: Curves, group: Group) -> Iterator[tuple[int, slice]]:
    """Return pairs of a chain and some of its draws, to work out together.

    Examples
    --------
    >>> import cellpk as ck
    >>> inputs = ck.load_model("stein_2019_tisagenlecleucel").inputs()
    >>> theta, group = np.zeros((2, 5, 1, 6)), Group(np.array([0]), inputs)
    >>> list(chunks(Curves(("a",), theta, theta[..., 0] == 0, (group,)), group))
    [(0, slice(0, 20000, None)), (1, slice(0, 20000, None))]
    """
    chains, draws = curves.theta.shape[:2]
    each = max(1, AT_ONCE // group.rows.size)
    for chain in range(chains):
        for start in range(0, draws, each):
            yield chain, slice(start, start + each)


def _units(fit: "BayesFit", horizon: Horizon) -> dict[str, str]:
    """Return the units of the quantities, by name."""
    time, level = fit.model.time, horizon.series.unit
    units = {PEAK: level, PEAK_TIME: time, AREA: f"{time}*{level}"}
    units = {**units, **fit.data.quantity_units, **units}
    return units | ({} if horizon.limit is None else {LAST: time})


def _of_group(
    fit: "BayesFit", theta: Array, group: Group, horizon: Horizon
) -> tuple[dict[str, Array], NDArray[np.bool_]]:
    """Return the quantities of curves by name, and which last beyond the horizon."""
    asked = {"inputs": group.inputs, "observed": horizon.series.observed}
    derived = fit.model.quantity_values(theta, tolerance=TOLERANCE, **asked)
    seen = landmarks(fit.model, theta, horizon.until, limit=horizon.limit, **asked)
    found = derived | {PEAK: seen.cmax, PEAK_TIME: seen.tmax}
    if seen.tlast is None or seen.beyond is None:
        return found, np.zeros(theta.shape[:-1], bool)
    return found | {LAST: seen.tlast}, seen.beyond


def horizon_of(
    fit: "BayesFit", *, assay: str | None, limit: float | None, until: float | None
) -> Horizon:
    """Return up to when, and above which level, curves are looked at.

    Parameters
    ----------
    fit, assay, limit, until
        As for :func:`quantity_draws`.

    Raises
    ------
    FitError
        Where an argument is not possible.

    Examples
    --------
    >>> callable(horizon_of)            # see BayesFit.quantities
    True
    """
    series = {one.assay: one for one in fit.data.series}
    name = next(iter(series)) if assay is None else assay
    if name not in series:
        raise FitError(f"no fit to the assay {name!r}", todo=nearest(name, series))
    for what, number in (("limit", limit), ("until", until)):
        if number is not None and not 0 < number < np.inf:
            raise FitError(f"{what} = {number}", todo="Give a positive number.")
    one = series[name]
    if until is None:
        until = max(float(one.times[one.known].max()), AREA_END)
    return Horizon(one, until, _usual_limit(fit, one) if limit is None else limit)


def _usual_limit(fit: "BayesFit", series: Series) -> float | None:
    """Return the most frequent LLOQ of the samples in the unit of the fit, if any."""
    own = fit.data.samples["lloq"].to_numpy(float)[series.rows[series.known]]
    values, counts = np.unique(own[own > 0], return_counts=True)
    if not len(values):
        return None
    return float(values[counts.argmax()] * np.exp(series.log_size))
