"""Monolix data sets: event records with CENS and LIMIT for what lies beyond a limit."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.study.config import Settings
from cellpk.study.delivery import Delivery
from cellpk.study.events.levels import CLOSE, Beyond, Observed, observed, settled
from cellpk.study.events.reading import read_events
from cellpk.study.events.recognising import recognised
from cellpk.study.events.records import Events, Levels, Records
from cellpk.study.events.section import SHARED, EventFiles
from cellpk.study.events.writing import Column, Dialect, export
from cellpk.study.exchange import Export, Format, Recognised, register
from cellpk.study.grid import Grid
from cellpk.study.sheet import Mask

if TYPE_CHECKING:
    from cellpk.study.study import Study


class MonolixFiles(EventFiles):
    """Monolix data sets; CENS tells on which side of DV the level lies.

    With CENS=1 the level is below DV, and above LIMIT where there is one: DV is LLOQ,
    and a LIMIT above 0 is LLOD, so that the sample is detected. With CENS=-1 the level
    is above DV, which is ULOQ. Where ``dv = "log"``, LIMIT is a logarithm like DV.
    """

    format: Literal["monolix"]

    names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **SHARED,
        "level": ("DV", "Y", "OBSERVATION"),
        "assay": ("YTYPE", "DVID", "OBSERVATION_ID"),
        "cmt": ("ADM", "CMT"),
        "dose": ("AMT", "AMOUNT"),
        "cens": ("CENS", "CENSORING", "CENSORED"),
        "limit": ("LIMIT",),
        "ignored_line": ("IGNORED", "IGNORED_LINE"),
    }


def read(
    section: MonolixFiles, grids: Mapping[str, Grid], settings: Settings
) -> Delivery:
    """Read Monolix data sets.

    Parameters
    ----------
    section : MonolixFiles
        What ``[[data]]`` says of them.
    grids : mapping of Grid
        The files.
    settings : Settings
        The resolved study.toml.

    Returns
    -------
    Delivery
        Samples, infusions and patients with their covariates. Without EVID, a row with
        an amount and a level is an infusion and a sample.

    Notes
    -----
    The meaning of the columns is that of the MonolixSuite data set guide ("Description
    of column-types used to define responses", "Character definition": a "." in LIMIT is
    minus infinity with CENS=1 and infinity with CENS=-1), of "How Monolix handles
    censored data", and of its list of changes in 2018R1 for rows that are both.

    Examples
    --------
    >>> from cellpk.study.config import settings_of
    >>> said = {"format": "monolix", "files": ["a"], "time_unit": "day"}
    >>> study = {"study": {"id": "A", "infusion_day": 0}}
    >>> settings = settings_of(study | {"data": [said | {"assay": "qpcr"}]})
    >>> frame = pd.DataFrame({"ID": 1, "TIME": [7, 9], "DV": [5, 6], "CENS": [1, 0]})
    >>> grids = {"a": Grid.of_frame(frame, file="a")}
    >>> delivery = read(settings.data[0], grids, settings)
    >>> delivery.sheets["samples"][0].text("lloq").tolist()
    ['5.0', '']
    """
    listed = settings.patients is not None
    return read_events(section, grids, levels, both=True, listed=listed)


def levels(records: Records, events: Events) -> Levels:
    """Tell the levels of a file's samples, by DV, CENS, LIMIT and MDV.

    Examples
    --------
    >>> from cellpk.study.events.records import events_of, opened
    >>> frame = pd.DataFrame({"ID": 1, "TIME": [7], "DV": 50, "CENS": 1, "LIMIT": 10})
    >>> section = MonolixFiles(format="monolix", files=("a",), time_unit="day")
    >>> records = opened(Grid.of_frame(frame, file="a"), section, Delivery())
    >>> told = levels(records, events_of(records, both=True)).columns
    >>> [told[name].tolist() for name in ("state", "llod", "lloq", "reported")]
    [['detected'], ['10.0'], ['50.0'], ['<50']]
    """
    dv = observed(records, events)
    return settled(records, events, dv, beyond=_beyond(records, events, dv))


def _beyond(records: Records, events: Events, dv: Observed) -> Beyond:
    cens = np.nan_to_num(records.number("cens"))
    todo = "Use 1 (below DV), -1 (above DV) or 0."
    wrong = ~np.isin(cens, [-1, 0, 1])
    records.complain(wrong, "the CENS is not known", todo, role="cens")
    here = events.samples
    below, above = here & (cens == 1), here & (cens == -1)
    limit = records.number("limit")
    if records.section.dv == "log":
        limit = np.exp(limit)
    wrong = below & (limit >= dv.level)
    what = "CENS is 1, but LIMIT is not below DV"
    records.complain(wrong, what, "Correct one of them.", role="limit")
    ends = above & np.isfinite(limit)
    what = "the upper end that LIMIT states for CENS=-1 is not kept"
    records.doubt(ends, what, "Nothing: above ULOQ is what is kept.", role="limit")
    detected = below & (limit > 0) & ~wrong
    reported = dv.text.where(~below, "<" + dv.text).where(~above, ">" + dv.text)
    reported = reported.mask(below & dv.blank, "BLQ").mask(above & dv.blank, "ALQ")
    return Beyond(
        below,
        above,
        detected,
        measured=np.zeros(len(records), dtype=bool),
        lloq=_limit(records, "lloq", below & (dv.level > 0), dv.level),
        llod=_limit(records, "llod", detected, limit),
        uloq=_limit(records, "uloq", above & (dv.level > 0), dv.level),
        reported=reported,
    )


def _limit(
    records: Records, name: str, here: Mask, said: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a limit that CENS tells of some rows; a column may say it of all."""
    own = records.number(name)
    differ = here & np.isfinite(own) & (np.abs(own - said) > CLOSE * said)
    other = "LIMIT" if name == "llod" else "DV"
    what = f"{other} of a sample beyond the limit and {name.upper()} are not the same"
    todo = "Correct the one that is wrong: both state the limit."
    records.complain(differ, what, todo, role=name)
    return np.where(here, said, own)


def _cens(rows: pd.DataFrame) -> pd.Series:
    low = rows["state"].isin(["below", "detected"]).astype("int64")
    return low - (rows["state"] == "above").astype("int64")


def _lower_end(rows: pd.DataFrame) -> pd.Series:
    detected = rows["llod"].where(rows["state"] == "detected").fillna(0.0)
    return detected.where(rows["state"].isin(["below", "detected"]))


_DIALECT = Dialect(
    "monolix",
    "YTYPE",
    Column(
        "ADM",
        "Administration",
        "1 infusion of the cells, 0 none",
        lambda rows: (rows["evid"] == 1).astype("int64"),
        "cmt",
    ),
    (
        Column(
            "CENS",
            "Censoring",
            "1 the level is below DV, which is LLOQ; -1 above DV, which is ULOQ; 0 no",
            _cens,
            "cens",
        ),
        Column(
            "LIMIT",
            "Lower end of a level below DV",
            "LLOD where detected, 0 where below; none where CENS is not 1",
            _lower_end,
            "limit",
        ),
    ),
)


def write(study: "Study") -> Export:
    """Return a study as a Monolix data set.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    Export
        One data set of samples, infusions and covariates.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": ["P 1"], "time": [7], "level": ["<50"], "assay": ["qpcr"]}
    >>> study = ck.Study.from_frames(samples=pd.DataFrame(samples))
    >>> frame = write(study).datasets[0].frame
    >>> frame[["ID", "TIME", "DV", "CENS", "LIMIT"]].values.tolist()
    [[1.0, 7.0, 50.0, 1.0, 0.0]]
    """
    made = export(study, _DIALECT)
    tags = (
        "Monolix: tag ID, TIME, DV as OBSERVATION, YTYPE as OBSERVATION ID, CENS as "
        "CENSORING, LIMIT, AMT as AMOUNT, ADM as ADMINISTRATION ID, EVID as EVENT ID, "
        "MDV as IGNORED OBSERVATION and the covariates of the model; leave the rest."
    )
    return replace(made, remarks=(tags, *made.remarks))


def recognise(grids: Mapping[str, Grid]) -> Recognised | None:
    """Find Monolix data sets among the files of a folder.

    Examples
    --------
    >>> frame = pd.DataFrame(columns=["ID", "TIME", "DV", "CENS"], dtype="str")
    >>> found = recognise({"a.csv": Grid.of_frame(frame, file="a.csv")})
    >>> found.files if found else ()
    ('a.csv',)
    """
    return recognised(grids, MonolixFiles, ("cens",))


register(Format("monolix", "Monolix data sets", write, read, recognise=recognise))
