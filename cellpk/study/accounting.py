"""What became of every delivered row: rows in = rows used + rows not used, with why."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.study.delivery import TABLES, Delivery
from cellpk.study.grid import Rows

FATES = ("used", "without a result", "excluded", "set aside")
"""What becomes of a row: used in a table; a sample without a result; a sample that is
excluded from analysis; not read for any table. The last two have a reason."""

_COPIED = r": the same as row \d+ of .*$"
COLUMNS = {"file": "str", "fate": "str", "table": "str", "reason": "str", "rows": "int"}


def account(delivery: Delivery, samples: pd.DataFrame) -> pd.DataFrame:
    """Account for every delivered row, once each.

    Parameters
    ----------
    delivery : Delivery
        What was delivered.
    samples : DataFrame
        The finished samples, which say what is excluded or without a result.

    Returns
    -------
    DataFrame
        One row per file and fate: ``file``, ``fate`` (one of ``FATES``), ``table``
        (those of the study that the rows went to), ``reason`` and number of ``rows``.
        For each file the numbers add up to its rows.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": [1, 1], "time": [7, 8], "level": [3, None]}
    >>> frame = pd.DataFrame(samples).assign(assay="flow")
    >>> study = ck.Study.from_frames(samples=frame)
    >>> study.accounting[["file", "fate", "rows"]].values.tolist()
    [['samples', 'used', 1], ['samples', 'without a result', 1]]
    """
    parts = [
        _of_file(file, rows, delivery, samples)
        for file, rows in delivery.delivered.items()
    ]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return table.reindex(columns=list(COLUMNS)).astype(COLUMNS)


def _of_file(
    file: str, rows: Rows, delivery: Delivery, samples: pd.DataFrame
) -> pd.DataFrame:
    lines = np.unique(rows)
    tables = np.zeros(len(lines), dtype=np.int64)
    reason = np.full(len(lines), "", dtype=object)
    for aside in delivery.aside:
        if aside.file == file:
            reason[np.searchsorted(lines, aside.rows)] = aside.reason
    for table, sheet in delivery.everything():
        if sheet.section.file == file:
            used = np.ones(len(sheet.rows), dtype=bool)
            for unread, why in sheet.aside:
                used &= ~unread
                reason[np.searchsorted(lines, sheet.rows[unread])] = why
            here = np.searchsorted(lines, sheet.rows[used])
            tables[here] |= 1 << TABLES.index(table)
    for table, where, there in delivery.joined:
        if where == file:
            tables[np.searchsorted(lines, there)] |= 1 << TABLES.index(table)
    fate = np.where(tables > 0, "used", "set aside").astype(object)
    reason[tables > 0] = ""
    _of_samples(lines, tables, samples[samples["file"] == file], (fate, reason))
    counted = pd.DataFrame({"fate": fate, "table": tables, "reason": reason})
    counted = counted.value_counts(sort=False).reset_index(name="rows")
    order = counted["fate"].map({word: i for i, word in enumerate(FATES)})
    counted = counted.assign(order=order).sort_values(
        ["order", "rows", "table", "reason"], ascending=[True, False, True, True]
    )
    return counted.assign(file=file, table=counted["table"].map(_names))


def _of_samples(
    lines: Rows,
    tables: NDArray[np.int64],
    samples: pd.DataFrame,
    told: tuple[NDArray[np.object_], NDArray[np.object_]],
) -> None:
    """Tell which of the rows that became samples only are excluded or missing.

    Of a row that is read for several assays, one usable sample makes it a used one.
    """
    fate, reason = told
    only = tables == 1 << TABLES.index("samples")
    missing = (samples["state"] == "missing") & ~samples["excluded"]
    only &= ~np.isin(lines, samples.loc[~samples["excluded"] & ~missing, "row"])
    for rows, word in (
        (missing, "without a result"),
        (samples["excluded"], "excluded"),
    ):
        here = np.searchsorted(lines, samples.loc[rows, "row"])
        # Which row a copy repeats stands in the samples; here copies count together.
        why = samples.loc[rows, "reason"].str.replace(_COPIED, "", regex=True)
        fate[here[only[here]]] = word
        reason[here] = np.where(only[here], why.to_numpy(object), reason[here])


def _names(bits: int) -> str:
    return ", ".join(name for i, name in enumerate(TABLES) if bits >> i & 1)
