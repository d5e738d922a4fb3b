"""What stands in each section of the report: sentences, tables, figures."""

import math
from contextlib import suppress
from typing import TYPE_CHECKING

from cellpk.errors import DataError
from cellpk.kinetics.nca import nca
from cellpk.reporting.bayes_chapter import bayes_section
from cellpk.reporting.exhibit import Exhibit
from cellpk.reporting.facts import fitted_sentences, odds_sentence, peak_sentence
from cellpk.reporting.figures.agreement import assay_agreement as agreement_figure
from cellpk.reporting.figures.associations import cytokine as cytokine_figure
from cellpk.reporting.figures.associations import (
    exposure_response as exposure_response_figure,
)
from cellpk.reporting.figures.groups import metrics_by
from cellpk.reporting.figures.levels import profiles
from cellpk.reporting.figures.means import level_means
from cellpk.reporting.figures.panels import fits as fits_figure
from cellpk.reporting.figures.panels import pages
from cellpk.reporting.figures.time_to_loss import persistence as persistence_figure
from cellpk.reporting.labels import spoken
from cellpk.reporting.material import Material, Section
from cellpk.reporting.phrases import say
from cellpk.reporting.population_chapter import population_section
from cellpk.reporting.tables.accounting import analysis_set, problems, samples_by_visit
from cellpk.reporting.tables.agreement import assay_agreement
from cellpk.reporting.tables.by_visit import levels
from cellpk.reporting.tables.estimates import (
    fit_remarks,
    individual_fits,
    prior,
)
from cellpk.reporting.tables.links import cytokine as cytokine_table
from cellpk.reporting.tables.links import exposure_response as exposure_response_table
from cellpk.reporting.tables.metrics import kinetics
from cellpk.reporting.tables.time_to_loss import persistence

if TYPE_CHECKING:
    from cellpk.study.study import Study

EARLY = 35.0
"""Day up to which early levels are drawn apart: the visit of day 28 with its window."""


def chapters(material: Material) -> tuple[Section, ...]:
    """Return the sections of the report in order.

    Parameters
    ----------
    material : Material
        Everything that the report is made from.

    Returns
    -------
    tuple of Section
        A section without anything to show says why.

    Examples
    --------
    >>> import cellpk as ck
    >>> whole = ck.simulate_study(seed=1).samples
    >>> flow = whole.query("patient == 'S02' and assay == 'flow'")
    >>> study = ck.Study.from_frames(flow)
    >>> [each.name for each in chapters(Material(study, ck.nca(study)))][:3]
    ['data', 'samples', 'kinetics']
    """
    parts = (
        _data(material),
        _samples(material),
        _kinetics(material),
        _fits(material),
        population_section(material),
        *bayes_section(material),
        _responses(material),
        _cytokines(material),
    )
    return (*parts, _methods(material, parts))


def _data(material: Material) -> Section:
    study, by = material.study, material.columns
    counts = study.problems["severity"].value_counts()
    found = say(
        "problems", warnings=counts.get("warning", 0), notes=counts.get("note", 0)
    )
    shown = [problems(study)] if len(study.problems) else []
    return Section(
        name="data",
        title="Data and problems",
        text=(found if shown else say("no_problems"),),
        exhibits=(*shown, analysis_set(study, material.metrics, by=by)),
    )


def _samples(material: Material) -> Section:
    study = material.study
    cytokine = study.settings.analysis.cytokine
    assays = [*study.kinetic_assays, *([cytokine] if cytokine in study.assays else [])]
    return Section(
        name="samples",
        title="Samples",
        exhibits=tuple(samples_by_visit(study, assay=assay) for assay in assays),
    )


def _kinetics(material: Material) -> Section:
    exhibits: list[Exhibit] = []
    for assay in material.study.kinetic_assays:
        exhibits += _of_assay(material, assay)
    exhibits += _uncut(material)
    exhibits += _agreement(material.study)
    return Section(
        name="kinetics",
        title="Kinetics",
        text=material.omitted.get("kinetics", ()),
        exhibits=tuple(exhibits),
    )


def _of_assay(material: Material, assay: str) -> list[Exhibit]:
    """Return profiles and metrics of one assay; the main one has them by group too."""
    study, metrics, columns = material.study, material.metrics, material.columns
    last = float(study.select(assay)["time"].max())
    exhibits: list[Exhibit] = [profiles(study, by=columns, assay=assay)]
    if last > 2 * EARLY:
        exhibits.append(profiles(study, by=columns, assay=assay, until=EARLY))
    exhibits += [
        level_means(study, by=columns, assay=assay),
        levels(study, by=columns, assay=assay),
        kinetics(metrics, study, by=columns, assay=assay),
        persistence(metrics, study, by=columns, assay=assay),
        persistence_figure(metrics, study, by=columns, assay=assay),
    ]
    if material.by and material.by != columns and assay == study.main_assay:
        until = EARLY if last > 2 * EARLY else last
        exhibits += [
            profiles(study, by=material.by, assay=assay, until=until),
            kinetics(metrics, study, by=material.by, assay=assay),
            metrics_by(metrics, study, by=material.by, assay=assay),
        ]
    return exhibits


def _uncut(material: Material) -> list[Exhibit]:
    """Summarise once more with the samples that were left out after an infusion."""
    study, metrics = material.study, material.metrics
    cut = metrics.table["notes"].map(lambda codes: "reinfusion" in str(codes).split())
    assays = [a for a in study.kinetic_assays if cut[metrics.table["assay"] == a].any()]
    if not assays:
        return []
    rules = metrics.settings.model_dump(exclude_unset=True)
    whole = nca(study, **rules | {"reinfusion": "keep", "cut_at": ()})
    by = material.columns
    return [kinetics(whole, study, by=by, assay=assay) for assay in assays]


def _agreement(study: "Study") -> list[Exhibit]:
    """Compare the main assay with each other one that counts cells or transgene."""
    exhibits: list[Exhibit] = []
    for other in study.kinetic_assays:
        if other == study.main_assay or study.assay(other).derived:
            continue
        with suppress(DataError):  # where no sample was measured by both
            exhibits.append(assay_agreement(study, second=other))
            exhibits.append(agreement_figure(study, second=other))
    return exhibits


def _fits(material: Material) -> Section:
    fits, study = material.fits, material.study
    exhibits: list[Exhibit] = []
    text = material.omitted.get("fits", ())
    if fits is not None:
        text = (*fitted_sentences(fits), *text)
        exhibits = [individual_fits(fits, study), fit_remarks(fits, study)]
        until = _last_quantified(study, fits.assay)
        exhibits += [
            fits_figure(fits, study, page=n + 1, until=until)
            for n in range(pages(fits))
        ]
    return Section("fits", "Individual fits", text, exhibits=tuple(exhibits))


def _last_quantified(study: "Study", assay: str) -> float:
    """Return the end of the week of the last quantified level; day 28 at least."""
    samples = study.select(assay)
    times = samples.loc[samples["state"] == "quantified", "time"]
    return max(7.0 * math.ceil(times.max() / 7), 28.0) if len(times) else 28.0


def _responses(material: Material) -> Section:
    results = material.responses
    exhibits: list[Exhibit] = [exposure_response_figure(result) for result in results]
    if results:
        exhibits.insert(0, exposure_response_table(results))
    return Section(
        name="exposure-response",
        title="Exposure-response",
        text=material.omitted.get("responses", ()),
        points=tuple(odds_sentence(result) for result in results),
        exhibits=tuple(exhibits),
    )


def _cytokines(material: Material) -> Section:
    results, study = material.cytokines, material.study
    exhibits: list[Exhibit] = []
    for result in results:
        exhibits += [cytokine_table(result), cytokine_figure(result)]
    name = study.settings.analysis.cytokine
    label = spoken(name, study.settings.known_assays)
    return Section(
        name="cytokine",
        title=f"{label} and exposure",
        text=material.omitted.get("cytokines", ()),
        points=tuple(peak_sentence(result) for result in results),
        exhibits=tuple(exhibits),
    )


def _methods(material: Material, parts: tuple[Section, ...]) -> Section:
    """Return the rules of all exhibits, each of them once."""
    fits = material.fits
    exhibits = [each for part in parts for each in part.exhibits]
    rules = [line for each in exhibits for line in each.rules]
    points = dict.fromkeys([*material.metrics.rules, *rules])
    return Section(
        name="methods",
        title="Methods and rules",
        points=tuple(points),
        listings=(repr(fits.model),) if fits is not None else (),
        exhibits=(prior(fits, material.study),) if fits is not None else (),
    )
