"""The report's section on a population fit: sentences, estimates, diagnostics."""

from typing import TYPE_CHECKING

from cellpk.fit.population.covariates import POWER
from cellpk.reporting.exhibit import Exhibit
from cellpk.reporting.facts import population_sentences
from cellpk.reporting.figures.deviations import etas
from cellpk.reporting.figures.goodness import gof
from cellpk.reporting.figures.panels import fits as fits_figure
from cellpk.reporting.figures.panels import pages
from cellpk.reporting.figures.prediction_errors import npde
from cellpk.reporting.figures.predictive_checks import vpc
from cellpk.reporting.material import Material, Section
from cellpk.reporting.tables.population_estimates import population

if TYPE_CHECKING:
    from cellpk.fit.population.result import PopulationFit


def population_section(material: Material) -> Section:
    """Return the section on the population fit.

    Parameters
    ----------
    material : Material
        Everything that the report is made from.

    Returns
    -------
    Section
        Without a fit it says why.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> population_section(Material(study, ck.nca(study))).exhibits
    ()
    """
    fit, text = material.population, material.omitted.get("population", ())
    exhibits: list[Exhibit] = []
    if fit is not None:
        text = (*population_sentences(fit), *text)
        exhibits = [population(fit)]
        for one in fit.data.series:
            exhibits += _of_assay(fit, one.assay)
        exhibits += [etas(fit), *(etas(fit, against=name) for name in _asked(fit))]
    return Section("population", "Population fit", text, exhibits=tuple(exhibits))


def _of_assay(fit: "PopulationFit", assay: str) -> list[Exhibit]:
    """Return the diagnostics of one assay.

    Without covariates and with one course of infusions every patient has the same
    prediction: correcting for it would give the same check again.
    """
    checks = [vpc(fit, assay=assay)]
    if _asked(fit) or len(fit.data.groups) > 1:
        checks.append(vpc(fit, assay=assay, corrected=True))
    panels = [fits_figure(fit, assay=assay, page=n + 1) for n in range(pages(fit))]
    return [gof(fit, assay=assay), *checks, npde(fit, assay=assay), *panels]


def _asked(fit: "PopulationFit") -> list[str]:
    """Return the covariates of the fit, each once, as columns of the patients."""
    asked = fit.asked["covariates"] or {}
    names = [name.removeprefix(POWER) for names in asked.values() for name in names]
    return list(dict.fromkeys(names))
