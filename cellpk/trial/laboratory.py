"""The samples of a simulated trial: when they are drawn, and what is reported."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.study.assays import ASSAYS
from cellpk.study.limits import states

Floats = NDArray[np.float64]

BEFORE_INFUSION = 0.05  # days; the sample of day 0 is drawn an hour before
VISIT_WINDOW = (0.15, 0.03, 5.0)  # half width: days + share of the day, at most
MISSED_VISITS = 0.07  # share of visits that did not take place
LOST_SAMPLES = 0.02  # share of samples that were drawn and gave no result


@dataclass(frozen=True)
class Laboratory:
    """One assay of a simulated trial: its visits, its error and its limits.

    Parameters
    ----------
    assay : str
        Name of a row of ``cellpk.study.assays.ASSAYS``, which gives the unit.
    specimen : str
        What is drawn, such as "blood".
    days : tuple of int
        Planned days; day 0 is drawn before the infusion.
    error_sd : float
        Standard deviation of the residual error of the log level.
    lloq, llod, uloq : float
        Limits in the unit of the assay; NaN where the assay has none.

    Examples
    --------
    >>> Laboratory("flow", "blood", (0, 7), error_sd=0.4, lloq=1.0).days
    (0, 7)
    """

    assay: str
    specimen: str
    days: tuple[int, ...]
    error_sd: float
    lloq: float
    llod: float = float("nan")
    uloq: float = float("nan")

    def samples(
        self,
        grid: Floats,
        true: Floats,
        until: Mapping[str, float],
        *,
        rng: np.random.Generator,
    ) -> pd.DataFrame:
        """Draw every patient's samples and report them.

        Parameters
        ----------
        grid : array (times,)
            Days at which the true level is given, from 0.
        true : array (patients, times)
            Level of each patient without error, in the unit of the assay.
        until : mapping of str to float
            Each patient, and the day after which there are no more samples.
        rng : numpy.random.Generator
            Where chance comes from.

        Returns
        -------
        DataFrame
            One row per sample, in the columns of ``Study.samples``.

        Examples
        --------
        >>> assay = Laboratory("flow", "blood", (0, 7), error_sd=0.1, lloq=1.0)
        >>> grid, true = np.array([0.0, 10.0]), np.array([[0.0, 100.0]])
        >>> rng = np.random.default_rng(3)
        >>> table = assay.samples(grid, true, {"007": 90.0}, rng=rng)
        >>> table[["time", "reported", "state"]]
           time reported       state
        0 -0.05       <1       below
        1  6.81     64.3  quantified
        """
        days = np.array(self.days, dtype=float)
        nominal = np.tile(days, len(true))
        who = np.repeat(np.arange(len(true)), len(days))
        time = _visit_times(nominal, rng)
        before = 0.0 if ASSAYS[self.assay].kinetics else None
        level = [
            np.interp(day, grid, true[patient], left=before)
            for day, patient in zip(time, who, strict=True)
        ]
        error = np.exp(self.error_sd * rng.standard_normal(who.size))
        lost = rng.random(who.size) < LOST_SAMPLES
        attended = rng.random(who.size) >= MISSED_VISITS
        last_day = np.array(list(until.values()))
        table = pd.DataFrame(
            {
                "patient": np.array(list(until))[who],
                "time": time,
                "nominal_time": nominal,
                "visit": [f"Day {day:.0f}" for day in nominal],
                "assay": self.assay,
                "specimen": self.specimen,
                "unit": ASSAYS[self.assay].unit,
                **self._report(np.array(level) * error, lost),
            }
        )
        return table.loc[attended & (time <= last_day[who])].reset_index(drop=True)

    def _report(self, level: Floats, lost: NDArray[np.bool_]) -> dict[str, object]:
        """Return what is known: three digits, or the side of a limit."""
        level = np.array([float(f"{value:.3g}") for value in level])
        limits = {"lloq": self.lloq, "llod": self.llod, "uloq": self.uloq}
        said = {
            "missing": "no result",
            "above": f">{self.uloq:g}",
            "quantified": "",
            "detected": f"detected, <{self.lloq:g}",
            "below": f"<{self.lloq:g}" if np.isnan(self.llod) else "not detected",
        }
        state = np.where(lost, "missing", states(level, **limits))
        words = np.array([said[word] for word in state])
        known = state == "quantified"
        return {
            "level": np.where(known, level, np.nan),
            **limits,
            "state": state,
            "reported": np.where(known, [f"{value:g}" for value in level], words),
        }


def _visit_times(nominal: Floats, rng: np.random.Generator) -> Floats:
    """Return when the visits took place; that of day 0 just before the infusion."""
    least, share, most = VISIT_WINDOW
    window = np.minimum(least + share * nominal, most)
    time = (nominal + window * rng.uniform(-1, 1, size=nominal.size)).round(2)
    return np.where(nominal == 0, -BEFORE_INFUSION, time)
