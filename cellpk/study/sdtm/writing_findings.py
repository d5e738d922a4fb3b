"""Samples as PC, CP, LB and VS."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.study.assays import Assay
from cellpk.study.dataset import Dataset
from cellpk.study.dates import write_dates, write_durations
from cellpk.study.sdtm.levels import (
    level_texts,
    number_text,
    said_states,
    written_texts,
)
from cellpk.study.sdtm.qualifying import code, qualifiers, shortened, supplement
from cellpk.study.sdtm.variables import START, dataset, sequence, study_days
from cellpk.study.specimens import specimen
from cellpk.study.units import factor

if TYPE_CHECKING:
    from cellpk.study.study import Study

_CODE = re.compile(r"[A-Z_][A-Z0-9_]{0,7}")
_PHENOTYPES = frozenset({"cd3", "cd4", "cd8", "cd19", "nk"})
_SPECIMENS = {"marrow": "BONE MARROW", "csf": "CEREBROSPINAL FLUID"}
_SMALLEST, _LARGEST = 2.0**-260, 2.0**249
"""What the floats of a SAS transport file hold."""


def domain_of(assay: Assay) -> str:
    """Return the domain that the samples of an assay are written to.

    Cells counted by flow cytometry are phenotypes (CP), a transgene is a concentration
    (PC), body temperature a vital sign (VS), and all else is of the laboratory (LB).

    Examples
    --------
    >>> from cellpk.study.assays import ASSAYS
    >>> [domain_of(ASSAYS[name]) for name in ("qpcr", "flow", "cd3", "il6")]
    ['PC', 'CP', 'CP', 'LB']
    """
    cells = factor(assay.unit, "cells/uL") or factor(assay.unit, "%")
    if assay.name in _PHENOTYPES or (assay.kinetics and cells):
        return "CP"
    if assay.kinetics:
        return "PC"
    return "VS" if assay.name == "temperature" else "LB"


def codes_of(assays: Mapping[str, Assay]) -> dict[str, str]:
    """Return a test code for each assay: its own of CDISC, or one made of its name.

    Examples
    --------
    >>> from cellpk.study.assays import ASSAYS
    >>> codes_of({name: ASSAYS[name] for name in ("flow_percent", "qpcr")})
    {'flow_percent': 'FLOWPERC', 'qpcr': 'QPCR'}
    """
    codes: dict[str, str] = {}
    for name, assay in assays.items():
        own = [word for word in assay.codes if _CODE.fullmatch(word)]
        free = [word for word in own if word not in codes.values()]
        codes[name] = free[0] if free else code(name, codes.values())
    return codes


def write_findings(study: "Study") -> tuple[list[Dataset], dict[str, str]]:
    """Return the samples of a study as domains, and what their test codes mean.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    datasets : list of Dataset
        PC, CP, LB and VS with their supplements, as far as there are such samples.
    assays : dict
        By test code, the assay.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": [1], "time": [7], "level": ["<50"], "assay": ["qpcr"]}
    >>> study = ck.Study.from_frames(samples=pd.DataFrame(samples))
    >>> datasets, assays = write_findings(study)
    >>> datasets[0].frame[["PCSTRESC", "PCDTC", "PCDY"]].values.tolist(), assays
    ([['<50', '2000-01-08T00:00:00', 8.0]], {'QPCR': 'qpcr'})
    """
    known = study.settings.known_assays
    assays = {name: known[name] for name in study.assays}
    codes = codes_of(assays)
    samples = study.samples
    samples["VISITNUM"] = _visit_numbers(samples)
    domains = samples["assay"].map({n: domain_of(row) for n, row in assays.items()})
    datasets = []
    for domain in sorted(domains.unique()):
        rows = samples[domains == domain].reset_index(drop=True)
        tests = {n: (codes[n], row.label[:40]) for n, row in assays.items()}
        datasets += _domain(study.settings.study.id, domain, rows, tests)
    return datasets, {word: name for name, word in codes.items()}


def _visit_numbers(samples: pd.DataFrame) -> pd.Series:
    """Return numbers of the visits, in the order of their times."""
    times = samples["nominal_time"].fillna(samples["time"])
    first = times.groupby(samples["visit"]).min().sort_values(kind="stable")
    numbers = {
        visit: i for i, visit in enumerate(first.index.drop("", errors="ignore"))
    }
    return samples["visit"].map(numbers).astype("float64") + 1


def specimen_terms(words: pd.Series) -> pd.Series:
    """Return the terms of CDISC for specimens, where they are read as the same.

    Examples
    --------
    >>> specimen_terms(pd.Series(["blood", "marrow", ""])).tolist()
    ['BLOOD', 'BONE MARROW', '']
    """
    each = map(str, words.unique())
    terms = {word: _SPECIMENS.get(word, word.upper()) for word in each}
    same = {word: term for word, term in terms.items() if specimen(term) == word}
    return words.map({word: same.get(word, word) for word in terms}).astype("str")


def _results(samples: pd.DataFrame) -> pd.DataFrame:
    """Return what is written of the results, and the states that they do not tell."""
    text = written_texts(samples)
    level, size = samples["level"], samples["level"].abs()
    fits = (size == 0) | ((size >= _SMALLEST) & (size < _LARGEST))
    done = (
        (samples["state"] != "missing")
        | (samples["reported"] != "")
        | samples["excluded"]
    )
    results = pd.DataFrame({"stresc": text, "stresn": number_text(level.where(fits))})
    results = results.assign(orres=samples["reported"], state="", done=done)
    said = said_states(level_texts(results), samples).where(done, "missing")
    told = said == samples["state"]
    results["state"] = samples["state"].str.upper().where(~told, "")
    return results.assign(number=level.where(fits))


def _domain(
    study: str, domain: str, samples: pd.DataFrame, tests: Mapping[str, tuple[str, str]]
) -> list[Dataset]:
    """Return one domain and its supplement."""
    results, assay = _results(samples), samples["assay"]
    planned = write_durations(samples["nominal_time"]).astype("str")
    undone = ~results["done"]
    own = {
        "SEQ": sequence(samples["patient"]),
        "TESTCD": assay.map({name: test[0] for name, test in tests.items()}),
        "TEST": assay.map({name: test[1] for name, test in tests.items()}),
        "ORRES": samples["reported"],
        "ORRESU": samples["reported_unit"],
        "STRESC": results["stresc"],
        "STRESN": results["number"],
        "STRESU": samples["unit"],
        "STAT": _flag(undone, "NOT DONE"),
        "REASND": samples["reason"].where(undone, ""),
        "SPEC": specimen_terms(samples["specimen"]),
        "DRVFL": _flag(samples["derived"] != "", "Y"),
        "LLOQ": samples["lloq"],
        "ULOQ": samples["uloq"],
        "DTC": write_dates(samples["time"], START),
        "DY": study_days(samples["time"]),
        "ELTM": planned,
        "TPTREF": _flag(planned != "", "FIRST INFUSION"),
    }
    columns = {"STUDYID": study, "DOMAIN": domain, "USUBJID": samples["patient"]}
    columns |= {domain + name: column for name, column in own.items()}
    columns |= {"VISITNUM": samples["VISITNUM"], "VISIT": samples["visit"]}
    records = pd.DataFrame({"USUBJID": samples["patient"], "IDVAR": f"{domain}SEQ"})
    records["IDVARVAL"] = own["SEQ"].astype("str")
    data, more = shortened(dataset(domain, columns), records)
    parts = _qualifiers(domain, samples, results, records)
    return [data, *supplement(study, domain, [*parts, more])]


def _flag(rows: pd.Series, word: str) -> pd.Series:
    return pd.Series(np.where(rows, word, ""), index=rows.index, dtype="str")


def _qualifiers(
    domain: str, samples: pd.DataFrame, results: pd.DataFrame, records: pd.DataFrame
) -> list[pd.DataFrame]:
    """Return what SDTM has no variable for."""
    flag = _flag(samples["excluded"], "Y"), _flag(samples["limit_assumed"], "Y")
    reason = samples["reason"].where(results["done"], "")
    told = [
        ("LLOD", "Lower Limit of Detection", number_text(samples["llod"])),
        ("STATE", "What Is Known of the Result", results["state"]),
        ("LIMASM", "Limit of Quantitation Is Assumed", flag[1]),
        ("DERIV", "How the Result Was Derived", samples["derived"]),
        ("EXCLFL", "Exclude from Analysis", flag[0]),
        ("REASEX", "Reason for Exclusion or Missing Result", reason),
    ]
    return [
        qualifiers(records, domain + name, label, values=values)
        for name, label, values in told
    ]
