"""The whole way by a study's own settings: metrics, fits, associations, report."""

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cellpk.errors import FitError
from cellpk.reporting.labels import spoken
from cellpk.reporting.section import Report, report
from cellpk.reporting.steps import Progress, Steps, silent

if TYPE_CHECKING:
    from cellpk.fit.individual.result import IndividualFits
    from cellpk.fit.population.result import PopulationFit
    from cellpk.kinetics.nca import Metrics
    from cellpk.model.model import Model
    from cellpk.reporting.section import Result
    from cellpk.study.study import Study


FEWEST = 10
"""Patients that are fitted together at least."""


def analyse(study: "Study", *, progress: Progress | None = None) -> Report:
    """Go the whole way by the study's settings: metrics, fits, associations, report.

    A step that the data do not allow becomes a sentence of the report.

    Parameters
    ----------
    study : Study
        The study; ``study.settings.analysis`` names model, exposures and endpoints.
    progress : callable, optional
        Called with steps done, steps in all and what is done now, anew for each part.

    Returns
    -------
    Report
        Ready to be written.

    Examples
    --------
    >>> import cellpk as ck
    >>> callable(analyse)
    True
    """
    from cellpk.fit.individual.fit import fit_individuals
    from cellpk.kinetics.nca import nca
    from cellpk.model.library import load_model

    start = time.perf_counter()
    settings = study.settings.analysis
    tell = progress or silent
    tell(0, 1, "Metrics")
    metrics = nca(study)
    model = load_model(settings.model)
    tell(1, 1, "Metrics")
    steps = Steps(tell)

    def fit() -> "IndividualFits":
        def each(done: int, total: int, text: str) -> None:
            tell(done, total, f"Individual fits: {text}")

        return fit_individuals(model, study, seed=settings.seed, progress=each)

    fits = steps.do("fits", f"individual fits of {settings.model}", fit)
    what = f"population fit of {settings.model}"
    together = steps.do("population", what, partial(_population, model, study, tell))
    results = _associations(study, metrics, fits, steps)
    if together is not None:
        results.insert(0, together)
    made = report(study, metrics, fits, *results, omitted=steps.omitted)
    return replace(made, elapsed=time.perf_counter() - start)


def _population(model: "Model", study: "Study", tell: Progress) -> "PopulationFit":
    """Fit all patients together, where there are enough of them."""
    from cellpk.fit.cases import counted
    from cellpk.fit.data import fit_data
    from cellpk.fit.population.fit import fit_population

    def each(done: int, total: int, text: str) -> None:
        tell(done, total, f"Population fit: {text}")

    patients = len(fit_data(model, study).patients)
    if patients < FEWEST:
        raise FitError(
            f"{counted(patients, 'patient')} with a sample that says something of the "
            f"level: fewer than {FEWEST} do not tell how patients differ"
        )
    seed = study.settings.analysis.seed
    return fit_population(model, study, seed=seed, progress=each)


def _associations(
    study: "Study", metrics: "Metrics", fits: "IndividualFits | None", steps: Steps
) -> "list[Result]":
    """Relate each exposure of the settings to each outcome and to the cytokine."""
    from cellpk.kinetics.metrics import METRICS
    from cellpk.outcomes.cytokines import cytokine_association
    from cellpk.outcomes.exposure_response import exposure_response

    settings = study.settings.analysis
    found: list[Result | None] = []
    for exposure in settings.exposures:
        source = metrics if exposure in METRICS or fits is None else fits
        common = {"exposure": exposure, "seed": settings.seed}
        for endpoint in settings.endpoints:
            step = partial(
                exposure_response, source, study, endpoint=endpoint, **common
            )
            what = f"{spoken(endpoint)} against {spoken(exposure)}"
            found.append(steps.do("responses", what, step))
        step = partial(
            cytokine_association, metrics, study, cytokine=settings.cytokine, **common
        )
        cytokine = spoken(settings.cytokine, study.settings.known_assays)
        what = f"{cytokine} against {spoken(exposure)}"
        found.append(steps.do("cytokines", what, step))
    return [result for result in found if result is not None]
