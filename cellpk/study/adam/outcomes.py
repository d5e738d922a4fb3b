"""ADRS, ADTTE, ADAE and ADCE as outcomes, ADCM as comedication."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cellpk.study import parsing
from cellpk.study.adam.clocks import (
    ACTUAL,
    END,
    START,
    elapsed,
    starts_of,
    unit_days,
)
from cellpk.study.adam.source import (
    PATIENT,
    Mask,
    Rest,
    Source,
    cells,
    codes,
    first_there,
    in_words,
    is_flagged,
    literal,
)
from cellpk.study.cdisc import counted, event_of
from cellpk.study.dates import days_between, read_dates
from cellpk.study.delivery import sheet_of
from cellpk.study.file_sections import ComedicationFile, OutcomesFile
from cellpk.study.grid import Grid

RESPONSES: Mapping[str, str] = {
    "OVR": "response",
    "CBOR": "best_response",
    "BOR": "best_response",
    "BESTRESP": "best_response",
    "MRD": "mrd",
}
"""Parameters of ADRS (admiralonco, template ad_adrs.R) by what they are read as; of
several best responses the confirmed one comes first."""

EVENTS: Mapping[str, str] = {"OS": "death"}
"""Parameters of ADTTE that count one kind of event and no other."""

_MIXED = {
    "PFS": "progression or death",
    "EFS": "several kinds of event",
    "DFS": "relapse or death",
    "DOR": "progression or death after a response",
    "RSD": "duration of response, elsewhere DOR: progression or death after it",
}
_WORDS = {"MISSING": "", "NOT DONE": "", "NOT ASSESSED": "", "UNKNOWN": ""}
_LIMITING = {"DOSE-LIMITING TOXICITY": "dlt"}
_GRADES = ("crs_grade", "icans_grade")
_DIED = r"(?i)\b(?:death|died|dead)\b"
_HAPPENED = {"death": _DIED, "progression": r"(?i)progress|\bPD\b"}
_CENSORED = r"(?i)censor|\balive\b|last (?:contact|known|assess)|lost to|ongoing"


def _add(
    source: Source,
    grid: Grid,
    rows: Mask,
    *,
    value: str,
    more: Mapping[str, Any],
) -> Mask:
    """Add rows as outcomes; ``value`` is the column that problems name."""
    section = OutcomesFile.model_construct(
        file=grid.file,
        columns={"patient": PATIENT, "value": value},
        infusion_day=0,
    )
    told = {name: text for name, text in more.items() if name != "value"}
    told[value] = more["value"]
    if rows.any():
        source.delivery.add("outcomes", sheet_of(grid, section, rows=rows, more=told))
    return rows


def _not_analysed(source: Source, rest: Rest) -> None:
    """Put aside the records that are not for this analysis, as study.toml says."""
    flag = source.options.analysis_flag
    if flag in rest.grid.cells:
        rest.aside(~is_flagged(rest.grid, flag), f"{flag} is not 'Y'")


def read_responses(source: Source, grid: Grid) -> None:
    """Read ADRS: responses, best responses and MRD; other parameters are put aside.

    Where there are several best responses, that of CBOR (confirmed) is read, unless
    ``responses`` in study.toml says otherwise.
    """
    rest = Rest(source, grid)
    code = codes(grid, "PARAMCD")
    said = {word.upper(): name for word, name in source.options.responses.items()}
    best = [c for c, name in RESPONSES.items() if name == "best_response"]
    there = [c for c in best if (code == c).any()]
    if there[1:] and "best_response" not in said.values():
        reason = f"best_response is read from {there[0]}, not from {{}}"
        rest.aside_by(code.isin(there[1:]).to_numpy(bool), code, reason)
        what = f"there are several best responses: {there[0]} is read"
        todo = "Say responses = { BOR = 'best_response' } to read another one."
        source.doubt(
            grid,
            what,
            todo,
            column="PARAMCD",
            severity="note",
            rule="several_best_responses",
        )
    known = {**({} if "best_response" in said.values() else RESPONSES), **said}
    known = {"OVR": "response", "MRD": "mrd"} | known
    endpoint = code.map(known).astype("str").fillna("")
    none = (endpoint == "").to_numpy(bool)
    reason = "PARAMCD {!r} of ADRS is not read (map it under 'responses')"
    rest.aside_by(none, code, reason)
    evaluator = literal(grid, "RSEVAL", "PARCAT2")
    kept = source.options.evaluator.upper()
    other = (evaluator.str.upper() != kept).to_numpy(bool)
    if kept:
        rest.aside_by(other, evaluator, "assessed by {!r}, another evaluator")
    _not_analysed(source, rest)
    here = rest.take(rest.left)
    value = parsing.translated(cells(grid, "AVALC"), source.options.values)
    more = {
        "endpoint": endpoint,
        "value": value.mask(value.str.upper().isin(_WORDS), ""),
        "time": in_words(elapsed(source, grid, ACTUAL, rows=here)),
        "criteria": literal(grid, "RSCAT", "PARCAT3"),
        "evaluator": evaluator,
        "note": literal(grid, "ANOTE"),
    }
    _add(source, grid, here, value="AVALC", more=more)


def events_told(source: Source, grid: Grid) -> pd.Series:
    """Return the endpoint of each record of ADTTE, "" where it has none.

    Examples
    --------
    >>> from cellpk.study.adam.options import AdamOptions
    >>> from cellpk.study.config import settings_of
    >>> settings = settings_of({"study": {"id": "A", "infusion_day": 0}})
    >>> source = Source(AdamOptions(format="adam", files=("adam",)), settings)
    >>> frame = pd.DataFrame({"PARAMCD": ["OS", "PFS"]})
    >>> events_told(source, Grid.of_frame(frame, file="adtte.csv")).tolist()
    ['death', '']
    """
    said = {word.upper(): name for word, name in source.options.events.items()}
    known = {**EVENTS, **said}
    return codes(grid, "PARAMCD").map(known).astype("str").fillna("")


def deaths_told(source: Source, grids: Iterable[Grid]) -> set[str] | None:
    """Return the patients whose death ADTTE tells, None where it tells of no deaths."""
    found: set[str] | None = None
    for grid in grids:
        death = events_told(source, grid) == "death"
        if death.any():
            came = death & (_censoring(source, grid) == 0)
            found = (found or set()) | set(cells(grid, PATIENT)[came])
    return found


def read_events(source: Source, grid: Grid) -> None:
    """Read ADTTE: what happened (CNSR 0) and until when it had not (CNSR 1 or more).

    Time is that of ADT where the infusion has a date, else AVAL, in the unit of AVALU
    or the end of PARAM, counted from STARTDT. (AVAL of admiral is a day more than the
    days elapsed: it counts the first day as 1. ADT knows better.) Parameters that
    count several kinds of event are put aside.
    """
    rest = Rest(source, grid)
    endpoint, code = events_told(source, grid), codes(grid, "PARAMCD")
    for word in sorted(code[(endpoint == "").to_numpy(bool)].unique()):
        counts = f" ({_MIXED[word]})" if word in _MIXED else ""
        reason = f"PARAMCD {word!r} of ADTTE{counts} is not read"
        reason += " (map it under 'events')"
        rest.aside((code == word).to_numpy(bool), reason)
    kind = codes(grid, "DTYPE")
    derived = (kind != "").to_numpy(bool)
    rest.aside_by(derived, kind, "worked out for analysis, DTYPE={!r}")
    _not_analysed(source, rest)
    here = rest.take(rest.left)
    if not here.any():
        return
    censored = _censoring(source, grid)
    what, todo = "CNSR is neither 0 (event) nor 1 (censored)", "Correct it."
    wrong = here & ~((censored >= 0) & (censored % 1 == 0))
    source.complain(grid, wrong, column="CNSR", what=what, todo=todo, rule="not_a_flag")
    _reversed(source, grid, endpoint, (here, censored))
    value = np.where(censored == 0, "1", "0")
    more = {
        "endpoint": endpoint,
        "value": pd.Series(value, dtype="str"),
        "time": in_words(_event_time(source, grid, here)),
        "criteria": literal(grid, "PARCAT3"),
        "evaluator": literal(grid, "PARCAT2"),
        "note": literal(grid, "ANOTE"),
    }
    _add(source, grid, here, value="CNSR", more=more)


def _censoring(source: Source, grid: Grid) -> np.ndarray:
    """Return CNSR as the standard has it: 0 for an event, else censored."""
    code = parsing.numbers(cells(grid, "CNSR"))
    return 1 - code if source.options.event_code == 1 else code


def _event_time(source: Source, grid: Grid, here: Mask) -> np.ndarray:
    """Return the time of each event in days after the first infusion."""
    days = elapsed(source, grid, ACTUAL, rows=here)
    text = cells(grid, "AVAL")
    counted = here & np.isnan(days) & (text != "").to_numpy(bool)
    if not counted.any():
        return days
    unit = cells(grid, "AVALU")
    said = cells(grid, "PARAM").str.extract(r"\(([^()]+)\)\s*$")[0].fillna("")
    lasts = unit_days(unit.where(unit != "", said))
    what = "the unit of the time to the event is not stated"
    todo = "Give it in AVALU, or at the end of PARAM: 'Overall Survival (days)'."
    unknown = counted & np.isnan(lasts)
    source.complain(grid, unknown, column="AVALU", what=what, todo=todo, rule="no_unit")
    value = parsing.numbers(text)
    what, todo = "AVAL is not a number", "Write a plain number."
    wrong = counted & np.isnan(value)
    source.complain(grid, wrong, column="AVAL", what=what, todo=todo)
    begin = read_dates(cells(grid, "STARTDTM", "STARTDT"))
    later, _ = days_between(begin, read_dates(starts_of(source, grid)))
    silent = int((counted & np.isnan(later)).sum())
    if silent:
        what = f"AVAL of {silent} records counts from a start that is not stated"
        todo = "Give STARTDT or ADT; without them it is read as days after infusion."
        source.doubt(grid, what, todo, column="AVAL", rule="no_start")
    return np.where(counted, value * lasts + np.nan_to_num(later), days)


def _reversed(
    source: Source, grid: Grid, endpoint: pd.Series, which: tuple[Mask, np.ndarray]
) -> None:
    """Say where CNSR and the description of a record contradict each other."""
    here, censored = which
    event, why = cells(grid, "EVNTDESC"), cells(grid, "CNSDTDSC")
    odd, described = np.zeros((2, len(here)), dtype=bool)
    for name, pattern in _HAPPENED.items():
        mine = here & (endpoint == name).to_numpy(bool)
        happened = event.str.contains(pattern, regex=True).to_numpy(bool)
        happened = happened & ~event.str.contains(_CENSORED, regex=True).to_numpy(bool)
        odd = odd | (mine & happened & (censored > 0))
        described = described | (mine & happened)
    excused = (why != "").to_numpy(bool)
    excused = excused | event.str.contains(_CENSORED, regex=True).to_numpy(bool)
    odd = odd | (here & excused & (censored == 0))
    described = described | (here & excused)
    if odd.sum() > 1 and (odd == described).all():
        # Read as it stands, the dead would be alive and the living dead.
        what = (
            "CNSR is reversed: 1 is censored, 0 an event, and all descriptions say else"
        )
        todo = "Correct CNSR, or say event_code = 1 in [[data]] if it flags events."
        rule = "reversed_censoring"
        source.complain(grid, odd, column="CNSR", what=what, todo=todo, rule=rule)
    elif odd.any():
        line = grid.rows[odd][0]
        what = (
            f"CNSR looks reversed in {odd.sum()} of {here.sum()} records (the first in "
            f"row {line}): 1 is censored, 0 an event, and the description says else"
        )
        source.doubt(
            grid,
            what,
            "Correct CNSR, or the description.",
            column="CNSR",
            rule="reversed_censoring",
        )


def read_adverse(source: Source, grid: Grid, name: str) -> None:
    """Read ADAE or ADCE: grades of CRS and ICANS, and dose-limiting toxicity.

    A grade by ASTCT (a column of that name) and one by other criteria (ATOXGR,
    AETOXGR) are two outcomes: both are kept.

    Parameters
    ----------
    source : Source
        Collects what is read.
    grid : Grid
        The data set.
    name : str
        "ADAE" or "ADCE".
    """
    rest = Rest(source, grid)
    prefix = name[2:]
    terms = (f"{prefix}DECOD", f"{prefix}TERM")
    term = first_there(grid, *terms) or terms[0]
    endpoint = event_of(cells(grid, *terms), {**_LIMITING, **source.options.events})
    graded = endpoint.isin(_GRADES).to_numpy(bool)
    single = ~graded & (endpoint != "").to_numpy(bool)
    absent = (codes(grid, f"{prefix}OCCUR") == "N").to_numpy(bool)
    limiting = is_flagged(grid, "DLTFL", "AEDLTFL", "DLT")
    reason = f"an event of {name} that nothing is read from (map it under 'events')"
    rest.aside(~graded & ~single & ~limiting, reason)
    about = {
        "endpoint": endpoint,
        "time": in_words(elapsed(source, grid, START, rows=rest.left)),
        "criteria": literal(grid, "ATOXSTD"),
        "evaluator": literal(grid, f"{prefix}EVAL"),
        "note": literal(grid, "ANOTE"),
    }
    used = np.zeros(len(graded), dtype=bool)
    for column, criteria, grade in _grades(source, grid, prefix):
        here = rest.left & graded & ~absent & (grade != "").to_numpy(bool)
        more = {**about, "value": grade, "criteria": criteria}
        used = used | _add(source, grid, here, value=column, more=more)
    dlt = about["endpoint"].mask(graded | (endpoint == "").to_numpy(bool), "dlt")
    happened = rest.left & (single | limiting) & ~absent
    none = rest.left & (single | graded) & absent
    for here, what, said in ((happened, dlt, "1"), (none, endpoint, "0")):
        more = {**about, "endpoint": what, "value": said}
        used = used | _add(source, grid, here, value=term, more=more)
    rest.take(used)
    if n := int(rest.left.sum()):
        what = f"{counted(n, 'event')} of CRS or ICANS without a grade: set aside"
        todo = "A severity is no grade: give ATOXGR, or a column with the ASTCT grade."
        source.doubt(grid, what, todo, column="ATOXGR", rule="ungraded_events")
    rest.aside(rest.left, "no toxicity grade")


def _grades(
    source: Source, grid: Grid, prefix: str
) -> list[tuple[str, pd.Series, pd.Series]]:
    """Return the columns of grades, with the criteria and the grades of each."""
    astct = [name for name in map(str, grid.cells.columns) if "ASTCT" in name.upper()]
    usual = first_there(grid, "ATOXGR", f"{prefix}TOXGR", "ATOXGRN")
    standard = first_there(grid, "ATOXSTD", f"{prefix}TOXSTD")
    stated = literal(grid, standard)
    if not standard:
        stated = stated.mask(stated == "", source.options.toxicity)
    columns = [*astct[:1], *([usual] if usual else [])]
    found = []
    for name in columns:
        same = pd.Series("ASTCT", index=stated.index, dtype="str")
        criteria = same if name in astct else stated
        grade = cells(grid, name).str.replace(r"(?i)^\s*grade\s*", "", regex=True)
        found.append((name, criteria, grade))
    return found


def read_drugs(source: Source, grid: Grid) -> None:
    """Read ADCM: every record is a drug that was given."""
    rest = Rest(source, grid)
    here = rest.take(rest.left)
    drug = first_there(grid, "CMDECOD", "CMTRT") or "CMDECOD"
    section = ComedicationFile.model_construct(
        file=grid.file,
        columns={"patient": PATIENT, "drug": drug, "time": START.column(grid)},
        infusion_day=0,
    )
    more = {
        drug: literal(grid, drug).where(
            literal(grid, drug) != "", cells(grid, "CMTRT")
        ),
        section.columns["time"]: in_words(elapsed(source, grid, START, rows=here)),
        "end_time": in_words(elapsed(source, grid, END, rows=here)),
        "dose": cells(grid, "CMDOSE"),
        "unit": literal(grid, "CMDOSU"),
    }
    source.delivery.add("comedication", sheet_of(grid, section, rows=here, more=more))
