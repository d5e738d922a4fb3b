"""From event records to a sheet of samples: which assay each is of, and its columns."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cellpk.errors import Problem
from cellpk.study.events.records import Events, Levels, Records
from cellpk.study.file_sections import SamplesFile, TableFile
from cellpk.study.sheet import LISTED, Mask, Sheet


def codes_of(records: Records, events: Events) -> pd.Series | None:
    """Return the code that tells the assay of each sample, "" where one holds for all.

    It is DVID (Monolix: YTYPE), else CMT. Samples of several kinds for which one assay
    is said are a problem, and nothing comes back: assays are never pooled.

    Examples
    --------
    >>> from cellpk.study.delivery import Delivery
    >>> from cellpk.study.events.records import events_of, opened
    >>> from cellpk.study.events.section import EventFiles
    >>> from cellpk.study.grid import Grid
    >>> frame = pd.DataFrame({"ID": 1, "TIME": [0, 7], "DV": 3, "DVID": ["1.0", "2"]})
    >>> said = {"assays": {"1": "qpcr", "2": "il6"}, "time_unit": "day"}
    >>> section = EventFiles(format="", files=("a",), **said)
    >>> records = opened(Grid.of_frame(frame, file="a"), section, Delivery())
    >>> codes_of(records, events_of(records, both=False)).tolist()
    ['1', '2']
    """
    section = records.section
    role = "assay" if "assay" in records else "cmt"
    codes = normalised(records.text(role))
    kinds = codes[events.samples & (codes != "").to_numpy(bool)].unique()
    told = section.assay and len(kinds) < 2
    if not (told or (section.assays and (section.assay or role in records))):
        name, file = records.headers.get(role, "DVID"), records.grid.file
        found = f"tells {len(kinds)} kinds of samples" if len(kinds) else "is absent"
        what = f"{name} {found}, and study.toml does not say which assay they are of"
        todo = "Say assay in [[data]], if all samples are of one."
        if len(kinds):
            some = ", ".join(f'{kind} = "..."' for kind in kinds[:LISTED])
            todo = f"Map each code to an assay in [[data]]: assays = {{ {some} }}."
        problem = Problem(what, todo, file=file, column=name, value=section.assay)
        records.delivery.problems.append(problem)
        return None
    return codes


def normalised(codes: pd.Series) -> pd.Series:
    """Return whole numbers without a point, as codes are written.

    Examples
    --------
    >>> normalised(pd.Series(["1.00", "2", "x"])).tolist()
    ['1', '2', 'x']
    """
    return codes.str.replace(r"^([+-]?\d+)\.0*$", r"\1", regex=True)


def samples_sheet(records: Records, events: Events, levels: Levels) -> Sheet | None:
    """Return the samples of a file, all under the names that the file gives them.

    Nothing comes back where it is not known which assay they are of.

    Examples
    --------
    >>> from cellpk.study.delivery import Delivery
    >>> from cellpk.study.events.records import events_of, opened
    >>> from cellpk.study.events.section import EventFiles
    >>> from cellpk.study.grid import Grid
    >>> frame = pd.DataFrame({"ID": 1, "TIME": [0, 7], "DV": 3})
    >>> said = {"assay": "qpcr", "time_unit": "hour"}
    >>> section = EventFiles(format="", files=("a",), **said)
    >>> records = opened(Grid.of_frame(frame, file="a"), section, Delivery())
    >>> events = events_of(records, both=False)
    >>> levels = Levels({"level": records.text("level")})
    >>> samples_sheet(records, events, levels).days("time").tolist()
    [0.0, 0.291666667]
    """
    section = records.section
    codes = codes_of(records, events)
    if codes is None:
        return None
    copied = ("patient", "time", "nominal_time", "visit", "limit_assumed", "derived")
    columns = {role: records.text(role) for role in copied if role in records}
    columns |= levels.columns
    if section.assays:
        columns["assay"] = codes
    for role in ("unit", "specimen"):
        said = getattr(section, role)
        known = by_code(said, codes) if isinstance(said, dict) else said
        text = records.text(role)
        columns[role] = text.where(text != "", known).astype("str")
    if section.dv == "log" and "reported_unit" not in columns:
        unit = columns["unit"]
        columns["reported_unit"] = ("ln(" + unit + ")").mask(unit == "", "ln")
    own = SamplesFile.model_construct(
        file=records.grid.file,
        columns={role: records.headers.get(role, role) for role in columns},
        time_unit=section.time_unit,
        infusion_day=0,
        assay=section.assay,
        assays={_code(code): name for code, name in section.assays.items()},
        units=section.units,
    )
    return part(records, columns, own, rows=events.samples)


def _code(code: str) -> str:
    return normalised(pd.Series([code])).iloc[0]


def by_code(said: Mapping[str, str], codes: pd.Series) -> pd.Series:
    """Return what is said of each code, "" where nothing is.

    Examples
    --------
    >>> by_code({"2.0": "csf"}, pd.Series(["1", "2"])).tolist()
    ['', 'csf']
    """
    words = {_code(code): word for code, word in said.items()}
    return codes.map(words).astype("str").fillna("")


def part(
    records: Records, columns: Mapping[str, Any], section: TableFile, *, rows: Mask
) -> Sheet:
    """Return some rows as a sheet that holds these columns and no other.

    Parameters
    ----------
    records : Records
        The file.
    columns : mapping of Series
        By our name of each column, one text per row of the file.
    section : TableFile
        What the columns are called in the file.
    rows : ndarray of bool
        Which rows belong to the table.

    Examples
    --------
    >>> from cellpk.study.delivery import Delivery
    >>> from cellpk.study.events.records import opened
    >>> from cellpk.study.events.section import EventFiles
    >>> from cellpk.study.grid import Grid
    >>> frame = pd.DataFrame({"ID": [1, 2], "TIME": 0, "DV": 3})
    >>> section = EventFiles(format="", files=("a",), time_unit="day")
    >>> records = opened(Grid.of_frame(frame, file="a"), section, Delivery())
    >>> said = TableFile.model_construct(file="a", columns={"patient": "ID"})
    >>> rows = records.number("patient") == 2
    >>> part(records, {"patient": records.text("patient")}, said, rows=rows).rows
    array([3])
    """
    cells = pd.DataFrame(
        {section.columns[role]: text for role, text in columns.items()}, dtype="str"
    )
    cells = cells.loc[rows].reset_index(drop=True)
    return Sheet(cells, section, records.grid.rows[rows])
