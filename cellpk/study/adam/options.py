"""What study.toml can say of ADaM files."""

from typing import Literal

from pydantic import Field

from cellpk.study.cdisc import CdiscFiles
from cellpk.study.file_sections import TimeUnit


class AdamOptions(CdiscFiles):
    """What can be said of ADaM files, beside what SDTM files share with them.

    ``events`` maps the PARAMCD of ADTTE (``OS = "death"``) as well as terms of adverse
    events. ``responses`` maps those of ADRS to endpoints, and ``values`` the words of
    its AVALC to ours. ``covariates`` chooses columns of ADSL (``["AGE"]``), or chooses
    and names them (``{ age = "AGE" }``); without it all are taken. Records are kept
    where ``analysis_flag`` is Y, and excluded where ``exclusion_flag`` is.
    ``time_unit`` is that of relative times where no FRLTU states it. Cells with a word
    of ``blank`` say nothing: R writes NA there. ``evaluator`` keeps the responses of
    one evaluator; ``toxicity`` names the criteria of grades that no column names.
    ``event_code`` is the CNSR of an event: 0 by the standard, 1 in files that flag
    events.
    """

    responses: dict[str, str] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    covariates: tuple[str, ...] | dict[str, str] | None = None
    evaluator: str = ""
    toxicity: str = "CTCAE"
    event_code: Literal[0, 1] = 0
    analysis_flag: str = ""
    exclusion_flag: str = ""
    time_unit: TimeUnit | None = None
    blank: tuple[str, ...] = ("NA",)
