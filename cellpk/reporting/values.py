"""The values of metrics that enter summaries, and why the others do not."""

from typing import TYPE_CHECKING

import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.kinetics.parameter_table import parameter_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellpk.kinetics.nca import Metrics


def speaks_for_all(rows: pd.DataFrame) -> bool:
    """Tell whether at least half of the sampled patients have a metric.

    Who has it where few do is no chance: an area to day 28, for instance, is had by
    those who are sampled to that day or have nothing left.

    Parameters
    ----------
    rows : DataFrame
        Of one metric, as from :func:`summarised`.

    Examples
    --------
    >>> rows = pd.DataFrame({"value": [1.0, None, None], "evaluable": True,
    ...                      "reason": ["", "no_lambda_z", "no_sample"]})
    >>> speaks_for_all(rows)
    True
    """
    used = (rows["value"].notna() & rows["evaluable"]).sum()
    return bool(2 * used >= rows["reason"].ne("no_sample").sum())


def summarised(
    metrics: "Metrics", assay: str, *, names: "str | Sequence[str] | None" = None
) -> pd.DataFrame:
    """Return the metrics of one assay, one a row, and whether they enter summaries.

    Parameters
    ----------
    metrics : Metrics
        Metrics of all patients.
    assay : str
        The assay.
    names : str or sequence of str, optional
        The metrics, in this order; the main ones without.

    Returns
    -------
    DataFrame
        ``patient``, ``specimen``, ``metric``, ``value``, ``reason`` (code where not
        calculable), ``evaluable``. Metrics that the assay cannot have are left out.

    Raises
    ------
    DataError
        Where there is no such metric.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> summarised(ck.nca(study), "flow", names=["tmax"])["metric"].unique().tolist()
    ['tmax']
    """
    known = metrics.metrics
    one = [names] if isinstance(names, str) else names
    wanted = one or [name for name, metric in known.items() if metric.main]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        what = "there is no such metric"
        raise DataError(
            [Problem(what, nearest(name, known), value=name) for name in unknown]
        )
    table = parameter_table(metrics)
    table = table[table["assay"] == assay]
    parts = [table[table["metric"] == name] for name in wanted]
    columns = ["patient", "specimen", "metric", "value", "reason", "summarised"]
    rows = pd.concat(parts, ignore_index=True)[columns]
    return rows.rename(columns={"summarised": "evaluable"})
