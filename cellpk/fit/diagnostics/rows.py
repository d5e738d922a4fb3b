"""The samples of one assay of a fit, a row each, in the unit in which it was fitted."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError, nearest
from cellpk.fit.data import FitData
from cellpk.fit.series import Series
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
    usual = rows["lloq"].mode()
    rows["lloq"] = rows["lloq"].fillna(usual.iloc[0] if len(usual) else np.nan)
    return rows.assign(unit=series.unit)
