"""A study fitted as the shell asks, and the files that are written of a fit."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cellpk.errors import FitError, nearest
from cellpk.reporting.steps import Progress, silent

if TYPE_CHECKING:
    import pandas as pd

    from cellpk.fit.bayes.result import BayesFit
    from cellpk.fit.individual.result import IndividualFits
    from cellpk.fit.population.result import PopulationFit
    from cellpk.model.model import Model
    from cellpk.study.study import Study

    Fit = BayesFit | IndividualFits | PopulationFit

Method = Literal["individual", "population", "bayes"]

CHAINS = "chains"
"""Folder beside the results of a hierarchical fit, where each chain is kept."""

_BAYES = ("priors", "chains", "draws", "tune")
"""Options of a hierarchical fit only."""


def fit_study(
    study: "Study",
    method: Method,
    folder: Path,
    *,
    model: str = "",
    seed: int | None = None,
    options: Mapping[str, Any],
    progress: Progress = silent,
) -> "Fit":
    """Fit a study by one method, with its own settings where nothing else is said.

    Parameters
    ----------
    study : Study
        The study; ``study.settings.analysis`` names model and seed.
    method : {"individual", "population", "bayes"}
        How.
    folder : Path
        Where results go: a hierarchical fit keeps its chains there, and takes up those
        that an interrupted run has left.
    model : str
        Name or file of another model.
    seed : int, optional
        Another seed.
    options : mapping
        ``priors, chains, draws, tune`` of a hierarchical fit; ``None`` where not said.
    progress : callable
        Called as ``progress(done, total, text)``.

    Returns
    -------
    IndividualFits, PopulationFit or BayesFit

    Raises
    ------
    FitError
        Where the method is not known, or an option is none of the method's.

    Examples
    --------
    >>> import cellpk as ck
    >>> fit_study(ck.simulate_study(seed=1), "saem", Path("out"), options={})
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: a fit by 'saem'. Use one of: 'bayes', 'individual', ...
    """
    from cellpk.model.library import load_model

    if method not in _METHODS:
        raise FitError(f"a fit by {method!r}", todo=nearest(method, _METHODS))
    said = {name: value for name, value in options.items() if value is not None}
    if said and method != "bayes":
        named = " and ".join(f"--{name}" for name in said)
        todo = "Add --method bayes, or leave it out."
        raise FitError(f"{named} with --method {method}", todo=todo)
    settings = study.settings.analysis
    found = load_model(model or settings.model)
    common = {"seed": settings.seed if seed is None else seed, "progress": progress}
    return _METHODS[method](found, study, folder, said, common)


def _individual(
    model: "Model", study: "Study", _: Path, __: Mapping[str, Any], common: Any
) -> "Fit":
    from cellpk.fit.individual.fit import fit_individuals

    return fit_individuals(model, study, **common)


def _population(
    model: "Model", study: "Study", _: Path, __: Mapping[str, Any], common: Any
) -> "Fit":
    from cellpk.fit.population.fit import fit_population

    return fit_population(model, study, **common)


def _bayes(
    model: "Model", study: "Study", folder: Path, said: Mapping[str, Any], common: Any
) -> "Fit":
    from cellpk.fit.bayes.fit import fit_bayes
    from cellpk.fit.bayes.prior_choice import Priors
    from cellpk.fit.bayes.sampling import Sampling

    rest = {name: value for name, value in said.items() if name != "priors"}
    return fit_bayes(
        model,
        study,
        priors=Priors(kind=said.get("priors", "literature")),
        sampling=Sampling(**rest, keep=str(folder / CHAINS)),
        **common,
    )


_METHODS: Mapping[str, Callable[..., "Fit"]] = {
    "individual": _individual,
    "population": _population,
    "bayes": _bayes,
}


def fit_tables(fit: "Fit") -> "dict[str, pd.DataFrame]":
    """Return the tables of a fit, by the names of their files.

    Parameters
    ----------
    fit : IndividualFits, PopulationFit or BayesFit
        The fit.

    Returns
    -------
    dict of str to DataFrame
        ``table``; ``individuals`` of a fit of all patients together, and ``checks`` and
        ``priors`` of a hierarchical one; ``failed`` of individual fits.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> one = ck.Study.from_frames(study.samples.query("patient == 'S02'"))
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> list(fit_tables(ck.fit_individuals(stein, one, starts=2)))
    ['table', 'failed']
    """
    names = ("table", "individuals", "checks", "failed")
    found = {name: getattr(fit, name) for name in names if hasattr(fit, name)}
    priors = getattr(fit, "priors", None)
    return found if priors is None else found | {"priors": priors.table}


def write_fit(fit: "Fit", folder: Path) -> list[Path]:
    """Write the tables of a fit as CSV, and the fit itself.

    Parameters
    ----------
    fit : IndividualFits, PopulationFit or BayesFit
        The fit.
    folder : Path
        Where to.

    Returns
    -------
    list of Path
        The tables, then ``fit.cellpk``, which :func:`cellpk.load` reads.

    Examples
    --------
    >>> callable(write_fit)
    True
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in fit_tables(fit).items():
        path = folder / f"{name}.csv"
        table.to_csv(path, index=False, lineterminator="\n")
        written.append(path)
    return [*written, fit.save(folder / "fit.cellpk")]


def doubts_of(fit: "Fit") -> tuple[str, ...]:
    """Return what speaks against a fit; of individual fits, whose did not converge.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> one = ck.Study.from_frames(study.samples.query("patient == 'S02'"))
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> doubts_of(ck.fit_individuals(stein, one, starts=2))
    ()
    """
    from cellpk.fit.individual.result import IndividualFits

    if not isinstance(fit, IndividualFits):
        return fit.doubts
    table = fit.table
    fitted = table[table["method"] != "none"]
    open_ = fitted.loc[~fitted["converged"].astype(bool), "patient"]
    return tuple(f"the fit of patient {patient} did not converge" for patient in open_)
