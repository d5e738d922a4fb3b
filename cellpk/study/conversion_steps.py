"""The factors of a conversion, sample by sample: DNA, cell counts, vector copies."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import DataError, Problem, nearest
from cellpk.study.assays import ASSAYS, Assay
from cellpk.study.study import Study
from cellpk.study.units import factor

Floats = NDArray[np.float64]
Vcn = float | str | Mapping[str, float]

DIPLOID_GENOME = 6.6
"""Picograms of DNA in a diploid human cell: an assumption of every conversion."""

GENOMES = 1e6 / DIPLOID_GENOME
"""Diploid genomes, and so nucleated cells, in a microgram of DNA: 151,515."""

GDNA: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "whole_blood": ("wbc", "whole-blood gDNA", ("", "blood")),
    "pbmc": ("pbmc", "gDNA of mononuclear cells", ("", "blood", "pbmc")),
}
"""Whose DNA was measured: the assay that counts these cells, the words for it, and the
specimens that counts in blood speak for."""


class Step(NamedTuple):
    """One factor of a conversion.

    Parameters
    ----------
    times : ndarray, shape (samples,)
        What the level of each sample is multiplied by; NaN where that is not known.
    said : ndarray of str, shape (samples,)
        The same in words.
    why : ndarray of str, shape (samples,)
        Why a sample has no factor; "" where it has one.

    Examples
    --------
    >>> Step(np.array([0.5]), np.array([" / VCN 2"]), np.array([""])).times
    array([0.5])
    """

    times: Floats
    said: NDArray[np.object_]
    why: NDArray[np.object_]


def _step(times: Floats, said: Any, why: Any = "") -> Step:
    said, why = (np.full(len(times), text, dtype=object) for text in (said, why))
    return Step(times, said, why)


def from_unit(rows: pd.DataFrame, source: Assay) -> Step:
    """Bring copies in DNA to copies per cell, and copies in blood to copies/uL.

    Parameters
    ----------
    rows : DataFrame
        The samples of the source.
    source : Assay
        An assay of copies per DNA or per volume.

    Examples
    --------
    >>> rows = pd.DataFrame({"level": [35300.0]})
    >>> step = from_unit(rows, ASSAYS["qpcr"])
    >>> step.said[0]
    'copies/ug of qpcr / 151515 genomes/ug (6.6 pg each)'
    >>> (rows["level"] * step.times).round(5).tolist()
    [0.23298]
    """
    begun = f"{source.unit} of {source.name}"
    in_blood = factor(source.unit, "copies/uL")
    if in_blood is not None:
        said = begun if in_blood == 1 else f"{begun} * {in_blood:g}"
        return _step(np.full(len(rows), in_blood), said)
    in_dna = factor(source.unit, "copies/ug")
    assert in_dna is not None, source
    said = begun if in_dna == 1 else f"{begun} * {in_dna:g}"
    said += f" / {GENOMES:.0f} genomes/ug ({DIPLOID_GENOME} pg each)"
    return _step(np.full(len(rows), in_dna / GENOMES), said)


def times_count(
    rows: pd.DataFrame, study: Study, *, gdna: str, count: str, same_day: float
) -> Step:
    """Multiply by the nearest count of the same patient within the window.

    Parameters
    ----------
    rows : DataFrame
        The samples to convert.
    study : Study
        It holds the counts.
    gdna, count, same_day
        As :func:`cellpk.study.conversion.convert` takes them.

    Raises
    ------
    DataError
        If it is not said whose DNA was measured, or there is no count of its cells.

    Examples
    --------
    >>> samples = {"patient": "1", "time": [7.0, 7.25, 6.5], "assay": "wbc"}
    >>> frame = pd.DataFrame(samples).assign(level=[1.0, 3000, 2], specimen="blood")
    >>> study = Study.from_frames(samples=frame)
    >>> rows = pd.DataFrame({"patient": ["1"], "time": 7.2, "specimen": "blood"})
    >>> how = {"gdna": "whole_blood", "count": "", "same_day": 0.5}
    >>> times_count(rows, study, **how).said[0]
    ' * wbc 3000/uL of day 7.25 (whole-blood gDNA)'
    """
    if not 0 <= same_day < np.inf:
        what = "the window is not a number of days"
        todo = "Give the days that a count may be away, such as 0.5."
        raise DataError(Problem(what, todo, column="same_day", value=str(same_day)))
    name = _count_assay(study, gdna, count)
    _, words, specimens = GDNA[gdna]
    asked = rows[["patient", "time"]].reset_index().sort_values("time", kind="stable")
    tolerance: Any = same_day + 1e-9  # days are kept to nine digits
    found = pd.merge_asof(
        asked,
        _counts(study, name),
        on="time",
        by="patient",
        direction="nearest",
        tolerance=tolerance,
    )
    found = found.set_index("index").sort_index()
    cells = found["cells"].to_numpy(float)
    said = [
        f" * {name} {_number(n)}/uL of day {day:g} ({words})"
        for n, day in zip(cells, found["day"], strict=True)
    ]
    why = np.where(np.isnan(cells), f"no {name} within {same_day:g} days", "")
    elsewhere = ~rows["specimen"].isin(list(specimens)).to_numpy(bool)
    wrong = "counts in blood say nothing of " + rows["specimen"].astype(object)
    return _step(
        np.where(elsewhere, np.nan, cells), said, np.where(elsewhere, wrong, why)
    )


def _count_assay(study: Study, gdna: str, count: str) -> str:
    """Return the assay that counts the cells whose DNA was measured."""
    if gdna not in GDNA:
        what = "it is not said whose DNA was measured"
        todo = "Say gdna = 'whole_blood' or gdna = 'pbmc': the counts differ."
        raise DataError(Problem(what, todo, column="gdna", value=gdna))
    usual, words, _ = GDNA[gdna]
    name, what, todo = count or usual, "", "Use counts in cells/uL, or convert them."
    if name != usual and name in ASSAYS:
        what = f"{name!r} does not count the cells of {words}"
        todo = f"Use {usual!r}, or an assay of the study's own."
    elif name not in study.assays:
        what = f"the study has no samples of {name!r}, which {words} needs"
        todo = "Deliver the counts: without them copies in DNA say nothing of blood."
    elif factor(study.unit(name), "cells/uL") is None:
        what = f"{name!r} is in {study.unit(name)}, which is no count in blood"
    if what:
        raise DataError(Problem(what, todo, column="count", value=name))
    return name


def _counts(study: Study, name: str) -> pd.DataFrame:
    """Return the counts in blood that are known, sorted by time."""
    samples = study.select(name)
    usable = (samples["state"] == "quantified") & (samples["level"] > 0)
    samples = samples[usable & samples["specimen"].isin(["", "blood"])]
    scale = factor(study.unit(name), "cells/uL") or np.nan
    counts = samples[["patient", "time"]].assign(
        cells=samples["level"] * scale, day=samples["time"]
    )
    counts = counts.drop_duplicates(["patient", "time"])
    return counts.sort_values("time", kind="stable")


def over_vcn(rows: pd.DataFrame, study: Study, vcn: Vcn | None) -> Step:
    """Divide by the vector copies per cell of each sample's patient or lot.

    Parameters
    ----------
    rows : DataFrame
        The samples to convert.
    study : Study
        It holds the patients and the lots that they received.
    vcn : float, str, mapping or None
        As :func:`cellpk.study.conversion.convert` takes it.

    Raises
    ------
    DataError
        If there is none, or it is no number above 0.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient": ["1"], "time": 7.0, "assay": "flow"})
    >>> over_vcn(rows, Study.from_frames(samples=rows.assign(level=1)), 2).said[0]
    ' / VCN 2'
    """
    if isinstance(vcn, str):
        values, why = _of_patients(rows, study, vcn)
    elif isinstance(vcn, Mapping):
        values, why = _of_lots(rows, study, vcn)
    elif vcn is None or not 0 < vcn < np.inf:
        what = "cells need the vector copies per cell, a number above 0"
        todo = "Give vcn: a number, a column of the patients, or numbers by lot."
        raise DataError(Problem(what, todo, column="vcn", value=str(vcn)))
    else:
        values, why = np.full(len(rows), float(vcn)), ""
    usable = (values > 0) & (values < np.inf)
    said = [f" / VCN {_number(value)}" for value in values]
    times = np.where(usable, 1 / np.where(usable, values, 1), np.nan)
    return _step(times, said, np.where(usable, "", why))


def _of_patients(rows: pd.DataFrame, study: Study, column: str) -> tuple[Floats, str]:
    patients = study.patients.set_index("patient")
    known = [str(name) for name in patients.columns]
    what, todo = "", "Give the vector copies per cell with the patients."
    todo = nearest(column, known) if known else todo
    if column not in known:
        what = f"the patients have no column {column!r}"
    elif not pd.api.types.is_numeric_dtype(patients[column].dtype):
        what = f"the column {column!r} of the patients holds no numbers"
        todo = "Give the column with the vector copies per cell."
    if what:
        raise DataError(Problem(what, todo, column="vcn", value=column))
    values = rows["patient"].map(patients[column]).to_numpy(dtype=float)
    return values, f"no {column} above 0"


def _of_lots(
    rows: pd.DataFrame, study: Study, lots: Mapping[str, float]
) -> tuple[Floats, list[str]]:
    """Return the VCN of the lot infused so far; of several, if they have one VCN."""
    given: dict[str, list[tuple[float, str]]] = {}
    table = study.infusions  # sorted by time
    for patient, day, lot in zip(
        table["patient"], table["time"], table["lot"], strict=True
    ):
        given.setdefault(patient, []).append((day, lot))
    values, why = np.full(len(rows), np.nan), []
    for i, (patient, time) in enumerate(
        zip(rows["patient"], rows["time"], strict=True)
    ):
        own = given.get(patient, [])
        # A sample before the infusion is of the product that came first.
        had = dict.fromkeys(lot for day, lot in own if day <= max(time, own[0][0]))
        known = {float(lots.get(lot, np.nan)) for lot in had}
        values[i] = known.pop() if len(known) == 1 else np.nan
        why.append(f"no one VCN of lot {', '.join(map(repr, had)) or 'unknown'}")
    return values, why


def _number(value: float) -> str:
    return f"{value:.12g}"
