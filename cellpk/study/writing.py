"""From a study to files of any format, a study.toml that reads them, a dictionary."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellpk.errors import DataError, Problem, nearest
from cellpk.study.containers import write_dataset
from cellpk.study.dataset import Dataset, dictionary
from cellpk.study.delivery import TABLES
from cellpk.study.exchange import Export, formats
from cellpk.study.formats import tidy
from cellpk.study.reading import DICTIONARY
from cellpk.study.toml_text import toml_lines

if TYPE_CHECKING:
    from cellpk.study.study import Study

_KEPT = ("study", "analysis", "metrics", "limits", "assays", "units")
"""What is said of a study however its files are written."""


def write_study(
    study: "Study",
    folder: str | Path,
    *,
    format: str = "tidy",
    ending: str = "",
) -> Path:
    """Write a study as files of a format and a study.toml that reads them.

    Parameters
    ----------
    study : Study
        The study to write.
    folder : str or Path
        Where to; it is made if it does not exist.
    format : str
        "tidy", "nonmem", "monolix", "sdtm", "adam" or "adppk".
    ending : str
        The kind of file, such as ".csv", ".parquet", ".xpt", ".json"; without it, the
        usual one of the format.

    Returns
    -------
    Path
        The study.toml; ``read_study`` of it equals the study. Tables that the format
        has no place for stand beside its files as tidy tables, and
        ``data_dictionary.csv`` says what every column means.

    Raises
    ------
    DataError
        If there is no such format, or something does not fit into it.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> import cellpk as ck
    >>> samples = {"patient": [1], "time": [7], "level": [3], "assay": ["flow"]}
    >>> study = ck.Study.from_frames(samples=pd.DataFrame(samples))
    >>> ck.read_study(write_study(study, tempfile.mkdtemp())) == study
    True
    """
    if format not in formats():
        what = f"there is no format {format!r}"
        raise DataError(Problem(what, nearest(format, formats())))
    kind = formats()[format]
    ending = ending or kind.endings[0]
    if ending not in kind.endings:
        what = f"{kind.label} are not written to {ending!r} files"
        raise DataError(Problem(what, nearest(ending, kind.endings)))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    export = kind.write(study)
    beside = [
        tidy.dataset(study, table)
        for table in TABLES
        if table not in export.carried and len(getattr(study, table))
    ]
    other = ending if format == "tidy" else ".csv"
    files = {data.name: write_dataset(data, folder, other).name for data in beside}
    written = [write_dataset(data, folder, ending).name for data in export.datasets]
    _write_dictionary([*export.datasets, *beside], folder)
    said = _settings(study, files)
    if written:
        said["data"] = [{"format": format, "files": written, **export.section}]
    return _write_toml(said, export, folder)


def _write_dictionary(datasets: list[Dataset], folder: Path) -> None:
    table = dictionary(datasets)
    table.to_csv(folder / DICTIONARY, index=False, lineterminator="\n")


def _settings(study: "Study", files: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that read tidy tables from these files."""
    said = study.settings.resolved()
    # What is written counts from time 0, whatever the protocol calls that day.
    kept = {name: said[name] for name in _KEPT if name in said}
    kept["study"] = {**said["study"], "infusion_day": 0}
    several = {"samples", "comedication", "outcomes"}
    sections = {name: {"file": file} for name, file in files.items()}
    return kept | {n: [row] if n in several else row for n, row in sections.items()}


def _write_toml(said: Mapping[str, Any], export: Export, folder: Path) -> Path:
    path = folder / "study.toml"
    remarks = [f"# {remark}" for remark in export.remarks]
    text = "\n".join([*remarks, *toml_lines(said)])
    path.write_text(f"{text}\n", encoding="utf-8", newline="\n")
    return path
