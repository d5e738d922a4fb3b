"""Which files of a folder are event records, for the beginning of a study.toml."""

from collections.abc import Mapping, Sequence

import pandas as pd

from cellpk.study.events.samples import normalised
from cellpk.study.events.section import EventFiles
from cellpk.study.exchange import Recognised
from cellpk.study.grid import Grid
from cellpk.study.starting import OPEN


def recognised(
    grids: Mapping[str, Grid],
    kind: type[EventFiles],
    one_of: Sequence[str],
    *,
    without: Sequence[str] = (),
) -> Recognised | None:
    """Find files with the columns of event records.

    Parameters
    ----------
    grids : mapping of Grid
        The files of a folder.
    kind : type
        The section of the format, which knows what its columns are usually called.
    one_of : sequence of str
        Besides patient, time and level, one of these of our columns must be there.
    without : sequence of str
        Names of columns that no such file has.

    Returns
    -------
    Recognised or None
        What ``[[data]]`` can say already; what only a person can say is left open.

    Examples
    --------
    >>> frame = pd.DataFrame({"ID": [1], "TIME": [0], "DV": [3], "MDV": [0]})
    >>> grids = {"a.csv": Grid.of_frame(frame, file="a.csv")}
    >>> recognised(grids, EventFiles, ["mdv"]).section["time_unit"]
    '?'
    """
    files: list[str] = []
    codes: set[str] = set()
    for name, grid in grids.items():
        there = [str(header) for header in grid.cells.columns]
        found = kind.model_construct(columns={}).headers(there)
        other = {header.casefold() for header in there} & set(without)
        needed = {"patient", "time", "level"} <= set(found)
        if needed and not other and set(one_of) & set(found):
            files.append(name)
            codes |= _codes(grid, found)
    if not files:
        return None
    said: dict[str, object] = {"files": files, "time_unit": OPEN}
    if codes:
        said["assays"] = dict.fromkeys(sorted(codes), OPEN)
    else:
        said["assay"] = OPEN
    remark = "time_unit is that of TIME: minute, hour, day or week; it has no default."
    return Recognised(tuple(files), said, (remark,))


def _codes(grid: Grid, found: Mapping[str, str]) -> set[str]:
    """Return the codes of the samples' assays, as far as there is a column of them."""
    if "assay" not in found:
        return set()
    cells = grid.cells
    evid = pd.Series("0", index=cells.index)
    evid = cells[found["evid"]] if "evid" in found else evid
    samples = normalised(evid).isin(["0", ".", ""])
    return set(normalised(cells.loc[samples, found["assay"]])) - {"", "."}
