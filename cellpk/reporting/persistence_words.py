"""What table and figure of persistence have in common: groups, notes, medians."""

from typing import TYPE_CHECKING

import numpy as np

from cellpk.kinetics.persistence import Persistence
from cellpk.reporting.grouping import Grouping
from cellpk.reporting.placing import specimen_note
from cellpk.reporting.printed import NOTHING, day
from cellpk.reporting.statistics import FEW

if TYPE_CHECKING:
    from cellpk.study.study import Study

NOT_ESTIMABLE = "NE"
"""What stands for a day that the data do not reach."""

AT_RISK = (
    "At risk of loss: patients who were not seen to be lost by that day and who had a "
    "sample on that day or later."
)
"""What stands for the number at risk where losses are interval-censored."""

FEW_RULE = (
    f"For fewer than {FEW} patients the days between which each was lost are listed "
    "instead of a median."
)

NE_RULE = f"{NOT_ESTIMABLE}: not estimable, as too few are lost."


def by_group(whole: Persistence, groups: Grouping) -> dict[str, Persistence]:
    """Return the persistence of each group alone; nothing where there is one group.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.kinetics.persistence import persistence
    >>> study = ck.simulate_study(seed=1)
    >>> whole = persistence(ck.nca(study), study)
    >>> from cellpk.reporting.grouping import grouping
    >>> parts = by_group(whole, grouping(study, "dose_level"))
    >>> {name: int(part.summary["n"][0]) for name, part in parts.items()}
    {'1': 6, '2': 6, '3': 6}
    """
    if not groups.by:
        return {}
    return {
        name: whole.among(groups.of.index[groups.of == name]) for name in groups.names
    }


def notes(result: Persistence, study: "Study") -> tuple[str, ...]:
    """Say who is not in the estimate, and who counts as lost at once.

    Parameters
    ----------
    result : Persistence
        Of all patients.
    study : Study
        The study.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.kinetics.persistence import persistence
    >>> study = ck.simulate_study(seed=1)
    >>> notes(persistence(ck.nca(study), study), study)
    ('No sample was quantifiable, which counts as loss before the first of them: 3
    patients.',)
    """
    status = result.table["status"].value_counts()
    unsampled, never = (
        int(status.get(k, 0)) for k in ("not_sampled", "never_quantifiable")
    )
    names = study.select(result.assay)["specimen"].unique()
    several = len(names) > 1
    said = [*specimen_note(result.specimen, names)] if several else []
    if unsampled:
        said.append(
            f"Not in the time to loss, as no usable sample was taken after the "
            f"infusion: {_patients(unsampled)}."
        )
    if never and result.expanded_only:
        said.append(
            "Not in the time to loss, as asked, as no sample was quantifiable: "
            f"{_patients(never)}."
        )
    elif never:
        said.append(
            "No sample was quantifiable, which counts as loss before the first of "
            f"them: {_patients(never)}."
        )
    return tuple(said)


def printed_median(result: Persistence) -> str:
    """Print the median time to loss with its interval, or the intervals of few.

    Parameters
    ----------
    result : Persistence
        Of one group.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.kinetics.persistence import persistence
    >>> study = ck.simulate_study(seed=1)
    >>> printed_median(persistence(ck.nca(study), study, assay="flow").among(["S01"]))
    '(20.4, 27.7]'
    """
    row = result.summary.iloc[0]
    if not row["n"]:
        return NOTHING
    if row["n"] < FEW:
        used = result.table[result.table["in_curve"]].sort_values("left")
        ends = used[["left", "right"]].itertuples(index=False, name=None)
        return "; ".join(
            f"> {day(low)}" if np.isinf(high) else f"({day(low)}, {day(high)}]"
            for low, high in ends
        )
    middle, low, high = (_day(row[f"median{end}"]) for end in ("", "_low", "_high"))
    return f"{middle} ({low}, {high})"


def _day(value: float) -> str:
    return day(value) if np.isfinite(value) else NOT_ESTIMABLE


def _patients(count: int) -> str:
    return f"{count} patient{'s' if count > 1 else ''}"
