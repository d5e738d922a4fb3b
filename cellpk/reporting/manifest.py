"""The record of a run: what went in, what came out, with which versions and seeds."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cellpk.study.versions import versions

if TYPE_CHECKING:
    from cellpk.study.study import Study

_TABLES = ("samples", "infusions", "patients", "comedication", "outcomes")


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal.

    Examples
    --------
    >>> sha256(b"")[:12]
    'e3b0c44298fc'
    """
    return hashlib.sha256(data).hexdigest()


def inputs(study: "Study") -> dict[str, Any]:
    """Return the hashes of what went in: the files, and the tables read from them.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    dict
        ``files`` (file, sha256, rows; empty for a study that came without files) and
        ``tables`` (name, sha256 of its CSV, rows).

    Examples
    --------
    >>> import cellpk as ck
    >>> tables = inputs(ck.simulate_study(seed=1))["tables"]
    >>> tables[0]["name"], len(tables[0]["sha256"])
    ('samples', 64)
    """
    tables = []
    for name in _TABLES:
        frame = getattr(study, name)
        text = frame.to_csv(index=False, lineterminator="\n")
        tables.append(
            {"name": name, "sha256": sha256(text.encode()), "rows": len(frame)}
        )
    return {"files": [dict(source) for source in study.sources], "tables": tables}


def run_id(study: "Study", settings: Mapping[str, Any] | None = None) -> str:
    """Return a name for the run that its inputs, settings and versions determine.

    Parameters
    ----------
    study : Study
        The study.
    settings : mapping, optional
        By which it was analysed; its own where not given.

    Returns
    -------
    str
        12 hexadecimal digits; the same for the same inputs, settings and versions.

    Examples
    --------
    >>> import cellpk as ck
    >>> run_id(ck.simulate_study(seed=1)) == run_id(ck.simulate_study(seed=1))
    True
    """
    known = {
        "inputs": inputs(study),
        "settings": settings or study.settings.resolved(),
        "cellpk": version("cellpk"),
        "packages": versions(),
    }
    return sha256(json.dumps(known, sort_keys=True).encode())[:12]


def manifest(
    study: "Study",
    outputs: Sequence[Path],
    *,
    folder: Path,
    elapsed: float,
    found: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the record of a run.

    Parameters
    ----------
    study : Study
        The study.
    outputs : sequence of Path
        Files that were written.
    folder : Path
        Folder that the outputs are named relative to.
    elapsed : float
        Seconds that the run took.
    found : mapping
        What the run has to say: convergence, exclusions, steps not done.
    settings : mapping, optional
        By which the study was analysed; its own where not given.

    Returns
    -------
    dict
        Ready for JSON. Time and elapsed stand here only, not in the report.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> record = manifest(study, [], folder=Path(), elapsed=1.0, found={})
    >>> record["seed"], record["simulated"]
    (1, True)
    """
    return {
        "run_id": run_id(study, settings),
        "study": study.settings.study.id,
        "simulated": study.settings.study.simulated,
        "written_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "elapsed_seconds": round(elapsed, 2),
        "cellpk": version("cellpk"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": versions(),
        "seed": study.settings.analysis.seed,
        "settings": settings or study.settings.resolved(),
        "inputs": inputs(study),
        "outputs": [
            {
                "file": path.relative_to(folder).as_posix(),
                "sha256": sha256(path.read_bytes()),
                "bytes": path.stat().st_size,
            }
            for path in outputs
        ],
        "warnings": records(study.problems),
        "excluded_samples": records(excluded_samples(study)),
        **found,
    }


def excluded_samples(study: "Study") -> pd.DataFrame:
    """Return the samples that no analysis uses, with the reason.

    Examples
    --------
    >>> import cellpk as ck
    >>> list(excluded_samples(ck.simulate_study(seed=1)).columns)
    ['patient', 'assay', 'specimen', 'time', 'reported', 'reason', 'file', 'row']
    """
    columns = ["patient", "assay", "specimen", "time", "reported", "reason"]
    samples = study.samples
    return samples.loc[samples["excluded"], [*columns, "file", "row"]]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame as plain JSON values, ``None`` where nothing is known.

    Examples
    --------
    >>> records(pd.DataFrame({"n": [1], "value": [float("nan")]}))
    [{'n': 1, 'value': None}]
    """
    return json.loads(frame.to_json(orient="records", double_precision=15))


def dumped(record: Mapping[str, Any]) -> str:
    """Return a record as JSON, indented, its keys in their order.

    Examples
    --------
    >>> dumped({"seed": 1}).splitlines()[1]
    '  "seed": 1'
    """
    return json.dumps(record, indent=2, ensure_ascii=False)


def write(record: Mapping[str, Any], path: Path) -> Path:
    """Write a record as JSON.

    Examples
    --------
    >>> import tempfile
    >>> write({"seed": 1}, Path(tempfile.mkdtemp()) / "manifest.json").name
    'manifest.json'
    """
    path.write_text(f"{dumped(record)}\n", encoding="utf-8", newline="\n")
    return path
