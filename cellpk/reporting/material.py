"""What the report is made from, and what a section of it holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cellpk.errors import CellpkError
from cellpk.reporting.exhibit import Exhibit
from cellpk.reporting.grouping import grouping

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit
    from cellpk.fit.individual.result import IndividualFits
    from cellpk.fit.population.result import PopulationFit
    from cellpk.kinetics.nca import Metrics
    from cellpk.outcomes.cytokines import CytokineAssociation
    from cellpk.outcomes.exposure_response import ExposureResponse
    from cellpk.study.study import Study

DOSE = "dose_level"
"""Column of the patients that makes the columns of tables, where a study has it."""


@dataclass(frozen=True, eq=False)
class Section:
    """One section of the report.

    Parameters
    ----------
    name : str
        Short ASCII name, for links.
    title : str
        Its heading.
    text : tuple of str
        Paragraphs.
    points : tuple of str
        Sentences in a list.
    listings : tuple of str
        Text in fixed width.
    exhibits : tuple of Exhibit
        Tables and figures in order.

    Examples
    --------
    >>> Section("data", "Data and problems", ("18 patients.",)).exhibits
    ()
    """

    name: str
    title: str
    text: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    listings: tuple[str, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that the report is made from.

    Parameters
    ----------
    study : Study
        The study.
    metrics : Metrics
        Its metrics.
    fits : IndividualFits or None
        Its individual fits.
    responses : tuple of ExposureResponse
        One for each outcome and exposure.
    cytokines : tuple of CytokineAssociation
        One for each cytokine and exposure.
    omitted : mapping of str to tuple of str
        By section: what could not be done, and why.
    population : PopulationFit or None
        Its population fit.
    bayes : BayesFit or None
        Its hierarchical fit.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> Material(study, ck.nca(study)).columns
    'dose_level'
    """

    study: "Study"
    metrics: "Metrics"
    fits: "IndividualFits | None" = None
    responses: "tuple[ExposureResponse, ...]" = ()
    cytokines: "tuple[CytokineAssociation, ...]" = ()
    omitted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    population: "PopulationFit | None" = None
    bayes: "BayesFit | None" = None

    @property
    def settings(self) -> dict[str, Any]:
        """By what the study was analysed: its settings, and the rules of its metrics.

        The metrics may have been computed by other rules than those of study.toml.
        """
        rules = self.metrics.settings.model_dump(mode="json")
        return self.study.settings.resolved() | {"metrics": rules}

    @property
    def columns(self) -> str | None:
        """The column of the patients that makes the columns of tables, if any."""
        return DOSE if self._groups(DOSE) else None

    @property
    def by(self) -> str | None:
        """The grouping that the study asks for, if it makes groups."""
        by = self.study.settings.analysis.by
        return by if self._groups(by) else None

    def _groups(self, by: str) -> bool:
        try:
            return len(grouping(self.study, by).names) > 1
        except CellpkError:
            return False
