"""The samples of one assay that are shown together, and where each is drawn."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.reporting.printed import enumerated
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from cellpk.study.study import Study


def series(
    study: "Study", assay: str, *, specimen: str | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the placed samples of one assay in one specimen, the most sampled.

    Parameters
    ----------
    study : Study
        The study.
    assay : str
        The assay.
    specimen : str, optional
        This specimen instead.

    Returns
    -------
    DataFrame, tuple of str
        The samples with ``shown`` (see :func:`placed`),
        and a sentence on the specimen where there are several.

    Raises
    ------
    DataError
        If there is no sample of the specimen.

    Examples
    --------
    >>> import cellpk as ck
    >>> series(ck.simulate_study(seed=1), "flow")[1]
    ()
    """
    samples = study.select(assay)
    counts = samples["specimen"].value_counts()
    if specimen is not None:
        chosen = study.select(assay, specimen=specimen)
        if chosen.empty:
            what = f"there is no sample of {assay} in the specimen"
            todo = nearest(specimen, [name or "no name" for name in counts.index])
            raise DataError(Problem(what, todo, column="specimen", value=specimen))
        kept = chosen["specimen"].iloc[0]
    elif len(counts) < 2:
        return placed(samples), ()
    else:
        kept = counts.index[0]
    shown = placed(samples[samples["specimen"] == kept])
    return shown, specimen_note(kept, counts.index)


def specimen_note(kept: str, names: Iterable[str]) -> tuple[str, ...]:
    """Say which specimen is shown, if it has a name, and which others are not.

    Examples
    --------
    >>> specimen_note("blood", ["blood", "bone marrow"])
    ('Specimen: blood. Left out: bone marrow.',)
    """
    others = [name or "of no name" for name in names if name != kept]
    if not kept and not others:
        return ()
    left_out = f" Left out: {', '.join(others)}." if others else ""
    return (f"Specimen: {kept or 'of no name'}.{left_out}",)


def assumed_note(samples: pd.DataFrame) -> tuple[str, ...]:
    """Say which limits of quantification the data do not state.

    Examples
    --------
    >>> assumed_note(pd.DataFrame({"lloq": [2.0, 50.0], "limit_assumed": [True, False],
    ...                            "unit": "cells/uL"}))
    ('The LLOQ of 2 cells/µL is assumed; the data state none.',)
    """
    limits = samples.loc[samples["limit_assumed"], "lloq"].dropna().unique()
    if not len(limits):
        return ()
    values = enumerated(f"{value:g}" for value in sorted(limits))
    unit = pretty(samples["unit"].iloc[0])
    return (
        f"The LLOQ of {values} {unit}".rstrip() + " is assumed; the data state none.",
    )


def placed(samples: pd.DataFrame) -> pd.DataFrame:
    """Return the samples with ``shown``, the level at which each is drawn.

    A quantified sample is drawn at its level, one below the limit of quantification,
    detected or not, at half the limit, one above the upper limit at that limit. Where
    no limit is known, a sample below it is drawn at half the smallest quantified level
    of the table, one above it at the largest.

    Parameters
    ----------
    samples : DataFrame
        Samples of one assay, as in :class:`~cellpk.study.study.Study`.

    Returns
    -------
    DataFrame
        The same rows, without those that are missing, and column ``shown``.

    Examples
    --------
    >>> samples = pd.DataFrame({
    ...     "state": ["quantified", "below", "below"], "level": [8.0, None, None],
    ...     "lloq": [2.0, 2.0, None], "uloq": [float("nan")] * 3})
    >>> [float(level) for level in placed(samples)["shown"]]
    [8.0, 1.0, 4.0]
    """
    samples = samples[samples["state"] != "missing"]
    known = samples["level"].where(samples["state"] == "quantified")
    floor = known[known > 0].min() / 2 if known.gt(0).any() else 1.0
    under = samples["lloq"].div(2).fillna(floor)
    above = samples["state"].eq("above")
    shown = known.mask(above, samples["uloq"].fillna(samples["level"]))
    shown = shown.mask(above & shown.isna(), known.max())
    return samples.assign(shown=shown.where(shown > 0, under))
