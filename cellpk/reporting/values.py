"""The values of metrics that enter summaries, and why the others do not."""

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from cellpk.kinetics.nca import Metrics

STEPS = "lambda_z"
"""What metrics begin with that are only steps to the half-life; not summarised."""

_RESTS_ON = {"tmax": "cmax_evaluable"}
_SPOILT = "before_infusion_high"


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
