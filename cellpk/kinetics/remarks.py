"""What to know of a patient's metrics: notes, counts, and who is evaluable."""

from collections.abc import Mapping

import numpy as np

from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.registry import Found
from cellpk.kinetics.segments import Flags
from cellpk.study.study import Study

NOTES: dict[str, str] = {
    "before_infusion": "A level was quantifiable before the infusion.",
    "before_infusion_high": "A level before the infusion is high beside Cmax (5% by "
    "default): the metrics are left out of summaries.",
    "early_peak": "The highest level came early (before day 2 by default), while "
    "infused cells spread.",
    "second_peak": "A level after the Cmax window is higher than Cmax.",
    "reinfusion": "Samples after a further infusion or another cell therapy are not "
    "used.",
    "died_early": "The patient died before day 7.",
    "by_hand": "Samples of the terminal slope were chosen or left out by hand.",
}
"""What to know of a patient's metrics: the code in ``notes`` and its sentence."""

_EARLY_DEATH = 7.0


def remarks(
    profiles: Profiles, *, cells: Flags, cut: Flags, died: Flags
) -> dict[str, Flags]:
    """Say which note applies to which profile.

    Parameters
    ----------
    profiles : Profiles
        All profiles.
    cells : array of bool, shape (profiles,)
        Whether it is a series of cells or transgene.
    cut : array of bool, shape (profiles,)
        Whether samples after a further infusion were left out.
    died : array of bool, shape (profiles,)
        Whether the patient died early.

    Examples
    --------
    >>> yes, no = np.array([True]), np.array([False])
    >>> found = remarks(Profiles.one([1, 7], [9, 3]), cells=yes, cut=no, died=no)
    >>> [code for code, applies in found.items() if applies[0]]
    ['early_peak']
    """
    before = profiles.highest(np.where(profiles.after, -np.inf, profiles.levels))
    rules, share = profiles.rules, profiles.rules.before_infusion_share
    late = profiles.times > rules.window[1] * profiles.day
    later = profiles.highest(np.where(late, profiles.levels, -np.inf))
    return {
        "before_infusion": cells & (before > 0),
        "before_infusion_high": cells & (before > np.maximum(share * profiles.top, 0)),
        "early_peak": cells & (profiles.tmax < rules.early_peak * profiles.day),
        "second_peak": (later > profiles.top) & (later > 0),
        "reinfusion": cut,
        "died_early": died,
        "by_hand": profiles.total(profiles.by_hand | profiles.left_out) > 0,
    }


def written(notes: Mapping[str, Flags]) -> np.ndarray:
    """Write the codes that apply to each profile, separated by spaces.

    Examples
    --------
    >>> written({"early_peak": np.array([True]), "by_hand": np.array([True])}).tolist()
    ['early_peak by_hand']
    """
    text = np.zeros(len(next(iter(notes.values()))), "<U1")
    for code, applies in notes.items():
        text = np.strings.add(text, np.where(applies, f" {code}", ""))
    return np.strings.strip(text)


def died_early(study: Study) -> set[str]:
    """Return the patients who died before day 7.

    Examples
    --------
    >>> import cellpk as ck
    >>> died_early(ck.simulate_study(seed=1))
    set()
    """
    events = study.outcomes
    deaths = events[(events["endpoint"] == "death") & (events["value"] == "1")]
    return set(deaths.loc[deaths["time"] < _EARLY_DEATH, "patient"])


def counts(profiles: Profiles) -> dict[str, np.ndarray]:
    """Count the samples of each profile, and those that are quantified and below.

    Examples
    --------
    >>> counts(Profiles.one([7, 14], [300, 0]))["n_below"]
    array([1])
    """
    exact = profiles.quantified & np.isfinite(profiles.levels)
    return {
        "n_samples": profiles.counts,
        "n_quantified": profiles.total(exact).astype(int),
        "n_below": profiles.total(~profiles.quantified).astype(int),
    }


def evaluable(
    profiles: Profiles, found: Mapping[str, Found], *, cells: Flags, spoilt: Flags
) -> dict[str, Flags]:
    """Say whose Cmax and AUC0-28d the samples support.

    Parameters
    ----------
    profiles : Profiles
        All profiles.
    found : mapping of str to Found
        Their metrics.
    cells : array of bool, shape (profiles,)
        Whether it is a series of cells or transgene.
    spoilt : array of bool, shape (profiles,)
        Whether a level before the infusion makes metrics doubtful.

    Examples
    --------
    >>> from cellpk.kinetics.metrics import METRICS
    >>> one = Profiles.one([7, 14, 28], [300, 900, 90])
    >>> found = {name: METRICS[name].compute(one) for name in ("cmax", "auc_0_28")}
    >>> yes, no = np.array([True]), np.array([False])
    >>> evaluable(one, found, cells=yes, spoilt=no)["cmax_evaluable"]
    array([ True])
    """
    times = profiles.times / profiles.day
    enough = profiles.total((times >= 0) & (times <= 28)) >= 3
    near_peak = profiles.total((times >= 7) & (times <= 21)) >= 1
    dense = enough & (near_peak | ~cells)
    return {
        "cmax_evaluable": (found["cmax"].reason == "") & dense & ~spoilt,
        "auc_0_28_evaluable": (found["auc_0_28"].reason == "") & ~spoilt,
    }
