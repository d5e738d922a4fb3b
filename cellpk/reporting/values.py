"""The values of metrics that enter summaries, and why the others do not."""

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from cellpk.kinetics.nca import Metrics

STEPS = "lambda_z"
"""What metrics begin with that are only steps to the half-life; not summarised."""

_RESTS_ON = {"tmax": "cmax_evaluable"}
_SPOILT = "before_infusion_high"


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


def summarised(metrics: "Metrics", assay: str) -> pd.DataFrame:
    """Return the metrics of one assay, one a row, and whether they enter summaries.

    Parameters
    ----------
    metrics : Metrics
        Metrics of all patients.
    assay : str
        The assay.

    Returns
    -------
    DataFrame
        ``patient``, ``specimen``, ``metric``, ``value``, ``reason`` (code where not
        calculable), ``evaluable``. Metrics that the assay cannot have are left out.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> summarised(ck.nca(study), "flow")["metric"].unique().tolist()
    ['cmax', 'tmax', 'c_last', 't_last', 'auc_last', 'auc_0_28', 'half_life']
    """
    from cellpk.kinetics.metrics import METRICS

    table = metrics.table
    here = table["assay"] == assay
    table, reasons = table[here], metrics.reasons[here]
    usable = ~table["notes"].map(lambda codes: _SPOILT in str(codes).split())
    parts = []
    for name in METRICS:
        if name.startswith(STEPS) or reasons[name].eq("not_a_cell_series").all():
            continue
        flag = _RESTS_ON.get(name, f"{name}_evaluable")
        parts.append(
            pd.DataFrame(
                {
                    "patient": table["patient"],
                    "specimen": table["specimen"],
                    "metric": name,
                    "value": table[name],
                    "reason": reasons[name],
                    "evaluable": usable & table.get(flag, usable),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
