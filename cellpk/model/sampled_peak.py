"""How far the highest sampled level lies from the true peak, by simulation."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cellpk.errors import ModelError
from cellpk.model.design import Design

if TYPE_CHECKING:
    from cellpk.model.model import Model

STEP = 0.05
"""Days between the levels of which the highest is taken for the true peak."""


def sampled_peak(
    model: "Model",
    days: ArrayLike,
    *,
    cv: float,
    assay: str | None = None,
    patients: int = 1000,
    seed: int = 1,
) -> pd.Series:
    """Return the ratio of the observed Cmax to the true peak that a design leads to.

    Days of sampling miss the peak, which makes the observed Cmax too low; the highest
    of several levels with assay error is too high. The true peak is that between the
    infusion and the last day of sampling.

    Parameters
    ----------
    model : Model
        Whose virtual patients are sampled, with its spread between patients.
    days : sequence of float
        Days of sampling after the first infusion. A sample at day 0 or earlier was
        taken before it began and cannot be the peak.
    cv : float
        Coefficient of variation of the assay, as a fraction (0.3 for 30 %); the error
        is log-normal.
    assay : str, optional
        Of the model; its only one, where not given.
    patients : int
        Number of virtual patients.
    seed : int
        Same seed, same ratios.

    Returns
    -------
    Series
        ``q25``, ``median`` and ``q75`` of the patients' ratios.

    Raises
    ------
    ModelError
        Where the model has several assays and none is named, no day lies after the
        infusion, or the CV is not one.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> sampled_peak(stein, [1, 7, 14, 21, 28], cv=0.3, patients=200).round(1).tolist()
    [0.4, 0.7, 0.9]
    """
    name = _assay(model, assay)
    if not 0 < cv <= 1:
        todo = "Give it as a fraction, such as 0.3 for 30 %."
        raise ModelError(f"cv is {cv!r}", where=model.name, todo=todo)
    sampled = _sampled(days, model)
    grid = np.union1d(np.arange(0, sampled[-1], STEP), sampled)
    virtual = model.simulate(
        patients,
        design=Design({name: grid}),
        seed=seed,
        residual={name: 0.0},
    )
    true = virtual.table["true_level"].to_numpy().reshape(patients, -1)
    read = true[:, np.isin(grid, sampled)]
    # Another stream of chance than that of the patients, which has the same seed.
    chance = np.random.default_rng([seed, 1]).standard_normal(read.shape)
    seen = (read * np.exp(np.sqrt(np.log1p(cv**2)) * chance)).max(axis=1)
    quartiles = np.nanquantile(seen / true.max(axis=1), [0.25, 0.5, 0.75])
    return pd.Series(quartiles, index=["q25", "median", "q75"], name="observed / true")


def _sampled(days: ArrayLike, model: "Model") -> NDArray[np.float64]:
    """Return the days after the infusion, in order."""
    given = np.asarray(days, float)
    sampled = np.unique(given[given > 0])
    if len(sampled) == 0 or not np.isfinite(given).all():
        todo = "Give at least one day after the infusion, such as [7, 14, 28]."
        raise ModelError(f"days is {days!r}", where=model.name, todo=todo)
    return sampled


def _assay(model: "Model", assay: str | None) -> str:
    """Return the assay that is meant."""
    if assay is not None or len(model.observed) == 1:
        return assay or next(iter(model.observed))
    names = ", ".join(model.observed)
    raise ModelError(
        f"the model has the assays {names}",
        where=model.name,
        todo="Name the one that is meant: assay=...",
    )
