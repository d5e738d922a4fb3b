"""Tidy tables beside a study.toml: one row per sample, patient, dose, assessment."""

from typing import TYPE_CHECKING

from cellpk.study.columns import COLUMNS, LABELS
from cellpk.study.dataset import Dataset, Variable
from cellpk.study.exchange import Export, Format, register

if TYPE_CHECKING:
    from cellpk.study.study import Study

_ENDINGS = (".csv", ".parquet", ".json", ".ndjson")


def dataset(study: "Study", table: str) -> Dataset:
    """Return one table of a study as a data set, without where its rows stood.

    Parameters
    ----------
    study : Study
        The study.
    table : str
        samples, patients, infusions, comedication or outcomes.

    Examples
    --------
    >>> import pandas as pd
    >>> import cellpk as ck
    >>> samples = {"patient": [1], "time": [7], "level": [3], "assay": ["flow"]}
    >>> study = ck.Study.from_frames(samples=pd.DataFrame(samples))
    >>> dataset(study, "patients").variables
    [Variable(name='patient', label='Patient', meaning='')]
    """
    frame = getattr(study, table)
    if table == "samples":
        frame = frame.drop(columns=["file", "row"])
    flags = list(frame.columns[frame.dtypes == "bool"])
    frame = frame.astype(dict.fromkeys(flags, "int64"))
    variables = [
        Variable(name, *LABELS.get(name, (name.replace("_", " "), "")))
        if name in COLUMNS[table]
        else Variable(name, name.replace("_", " "), study.settings.units.get(name, ""))
        for name in map(str, frame.columns)
    ]
    return Dataset(table, table.capitalize(), frame, variables)


def write(_study: "Study") -> Export:
    """Return nothing but tidy tables: what no data set carries is written tidy."""
    return Export()


register(Format("tidy", "tidy tables", write, endings=_ENDINGS))
