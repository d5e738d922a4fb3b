"""SDTM files as a delivery: each domain goes where it belongs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellpk.study.delivery import Delivery
from cellpk.study.grid import Grid
from cellpk.study.sdtm.deaths import add_deaths
from cellpk.study.sdtm.domains import domains_of
from cellpk.study.sdtm.events import add_events, add_none_reported
from cellpk.study.sdtm.exposure import exposures_of
from cellpk.study.sdtm.findings import add_findings
from cellpk.study.sdtm.people import add_people
from cellpk.study.sdtm.responses import add_responses
from cellpk.study.sdtm.section import SdtmFiles
from cellpk.study.sdtm.subjects import subjects_of
from cellpk.study.sdtm.supplements import account_for, with_qualifiers
from cellpk.study.sdtm.treatments import add_treatments

if TYPE_CHECKING:
    from cellpk.study.config import Settings


def read(
    section: SdtmFiles, grids: Mapping[str, Grid], settings: "Settings"
) -> Delivery:
    """Give meaning to SDTM files.

    Parameters
    ----------
    section : SdtmFiles
        What study.toml says of them.
    grids : mapping
        The files by name.
    settings : Settings
        The resolved study.toml, for the assays of the study.

    Returns
    -------
    Delivery
        Samples of findings, patients of DM, infusions of EX, comedication of EX and
        CM, outcomes of RS, AE, CE, FA, DM and DS; all else put aside with its reason.

    Examples
    --------
    >>> import pandas as pd
    >>> from cellpk.study.config import settings_of
    >>> settings = settings_of({"study": {"id": "A", "infusion_day": 1}})
    >>> section = SdtmFiles(format="sdtm", files=("dm.csv",))
    >>> people = {"USUBJID": ["1", "2"], "RFXSTDTC": ["2014-01-02T09:00", ""]}
    >>> grids = {"dm.csv": Grid.of_frame(pd.DataFrame(people), file="dm.csv")}
    >>> delivery = read(section, grids, settings)
    >>> [sheet.rows.tolist() for sheet in delivery.sheets["patients"]]
    [[2]]
    >>> delivery.aside[0].reason
    'never infused'
    """
    delivery = Delivery()
    domains, supplements = domains_of(grids.values(), section, delivery)
    domains, links = with_qualifiers(domains, supplements, delivery)
    exposures = exposures_of(domains, section, delivery)
    subjects = subjects_of(domains, exposures, section, delivery=delivery)
    add_people(domains, subjects, section, delivery=delivery)
    clock = section.infusion_clock
    add_treatments(domains, exposures, subjects, clock=clock, delivery=delivery)
    assays = settings.known_assays
    add_findings(domains, subjects, section, assays=assays, delivery=delivery)
    add_responses(domains, subjects, section, delivery=delivery)
    found = add_events(domains, subjects, section, delivery=delivery)
    add_deaths(domains, subjects, section, delivery=delivery)
    add_none_reported(domains, subjects, section, found=found, delivery=delivery)
    account_for(domains, supplements, links, delivery=delivery)
    return delivery
