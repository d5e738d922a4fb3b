"""Parquet files, by Arrow; labels and units stand in the metadata of the columns."""

import io
from pathlib import Path

from cellpk.errors import DataError, Problem
from cellpk.study.containers import Delivered, container
from cellpk.study.dataset import Dataset
from cellpk.study.grid import Grid

_LABEL = b"label"


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as Parquet, each column with its label in the metadata.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from cellpk.study.dataset import Variable
    >>> path = Path(tempfile.mkdtemp()) / "a.parquet"
    >>> frame = pd.DataFrame({"TIME": [0.1]})
    >>> write(Dataset("a", "Levels", frame, [Variable("TIME", "Time")]), path)
    >>> read(Delivered("a.parquet", path, path.read_bytes())).labels
    {'TIME': 'Time'}
    """
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pandas(dataset.frame, preserve_index=False)
    fields = [
        table.schema.field(name).with_metadata({_LABEL: label.encode()})
        for name, label in dataset.labels.items()
    ]
    parquet.write_table(table.cast(pa.schema(fields)), path)


@container(".parquet", ".pq", label="Parquet", write=write)
def read(delivered: Delivered) -> Grid:
    """Read a Parquet file; times with a date come as ISO 8601.

    Raises
    ------
    DataError
        If it is not a Parquet file.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(io.BytesIO(delivered.data))
    except pa.ArrowException as error:
        what = f"the file is not a Parquet file ({error})"
        todo = "Export it again, or correct its ending."
        raise DataError(Problem(what, todo, file=delivered.file)) from None
    labels = {
        field.name: field.metadata[_LABEL].decode(errors="replace")
        for field in table.schema
        if field.metadata and _LABEL in field.metadata
    }
    return Grid.of_frame(
        table.to_pandas(ignore_metadata=True),
        file=delivered.file,
        sha256=delivered.sha256,
        labels=labels,
    )
