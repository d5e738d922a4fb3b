"""From files of event records to what was delivered for a study."""

from collections.abc import Mapping

import pandas as pd

from cellpk.study.delivery import Delivery
from cellpk.study.events.order import are_elapsed, look_at_doses, look_at_order, times
from cellpk.study.events.patients import Opened, add_patients
from cellpk.study.events.records import (
    Censoring,
    Events,
    Records,
    events_of,
    opened,
)
from cellpk.study.events.samples import part, samples_sheet
from cellpk.study.events.section import EventFiles
from cellpk.study.file_sections import InfusionsFile
from cellpk.study.grid import Grid
from cellpk.study.sheet import Sheet


def read_events(
    section: EventFiles,
    grids: Mapping[str, Grid],
    censoring: Censoring,
    *,
    both: bool,
    listed: bool,
) -> Delivery:
    """Read files of event records.

    Parameters
    ----------
    section : EventFiles
        What ``[[data]]`` says of them.
    grids : mapping of Grid
        The files.
    censoring : callable
        Tells the levels and on which side of the limits they lie, as the format says
        it.
    both : bool
        Whether a row can be a dose and a sample.
    listed : bool
        Whether the study has a table of patients of its own.

    Returns
    -------
    Delivery
        Samples, infusions and patients.

    Examples
    --------
    >>> from cellpk.study.events.levels import observed, settled
    >>> read_events(EventFiles(format="", files=("a",), time_unit="day"), {}, settled,
    ...             both=False, listed=False).problems
    []
    """
    delivery = Delivery()
    files: list[Opened] = []
    for grid in grids.values():
        records = opened(grid, section, delivery)
        if records is None or not are_elapsed(records):
            continue
        events = events_of(records, both=both)
        files.append(Opened(records, events))
        look_at_order(records, events)
        look_at_doses(records, events, levels=not both)
        records = _with_times(records, times(records, events))
        if events.samples.any():
            sheet = samples_sheet(records, events, censoring(records, events))
            if sheet is not None:
                delivery.add("samples", sheet)
        if events.infusions.any():
            delivery.add("infusions", _infusions(records, events))
        for evid, words in ((2, "neither a sample nor a dose"), (3, "a reset")):
            rows = events.evid == evid
            delivery.put_aside(records.grid, rows, f"EVID={evid}: {words}")
    add_patients(files, delivery, listed=listed)
    return delivery


def _with_times(records: Records, text: pd.Series) -> Records:
    """Return the records with these times."""
    grid = records.grid
    cells = grid.cells.assign(**{records.headers["time"]: text})
    moved = Grid(grid.file, cells, grid.rows, grid.source, grid.labels)
    return Records(moved, records.section, records.delivery, records.headers)


def _infusions(records: Records, events: Events) -> Sheet:
    """Return the infusions; an amount of 0 is one that is not known."""
    amount = records.text("dose")
    columns = {
        "patient": records.text("patient"),
        "time": records.text("time"),
        "dose": amount.mask(amount.str.fullmatch(r"0*\.?0*"), ""),
        "unit": records.text("dose_unit"),
        "lot": records.text("lot"),
    }
    section = InfusionsFile.model_construct(
        file=records.grid.file,
        columns={role: records.headers.get(role, role) for role in columns},
        time_unit=records.section.time_unit,
        infusion_day=0,
        unit=records.section.dose_unit,
    )
    return part(records, columns, section, rows=events.infusions)
