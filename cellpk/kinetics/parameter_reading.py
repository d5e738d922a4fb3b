"""Parameters of PP and ADPP files, cellpk's or another tool's, as a table."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import DataError, Problem
from cellpk.kinetics.metrics import METRICS, REASONS
from cellpk.kinetics.metrics.areas import areas
from cellpk.kinetics.parameter_datasets import analyte
from cellpk.kinetics.parameter_table import parameter_codes, why_not
from cellpk.kinetics.registry import Metric
from cellpk.study import parsing
from cellpk.study.adam.clocks import unit_days
from cellpk.study.adam.source import PATIENT, cells, codes, first_there
from cellpk.study.assays import ASSAYS
from cellpk.study.cdisc import blanked, capitals
from cellpk.study.containers import read_grid
from cellpk.study.dates import read_durations
from cellpk.study.grid import Grid
from cellpk.study.metric_rules import Rules
from cellpk.study.specimens import specimens
from cellpk.study.units import factor

NO_UNIT = "1"
PERCENT = "%"


def read_parameters(
    path: str | Path, *, assays: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read parameters that were worked out of levels: a file of PP or ADPP.

    Parameters
    ----------
    path : str or Path
        The file, of any kind that cellpk reads.
    assays : mapping, optional
        By analyte (PPCAT; PARCAT1 of ADPP), the assay of ours that it is. The labels
        of cellpk's own assays need no word; other analytes stay as they are.

    Returns
    -------
    DataFrame
        ``patient``, ``assay``, ``specimen``, ``metric`` (our name, "" where we have
        none), ``code`` (PPTESTCD), ``start`` and ``end`` (days that an area covers),
        ``value`` (NaN where there is none), ``unit``, ``reason`` (key of ``REASONS``,
        else as the file words it), ``visit``, ``reported`` and ``reported_unit`` (as
        the file has them). Values are in our unit where a number converts them: days
        for hours, areas too.

    Raises
    ------
    DataError
        If the file is neither, or holds a value that is not a number.

    Notes
    -----
    Areas between two days have one code, AUCINT: which of ours one is, its interval
    says. A data set with several periods has several rows of a patient and parameter:
    ``visit`` tells them apart.

    Examples
    --------
    >>> import tempfile
    >>> import cellpk as ck
    >>> from cellpk.kinetics.parameter_datasets import write_parameters
    >>> metrics = ck.nca(ck.simulate_study(seed=1))
    >>> pp, adpp = write_parameters(metrics, tempfile.mkdtemp())
    >>> read_parameters(pp).loc[0, ["patient", "assay", "metric", "reported"]].tolist()
    ['S01', 'flow', 'cmax', '22.7']
    """
    path = Path(path)
    grid = blanked(capitals(read_grid(path.name, path.parent)), ["NA"])
    code = codes(grid, "PPTESTCD", "PARAMCD")
    needed = first_there(grid, "PPTESTCD", "PARAMCD")
    numeric = first_there(grid, "PPSTRESN", "AVAL", "PPSTRESC", "AVALC")
    if PATIENT not in grid.cells or not needed or not numeric:
        what = "the file has no parameters"
        todo = "It needs USUBJID, PPTESTCD (or PARAMCD) and PPSTRESN (or AVAL)."
        raise DataError(Problem(what, todo, file=grid.file))
    value = _values(grid, numeric)
    start, end = (_days(grid, name) for name in ("PPSTINT", "PPENINT"))
    known = _known_metrics(start, end)
    table = pd.DataFrame(
        {
            "patient": cells(grid, PATIENT),
            "assay": _assays(cells(grid, "PPCAT", "PARCAT1"), assays or {}),
            "specimen": specimens(cells(grid, "PPSPEC", "PCSPEC")),
            "metric": _metrics(known, code, codes(grid, "PARAMCD"), days=(start, end)),
            "code": code,
            "start": start,
            "end": end,
            "value": value,
            "unit": cells(grid, "PPSTRESU", "AVALU"),
            "reason": _reasons(grid),
            "visit": cells(grid, "AVISIT", "VISIT"),
            "reported": cells(grid, "PPSTRESC", "AVALC", numeric),
            "reported_unit": cells(grid, "PPSTRESU", "AVALU"),
        }
    )
    return _in_our_units(table, known)


def _values(grid: Grid, column: str) -> NDArray[np.float64]:
    """Return the numbers; texts that are none, such as NC, are problems but for NC."""
    text = cells(grid, column)
    value = parsing.numbers(text)
    blank = text.str.upper().isin(["", "NC", "NOT DONE", "BLQ", "ND"]).to_numpy(bool)
    problems = [
        Problem(
            "the value of the parameter is not a number",
            "Write a plain number, or leave the cell empty.",
            file=grid.file,
            row=int(grid.rows[place]),
            patient=grid.cells[PATIENT].iloc[place],
            column=column,
            value=text.iloc[place],
        )
        for place in np.flatnonzero(np.isnan(value) & ~blank)
    ]
    if problems:
        raise DataError(problems)
    return value


def _days(grid: Grid, name: str) -> NDArray[np.float64]:
    days, _ = read_durations(cells(grid, name))
    return days


def _assays(words: pd.Series, said: Mapping[str, str]) -> pd.Series:
    """Return the assay of each analyte, by its name, label or what is said of it."""
    ours = {analyte(name).upper(): name for name in ASSAYS}
    ours |= {code.upper(): name for name, row in ASSAYS.items() for code in row.codes}
    ours |= {word.upper(): name for word, name in said.items()}
    return words.str.upper().map(ours).astype("str").fillna(words)


def _known_metrics(
    start: NDArray[np.float64], end: NDArray[np.float64]
) -> dict[str, Metric]:
    """Return our metrics, with an area for every interval of the file."""
    pairs = dict.fromkeys(zip(start, end, strict=True))
    named = {metric.days for metric in METRICS.values()}
    other = tuple(p for p in pairs if 0 <= p[0] < p[1] and p not in named)
    return METRICS | {each.name: each for each in areas(Rules(areas=other))}


def _metrics(
    known: Mapping[str, Metric],
    code: pd.Series,
    parameter: pd.Series,
    *,
    days: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> pd.Series:
    """Return our metric of each record, "" where we have none."""
    found = pd.Series("", index=code.index, dtype="str")
    parameters = parameter_codes(known)
    for name, metric in known.items():
        same = (code == metric.cdisc).to_numpy(bool)
        if metric.days is not None:
            same = same & (days[0] == metric.days[0]) & (days[1] == metric.days[1])
        named = (parameter == parameters[name]) & (code != metric.cdisc)
        found = found.mask((found == "") & (same | named.to_numpy(bool)), name)
    return found


def _reasons(grid: Grid) -> pd.Series:
    """Return why a parameter has no value: our code where the sentence is ours."""
    ours = {why_not(code): code for code in REASONS}
    reason = cells(grid, "PPREASND")
    reason = reason.where(reason != "", codes(grid, "PPSTAT"))
    return reason.map(ours).astype("str").fillna(reason)


def _in_our_units(table: pd.DataFrame, known: Mapping[str, Metric]) -> pd.DataFrame:
    """Bring values to the units of our metrics, where a number does it."""
    given = table["unit"].mask(table["unit"] == "", NO_UNIT)
    table = table.assign(unit=given)
    for (name, assay, unit), rows in table.groupby(["metric", "assay", "unit"]):
        metric, level = known.get(str(name)), ASSAYS.get(str(assay))
        if metric is None or level is None:
            continue
        wanted = metric.unit(level.unit)
        times = _factor(str(unit), metric.unit_kind, level.unit)
        if times is not None:
            table.loc[rows.index, "value"] *= times
            table.loc[rows.index, "unit"] = wanted
    none = table["value"].isna() & (table["reported_unit"] == "")
    return table.assign(unit=table["unit"].mask(none, ""))


def _factor(unit: str, kind: str, level: str) -> float | None:
    """Return what brings a unit to ours, None where no number does."""
    if kind in (NO_UNIT, PERCENT):
        return 1.0 if unit == kind else None
    if kind == "level":
        return factor(unit, level)
    if kind == "1/day":
        time = _lasts(re.sub(r"^1?/", "", unit)) if "/" in unit else None
        return None if time is None else 1 / time
    if kind == "day":
        return _lasts(unit)
    for one, other in _pairs(unit):
        time, times = _lasts(one), factor(other, level)
        if time is not None and times is not None:
            return time * times
    return None


def _pairs(unit: str) -> list[tuple[str, str]]:
    """Return both ways of taking a product apart: h*copies/ug and copies/ug*h."""
    parts = [part for part in re.split(r"[*.·]", unit) if part]
    pairs = []
    for cut in range(1, len(parts)):
        before, after = "*".join(parts[:cut]), "*".join(parts[cut:])
        pairs += [(before, after), (after, before)]
    return pairs


def _lasts(word: str) -> float | None:
    """Return how many days a unit of time lasts."""
    days = float(unit_days(pd.Series([word.strip()], dtype="str"))[0])
    return None if np.isnan(days) else days
