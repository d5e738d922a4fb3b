"""The report's section on a hierarchical fit: checks, priors, estimates."""

from dataclasses import replace
from typing import TYPE_CHECKING

from cellpk.reporting.exhibit import Exhibit
from cellpk.reporting.facts import bayes_sentences
from cellpk.reporting.figures.informed import prior_posterior
from cellpk.reporting.figures.predictive_checks import vpc
from cellpk.reporting.material import Material, Section
from cellpk.reporting.tables.hierarchical import (
    bayes,
    bayes_checks,
    bayes_priors,
    what_is_not_told,
)

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit


def bayes_section(material: Material) -> tuple[Section, ...]:
    """Return the section on the hierarchical fit; none where there is no such fit.

    Parameters
    ----------
    material : Material
        Everything that the report is made from.

    Returns
    -------
    tuple of Section
        One or none. Its first sentence says whether the draws can be relied on.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> bayes_section(Material(study, ck.nca(study)))
    ()
    """
    fit = material.bayes
    if fit is None:
        return ()
    return (
        Section(
            "bayes",
            "Hierarchical Bayes",
            bayes_sentences(fit),
            points=tuple(what_is_not_told(fit)),
            exhibits=_exhibits(fit),
        ),
    )


def _exhibits(fit: "BayesFit") -> tuple[Exhibit, ...]:
    checks = [vpc(fit, assay=one.assay) for one in fit.data.series]
    return (
        bayes_checks(fit),
        bayes_priors(fit),
        bayes(fit),
        prior_posterior(fit),
        *(replace(check, name=f"bayes_{check.name}") for check in checks),
    )
