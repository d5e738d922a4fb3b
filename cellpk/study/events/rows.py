"""From a study to event records: one row per sample and infusion of a patient."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from cellpk.study.study import Study

_SIGNS = re.compile(r"[\x00-\x1f\x7f,;\"%]")


def _escape(word: str) -> str:
    return _SIGNS.sub(lambda sign: f"%{ord(sign[0]):02X}", word)


def escaped(text: pd.Series) -> pd.Series:
    """Write texts without separators and quotation marks; nothing is ".".

    A comma becomes %2C, a quotation mark %22, as in addresses of the web. Monolix takes
    comma, semicolon, tab and space as separators, and its data set guide knows of no
    quotation marks; NONMEM reads none of these texts.

    Examples
    --------
    >>> escaped(pd.Series(["late, broken", "", "."])).tolist()
    ['late%2C broken', '.', '%2E']
    """
    told = text.astype("str").fillna("")
    if bool(told.str.contains(_SIGNS).any()):
        told = told.map(_escape)
    return told.mask(told == ".", "%2E").mask(told == "", ".").astype("str")


def kinds_of(study: "Study") -> list[tuple[str, str]]:
    """Return each assay and specimen that was sampled, in the order of the assays.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": [1, 1], "time": 7, "level": 3, "assay": ["il6", "qpcr"]}
    >>> kinds_of(ck.Study.from_frames(samples=pd.DataFrame(samples)))
    [('qpcr', ''), ('il6', '')]
    """
    pairs = study.samples[["assay", "specimen"]].drop_duplicates()
    order = {name: i for i, name in enumerate(study.assays)}
    found = pairs.itertuples(index=False, name=None)
    return sorted(found, key=lambda pair: (order[pair[0]], pair[1]))


def rows_of(study: "Study") -> pd.DataFrame:
    """Return samples and infusions as rows, in the order of patients and times.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    DataFrame
        The columns of samples and infusions, and: ``number`` of the patient, from 1 on;
        ``record`` (sample, infusion, or patient of whom there is neither); ``kind``,
        the number of the assay and specimen, 0 where there is no sample; ``dv``, the
        level or the limit that a sample lies beyond; ``mdv``, 1 where a run is not to
        use it; ``evid``, 2 where there is neither a sample nor a dose that is known.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": ["a", "b"], "time": [7, 7], "level": ["<50", None]}
    >>> frame = pd.DataFrame(samples).assign(assay="qpcr")
    >>> rows = rows_of(ck.Study.from_frames(samples=frame))
    >>> rows[["number", "dv", "mdv"]].values.tolist()
    [[1.0, 50.0, 0.0], [2.0, nan, 1.0]]
    """
    number = {name: i for i, name in enumerate(study.patients["patient"], 1)}
    kinds = {pair: i for i, pair in enumerate(kinds_of(study), 1)}
    samples = study.samples.drop(columns=["file", "row"])
    pairs = zip(samples["assay"], samples["specimen"], strict=True)
    kind = pd.Series([kinds[pair] for pair in pairs], dtype="int64")
    samples = samples.assign(record="sample", kind=kind)
    infusions = study.infusions.rename(columns={"unit": "dose_unit"})
    there = {*samples["patient"], *infusions["patient"]}
    lonely = pd.Series([name for name in number if name not in there], dtype="str")
    others = pd.DataFrame({"patient": lonely, "time": 0.0, "record": "patient"})
    # A sample at the time of an infusion was drawn before it, as everywhere in cellpk.
    rows = _stacked([samples, infusions.assign(record="infusion"), others])
    dv = rows["level"].mask(rows["state"].isin(["below", "detected"]), rows["lloq"])
    dv = dv.mask(rows["state"] == "above", rows["uloq"])
    unused = (rows["record"] != "sample") | rows["excluded"] | dv.isna()
    evid = rows["record"].map({"sample": 0, "infusion": 1, "patient": 2})
    evid = evid.mask((evid == 1) & rows["dose"].isna(), 2)
    rows = rows.assign(number=rows["patient"].map(number), dv=dv, evid=evid)
    rows = rows.assign(mdv=unused.astype("int64"))
    return rows.sort_values(["number", "time"], kind="stable", ignore_index=True)


def _stacked(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put rows of several kinds below each other, every column with its own type."""
    types = {name: part[name].dtype for part in parts for name in part}
    blank = {"str": "", "bool": False, "int64": 0}
    columns: dict[str, pd.Series] = {}
    for name, kind in types.items():
        filler = blank.get(str(kind), np.nan)
        pieces = [
            part[name] if name in part else pd.Series(filler, part.index, dtype=kind)
            for part in parts
        ]
        columns[str(name)] = pd.concat(pieces, ignore_index=True).astype(kind)
    return pd.DataFrame(columns)
