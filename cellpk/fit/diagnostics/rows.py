"""The samples of one assay of a fit, a row each, in the unit in which it was fitted."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError, nearest
from cellpk.fit.data import FitData
from cellpk.fit.series import Series
from cellpk.study.limits import states
from cellpk.study.study import Study
from cellpk.study.units import factor

Array = NDArray[np.float64]

LIMITS = ("lloq", "llod", "uloq")

_COLUMNS = ["patient", "time", "nominal_time", "assay", "specimen", "state", "level"]


def place_of(data: FitData, assay: str | None) -> int:
    """Return which series of a fit an assay is; the first where none is named.

    Raises
    ------
    FitError
        Where the assay was not fitted.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> place_of(fit_data(stein, ck.simulate_study(seed=1), assays="qpcr"), "qpcr")
    0
    """
    fitted = [one.assay for one in data.series]
    if assay is None:
        return 0
    if assay not in fitted:
        raise FitError(
            f"the assay {assay!r} was not fitted",
            where=data.model.name,
            todo=nearest(assay, fitted),
        )
    return fitted.index(assay)


def sample_rows(data: FitData, study: Study, series: Series) -> pd.DataFrame:
    """Return the samples of one assay, the used ones first, in the unit of the fit.

    Parameters
    ----------
    data : FitData
        The samples of the fit.
    study : Study
        Of which study.
    series : Series
        Which of ``data.series``.

    Returns
    -------
    DataFrame
        ``patient, time, nominal_time, assay, specimen, state, level, lloq, llod, uloq,
        limit_assumed, unit, left_out``. The used samples stand in the order of
        ``series.known``; of a used sample without a limit of quantification, ``lloq``
        is that of most samples of the assay: what would have been reported below it
        must be known of every sample, to say how many may be.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein, study = ck.load_model("stein_2019_tisagenlecleucel"), ck.simulate_study()
    >>> data = fit_data(stein, study, assays="qpcr")
    >>> rows = sample_rows(data, study, data.series[0])
    >>> int(rows["left_out"].eq("").sum()) == int(data.series[0].known.sum())
    True
    """
    size = factor(study.unit(series.assay), series.unit) or 1.0
    used = data.samples.loc[series.rows[series.known]]
    own = pd.concat([used, series.left_out], ignore_index=True)
    rows = own[[*_COLUMNS, *LIMITS, "limit_assumed", "left_out"]].copy()
    rows[["level", *LIMITS]] *= size
    unknown = rows["lloq"].isna()
    if not unknown.all():
        usual = rows["lloq"].mode().iloc[0]
        assumed = rows.loc[rows["lloq"] == usual, "limit_assumed"].iloc[0]
        rows.loc[unknown, ["lloq", "limit_assumed"]] = usual, assumed
    return rows.assign(unit=series.unit)


def reported(rows: pd.DataFrame) -> NDArray[np.object_]:
    """Return the state of samples by the limits that simulated samples have, too.

    A level that is reported although it is below the limit of quantification counts as
    below: a simulated one would not be reported.

    Parameters
    ----------
    rows : DataFrame
        Used samples, as from :func:`sample_rows`.

    Returns
    -------
    ndarray of str, shape (samples,)

    Examples
    --------
    >>> reported(pd.DataFrame({"state": ["quantified", "quantified", "below"],
    ...     "level": [20.0, 80.0, np.nan], "lloq": 50.0, "llod": np.nan,
    ...     "uloq": np.nan})).tolist()
    ['below', 'quantified', 'below']
    """
    known = rows["state"].to_numpy(object)
    limits = {name: rows[name].to_numpy(float) for name in LIMITS}
    by_limits = states(rows["level"].to_numpy(float), **limits)
    return np.where(known == "quantified", by_limits, known)
