"""NONMEM data sets: event records with flags of what lies beyond a limit."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pandas as pd

from cellpk.study.config import Settings
from cellpk.study.delivery import Delivery
from cellpk.study.events.levels import CLOSE, Beyond, Observed, observed, settled
from cellpk.study.events.reading import read_events
from cellpk.study.events.recognising import recognised
from cellpk.study.events.records import Events, Levels, Records
from cellpk.study.events.section import SHARED, EventFiles
from cellpk.study.events.writing import Column, Dialect, export, numbers_of
from cellpk.study.exchange import Export, Format, Recognised, register
from cellpk.study.grid import Grid

if TYPE_CHECKING:
    from cellpk.study.study import Study


class NonmemFiles(EventFiles):
    """NONMEM data sets; BLQ and ALQ flag what lies below and above a limit.

    A sample with BLQ=1 is below LLOQ; one whose DV lies between LLOD and LLOQ, and is
    not half the LLOQ, is detected. MDV=1 does not take it out: a run that leaves such
    rows out loses what the likelihood of Beal's M3 would use.
    """

    format: Literal["nonmem"]

    names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **SHARED,
        "blq": ("BLQ", "BLQFN", "BQL", "BLOQ"),
        "alq": ("ALQ",),
    }


def read(
    section: NonmemFiles, grids: Mapping[str, Grid], settings: Settings
) -> Delivery:
    """Read NONMEM data sets.

    Parameters
    ----------
    section : NonmemFiles
        What ``[[data]]`` says of them.
    grids : mapping of Grid
        The files.
    settings : Settings
        The resolved study.toml.

    Returns
    -------
    Delivery
        Samples (EVID 0), infusions (EVID 1 and 4) and patients with their covariates;
        rows with EVID 2 and 3 are set aside.

    Notes
    -----
    The meaning of the data items is that of the NONMEM help pages on EVID, "DV and
    MDV", $DATA and $INPUT, and of NONMEM Users Guide VI, chapter V. M3 is Beal, Ways to
    fit a PK model with some data below the quantification limit, 2001.

    Examples
    --------
    >>> from cellpk.study.config import settings_of
    >>> said = {"format": "nonmem", "files": ["a"], "time_unit": "day"}
    >>> study = {"study": {"id": "A", "infusion_day": 0}}
    >>> settings = settings_of(study | {"data": [said | {"assay": "qpcr"}]})
    >>> frame = pd.DataFrame({"ID": 1, "TIME": [7, 9], "DV": [50, 60], "BLQ": [1, 0]})
    >>> grid = Grid.of_frame(frame, file="a")
    >>> delivery = read(settings.data[0], {"a": grid}, settings)
    >>> delivery.sheets["samples"][0].text("state").tolist()
    ['below', '']
    """
    listed = settings.patients is not None
    return read_events(section, grids, levels, both=False, listed=listed)


def levels(records: Records, events: Events) -> Levels:
    """Tell the levels of a file's samples, by DV, BLQ, ALQ, MDV and the limits.

    Examples
    --------
    >>> from cellpk.study.events.records import events_of, opened
    >>> frame = pd.DataFrame({"ID": 1, "TIME": [7, 9], "DV": [".", 3], "MDV": [1, 1]})
    >>> section = NonmemFiles(format="nonmem", files=("a",), time_unit="day")
    >>> records = opened(Grid.of_frame(frame, file="a"), section, Delivery())
    >>> levels(records, events_of(records, both=False)).columns["reason"].tolist()
    ['', 'MDV=1']
    """
    dv = observed(records, events)
    return settled(records, events, dv, beyond=_beyond(records, events, dv))


def _beyond(records: Records, events: Events, dv: Observed) -> Beyond:
    here = events.samples
    below, above = here & records.flag("blq"), here & records.flag("alq")
    what = "the sample is flagged as below and as above a limit"
    records.complain(below & above, what, "Correct one of the flags.", role="blq")
    lloq, llod, uloq = (records.number(name) for name in ("lloq", "llod", "uloq"))
    positive = dv.level > 0
    unlimited = positive & (below & np.isnan(lloq) | above & np.isnan(uloq))
    if records.section.censored_dv == "limit":
        lloq = np.where(below & unlimited, dv.level, lloq)
        uloq = np.where(above & unlimited, dv.level, uloq)
    else:
        what = (
            "DV of flagged samples: no column says whether it is the limit or a level"
        )
        todo = "Give LLOQ or ULOQ, or say censored_dv = 'limit' in [[data]]."
        records.doubt(unlimited & dv.untold, what, todo, role="level")
    todo = "Correct the flag, the level or the limit."
    wrong = below & (dv.level > lloq * (1 + CLOSE))
    records.complain(wrong, "BLQ is 1, but DV is above LLOQ", todo, role="level")
    wrong = above & (dv.level < uloq * (1 - CLOSE))
    records.complain(wrong, "ALQ is 1, but DV is below ULOQ", todo, role="level")
    inside = below & (dv.level >= llod) & (dv.level < lloq * (1 - CLOSE)) & dv.untold
    half = below & (np.abs(dv.level - lloq / 2) <= CLOSE * lloq) & dv.untold
    what = "DV of samples below the limit is half of LLOQ, put in: read as below"
    records.doubt(half, what, "Nothing, if nobody measured it.", role="level")
    given = below & (records.text("detected") != "").to_numpy(bool)
    reported = dv.text.mask(below & dv.blank, "BLQ").mask(above & dv.blank, "ALQ")
    nothing = np.zeros(len(records), dtype=bool)
    measured = inside & ~half | given & dv.untold
    return Beyond(
        below,
        above,
        nothing,
        measured,
        lloq=lloq,
        llod=llod,
        uloq=uloq,
        reported=reported,
    )


def _beyond_low(rows: pd.DataFrame) -> pd.Series:
    return rows["state"].isin(["below", "detected"]).astype("int64")


def _beyond_high(rows: pd.DataFrame) -> pd.Series:
    return (rows["state"] == "above").astype("int64")


_DIALECT = Dialect(
    "nonmem",
    "DVID",
    Column(
        "CMT",
        "Compartment",
        "1 in all rows: that of the infused cells; DVID tells assays apart",
        lambda rows: rows["kind"] * 0 + 1,
        "cmt",
    ),
    (
        Column(
            "BLQ",
            "Below the limit of quantification",
            "1 yes (DV is LLOQ, as M3 takes it), 0 no",
            _beyond_low,
            "blq",
        ),
        Column(
            "ALQ",
            "Above the upper limit",
            "1 yes (DV is ULOQ), 0 no",
            _beyond_high,
            "alq",
        ),
    ),
)


def write(study: "Study") -> Export:
    """Return a study as a NONMEM data set.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    Export
        One data set of samples, infusions and covariates. Texts stand in its last
        columns, which $INPUT does not name and NONMEM therefore does not read.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": ["P 1"], "time": [7], "level": ["<50"], "assay": ["qpcr"]}
    >>> study = ck.Study.from_frames(samples=pd.DataFrame(samples))
    >>> frame = write(study).datasets[0].frame
    >>> frame[["ID", "TIME", "DV", "MDV", "BLQ", "LLOQ"]].values.tolist()
    [[1.0, 7.0, 50.0, 0.0, 1.0, 50.0]]
    """
    made = export(study, _DIALECT)
    numbers = numbers_of(made.datasets[0])
    starts = range(0, len(numbers), 12)
    lines = [f"$INPUT {' '.join(numbers[start : start + 12])}" for start in starts]
    remarks = (
        "NONMEM reads the columns of numbers, which stand first:",
        *lines,
        "$DATA nonmem.csv IGNORE=@",
        "For a model of log levels: DV=DROP and LNDV=DV in $INPUT. The control streams "
        "that cellpk writes call BLQ CENS.",
        *made.remarks,
    )
    return replace(made, remarks=remarks)


def recognise(grids: Mapping[str, Grid]) -> Recognised | None:
    """Find NONMEM data sets among the files of a folder.

    Examples
    --------
    >>> frame = pd.DataFrame(columns=["ID", "TIME", "DV", "EVID"], dtype="str")
    >>> found = recognise({"a.csv": Grid.of_frame(frame, file="a.csv")})
    >>> found.files if found else ()
    ('a.csv',)
    """
    return recognised(grids, NonmemFiles, ("evid", "mdv", "dose"), without=("cens",))


register(Format("nonmem", "NONMEM data sets", write, read, recognise=recognise))
