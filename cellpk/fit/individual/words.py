"""What each patient's data cannot tell, in fixed sentences."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.cases import counted
from cellpk.fit.data import FitData
from cellpk.fit.error_size import sized
from cellpk.fit.individual.cases import AboutHighest, about_highest
from cellpk.fit.individual.influence import LeftOut, shifts
from cellpk.fit.individual.numbers import Numbers, quantity_names
from cellpk.fit.individual.question import Question
from cellpk.fit.individual.solution import Solution
from cellpk.fit.likelihood import LEFT_OUT

Array = NDArray[np.float64]

LITTLE = 0.2
"""Share of information from the data below which a number is called the prior's."""

ENOUGH = 2
"""Quantified samples on one side of the highest below which their number is told."""

FAR = 2.5
"""Residual SDs from the curve beyond which a sample is named."""

CARRIES = 2.0
"""Standard errors by which an estimate moves without a sample that is named."""


class Fitted(NamedTuple):
    """All that sentences rest on.

    Parameters
    ----------
    data, asked, solution, numbers, left
        Samples of N patients, what they were asked, their fits, numbers, and fits
        without single samples.
    samples : DataFrame
        With ``patient, time, left_out, residual``.

    Examples
    --------
    >>> Fitted._fields[:2]
    ('data', 'asked')
    """

    data: FitData
    asked: Question
    solution: Solution
    numbers: Numbers
    left: LeftOut
    samples: pd.DataFrame


def sentences(about: Fitted) -> list[str]:
    """Return what the data of each patient cannot tell.

    Parameters
    ----------
    about : Fitted
        N patients.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
    >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
    >>> print(fits.table["sentence"][0])
    MAP, for 3 quantified samples are fewer than 10. 1 quantified sample before the
    highest (day 14). 1 quantified sample after the highest (day 14). No sample after
    day 28. Rests on the prior (information from the data): ...
    """
    names = quantity_names(about.data.model)
    reasons, far = _without_information(about.samples), _far(about.samples)
    carrying, counts = _carrying(about), about_highest(about.data)
    found = []
    for i, patient in enumerate(about.data.patients):
        information = about.numbers.information[i]
        parts = [
            *_method(about, i),
            *_sampling(about.data, counts, i),
            *reasons.get(patient, ()),
            *far.get(patient, ()),
            *carrying.get(i, ()),
            *_rest_on_the_prior(names, information),
        ]
        found.append(" ".join(f"{part}." for part in parts))
    return found


def _method(about: Fitted, i: int) -> Iterator[str]:
    solution = about.solution
    if solution.doubts[i]:
        yield f"Not converged: {'; '.join(solution.doubts[i])}"
    if solution.no_ml[i]:
        yield f"MAP, for {solution.no_ml[i]}"
        return
    errors = about.data.errors
    own = sized(errors, solution.sizes[i])
    several = len(errors) > 1
    said = [
        ", ".join(_sizes(one.assay * several, mine.values, model.values))
        for one, mine, model in zip(about.data.series, own, errors, strict=True)
    ]
    yield f"ML, {', '.join(said)}"


def _sizes(
    assay: str, own: Mapping[str, Any], model: Mapping[str, Any]
) -> Iterator[str]:
    """Say a patient's own residual error beside the model's."""
    for name in model:
        here, there = (float(np.ravel(sizes[name])[0]) for sizes in (own, model))
        what = "SD" if name == "sd" else name
        head = f"{assay} residual {what}".strip()
        yield f"{head} {here:.2g} (model {there:.2g})"


def _sampling(data: FitData, counts: AboutHighest, i: int) -> Iterator[str]:
    """Say on which side of the highest few are, by the assay with the most there."""
    for side, found in (("before", counts.before), ("after", counts.after)):
        best = max(range(len(found)), key=lambda j: (found[j, i], counts.seen[j, i]))
        if found[best, i] < ENOUGH:
            number = counted(int(found[best, i]), "quantified sample")
            yield f"{number} {side} the highest (day {counts.peak[best, i]:g})"
    last = max(each.times[i, each.known[i]].max(initial=0) for each in data.series)
    yield f"No sample after day {last:g}"


def _without_information(samples: pd.DataFrame) -> dict[str, list[str]]:
    """Say which samples of the fit's own say nothing, by patient."""
    silent = [reason for name, reason in LEFT_OUT.items() if name != "missing"]
    own = samples[samples["left_out"].isin(silent)]
    counts = Counter(zip(own["patient"], own["left_out"], strict=True))
    found: dict[str, list[str]] = {}
    for (patient, reason), number in sorted(counts.items()):
        said = f"{counted(number, 'sample')} not used ({reason})"
        found.setdefault(patient, []).append(said)
    return found


def _far(samples: pd.DataFrame) -> dict[str, list[str]]:
    """Name samples that lie far from the curve, by patient."""
    own = samples[samples["residual"].abs() > FAR]
    found: dict[str, list[str]] = {}
    rows = own[["patient", "time", "residual"]].itertuples(index=False)
    for patient, time, residual in rows:
        away = f"{abs(residual):.1f} residual SDs from the curve"
        said = f"The sample of day {time:g} lies {away}"
        found.setdefault(str(patient), []).append(said)
    return found


def _carrying(about: Fitted) -> dict[int, list[str]]:
    """Name the sample that carries a fit most, where one does, by place."""
    if not about.left.row.size:
        return {}
    errors = about.numbers.error[:, about.asked.ties.places]
    moved = np.abs(shifts(about.left, about.solution.theta, errors))
    moved[~np.isfinite(moved)] = 0.0
    most = moved.max(-1)
    found: dict[int, list[str]] = {}
    times = about.data.samples["time"].to_numpy(float)
    for m in np.argsort(-most, kind="stable"):
        i = int(about.left.patient[m])
        if most[m] <= CARRIES:
            break
        if i not in found:
            name = about.asked.names[int(moved[m].argmax())]
            day = times[about.left.row[m]]
            found[i] = [
                f"The sample of day {day:g} carries the fit: without it {name} moves "
                f"by {most[m]:.1f} standard errors"
            ]
    return found


def _rest_on_the_prior(names: Sequence[str], information: Array) -> Iterator[str]:
    shares = zip(names, information, strict=True)
    poor = [f"{name} {100 * share:.0f} %" for name, share in shares if share < LITTLE]
    if poor:
        yield f"Rests on the prior (information from the data): {', '.join(poor)}"
