"""Metrics as the SDTM domain PP and the ADaM data set ADPP."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.kinetics.parameter_table import (
    PKPARM,
    parameter_codes,
    parameter_table,
    plain_label,
    pp_name,
    why_not,
)
from cellpk.study.adam.names import label_of
from cellpk.study.adam.source import in_words
from cellpk.study.assays import ASSAYS
from cellpk.study.containers import containers, write_dataset
from cellpk.study.dataset import Dataset, Variable, dictionary
from cellpk.study.dates import write_durations
from cellpk.study.reading import DICTIONARY
from cellpk.study.sdtm.writing_findings import specimen_terms

if TYPE_CHECKING:
    from cellpk.kinetics.nca import Metrics

NOT_DONE = "NOT DONE"
_NOT_SUMMARISED = "Not evaluable by the rules of the analysis"
_NOT_CALCULABLE = "Not calculable"
_SPONSOR = "sponsor-defined, for want of a variable of CDISC"

_PP = {
    "STUDYID": ("Study Identifier", ""),
    "DOMAIN": ("Domain Abbreviation", ""),
    "USUBJID": ("Unique Subject Identifier", ""),
    "PPSEQ": ("Sequence Number", ""),
    "PPTESTCD": ("Parameter Short Name", ""),
    "PPTEST": ("Parameter Name", ""),
    "PPCAT": ("Parameter Category", "the analyte: cellpk's label of the assay"),
    "PPSCAT": ("Parameter Subcategory", ""),
    "PPORRES": ("Result or Finding in Original Units", ""),
    "PPORRESU": ("Original Units", ""),
    "PPSTRESC": ("Character Result/Finding in Std Format", ""),
    "PPSTRESN": ("Numeric Result/Finding in Standard Units", ""),
    "PPSTRESU": ("Standard Units", "blank where the parameter has none"),
    "PPSTAT": ("Completion Status", "NOT DONE: not calculable"),
    "PPREASND": ("Reason Parameter Not Calculated", ""),
    "PPSPEC": ("Specimen Material Type", ""),
    "PPRFDTC": (
        "Date/Time of Reference Point",
        "not known to cellpk: the first infusion",
    ),
    "PPSTINT": ("Planned Start of Assessment Interval", "from the first infusion"),
    "PPENINT": ("Planned End of Assessment Interval", "from the first infusion"),
    "PPSUMFL": ("Parameter in Summaries Flag", f"Y or N; {_SPONSOR}"),
    "PPSUMRSN": ("Reason for Exclusion from Summaries", _SPONSOR),
}
_ADPP = {
    "ASEQ": ("Analysis Sequence Number", ""),
    "PARAMCD": ("Parameter Code", ""),
    "PARAM": ("Parameter", ""),
    "PARCAT1": ("Parameter Category 1", "the analyte: cellpk's label of the assay"),
    "AVAL": ("Analysis Value", "blank where not calculable"),
    "AVALC": ("Analysis Value (C)", "NC where not calculable"),
    "AVALU": ("Analysis Value Unit", "blank where the parameter has none"),
    "ANL01FL": ("Analysis Flag 01", "Y: the value enters summaries"),
    "SRCDOM": ("Source Data", ""),
    "SRCVAR": ("Source Variable", ""),
    "SRCSEQ": ("Source Sequence Number", "PPSEQ"),
}


def pp_dataset(metrics: "Metrics") -> Dataset:
    """Return metrics as PP: one record per patient, series and parameter.

    A parameter that is not calculable is a record with PPSTAT 'NOT DONE' and the
    reason. An area between two days has the code AUCINT, and its days in PPSTINT and
    PPENINT.

    Source
    ------
    Variables: SDTM implementation guide, domain PP; codes: CDISC's codelist PKPARMCD.

    Examples
    --------
    >>> import cellpk as ck
    >>> frame = pp_dataset(ck.nca(ck.simulate_study(seed=1))).frame
    >>> area = frame[frame["PPENINT"] == "P28D"].iloc[0]
    >>> area[["PPSTINT", "PPENINT", "PPSTRESU"]].tolist()
    ['P0D', 'P28D', 'day*cells/uL']
    """
    table = parameter_table(metrics)
    value, none = table["value"], table["value"].isna()
    words = in_words(value)
    unit = table["unit"].mask(table["unit"] == "1", "").mask(none, "")
    names = {name: pp_name(metric) for name, metric in metrics.metrics.items()}
    frame = pd.DataFrame(
        {
            "STUDYID": metrics.study_id,
            "DOMAIN": "PP",
            "USUBJID": table["patient"],
            "PPSEQ": table.groupby("patient").cumcount() + 1,
            "PPTESTCD": table["code"],
            "PPTEST": table["metric"].map(names),
            "PPCAT": table["assay"].map(analyte),
            "PPSCAT": "NON-COMPARTMENTAL",
            "PPORRES": words,
            "PPORRESU": unit,
            "PPSTRESC": words,
            "PPSTRESN": value,
            "PPSTRESU": unit,
            "PPSTAT": np.where(none, NOT_DONE, ""),
            "PPREASND": table["reason"].map(why_not),
            "PPSPEC": specimen_terms(table["specimen"]),
            "PPRFDTC": "",
            "PPSTINT": write_durations(table["start"]),
            "PPENINT": write_durations(table["end"]),
            "PPSUMFL": np.where(table["summarised"], "Y", "N"),
            "PPSUMRSN": np.select(
                [none, ~table["summarised"]], [_NOT_CALCULABLE, _NOT_SUMMARISED], ""
            ),
        }
    )
    return _dataset("pp", "Pharmacokinetic Parameters", frame, metrics)


def adpp_dataset(metrics: "Metrics") -> Dataset:
    """Return metrics as ADPP: the records of PP with a PARAMCD for each parameter.

    PARAMCD is PPTESTCD, but for areas between two days: AUC0_28 is that from day 0 to
    day 28.

    Source
    ------
    Shape as in pharmaverse's ADPP (admiral, template ad_adpp.R).

    Examples
    --------
    >>> import cellpk as ck
    >>> frame = adpp_dataset(ck.nca(ck.simulate_study(seed=1))).frame
    >>> frame.loc[frame["PARAMCD"] == "AUC0_28", "PARAM"].unique().tolist()
    ['AUC0-28d']
    """
    pp = pp_dataset(metrics).frame
    table = parameter_table(metrics)
    code = parameter_codes(metrics.metrics)
    label = {
        name: pp_name(metric) if code[name] in PKPARM else plain_label(metric)
        for name, metric in metrics.metrics.items()
    }
    frame = pd.DataFrame(
        {
            "STUDYID": pp["STUDYID"],
            "USUBJID": pp["USUBJID"],
            "ASEQ": pp["PPSEQ"],
            "PARAMCD": table["metric"].map(code),
            "PARAM": table["metric"].map(label),
            "PARCAT1": pp["PPCAT"],
            "AVAL": pp["PPSTRESN"],
            "AVALC": pp["PPSTRESC"].mask(pp["PPSTRESC"] == "", "NC"),
            "AVALU": pp["PPSTRESU"],
            "ANL01FL": pp["PPSUMFL"].mask(pp["PPSUMFL"] == "N", ""),
        }
    )
    kept = ["PPTESTCD", "PPTEST", "PPCAT", "PPSPEC", "PPSTINT", "PPENINT", "PPRFDTC"]
    kept += ["PPSTAT", "PPREASND", "PPSUMFL", "PPSUMRSN"]
    source = {"SRCDOM": "PP", "SRCVAR": "PPSTRESN", "SRCSEQ": pp["PPSEQ"]}
    frame = frame.join(pp[kept]).assign(**source)
    return _dataset("adpp", "Pharmacokinetic Parameters Analysis", frame, metrics)


def write_parameters(
    metrics: "Metrics", folder: str | Path, *, ending: str = ".csv"
) -> tuple[Path, Path]:
    """Write metrics as the data sets PP and ADPP, with a data dictionary.

    Parameters
    ----------
    metrics : Metrics
        As :func:`cellpk.nca` returns them.
    folder : str or Path
        Where to; it is made if it does not exist. A data_dictionary.csv that is there
        is added to.
    ending : str
        The kind of file: ".csv", ".xpt", ".json", ".ndjson", ".dsjc" or ".parquet".

    Returns
    -------
    (Path, Path)
        The files of PP and of ADPP. :func:`read_parameters` reads either.

    Raises
    ------
    DataError
        If cellpk does not write such files, or something does not fit into them.

    Examples
    --------
    >>> import tempfile
    >>> import cellpk as ck
    >>> metrics = ck.nca(ck.simulate_study(seed=1))
    >>> [path.name for path in write_parameters(metrics, tempfile.mkdtemp())]
    ['pp.csv', 'adpp.csv']
    """
    kind = containers().get(ending)
    if kind is None or kind.write is None:
        writable = [name for name, each in containers().items() if each.write]
        what = f"parameters are not written to {ending!r} files"
        raise DataError(Problem(what, nearest(ending, writable), value=ending))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    datasets = [pp_dataset(metrics), adpp_dataset(metrics)]
    pp, adpp = (write_dataset(data, folder, ending) for data in datasets)
    table, path = dictionary(datasets), folder / DICTIONARY
    if path.exists():
        before = pd.read_csv(path, keep_default_na=False)
        others = before[~before["dataset"].isin(["pp", "adpp"])]
        table = pd.concat([others, table], ignore_index=True)
    table.to_csv(path, index=False, lineterminator="\n")
    return pp, adpp


def analyte(assay: str) -> str:
    """Return what an assay is called in PPCAT: its label, at most 40 characters.

    Examples
    --------
    >>> analyte("qpcr"), analyte("my_own")
    ('CAR transgene by qPCR', 'my_own')
    """
    return label_of(ASSAYS[assay].label) if assay in ASSAYS else assay


def _dataset(name: str, label: str, frame: pd.DataFrame, metrics: "Metrics") -> Dataset:
    """Label the variables; say which codes are ours, and the rules of the numbers."""
    about = {**_PP, **_ADPP}
    codes = {key: metric.cdisc for key, metric in metrics.metrics.items()}
    codes = parameter_codes(metrics.metrics) if name == "adpp" else codes
    ours = "; ".join(
        f"{code}: {plain_label(metrics.metrics[key])}"
        for key, code in codes.items()
        if code not in PKPARM
    )
    told = f"sponsor-defined codes: {ours}" if ours else "codes of PKPARMCD"
    rules = " ".join(metrics.rules)
    meanings = {
        "PPTESTCD" if name == "pp" else "PARAMCD": told,
        "PPSTRESN" if name == "pp" else "AVAL": rules,
    }
    variables = [
        Variable(column, about[column][0], meanings.get(column, about[column][1]))
        for column in map(str, frame.columns)
    ]
    return Dataset(name, label, frame, variables)
