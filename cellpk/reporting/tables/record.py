"""Tables of what the report was made from."""

from typing import TYPE_CHECKING

import pandas as pd

from cellpk.reporting import manifest
from cellpk.reporting.table import Table, table

if TYPE_CHECKING:
    from cellpk.study.study import Study


@table
def inputs(study: "Study") -> Table:
    """Return the files that were read and the tables made of them, with their hashes.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    Table
        ``frame``: kind ("file" or "table"), name, rows, sha256.

    Examples
    --------
    >>> import cellpk as ck
    >>> inputs(ck.simulate_study(seed=1)).frame["kind"].unique().tolist()
    ['table']
    """
    found = manifest.inputs(study)
    rows = [
        {
            "kind": kind,
            "name": each[key],
            "rows": each["rows"],
            "sha256": each["sha256"],
        }
        for kind, key, group in (
            ("file", "file", found["files"]),
            ("table", "name", found["tables"]),
        )
        for each in group
    ]
    frame = pd.DataFrame(rows)
    return Table(
        name="inputs",
        title="What was read, and the tables made of it",
        frame=frame,
        shown=frame.astype(str),
        labels={"name": "Name", "kind": "Kind", "rows": "Rows", "sha256": "SHA-256"},
        prose=("kind", "sha256"),
        footnotes=("Hash of a table: of its CSV in full precision.",),
        source=f"study {study.settings.study.id}",
        simulated=study.settings.study.simulated,
    )
