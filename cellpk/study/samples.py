"""From delivered samples to the samples table: assays, units, limits and states."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem, nearest
from cellpk.study import parsing
from cellpk.study.assays import Assay
from cellpk.study.columns import COLUMNS
from cellpk.study.config import Limits, Settings
from cellpk.study.file_sections import SamplesFile
from cellpk.study.level_texts import BLANK
from cellpk.study.sample_levels import UNFIT, read_levels, stated_limits, states_of
from cellpk.study.sheet import Sheet
from cellpk.study.specimens import specimens
from cellpk.study.units import explain, factor

Floats = NDArray[np.float64]
Assays = Mapping[str, Assay]


def samples_of(sheet: Sheet, section: SamplesFile, settings: Settings) -> pd.DataFrame:
    """Read one delivered table of samples.

    Parameters
    ----------
    sheet : Sheet
        The table as text; it collects what is impossible.
    section : SamplesFile
        What study.toml says of the table.
    settings : Settings
        The resolved study.toml: the assays there are, and by assay the limits where
        the samples do not state them.

    Returns
    -------
    DataFrame
        The columns of ``COLUMNS["samples"]``: times in days after the first infusion,
        levels and limits in the unit of the assay, one row for each delivered row.

    Examples
    --------
    >>> from cellpk.study.config import settings_of
    >>> settings = settings_of({"study": {"id": "A", "infusion_day": 0}})
    >>> frame = pd.DataFrame({"patient": [1], "time": [7], "level": ["<50"]})
    >>> section = SamplesFile(file="samples", assay="qpcr")
    >>> table = samples_of(Sheet.of_frame(frame, section), section, settings)
    >>> table[["state", "lloq", "unit"]].values.tolist()
    [['below', 50.0, 'copies/ug']]
    """
    constant = "assay" in sheet or section.assay
    if not sheet.has("patient", "time", "level", *([] if constant else ["assay"])):
        return pd.DataFrame(columns=list(COLUMNS["samples"]))
    text = sheet.text("level")
    assays = settings.known_assays
    assay = _assay(sheet, section, assays)
    said, unit, times = _unit(sheet, section, assay, assays)
    units = pd.DataFrame({"said": said, "unit": unit})
    read, stated = read_levels(sheet, times, units, texts=section.texts)
    table = pd.DataFrame(
        {
            "patient": sheet.patients(),
            "time": sheet.days("time", required=True),
            "nominal_time": sheet.days("nominal_time"),
            "visit": sheet.text("visit"),
            "assay": assay,
            "specimen": specimens(sheet.text("specimen", section.specimen)),
            "unit": unit,
            "reported": text.where(
                sheet.text("reported") == "", sheet.text("reported")
            ),
            # A column of them knows better: what is blank there was not delivered.
            "reported_unit": sheet.text("reported_unit")
            if "reported_unit" in sheet
            else stated,
            "derived": sheet.text("derived"),
            "limit_assumed": sheet.flag("limit_assumed"),
            "excluded": sheet.flag("excluded"),
            "reason": sheet.text("reason"),
            "file": section.file,
            "row": sheet.rows,
        }
    )
    unexplained = table["excluded"] & (table["reason"] == "")
    table["reason"] = table["reason"].mask(unexplained, "excluded in the file")
    known = _known_limits(assay, settings.limits)
    table = table.join(stated_limits(sheet, times, read, known=known))
    table["state"], number = states_of(sheet, read, table, known=known)
    _assume(table, known["assumed_lloq"])
    has_number = table["state"].isin(["quantified", "detected"])
    table["level"] = np.where(has_number, number, np.nan)
    table["reason"] = _why_missing(table)
    return table[list(COLUMNS["samples"])]


def _assay(sheet: Sheet, section: SamplesFile, assays: Assays) -> pd.Series:
    """Return our name of each row's assay, which must be known."""
    assay = parsing.translated(sheet.text("assay", section.assay), section.assays)
    for word in assay[~assay.isin(list(assays))].unique():
        offer = nearest(word, [*assays, *section.assays])
        todo = (
            f"{offer} Map the file's words under 'assays' in study.toml, or describe "
            "an assay of the study's own under [assays.NAME]."
        )
        sheet.complain(
            (assay == word).to_numpy(bool),
            "the assay is not known",
            todo,
            column="assay",
            rule="unknown_assay",
        )
    return assay


def _unit(
    sheet: Sheet, section: SamplesFile, assay: pd.Series, assays: Assays
) -> tuple[pd.Series, pd.Series, Floats]:
    """Return the delivered unit, ours, and what brings levels from one to the other."""
    ours = assay.map({name: row.unit for name, row in assays.items()}).fillna("")
    delivered = sheet.text("unit", section.unit)
    said = parsing.translated(delivered, section.units)
    said = said.where(said != "", ours)
    times = np.ones(len(said))
    pairs = pd.DataFrame({"said": said, "ours": ours, "assay": assay})
    for said_unit, unit, name in pairs.drop_duplicates().itertuples(index=False):
        here = ((said == said_unit) & (assay == name)).to_numpy(bool)
        scale = factor(said_unit, unit)
        if scale is not None:
            times[here] = scale
        elif name in assays:
            what = f"the unit {said_unit!r} does not fit the assay {name!r}"
            sheet.complain(
                here, what, explain(said_unit, unit), column="unit", rule=UNFIT
            )
    return delivered, ours.astype("str"), times


def _known_limits(assay: pd.Series, limits: Mapping[str, Limits]) -> pd.DataFrame:
    """Return, row by row, what study.toml knows of the limits."""
    rows = {name: row.model_dump() for name, row in limits.items()}
    known = {
        name: assay.map({key: row[name] for key, row in rows.items()}).astype("float64")
        for name in ("lloq", "llod", "uloq", "assumed_lloq")
    }
    below = [name for name, row in rows.items() if row["zero"] == "below"]
    return pd.DataFrame(known).assign(zero=assay.isin(below))


def _why_missing(table: pd.DataFrame) -> pd.Series:
    """Return the reasons; a text that says why there is no result is one."""
    said = table["reported"].str.casefold()
    told = (table["state"] == "missing") & (table["reason"] == "") & (said != "-")
    told &= ~said.isin(BLANK)
    return table["reason"].mask(told, "reported as " + table["reported"])


def _assume(table: pd.DataFrame, assumed: pd.Series) -> None:
    """Put the assumed limit where a sample is below a limit that nobody knows."""
    here = (table["state"] == "below") & table["lloq"].isna() & assumed.notna()
    table["lloq"] = table["lloq"].mask(here, assumed)
    table["limit_assumed"] = table["limit_assumed"] | here


def without_duplicates(samples: pd.DataFrame, problems: list[Problem]) -> pd.DataFrame:
    """Exclude samples that stand twice; the same sample with two levels is a problem.

    A sample is a patient, assay, specimen and time; rows that are excluded or without
    a result do not count.

    Examples
    --------
    >>> from cellpk.study.config import settings_of
    >>> settings = settings_of({"study": {"id": "A", "infusion_day": 0}})
    >>> frame = pd.DataFrame({"patient": [1, 1], "time": [7, 7], "level": [3, 3]})
    >>> section = SamplesFile(file="samples", assay="flow")
    >>> table = samples_of(Sheet.of_frame(frame, section), section, settings)
    >>> without_duplicates(table, [])["reason"].tolist()
    ['', 'stands twice: the same as row 2 of samples']
    """
    key = ["patient", "assay", "specimen", "time"]
    usable = samples[~samples["excluded"] & (samples["state"] != "missing")]
    usable = usable[usable["time"].notna()]  # no time is the time of no sample
    again = usable[usable.duplicated(key)]
    if again.empty:
        return samples
    firsts = usable.drop_duplicates(key).assign(known=_known)
    again = again.assign(known=_known)
    pairs = again[[*key, "known", "state", "reported", "file", "row"]].reset_index()
    pairs = pairs.merge(firsts, on=key, how="inner", suffixes=("", "_first"))
    same = (pairs["state"] == pairs["state_first"]) & (
        (pairs["known"] == pairs["known_first"])
        | (pairs["known"].isna() & pairs["known_first"].isna())
    )
    place = (
        "row "
        + pairs["row_first"].astype(str)
        + " of "
        + pairs["file_first"].astype(str)
    )
    twice = pairs.loc[same, "index"]
    excluded = samples.copy()
    excluded.loc[twice, "excluded"] = True
    reasons = ("stands twice: the same as " + place[same]).to_numpy()
    excluded.loc[twice, "reason"] = reasons
    pairs["place"] = place
    problems += [
        Problem(
            f"another level of the same sample ({row['reported_first']!r}) stands in "
            f"{row['place']}",
            "Keep one of them, or tell them apart by time or specimen.",
            file=row["file"],
            row=int(row["row"]),
            patient=row["patient"],
            column="level",
            value=row["reported"],
            rule="two_levels_of_one_sample",
        )
        for row in pairs[~same].to_dict("records")
    ]
    return excluded


def _known(samples: pd.DataFrame) -> pd.Series:
    """Return what is known of each level: its number, else the limit it lies beyond."""
    limit = samples["lloq"].where(samples["state"] != "above", samples["uloq"])
    return samples["level"].fillna(limit)
