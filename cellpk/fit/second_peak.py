"""Whether a second peak explains a patient's samples better than one alone."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.data import TOLERANCE, FitData
from cellpk.fit.modes import Aim, descend
from cellpk.model.levels import Levels

Array = NDArray[np.float64]

RATE, RATE_SD = 0.3, 1.0
"""How fast the second peak rises and falls, per day, and how far its log may lie off:
between 0.04 and 2 per day in 95 % of patients. Ours, as wide as what is published of
first peaks."""

LEVEL_SD = 3.0
"""How far, on the log scale, its height may lie from the patient's highest sample."""

EXTRA = 3
"""Parameters of a second peak: day, height, rate."""

_DAYS = 8  # days on which the search for it begins, spread over the samples


@dataclass(frozen=True, eq=False, repr=False)
class TwoPeaks(FitData):
    """Samples of one assay whose curve has a second peak added to that of the model.

    The parameters of a patient are those of the model, then log day, log height and log
    rate of the second peak, which rises and falls exponentially.

    Examples
    --------
    >>> TwoPeaks.__base__.__name__
    'FitData'
    """

    def levels(
        self, theta: Array, *, gradient: bool = False, tolerance: float = TOLERANCE
    ) -> list[Levels]:
        """Return log levels of the sum of both peaks; see ``FitData.levels``."""
        (base,) = super().levels(
            theta[..., :-EXTRA], gradient=gradient, tolerance=tolerance
        )
        return [_added(base, self.series[0].times, theta[..., -EXTRA:])]


def _added(found: Levels, times: Array, peak: Array) -> Levels:
    """Add a second peak, shape (..., N, 3), to log levels of shape (..., N, n)."""
    day, height, rate = np.exp(peak[..., 0]), peak[..., 1], np.exp(peak[..., 2])
    away = times - day[..., None]
    second = height[..., None] - rate[..., None] * np.abs(away)
    total = np.logaddexp(found.log_level, second)
    if found.gradient is None:
        return Levels(total, None, found.reasons)
    share = np.exp(second - total)
    by_day = rate[..., None] * np.sign(away) * day[..., None]
    by_rate = -rate[..., None] * np.abs(away)
    own = np.stack([by_day, np.ones_like(second), by_rate], axis=-1)
    gradient = np.concatenate(
        [(1 - share)[..., None] * found.gradient, share[..., None] * own], axis=-1
    )
    return Levels(total, gradient, found.reasons)


class SecondPeak(NamedTuple):
    """What speaks for a second peak in each of N patients.

    Parameters
    ----------
    drop : ndarray, shape (N,)
        By how much of -2 log L, with the prior's share, a second peak is better.
    bic : ndarray, shape (N,)
        The same less what its three parameters cost: above 0 where it is to be
        preferred. Half of it is about the log of the Bayes factor.
    day : ndarray, shape (N,)
        Day of its top.

    Examples
    --------
    >>> SecondPeak._fields
    ('drop', 'bic', 'day')
    """

    drop: Array
    bic: Array
    day: Array


def second_peak(aim: Aim, starts: Array) -> SecondPeak:
    """Say how much better samples are explained by a second peak.

    Parameters
    ----------
    aim : Aim
        The model with the distribution between patients, and samples of one assay.
    starts : ndarray, shape (S, N, p)
        Where the search for the curve with one peak begins.

    Returns
    -------
    SecondPeak

    References
    ----------
    Kass RE, Raftery AE. Bayes factors. J Am Stat Assoc 1995;90:773-795 (BIC).

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> days = [3, 5, 7, 9, 11, 14, 21, 28, 60, 90]
    >>> study = stein.simulate(3, design=ck.Design(days), seed=1).study()
    >>> mean, sd = np.tile(stein.typical, (3, 1)), stein.spread
    >>> data = fit_data(stein, study)
    >>> aim = Aim(data, data.errors, mean, np.diag(sd**-2), low=mean - 6 * sd,
    ...           high=mean + 6 * sd, reach=sd)
    >>> bool((second_peak(aim, mean[None]).drop >= 0).all())
    True
    """
    one = descend(aim, starts).sorted()
    wide = _widened(aim)
    two = descend(wide, _second_starts(wide, one.best)).sorted()
    # The curve beneath the second peak may be a better one without it, too.
    again = descend(aim, np.stack([one.best, two.best[..., :-EXTRA]])).sorted()
    value = np.minimum(one.value[0], again.value[0])
    drop = np.maximum(2 * (value - two.value[0]), 0.0)
    (series,) = aim.data.series
    return SecondPeak(
        drop, drop - EXTRA * np.log(series.known.sum(-1)), np.exp(two.best[:, -EXTRA])
    )


def _widened(aim: Aim) -> Aim:
    """Return the aim with a second peak, of which little is known beforehand."""
    data = aim.data
    two = TwoPeaks(**{name: getattr(data, name) for name in FitData.__annotations__})
    (series,) = data.series
    seen = np.where(series.said.quantified, series.said.low, -np.inf)
    top = np.where(np.isfinite(seen.max(-1)), seen.max(-1), 0.0)
    last = np.where(series.known, series.times, 0.0).max(-1)
    middle = np.stack([np.log(last / 2), top, np.full(len(top), np.log(RATE))], axis=-1)
    # Any day between the first and the last sample is as likely: only bounds hold it.
    precision = np.array([0.0, LEVEL_SD**-2, RATE_SD**-2])
    size = aim.mean.shape[-1]
    wide = np.zeros((*aim.precision.shape[:-2], size + EXTRA, size + EXTRA))
    wide[..., :size, :size] = aim.precision
    wide[..., range(size, size + EXTRA), range(size, size + EXTRA)] = precision
    reach = np.array([0.5, LEVEL_SD, RATE_SD])
    low = middle - 4 * reach
    high = middle + 4 * reach
    low[:, 0], high[:, 0] = np.log(series.times[:, 0]), np.log(last)
    shape = aim.mean.shape
    return replace(
        aim,
        data=two,
        mean=np.concatenate([aim.mean, middle], axis=-1),
        precision=wide,
        low=np.concatenate([np.broadcast_to(aim.low, shape), low], axis=-1),
        high=np.concatenate([np.broadcast_to(aim.high, shape), high], axis=-1),
        reach=np.concatenate([aim.reach, reach]),
    )


def _second_starts(wide: Aim, best: Array) -> Array:
    """Return starts with a second peak on several days, (S, N, p + 3)."""
    (series,) = wide.data.series
    count = series.known.sum(-1)
    starts = []
    for share in np.linspace(0.2, 1.0, _DAYS):
        place = np.maximum(np.round(share * count).astype(int) - 1, 0)
        day = np.take_along_axis(series.times, place[:, None], axis=1)[:, 0]
        here = np.where(series.said.quantified, series.said.low, -np.inf)
        here = np.take_along_axis(here, place[:, None], axis=1)[:, 0]
        height = np.where(np.isfinite(here), here, wide.mean[:, -2] - LEVEL_SD)
        rate = np.full(len(day), np.log(RATE))
        starts.append(
            np.concatenate([best, np.stack([np.log(day), height, rate], -1)], axis=-1)
        )
    return np.stack(starts)
