"""Parquet files, by Arrow; labels stand in the metadata of the columns."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cellpk.errors import DataError, Problem
from cellpk.study.containers import Delivered, container
from cellpk.study.dataset import Dataset
from cellpk.study.grid import Grid

if TYPE_CHECKING:
    import pyarrow as pa

_LABEL = b"label"


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as Parquet, each column with its label in the metadata.

    Examples
    --------
    >>> import tempfile
    >>> from cellpk.study.dataset import Variable
    >>> path = Path(tempfile.mkdtemp()) / "a.parquet"
    >>> frame = pd.DataFrame({"TIME": [0.1]})
    >>> write(Dataset("a", "Levels", frame, [Variable("TIME", "Time")]), path)
    >>> read(Delivered("a.parquet", path, path.read_bytes())).labels
    {'TIME': 'Time'}
    """
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pandas(dataset.plain(), preserve_index=False)
    fields = [
        pa.field(name, _written(table.schema.field(name).type)).with_metadata(
            {_LABEL: label.encode()}
        )
        for name, label in dataset.labels.items()
    ]
    schema = pa.schema(fields, metadata={_LABEL: dataset.label.encode()})
    parquet.write_table(table.cast(schema), path)


def _written(kind: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa

    # Not every reader knows Arrow's texts of more than 2 GB.
    return pa.string() if pa.types.is_large_string(kind) else kind


@container(".parquet", ".pq", label="Parquet", write=write)
def read(delivered: Delivered) -> Grid:
    """Read a Parquet file; dates and times come as ISO 8601.

    Whole numbers and decimals come with all their digits, a moment with a time zone as
    that zone's time and its offset.

    Raises
    ------
    DataError
        If it is not a Parquet file, or has columns of lists, structures, bytes or
        durations; all of them are told.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        # Not read_table, which stumbles over two columns of one name.
        table = parquet.ParquetFile(io.BytesIO(delivered.data)).read()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        what = f"the file is not a Parquet file ({error})"
        todo = "Export it again, or correct its ending."
        raise DataError(Problem(what, todo, file=delivered.file)) from None
    columns = [_cells(column) for column in table.columns]
    names = [field.name for field in table.schema]
    problems = [
        Problem(
            f"a column of the type {field.type} is no text, number, flag or date",
            "Take it out of the file, or make one column of each part.",
            file=delivered.file,
            column=field.name,
        )
        for field, cells in zip(table.schema, columns, strict=True)
        if cells is None
    ]
    if problems:
        raise DataError(problems)
    frame = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(len(table)))
    frame.columns = pd.Index(names, dtype=object)
    labels = {
        field.name: field.metadata[_LABEL].decode(errors="replace")
        for field in table.schema
        if field.metadata and field.metadata.get(_LABEL)
    }
    return Grid.of_frame(
        frame, file=delivered.file, sha256=delivered.sha256, labels=labels
    )


def _cells(column: "pa.ChunkedArray") -> pd.Series | None:
    """Return a column as numbers or text; None where it is of neither."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if types.is_nested(kind) or types.is_duration(kind) or _is_bytes(kind):
        return None
    if types.is_floating(kind):
        return pd.Series(column.to_numpy(), dtype="float64")
    if types.is_boolean(kind):
        return column.to_pandas()
    if types.is_temporal(kind):
        # Arrow would write a blank between date and time.
        cells = column.to_pandas(date_as_object=True).astype(object)
        moments = [cell.isoformat() for cell in cells.dropna()]
        return cells.mask(cells.notna(), pd.Series(moments, cells.dropna().index))
    try:
        # Not by way of pandas, where whole numbers with gaps lose their last digits.
        return column.cast(pa.large_string()).to_pandas().astype("str").fillna("")
    except pa.ArrowException:
        return None


def _is_bytes(kind: "pa.DataType") -> bool:
    from pyarrow import types

    fixed = types.is_fixed_size_binary(kind) and not types.is_decimal(kind)
    return types.is_binary(kind) or types.is_large_binary(kind) or fixed
