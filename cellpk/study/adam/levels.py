"""Levels of ADPC (ADNCA), ADLB and ADPPK as samples.

The shape is that of pharmaverse's data sets (admiral, templates ad_adpc.R, ad_adlb.R
and ad_adppk.R) and of CDISC's ADaM guides for input of non-compartmental analysis and
for population PK: a dose is a record among the levels, a record can be a copy made
for analysis, and a level below its limit can have any number in AVAL.
"""

import re
from typing import Any

import numpy as np
import pandas as pd

from cellpk.study import parsing
from cellpk.study.adam.clocks import (
    SAMPLED,
    date_words,
    elapsed,
    relative_days,
    starts_of,
)
from cellpk.study.adam.doses import is_dose, read_doses
from cellpk.study.adam.source import (
    NAMED,
    NEVER,
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
from cellpk.study.cdisc import assay_of
from cellpk.study.columns import STATES
from cellpk.study.dates import days_between, read_dates
from cellpk.study.delivery import sheet_of
from cellpk.study.file_sections import SamplesFile
from cellpk.study.grid import Grid

PREFIX = {"ADPC": "PC", "ADLB": "LB", "ADPPK": "PC"}
"""By data set, what the SDTM variables begin with that it keeps."""

_UNIT = r"\(([^()]+)\)\s*$"
_MADE = "made for analysis, DTYPE={!r}"
_ANALYSIS = re.compile(r"ANL\d\dFL")
_EXCLUSIONS = ("NCAXFL", "PKSUMXF", "EXCLFL")


def read_levels(source: Source, grid: Grid, name: str) -> None:
    """Read a data set of levels: samples, and doses among them.

    Parameters
    ----------
    source : Source
        Collects what is read.
    grid : Grid
        The data set.
    name : str
        "ADPC", "ADLB" or "ADPPK".
    """
    rest = Rest(source, grid)
    dose = is_dose(grid)
    if "ADEX" in source.there:
        rest.aside(dose, "the same infusions stand in ADEX")
    read_doses(source, rest, dose)
    event = cells(grid, "EVID")
    other = ~event.isin(["0", "0.0", ""]).to_numpy(bool)
    rest.aside_by(other, event, "EVID={}: neither a level nor a dose")
    kind = codes(grid, "DTYPE")
    copied = kind.str.contains("COPY").to_numpy(bool)
    rest.aside_by(copied, kind, "a copy made for analysis, DTYPE={!r}")
    assay = _assay(source, rest, PREFIX[name])
    results = _results(grid, PREFIX[name])
    _of_untreated(rest, assay, results)
    time = elapsed(source, grid, SAMPLED, rows=rest.left)
    nominal = relative_days(source, grid, "NFRLT", rows=rest.left)
    untaken = (results["level"] == "").to_numpy(bool) & np.isnan(time)
    rest.aside(
        untaken & np.isnan(nominal) & (results["state"] == "").to_numpy(bool),
        "no sample: neither a result nor a time",
    )
    made = (kind != "").to_numpy(bool) & np.isnan(time) & np.isnan(nominal)
    rest.aside_by(made, kind, _MADE + ", without a time")
    here = rest.take(rest.left)
    if here.any():
        if "AFRLT" in grid.cells:
            _against_dates(source, grid, np.where(here, time, np.nan))
        time = _nominal_instead(source, grid, (time, nominal), here)
        excluded, reason = _excluded(source, grid, here)
        _doubts(source, grid, results, here & ~excluded)
        columns: dict[str, Any] = {
            "assay": assay,
            "time": time,
            "nominal_time": nominal,
            "excluded": excluded,
            "reason": reason,
        }
        _add(source, grid, (name, here), columns=columns, results=results)


def _assay(source: Source, rest: Rest, prefix: str) -> pd.Series:
    """Return the assay of each record; put those of others aside, by code."""
    grid = rest.grid
    names = ("PARAMCD", f"{prefix}TESTCD", "DVID", "CMT")
    code = codes(grid, *names)
    method = codes(grid, f"{prefix}METHOD", "METHOD")
    known, said = source.settings.known_assays, source.options.assays
    assay = assay_of(code, method, said, known=known, units=_stated_unit(grid, prefix))
    none = (assay == "").to_numpy(bool)
    reason = f"{first_there(grid, *names) or 'PARAMCD'} {{!r}} is no assay"
    words = rest.aside_by(none, code, f"{reason} (map it under 'assays')")
    if words:
        source.unknown[grid.file] = words[:NAMED]
    return assay


def _results(grid: Grid, prefix: str) -> pd.DataFrame:
    """Return each record's level as text, the state that is stated, and what stood."""
    value = cells(grid, "DV", "AVAL", f"{prefix}STRESN")
    text = cells(grid, "AVALC", f"{prefix}STRESC")
    category = cells(grid, "AVALCAT1")
    stated = category.str.casefold()
    stated = stated.where(stated.isin(STATES), "")
    word = pd.Series("", index=value.index, dtype="str")
    for candidate in (text, cells(grid, f"{prefix}STRESC"), category):
        beyond = parsing.levels(candidate)["state"].isin(["below", "detected", "above"])
        word = word.where(word != "", candidate.where(beyond, ""))
    below = is_flagged(grid, "BLQFL") | (parsing.numbers(cells(grid, "BLQFN")) == 1)
    below = below & (stated == "").to_numpy(bool)
    detected = below & is_flagged(grid, "DETFL")
    done = codes(grid, f"{prefix}STAT") != "NOT DONE"
    level = value.where(value != "", text).where(done, "")
    says_below = (parsing.levels(word)["state"] == "below") & (word != "")
    level = level.mask((word != "") & (stated == ""), word)
    level = level.mask(below & ~detected & ~says_below, "BLQ")
    level = level.mask(detected, value)
    number = np.isfinite(parsing.numbers(level))
    level = level.where((stated == "") | number, "")
    level = level.mask(stated.isin(["below", "above", "missing"]), "")
    state = stated.mask(below, "below").mask(detected, "detected")
    stood = literal(grid, f"{prefix}ORRES", f"{prefix}STRESC", "AVALC", "DV", "AVAL")
    return pd.DataFrame({"level": level, "state": state, "reported": stood}).astype(
        "str"
    )


def _of_untreated(rest: Rest, assay: pd.Series, results: pd.DataFrame) -> None:
    """Complain of CAR-T cells or transgene in patients who were never treated."""
    if not rest.never.any():
        return
    known = rest.source.settings.known_assays
    cells_or_gene = assay.isin([name for name, row in known.items() if row.kinetics])
    read = parsing.levels(results["level"])
    found = (read["level"] > 0) | read["state"].isin(["detected", "above"])
    found = found & ~results["state"].isin(["below", "missing"])
    wrong = rest.never & cells_or_gene.to_numpy(bool) & found.to_numpy(bool)
    what = f"CAR-T cells or transgene {NEVER}"
    todo = "Complete the doses or TRTSDT, or take the samples out."
    rest.source.complain(
        rest.grid, wrong, column=PATIENT, what=what, todo=todo, rule="never_infused"
    )


def _nominal_instead(
    source: Source, grid: Grid, times: tuple[np.ndarray, np.ndarray], here: Mask
) -> np.ndarray:
    """Put the nominal time where the actual one is not known, and say so."""
    time, nominal = times
    instead = here & np.isnan(time) & np.isfinite(nominal)
    if instead.any():
        what = f"{instead.sum()} samples have no actual time: the nominal one stands in"
        todo = "Give AFRLT or the date of the sample."
        source.doubt(
            grid, what, todo, column=SAMPLED.column(grid), rule="planned_time_taken"
        )
    return np.where(instead, nominal, time)


def _doubts(source: Source, grid: Grid, results: pd.DataFrame, here: Mask) -> None:
    """Say what is doubtful in the records of a file that later nobody sees."""
    below = results["state"].isin(["below", "detected"]).to_numpy(bool)
    said = parsing.levels(results["level"])["state"].eq("below").to_numpy(bool)
    lost = here & (below | said) & (parsing.numbers(cells(grid, "MDV")) == 1)
    if lost.any():
        what = (
            f"MDV=1 on {lost.sum()} records below the limit: NONMEM would ignore them, "
            "here they are read as below"
        )
        source.doubt(
            grid,
            what,
            "Set MDV=0 for a fit with M3.",
            column="MDV",
            rule="mdv_on_below",
        )
    high = parsing.numbers(cells(grid, "DV", "AVAL"))
    high = high >= parsing.numbers(cells(grid, "ALLOQ"))
    odd = here & high & is_flagged(grid, "BLQFL")
    if odd.any():
        line = grid.rows[odd][0]
        what = (
            f"{odd.sum()} levels at or above ALLOQ are flagged BLQFL='Y' (the first in "
            f"row {line}): read as below"
        )
        source.doubt(
            grid,
            what,
            "Correct the one that is wrong.",
            column="BLQFL",
            rule="results_disagree",
        )
    _unflagged(source, grid, here)
    for flag in _EXCLUSIONS:
        some = int((here & is_flagged(grid, flag)).sum())
        if some and flag != source.options.exclusion_flag:
            what = f"{some} samples have {flag}='Y' and are used all the same"
            todo = f"Say exclusion_flag = '{flag}' under [[data]] to exclude them."
            source.doubt(grid, what, todo, column=flag, rule="flag_not_used")


def _unflagged(source: Source, grid: Grid, here: Mask) -> None:
    """Say of samples that are not flagged for analysis, and used all the same."""
    if source.options.analysis_flag:
        return
    for flag in filter(_ANALYSIS.fullmatch, map(str, grid.cells.columns)):
        flagged = is_flagged(grid, flag)
        some = int((here & ~flagged).sum())
        if some and (here & flagged).any():
            what = f"{some} samples without {flag}='Y' are used all the same"
            todo = f"Say analysis_flag = '{flag}' under [[data]] to exclude them."
            source.doubt(
                grid, what, todo, column=flag, severity="note", rule="flag_not_used"
            )


def _against_dates(source: Source, grid: Grid, days: np.ndarray) -> None:
    """Say where the relative time and the date of a sample are days apart."""
    dates = read_dates(date_words(grid, SAMPLED))
    dated, _ = days_between(dates, read_dates(starts_of(source, grid)))
    apart = np.abs(days - dated) > 1
    if apart.any():
        what = (
            f"AFRLT and the date of {apart.sum()} samples are more than a day apart "
            f"(the first in row {grid.rows[apart][0]}): AFRLT is read"
        )
        todo = "Look at FRLTU, and whether AFRLT counts from the infusion."
        source.doubt(grid, what, todo, column="AFRLT", rule="relative_against_date")


def _add(
    source: Source,
    grid: Grid,
    which: tuple[str, Mask],
    *,
    columns: dict[str, Any],
    results: pd.DataFrame,
) -> None:
    """Add the samples of a data set to the delivery."""
    name, here = which
    prefix = PREFIX[name]
    clock = SAMPLED.column(grid)
    value = first_there(grid, "DV", "AVAL", "AVALC", f"{prefix}STRESN") or "AVAL"
    limits = {
        "lloq": first_there(grid, "ALLOQ", f"{prefix}LLOQ"),
        "llod": first_there(grid, "ALLOD", f"{prefix}LLOD"),
        "uloq": first_there(grid, "AULOQ", f"{prefix}ULOQ"),
    }
    section = SamplesFile.model_construct(
        file=grid.file,
        columns={"patient": PATIENT, "time": clock, "level": value}
        | {ours: theirs for ours, theirs in limits.items() if theirs},
        units=source.options.units,
        infusion_day=0,
    )
    more = {
        clock: in_words(columns["time"]),
        "nominal_time": in_words(columns["nominal_time"]),
        "assay": columns["assay"],
        value: results["level"],
        "state": results["state"],
        "reported": results["reported"],
        "unit": _unit(source, grid, prefix, here & (results["level"] != "")),
        "visit": _visit(grid),
        "specimen": literal(grid, f"{prefix}SPEC", "SPEC"),
        "limit_assumed": cells(grid, "ALLOQAFL"),
        "derived": literal(grid, "ADERIV"),
        "excluded": pd.Series(np.where(columns["excluded"], "1", "0"), dtype="str"),
        "reason": columns["reason"],
    }
    if f"{prefix}ORRESU" in grid.cells:
        more["reported_unit"] = grid.cells[f"{prefix}ORRESU"]
    source.delivery.add("samples", sheet_of(grid, section, rows=here, more=more))


def _unit(source: Source, grid: Grid, prefix: str, wanted: Mask) -> pd.Series:
    """Return the unit of each level; where a level has none, that is a problem."""
    unit = _stated_unit(grid, prefix)
    what = "the unit of the level is not stated"
    todo = "Give it in AVALU, or at the end of PARAM: 'Interleukin 6 (pg/mL)'."
    silent = np.asarray(wanted, bool) & (unit == "").to_numpy(bool)
    source.complain(grid, silent, column="AVALU", what=what, todo=todo, rule="no_unit")
    return unit


def _stated_unit(grid: Grid, prefix: str) -> pd.Series:
    """Return the unit of each record, from its column or the end of PARAM."""
    unit = cells(grid, "AVALU", "DVU", f"{prefix}STRESU")
    if (unit == "").any():
        said = cells(grid, "PARAM").str.extract(_UNIT)[0].fillna("")
        unit = unit.where(unit != "", said)
    return unit


def _visit(grid: Grid) -> pd.Series:
    """Return the visit, with the time point where one is named."""
    visit = literal(grid, "AVISIT", "VISIT")
    point = cells(grid, "ATPT", f"{PREFIX['ADPC']}TPT")
    return visit.mask(point != "", visit.str.cat(point, sep=", ").str.strip(", "))


def _excluded(source: Source, grid: Grid, here: Mask) -> tuple[Mask, pd.Series]:
    """Tell which samples are excluded from analysis, and why."""
    reason = literal(grid, "EXCLRSN", "NCA1XRS", "PCREASND", "LBREASND")
    keep, drop = source.options.analysis_flag, source.options.exclusion_flag
    kind = codes(grid, "DTYPE")
    imputed = here & (kind != "").to_numpy(bool)
    for word in kind[imputed].unique():
        told = (reason == "") & imputed & (kind == word)
        reason = reason.mask(told, _MADE.format(word))
    excluded = imputed
    for flag, wrong in ((keep, False), (drop, True)):
        if not flag:
            continue
        if flag not in grid.cells:
            everything = np.arange(len(here)) == 0
            what = f"there is no column {flag!r}"
            todo = "Correct its name under [[data]]."
            source.complain(grid, everything, column=flag, what=what, todo=todo)
        out = here & (is_flagged(grid, flag) == wrong)
        excluded = excluded | out
        said = f"{flag} is 'Y'" if wrong else f"{flag} is not 'Y'"
        reason = reason.mask(out & (reason == "").to_numpy(bool), said)
    return excluded, reason
