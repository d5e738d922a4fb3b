"""Each patient fitted alone: ``fit_individuals``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.data import FitData
from cellpk.fit.individual.cases import Case, classify, patients_of, told, unusable
from cellpk.fit.individual.door import plain_parameters, question
from cellpk.fit.individual.frames import Made, frames_of, units_of, with_ends
from cellpk.fit.individual.influence import LeftOut, left_out
from cellpk.fit.individual.question import Question
from cellpk.fit.individual.result import IndividualFits, check_level
from cellpk.fit.individual.solution import Solution, joined, solved
from cellpk.model.model import Model
from cellpk.model.parallel import over_chunks
from cellpk.study.study import Study
from cellpk.study.units import factor

if TYPE_CHECKING:
    from lmfit import Parameters

Progress = Callable[[int, int, str], Any]

_DRAWN_AT_ONCE, _PLAIN_AT_ONCE = 8, 512


def fit_individuals(
    model: Model,
    study: Study,
    *,
    assays: str | Sequence[str] | Mapping[str, str] | None = None,
    parameters: "Parameters | None" = None,
    starts: int = 16,
    draws: int = 1000,
    level: float = 0.95,
    polish: bool = False,
    seed: int = 1,
    progress: Progress | None = None,
) -> IndividualFits:
    """Fit a model to each patient alone, by censored likelihood.

    Each patient's objective is evaluated at many draws from the distribution between
    patients, and descended from the best of them. Where data are sparse, that
    distribution stays in the fit as a prior (MAP); where they are rich, it does not
    (ML, with residual errors of the patient's own size). Intervals are those of
    weighted draws, not of curvature: they need no normal shape. A patient whose samples
    are all below the limit, where cells that expand would have been seen, has not
    expanded and gets no curve. Nothing that happens in one patient ends the run.

    Parameters
    ----------
    model : Model
        What to fit, with any kind of residual error.
    study : Study
        To whom.
    assays : str, sequence of str, or mapping of str to str, optional
        As for :func:`fit_population`: one assay, several jointly, or the model's
        observed levels by assay; the study's main assay where not given.
    parameters : lmfit.Parameters, optional
        Values (a further start), bounds, what is held and what follows from others, in
        the units of the model: change what :func:`model_parameters` gives. The prior is
        then that of the parameters that vary.
    starts : int
        How many starts per patient.
    draws : int
        How many draws of each patient's parameters to keep. With 0 intervals are those
        of the delta method, which is many times faster, and less exact where data are
        sparse.
    level : float
        Probability that the intervals hold; ``IndividualFits.with_level`` gives others.
    polish : bool
        Whether lmfit's own least squares go on from every fit; see
        ``IndividualFits.polished``.
    seed : int
        Chance; each patient has draws of their own, whatever the order of patients.
    progress : callable, optional
        Called as ``progress(done, total, text)`` after some patients each.

    Returns
    -------
    IndividualFits

    Raises
    ------
    FitError, DataError
        If the study has no usable sample of the assays, or an argument makes no sense.

    Examples
    --------
    >>> import cellpk as ck
    >>> import pandas as pd
    >>> samples = pd.DataFrame({"patient": "A", "time": [7, 14, 21, 28],
    ...                         "level": [0, 0, 0, 0], "lloq": 50, "assay": "qpcr"})
    >>> zero = {"study": {"id": "T", "infusion_day": 0},
    ...         "limits": {"qpcr": {"zero": "below"}}}
    >>> study = ck.Study.from_frames(samples, settings=zero)
    >>> ck.fit_individuals(ck.load_model("stein_2019_tisagenlecleucel"), study)
    Individual fits of stein_2019_tisagenlecleucel to T qpcr: 1 patients, 0 by ML,
    0 by MAP, 1 never expanded, 0 with too few samples
    """
    _check(study, starts, draws, level=level, seed=seed)
    data, missing = told(model, study, assays)
    asked = question(data, parameters, starts=starts, seed=seed)
    cases = classify(data, asked)
    rows = [i for i, case in enumerate(cases) if case.status == "expanded"]
    here = data.of(np.array(rows, np.intp))
    work = _Work(here, asked, draws, len(cases), progress)
    fitted, solution, left = work.done()
    names = [one.assay for one in data.series]
    made = Made(
        fitted,
        asked,
        solution,
        left,
        _all_cases(study, data, missing, (cases, work.reasons)),
        tuple(factor(one.unit, study.unit(one.assay)) or 1.0 for one in data.series),
    )
    frames = frames_of(made, level=level)
    units = units_of(data, asked)
    fits = IndividualFits(
        **frames._asdict(),
        prior=asked.prior.table,
        units={end: units[n] for n in units for end in with_ends([n])},
        model=model,
        study=study,
        assay=names[0],
        unit=study.unit(names[0]),
        level=level,
        asked={
            "assays": assays,
            "parameters": plain_parameters(parameters),
            "starts": starts,
            "draws": draws,
            "seed": seed,
        },
        made=made,
    )
    return fits.polished() if polish else fits


def _check(study: Study, starts: int, draws: int, *, level: float, seed: int) -> None:
    where = f"study {study.settings.study.id!r}"
    if starts < 1:
        raise FitError(f"starts = {starts}", where=where, todo="Use 1 or more.")
    if draws < 0 or 0 < draws < 100:
        todo = "Use 0, or 100 or more."
        raise FitError(f"draws = {draws}", where=where, todo=todo)
    if seed < 0:
        raise FitError(f"seed = {seed}", where=where, todo="Use 0 or more.")
    check_level(level, where)


@dataclass(eq=False)
class _Work:
    """The patients who can be fitted, chunk by chunk, over threads."""

    data: FitData
    asked: Question
    draws: int
    total: int
    progress: Progress | None
    reasons: dict[str, str] = field(default_factory=dict)
    parts: list[tuple[NDArray[np.intp], Solution, LeftOut]] = field(
        default_factory=list
    )
    lock: Lock = field(default_factory=Lock)
    finished: int = 0

    def done(self) -> tuple[FitData, Solution, LeftOut]:
        """Fit them; return those with a curve, in order."""
        count = len(self.data.patients)
        self._tell(self.total - count)
        _ = self.asked.model.kernel  # compiled before threads ask for it at once
        size = _DRAWN_AT_ONCE if self.draws else _PLAIN_AT_ONCE
        over_chunks(self._chunk, count, size=size)
        if not self.parts:
            return self._nobody()
        parts = sorted(self.parts, key=lambda part: part[0][0])
        rows = np.concatenate([part[0] for part in parts])
        places = np.cumsum([0, *(len(part[0]) for part in parts)])
        left = LeftOut(
            np.concatenate(
                [x.patient + at for (_, _, x), at in zip(parts, places, strict=False)]
            ),
            np.concatenate([x.row for _, _, x in parts]),
            np.concatenate([x.theta for _, _, x in parts]),
        )
        ordered = [(np.arange(*places[i : i + 2]), x[1]) for i, x in enumerate(parts)]
        return self.data.of(rows), joined(ordered), left

    def _chunk(self, chunk: slice) -> None:
        rows = np.arange(chunk.start, chunk.stop)
        try:
            self._fit(rows)
        except Exception:
            # Whatever goes wrong in one patient is the reason why she has no fit.
            for row in rows:
                self._alone(row)
        self._tell(len(rows))

    def _alone(self, row: int) -> None:
        try:
            self._fit(np.array([row]))
        except Exception as error:
            self._failed(row, f"{type(error).__name__}: {error}")

    def _fit(self, rows: NDArray[np.intp]) -> None:
        data = self.data.of(rows)
        solution, reasons = solved(data, self.asked, self.draws)
        kept = np.array([i for i, reason in enumerate(reasons) if not reason], np.intp)
        left = None
        if solution is not None:
            left = left_out(data.of(kept), self.asked, solution)
        with self.lock:
            for row, reason in zip(rows, reasons, strict=True):
                if reason:
                    self._failed(row, reason)
            if solution is not None and left is not None:
                self.parts.append((rows[kept], solution, left))

    def _failed(self, row: int, reason: str) -> None:
        self.reasons[self.data.patients[row]] = f"The fit failed: {reason}."

    def _tell(self, number: int) -> None:
        with self.lock:
            self.finished += number
            if self.progress is not None and number:
                text = f"{self.finished} of {self.total} patients"
                self.progress(self.finished, self.total, text)

    def _nobody(self) -> tuple[FitData, Solution, LeftOut]:
        size, assays = len(self.asked.names), len(self.data.series)
        nobody = np.empty(0, np.intp)
        solution = Solution(
            np.empty((0, size)),
            np.empty((0, size, size)),
            np.empty((0, assays)),
            (),
            (),
            np.empty((0, self.draws, size)),
        )
        left = LeftOut(nobody, nobody, np.empty((0, size)))
        return self.data.of(nobody), solution, left


def _all_cases(
    study: Study,
    data: FitData,
    missing: Mapping[str, str],
    found: tuple[Sequence[Case], Mapping[str, str]],
) -> tuple[Case, ...]:
    """Return one case for each patient of the study."""
    cases, failed = found
    known = {case.patient: case for case in cases}
    assays, every = [one.assay for one in data.series], []
    for patient in patients_of(study):
        if patient in missing:
            every.append(Case(patient, "too_few_samples", missing[patient]))
        elif patient in failed:
            every.append(Case(patient, "expanded", failed[patient]))
        elif patient in known:
            every.append(known[patient])
        else:
            every.append(unusable(data.samples, patient, assays))
    return tuple(every)
