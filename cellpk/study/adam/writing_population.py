"""From a study to ADPPK: one record per sample and infusion, with covariates."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.study.adam.names import short_name
from cellpk.study.adam.variables import dataset
from cellpk.study.adam.writing import (
    KEPT,
    about_covariates,
    covariate_names,
    section_of,
)
from cellpk.study.adam.writing_levels import UNIT, dose_rows, level_rows, stacked
from cellpk.study.dataset import is_number
from cellpk.study.exchange import Export

if TYPE_CHECKING:
    from cellpk.study.study import Study

ORDER = [
    *("PROJID", "STUDYID", "STUDYIDN", "USUBJID", "USUBJIDN", "ASEQ", "EVID", "MDV"),
    *("AMT", "DOSEU", "DV", "DVL", "AVAL", "AVALC", "AVALU", "AVALCAT1", "CMT", "DVID"),
    *("PARAMCD", "PARAM", "PCSPEC", "AVISIT", "NFRLT", "AFRLT", "NPRLT", "APRLT"),
    *("FRLTU", "DOSEA", "DOSEP", "ALLOQ", "ALLOD", "AULOQ", "ALLOQAFL", "BLQFL"),
    *("BLQFN", "DETFL", "UDTC", "II", "SS", "ANL01FL", "EXCLRSN", "PCORRES"),
    *("PCORRESU", "ADERIV", "EXLOT", "SRCDOM", "SRCVAR", "SRCSEQ"),
]

Covariates = tuple[pd.DataFrame, dict[str, tuple[str, str]]]


def write(study: "Study") -> Export:
    """Return a study as one data set in the structure of ADPPK.

    Samples below the limit have a blank DV, BLQFN 1 and MDV 0, so that a fit keeps
    them; without a result or excluded from analysis, MDV is 1. A patient without a
    used sample and without an infusion has one record of EVID 2.

    Source
    ------
    Variables as in CDISC's guide for ADPPK (2023) and pharmaverse's ADPPK.

    Examples
    --------
    >>> import cellpk as ck
    >>> export = write(ck.simulate_study(seed=1))
    >>> export.carried
    ('samples', 'infusions', 'patients')
    >>> export.datasets[0].frame["EVID"].value_counts().to_dict()
    {0: 678, 1: 18}
    """
    frame = stacked([_levels(study), _doses(study), _others(study)], ORDER)
    frame = _numbered(study, _with_doses(study, frame))
    covariates, about = _covariates(study)
    frame = frame.merge(covariates, on="USUBJID", how="left", validate="many_to_one")
    label = "Population PK Analysis Data"
    order = [name for name in ORDER if name in frame.columns]
    order += [name for name in frame.columns if name not in order]
    data = dataset("adppk", label, frame[order], more=about)
    remarks = (
        "A record with BLQFN=1 has no DV and MDV=0: its likelihood is that of a level "
        "below ALLOQ (M3).",
        "CMT 1 is the dose; the CMT of an assay is its DVID plus 1.",
    )
    carried = ("samples", "infusions", "patients")
    return Export((data,), section_of(study), carried, remarks)


def _levels(study: "Study") -> pd.DataFrame:
    """Return the samples of all assays."""
    samples = study.samples
    frame = level_rows(study, samples, "PC").drop(columns="ADY")
    number = {name: place for place, name in enumerate(study.assays, 1)}
    level = frame["AVAL"]
    absent = (samples["state"] == "missing") | samples["excluded"]
    return frame.assign(
        EVID=0,
        MDV=absent.astype(int).to_numpy(),
        DV=level,
        DVL=np.log(level.where(level > 0)),
        DVID=samples["assay"].map(number).to_numpy(),
        CMT=samples["assay"].map(number).to_numpy() + 1,
        BLQFN=(frame["BLQFL"] == "Y").astype(int),
    )


def _doses(study: "Study") -> pd.DataFrame:
    """Return the infusions."""
    frame = dose_rows(study).drop(columns=["ADY", "ATPT", "AVALC"])
    frame = frame.rename(columns={"AVAL": "AMT", "AVALU": "DOSEU"})
    return frame.assign(EVID=1, MDV=1, CMT=1, BLQFL="N", BLQFN=0)


def _others(study: "Study") -> pd.DataFrame:
    """Return a record of each patient who would have none that is used."""
    samples = study.samples
    used = samples[~samples["excluded"] & (samples["state"] != "missing")]
    there = pd.concat([used["patient"], study.infusions["patient"]])
    patients = study.patients["patient"]
    bare = patients[~patients.isin(there)]
    frame = pd.DataFrame({"USUBJID": bare, "AFRLT": 0.0}, index=bare.index)
    about = {"STUDYID": study.settings.study.id, "FRLTU": UNIT, "ANL01FL": "Y"}
    return frame.assign(**about, EVID=2, MDV=1, CMT=1, BLQFL="N", BLQFN=0)


def _with_doses(study: "Study", frame: pd.DataFrame) -> pd.DataFrame:
    """Add the last dose before each record, and the time since it.

    Before the first dose both are those of the first dose. Of further doses the
    nominal time is not known, and so is not the nominal time since them.
    """
    given = study.infusions.assign(place=np.arange(len(study.infusions)))
    given = given.rename(columns={"patient": "USUBJID", "time": "given"})
    rows = frame[["USUBJID", "AFRLT"]].assign(record=np.arange(len(frame)))
    pairs = rows.merge(given[["USUBJID", "given", "dose", "place"]], on="USUBJID")
    first = pairs.groupby("record")["place"].transform("min")
    pairs = pairs[(pairs["given"] <= pairs["AFRLT"]) | (pairs["place"] == first)]
    last = pairs.sort_values(["record", "place"]).drop_duplicates("record", keep="last")
    last = last.set_index("record").reindex(range(len(frame)))
    begun = last["USUBJID"].map(given.groupby("USUBJID")["given"].min())
    again = (last["given"] > begun).to_numpy()
    nominal = frame.get("NFRLT", pd.Series(np.nan, index=frame.index))
    return frame.assign(
        APRLT=frame["AFRLT"] - last["given"].to_numpy(),
        NPRLT=nominal.mask(again),
        DOSEA=last["dose"].to_numpy(),
        DOSEP=np.nan,
        UDTC="",
        II=0,
        SS=0,
    )


def _numbered(study: "Study", frame: pd.DataFrame) -> pd.DataFrame:
    """Add the numbers beside names of studies and patients."""
    number = {name: n for n, name in enumerate(study.patients["patient"], 1)}
    return frame.assign(
        PROJID=study.settings.study.id,
        STUDYIDN=1,
        USUBJIDN=frame["USUBJID"].map(number),
    )


def _covariates(study: "Study") -> Covariates:
    """Return the covariates of each patient, and a number beside each text."""
    names = covariate_names(study)
    about = about_covariates(study)
    patients = study.patients
    columns: dict[str, pd.Series] = {"USUBJID": patients["patient"]}
    for ours, theirs in names.items():
        values = patients[ours]
        if is_number(values):
            columns[theirs] = values
            continue
        columns[theirs] = values.astype("str").fillna("")
        words = sorted(set(columns[theirs]) - {""})
        code = {word: number for number, word in enumerate(words, 1)}
        pair = short_name(f"{theirs[:7]}N", {*KEPT, *names.values(), *columns})
        columns[pair] = columns[theirs].map(code).astype(float)
        told = ", ".join(f"{number} {word}" for word, number in code.items())
        about[pair] = (f"{about[theirs][0][:36]} (N)", told)
    return pd.DataFrame(columns), about
