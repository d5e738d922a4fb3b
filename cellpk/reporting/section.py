"""The report: from a study to one page, its tables and a record of the run."""

import html
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellpk.errors import DataError, Problem, nearest
from cellpk.reporting import manifest
from cellpk.reporting.chapters import chapters
from cellpk.reporting.exhibit import Exhibit
from cellpk.reporting.facts import facts
from cellpk.reporting.figures.drawing import Drawing
from cellpk.reporting.material import Material, Section
from cellpk.reporting.steps import Progress, silent
from cellpk.reporting.table import Table
from cellpk.reporting.tables.record import inputs

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit
    from cellpk.fit.individual.result import IndividualFits
    from cellpk.fit.population.result import PopulationFit
    from cellpk.kinetics.nca import Metrics
    from cellpk.outcomes.cytokines import CytokineAssociation
    from cellpk.outcomes.exposure_response import ExposureResponse
    from cellpk.study.study import Study

    Together = PopulationFit | BayesFit
    Result = Together | ExposureResponse | CytokineAssociation

_CHOICES = ("study", "analysis", "metrics", "limits")

FORMATS = ("html",)
"""What a report can be written as; tables and manifest are always written beside it."""


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """The cellular-kinetics section: sentences, tables and figures in order.

    Parameters
    ----------
    material : Material
        What it is made from.
    elapsed : float
        Seconds that the analysis took; stands in the manifest only.

    Examples
    --------
    >>> import cellpk as ck
    >>> whole = ck.simulate_study(seed=1).samples
    >>> flow = whole.query("patient == 'S02' and assay == 'flow'")
    >>> study = ck.Study.from_frames(flow)
    >>> report(study, ck.nca(study)).tables[0].number
    'Table 1'
    """

    material: Material
    elapsed: float = 0.0

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The sections, their tables and figures numbered in order."""
        counts = {Table: 0, Drawing: 0}
        words = {Table: "Table", Drawing: "Figure"}
        numbered = []
        for section in (*chapters(self.material), self._record()):
            exhibits = []
            for each in section.exhibits:
                counts[type(each)] += 1
                number = f"{words[type(each)]} {counts[type(each)]}"
                exhibits.append(each.numbered(number))
            numbered.append(replace(section, exhibits=tuple(exhibits)))
        return tuple(numbered)

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables in order."""
        return tuple(each for each in self._exhibits if isinstance(each, Table))

    @property
    def figures(self) -> tuple[Drawing, ...]:
        """All figures in order."""
        return tuple(each for each in self._exhibits if isinstance(each, Drawing))

    @property
    def facts(self) -> tuple[str, ...]:
        """The key facts: fixed sentences with numbers."""
        return facts(self.material)

    @property
    def title(self) -> str:
        """What the study is called."""
        about = self._about
        return about.title or f"Study {about.id}"

    @property
    def subtitle(self) -> str:
        """Study, data cut-off and what this is."""
        about = self._about
        cutoff = f" Data cut-off {about.cutoff}." if about.cutoff else ""
        return f"Study {about.id}. Cellular kinetics.{cutoff}"

    @property
    def foot(self) -> str:
        """Which run of which version wrote this."""
        return (
            f"Run {self.run_id}, cellpk {self.version}. Time and files: manifest.json."
        )

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated, which every page then says."""
        return self._about.simulated

    @property
    def version(self) -> str:
        """The version of cellpk."""
        return version("cellpk")

    @cached_property
    def run_id(self) -> str:
        """Name of the run: the same for the same inputs, settings and versions."""
        return manifest.run_id(self.material.study, self.material.settings)

    def write(
        self,
        folder: str | Path,
        formats: Sequence[str] = ("html",),
        progress: Progress | None = None,
    ) -> list[Path]:
        """Write the report, the numbers behind its tables and figures, and the record.

        Parameters
        ----------
        folder : str or Path
            Where to write: ``report.html``, ``tables/*.csv``, ``figures/*.csv`` and
            ``manifest.json``. The same inputs give the same bytes; only the manifest
            holds times.
        formats : sequence of str
            What to write the report as, of ``FORMATS``.
        progress : callable, optional
            Called with steps done, steps in all and what is done now.

        Returns
        -------
        list of Path
            The files, the report first and the manifest last.

        Raises
        ------
        DataError
            If a format is not known.

        Examples
        --------
        >>> import tempfile
        >>> import cellpk as ck
        >>> whole = ck.simulate_study(seed=1).samples
        >>> flow = whole.query("patient == 'S02' and assay == 'flow'")
        >>> study = ck.Study.from_frames(flow)
        >>> files = report(study, ck.nca(study)).write(tempfile.mkdtemp())
        >>> files[0].name, files[-1].name
        ('report.html', 'manifest.json')
        """
        start = time.perf_counter()
        unknown = [name for name in formats if name not in FORMATS]
        if unknown:
            what = "a report cannot be written as this"
            raise DataError(
                Problem(what, nearest(unknown[0], FORMATS), value=unknown[0])
            )
        from cellpk.reporting.html import page

        tell = progress or silent
        folder = Path(folder)
        written = []
        if "html" in formats:
            written.append(_written(folder / "report.html", page(self, tell)))
        tell(0, 1, "Writing the tables")
        for kind, exhibits in (("tables", self.tables), ("figures", self.figures)):
            written += [
                _written(folder / kind / f"{each.name}.csv", each.to_csv())
                for each in exhibits
            ]
        record = manifest.manifest(
            self.material.study,
            written,
            folder=folder,
            elapsed=self.elapsed + time.perf_counter() - start,
            found=self._found(),
            settings=self.material.settings,
        )
        tell(1, 1, "Writing the tables")
        return [*written, manifest.write(record, folder / "manifest.json")]

    def __repr__(self) -> str:
        made = self.material
        fitted = (
            0 if made.fits is None else int((made.fits.table["method"] != "none").sum())
        )
        return (
            f"Report {self._about.id}: {len(made.study.patients)} patients, {fitted} "
            f"individual fits, {'a population fit, ' * (made.population is not None)}"
            f"{'a hierarchical fit, ' * (made.bayes is not None)}"
            f"{len(made.responses)} exposure-response and "
            f"{len(made.cytokines)} cytokine associations"
        )

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{html.escape(fact)}</li>" for fact in self.facts)
        return f"<p><b>{html.escape(repr(self))}</b></p><ul>{lines}</ul>"

    @property
    def _about(self) -> Any:
        return self.material.study.settings.study

    @property
    def _exhibits(self) -> tuple[Exhibit, ...]:
        return tuple(each for section in self.sections for each in section.exhibits)

    def _record(self) -> Section:
        """Return the last section: what was read, with which settings and versions."""
        study = self.material.study
        used = ", ".join(f"{name} {v}" for name, v in manifest.versions().items())
        settings = self.material.settings
        chosen = {name: settings[name] for name in _CHOICES if settings.get(name)}
        return Section(
            name="reproducibility",
            title="Reproducibility",
            text=(
                f"Run {self.run_id}: the same inputs, settings and versions give the "
                "same run and the same bytes.",
                f"cellpk {self.version}; {used}.",
                "Settings of the analysis; those of the files stand in the manifest.",
            ),
            listings=(manifest.dumped(chosen),),
            exhibits=(inputs(study),),
        )

    def _found(self) -> dict[str, Any]:
        """Return what the manifest says of fits and results."""
        material = self.material
        fits, fitted, drawn = material.fits, material.population, material.bayes
        states = ["patient", "status", "method", "converged"]
        return {
            "fits": [] if fits is None else manifest.records(fits.table[states]),
            "not_fitted": [] if fits is None else manifest.records(fits.failed),
            "population": None if fitted is None else _population(fitted),
            "bayes": None if drawn is None else _bayes(drawn),
            "results": [
                {
                    **manifest.records(result.table)[0],
                    "excluded": manifest.records(result.excluded),
                }
                for result in (*material.responses, *material.cytokines)
            ],
            "not_done": [line for lines in material.omitted.values() for line in lines],
        }


def report(
    study: "Study",
    metrics: "Metrics",
    fits: "IndividualFits | None" = None,
    *results: "Result",
    omitted: Mapping[str, tuple[str, ...]] | None = None,
) -> Report:
    """Put a study's results together as a report.

    Parameters
    ----------
    study : Study
        The study.
    metrics : Metrics
        Its metrics.
    fits : IndividualFits, optional
        Its individual fits.
    *results : PopulationFit, BayesFit, ExposureResponse or CytokineAssociation
        A population fit, a hierarchical fit, and what exposure goes with, in the order
        of printing. Of a hierarchical fit that was saved and loaded the report is that
        of the fit itself.
    omitted : mapping, optional
        What could not be done and why, by section: ``"kinetics"``, ``"fits"``,
        ``"population"``, ``"responses"``, ``"cytokines"``.

    Returns
    -------
    Report
        Ready to be written.

    Raises
    ------
    DataError
        If a result is of a kind that the report has no section for, there are two
        population fits or two hierarchical ones, or one stands where individual fits
        do.

    Examples
    --------
    >>> import cellpk as ck
    >>> whole = ck.simulate_study(seed=1).samples
    >>> flow = whole.query("patient == 'S02' and assay == 'flow'")
    >>> study = ck.Study.from_frames(flow)
    >>> report(study, ck.nca(study))
    Report study: 1 patients, 0 individual fits, 0 exposure-response and 0 cytokine
    associations
    """
    from cellpk.fit.bayes.result import BayesFit
    from cellpk.fit.population.result import PopulationFit
    from cellpk.outcomes.cytokines import CytokineAssociation
    from cellpk.outcomes.exposure_response import ExposureResponse

    together = (PopulationFit, BayesFit)
    kinds = (*together, ExposureResponse, CytokineAssociation)
    if isinstance(fits, together):
        what = f"individual fits come before {_KINDS[type(fits).__name__]}"
        todo = "Give it after them: report(study, metrics, None, fit)."
        raise DataError(Problem(what, todo, value=repr(fits)))
    for result in results:
        if not isinstance(result, kinds):
            what = "the report has no section for this result"
            known = " or ".join(kind.__name__ for kind in kinds)
            raise DataError(Problem(what, f"Give {known}.", value=repr(result)))
    return Report(
        Material(
            study,
            metrics,
            fits,
            tuple(each for each in results if isinstance(each, ExposureResponse)),
            tuple(each for each in results if isinstance(each, CytokineAssociation)),
            omitted or {},
            _only(PopulationFit, results),
            _only(BayesFit, results),
        )
    )


_KINDS = {"PopulationFit": "a population fit", "BayesFit": "a hierarchical fit"}


_SAMPLED = ("chains", "draws", "tune")


def _only[Kind](kind: type[Kind], results: "Sequence[Result]") -> Kind | None:
    """Return the one result of a kind; none where there is none."""
    found = [each for each in results if isinstance(each, kind)]
    if len(found) > 1:
        what = f"the report has one section on {_KINDS[kind.__name__]}"
        raise DataError(Problem(what, "Give one fit.", value=repr(found[1])))
    return found[0] if found else None


def _bayes(fit: "BayesFit") -> dict[str, Any]:
    """Return what the manifest says of a hierarchical fit."""
    return {
        **_of_fit(fit),
        "draws_sha256": fit.draws_sha256,
        "sampling": {name: getattr(fit.sampling, name) for name in _SAMPLED},
        "checks": manifest.records(fit.checks),
        "priors": manifest.records(fit.priors.table),
    }


def _of_fit(fit: "Together") -> dict[str, Any]:
    return {
        "model": fit.model.name,
        "seed": fit.seed,
        "converged": fit.converged,
        "doubts": list(fit.doubts),
    }


def _population(fit: "PopulationFit") -> dict[str, Any]:
    """Return what the manifest says of a population fit."""
    return {
        **_of_fit(fit),
        "method": fit.method,
        "criteria": {name: float(x) for name, x in fit.criteria.items()},
        "left_out": manifest.records(fit.left_out),
    }


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
