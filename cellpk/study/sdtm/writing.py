"""A study as SDTM data sets."""

from typing import TYPE_CHECKING, Any

from cellpk.study.delivery import TABLES
from cellpk.study.exchange import Export
from cellpk.study.sdtm.responses import RESPONSES
from cellpk.study.sdtm.variables import START
from cellpk.study.sdtm.writing_findings import write_findings
from cellpk.study.sdtm.writing_outcomes import TESTS, write_outcomes
from cellpk.study.sdtm.writing_people import PRODUCT, write_people, write_treatments

if TYPE_CHECKING:
    from cellpk.study.study import Study

REMARKS = (
    f"All dates are synthetic: time 0 of every patient is {START}T00:00:00 (RFSTDTC).",
    f"EXTRT is {PRODUCT!r}, as a study does not name its product.",
    "Each assessment of an event is a record of its own in AE or CE.",
    "What a study does not know stays empty, as sites, arms and coded terms.",
)


def write(study: "Study") -> Export:
    """Return a study as SDTM data sets.

    Dates are counted from one reference date to the microsecond, so that times read
    back exactly. What SDTM has no variable for is written to supplements (SUPP--), as
    are texts of more than 200 bytes.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    Export
        All tables of the study: DM, EX, CM, PC, CP, LB, VS, RS, AE, CE, DS and their
        supplements, as far as there are records; and what study.toml says to read them.

    Raises
    ------
    DataError
        If a text is longer than SDTM has room for.

    Examples
    --------
    >>> import cellpk as ck
    >>> export = write(ck.simulate_study(seed=1))
    >>> [data.name for data in export.datasets][:4], export.section["reference"]
    (['dm', 'suppdm', 'ex', 'cm'], 'RFSTDTC')
    """
    people, covariates = write_people(study)
    findings, assays = write_findings(study)
    outcomes = write_outcomes(study)
    section: dict[str, Any] = {"reference": "RFSTDTC", "toxicity": "", "blank": []}
    if len(study.infusions):
        section["product"] = [PRODUCT]
    if covariates:
        section["covariates"] = covariates
    own = {code: name for name, (code, _) in TESTS.items() if code not in RESPONSES}
    if study.outcomes["endpoint"].isin(list(own.values())).any():
        section["responses"] = own
    section["assays"] = assays
    datasets = (*people, *write_treatments(study), *findings, *outcomes)
    return Export(datasets, section, TABLES, REMARKS)
