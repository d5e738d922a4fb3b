"""What study.toml can say of SDTM files."""

from typing import Annotated, Literal

from pydantic import Field

from cellpk.study.cdisc import CdiscFiles
from cellpk.study.file_sections import TimeUnit

Clock = Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?)?$")]


class SdtmFiles(CdiscFiles):
    """SDTM data sets, as ``[[data]]`` with ``format = "sdtm"`` names them.

    ``subject`` is the variable that names patients. ``reference`` says what time 0 is:
    the start of the first infusion in EX (or EC), or a date of DM; a patient is one of
    the study where that date is known. ``infusion_clock`` is the clock time of
    infusions of which the date alone is known. ``timepoint_unit`` is the unit of
    --TPTNUM, which is not used without it. ``infusion_visit_day`` is the planned study
    day (VISITDY) of the infusion where study days begin earlier, as 8.

    ``covariates`` maps our names to variables of DM or SUPPDM; without it, the usual
    ones are read. ``specimens``, ``values`` (of outcomes) and ``texts`` (that stand in
    place of a level) map the files' words to ours. ``responses`` maps RSTESTCD to
    endpoints, "" for none; ``evaluator`` keeps the responses of one evaluator.
    ``toxicity`` names the criteria of --TOXGR. ``none_reported`` says what patients
    have of whom no event of an endpoint is reported: there is no default, since events
    may not have been collected. ``zero_dose`` says what a product record with dose 0
    is. Cells with a word of ``blank`` say nothing: R writes NA there.
    """

    format: Literal["sdtm"]
    subject: Literal["USUBJID", "SUBJID"] = "USUBJID"
    reference: Literal["infusion", "RFXSTDTC", "RFSTDTC"] = "infusion"
    infusion_clock: Clock = ""
    timepoint_unit: TimeUnit | None = None
    infusion_visit_day: int | None = Field(default=None, ge=1)
    covariates: dict[str, str] = Field(default_factory=dict)
    specimens: dict[str, str] = Field(default_factory=dict)
    texts: dict[str, str] = Field(default_factory=dict)
    responses: dict[str, str] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    evaluator: str = ""
    toxicity: str = "CTCAE"
    none_reported: dict[str, str] = Field(default_factory=dict)
    zero_dose: Literal["given", "not given"] | None = None
    blank: tuple[str, ...] = ("NA",)
