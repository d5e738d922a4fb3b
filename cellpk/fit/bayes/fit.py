"""A model fitted to few or many patients by hierarchical Bayes: ``fit_bayes``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.density import Density
from cellpk.fit.bayes.evaluation import Evaluation
from cellpk.fit.bayes.joint_model import blocks, joint_model
from cellpk.fit.bayes.placement import Placement
from cellpk.fit.bayes.prior_choice import Priors
from cellpk.fit.bayes.prior_draws import prior_draws
from cellpk.fit.bayes.question import Question, question_of
from cellpk.fit.bayes.result import BayesFit
from cellpk.fit.bayes.sampling import (
    Chain,
    Progress,
    Sampling,
    attempts,
    sample_chains,
    sampling_of,
)
from cellpk.fit.bayes.start import begin
from cellpk.fit.bayes.tree import tree_of
from cellpk.fit.bayes.whitening import whitening
from cellpk.fit.population.fit import check_seed
from cellpk.fit.population.spread import Correlations, listed
from cellpk.fit.population.state import State
from cellpk.fit.population.structure import Structure
from cellpk.model.model import Model
from cellpk.study.study import Study

if TYPE_CHECKING:
    from cellpk.fit.bayes.operation import Patients

Array = NDArray[np.float64]

PRIOR_DRAWS = 4000
"""Draws of the prior that are kept beside those of the posterior."""


def fit_bayes(
    model: Model,
    study: Study,
    *,
    assays: str | Sequence[str] | Mapping[str, str] | None = None,
    covariates: Mapping[str, Sequence[str]] | None = None,
    correlations: Correlations = "none",
    without_spread: Sequence[str] = (),
    lots: Sequence[str] = (),
    priors: Priors | None = None,
    sampling: Sampling | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> BayesFit:
    """Fit a model to all patients together, by hierarchical Bayes.

    For any number of patients, from one on: what few of them cannot tell is told by the
    priors, and the result says which estimates that are. A PyMC model, sampled by
    nutpie from the maximum of the penalised likelihood; the parameters of each patient
    are whitened by what her samples tell, so that it needs no tuning by hand.

    A sample below its limit enters by the probability to be there (M3), one between two
    limits or above one likewise. Where every sample of some patients is below its
    limit, cells may never have expanded in them: they are a class of its own, which is
    summed out.

    Parameters
    ----------
    model : Model
        What to fit; its published numbers are the priors.
    study : Study
        To whom.
    assays, covariates, correlations, without_spread, lots
        As for :func:`cellpk.fit_population`; groups of correlated parameters may not
        overlap.
    priors : Priors, optional
        How much the literature counts, and what is given by hand.
    sampling : Sampling, optional
        How long, and where chains are kept.
    seed : int
        Chance.
    progress : callable, optional
        Called as ``progress(done, total, text)``.

    Returns
    -------
    BayesFit
        ``.table`` (estimates), ``.individuals``, ``.tree`` (ArviZ data), ``.doubts``.

    Raises
    ------
    FitError, DataError
        Where the data or the arguments allow no fit, with what to do.

    References
    ----------
    Hoffman MD, Gelman A. J Mach Learn Res 2014;15:1593-1623 (NUTS). Beal SL. J
    Pharmacokinet Pharmacodyn 2001;28:481-504 (M3).

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.bayes.sampling import Sampling
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(3, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> short = Sampling(chains=1, draws=20, tune=50)
    >>> fit = fit_bayes(stein, study, sampling=short)
    >>> fit.tree["posterior"]["theta"].dims
    ('chain', 'draw', 'patient', 'parameter')
    """
    check_seed(seed)
    sampling = sampling_of(sampling)
    asked = {"covariates": covariates, "correlations": correlations, "assays": assays}
    asked |= {"without_spread": listed("without_spread", without_spread)}
    asked |= {"lots": listed("lots", lots)}
    question = question_of(model, study, asked=asked, choice=priors)
    if progress is not None:
        progress(0, 1, "searching where to begin")
    begun = begun_at(question, seed)
    chains, sampling = sampled_chains(
        question, begun, sampling, seed=seed, progress=progress
    )
    return result_of(question, chains, sampling=sampling, seed=seed)


def result_of(
    question: Question, chains: Sequence[Chain], *, sampling: Sampling, seed: int
) -> BayesFit:
    """Return the result that draws make.

    Parameters
    ----------
    question : Question
        What was asked.
    chains : sequence of mapping
        Draws and statistics of each chain.
    sampling : Sampling
        How long was sampled.
    seed : int
        With which chance.
    """
    shape = question.shape
    prior = prior_draws(
        question.priors,
        shape.structure,
        PRIOR_DRAWS,
        never=shape.never,
        rng=np.random.default_rng([seed, 6]),
    )
    return BayesFit(
        given=question.given,
        study=question.study,
        shape=shape,
        asked=question.asked,
        choice=question.choice,
        priors=question.priors,
        sampling=sampling,
        seed=seed,
        units=question.units,
        tree=tree_of(shape, chains, priors=question.priors, prior=prior),
    )


@dataclass(frozen=True, eq=False)
class Compiled:
    """A model that is compiled, and whose samples can be exchanged.

    Parameters
    ----------
    patients : Patients
        The operation that holds the density of all patients.
    sampler : nutpie.CompiledModel
        What nutpie samples.

    Examples
    --------
    >>> sorted(Compiled.__annotations__)
    ['patients', 'sampler']
    """

    patients: "Patients"
    sampler: Any


class Begun(NamedTuple):
    """Where sampling begins.

    Parameters
    ----------
    density : Density
        Of all patients, in whitened numbers.
    state : State
        The population at the maximum of the penalised likelihood.

    Examples
    --------
    >>> Begun._fields
    ('density', 'state')
    """

    density: Density
    state: State

    @property
    def points(self) -> dict[Any, Any]:
        """Values of the variables of the sampled model, but for correlations."""
        state = self.state
        sd = np.sqrt(np.diag(state.omega))[np.diag(state.omega) > 0]
        points: dict[Any, Any] = {"spread": sd, "error": np.exp(state.errors.logs)}
        if state.never:
            points["never_expanded"] = np.array(state.never)
        if state.lot_sd.size:
            points["lot_spread"] = state.lot_sd
        return points


def compiled_model(question: Question, begun: Begun) -> Compiled:
    """Compile the model of a question.

    Other samples of as many patients, with the same structure and priors, need no new
    compilation: see :func:`sampled_chains`.
    """
    import nutpie
    from pytensor.configdefaults import config

    from cellpk.fit.bayes.operation import Patients

    patients = Patients(begun.density)
    shape = question.shape
    model = joint_model(patients, shape.structure, question.priors, never=shape.never)
    # Strict arithmetic: how functions are inlined, which differs between a fresh and
    # a cached compilation, then cannot change the draws of a seed.
    with config.change_flags(numba__fastmath=False):
        compiled = nutpie.compile_pymc_model(
            model,
            backend="numba",
            initial_points=begun.points,
            jitter_rvs={model[name] for name in ("w", "z")},
        )
    return Compiled(patients, compiled)


def begun_at(question: Question, seed: int) -> Begun:
    """Return where sampling begins: patients whitened by what their samples tell."""
    shape = question.shape
    rng = np.random.default_rng([seed, 5])
    start = begin(question.sampled, question.first, question.priors, rng=rng)
    white = whitening(start.importance, start.layout, start.covariance, rng=rng)
    prior = question.priors.numbers
    density = Density(
        Placement.of(white, shape.structure, centre=prior.centre, sd=prior.sd),
        Evaluation.of(shape.data, shape.errors),
    )
    return Begun(density, start.state)


def sampled_chains(
    question: Question,
    begun: Begun,
    sampling: Sampling,
    *,
    seed: int,
    progress: Progress | None = None,
    compiled: Compiled | None = None,
) -> tuple[list[Chain], Sampling]:
    """Compile and sample; where a draw diverges, sample anew with smaller steps.

    Parameters
    ----------
    question : Question
        What is asked.
    begun : Begun
        Where sampling begins.
    sampling : Sampling
        How long.
    seed : int
        Chance.
    progress : callable, optional
        Called as ``progress(done, total, text)``.
    compiled : Compiled, optional
        The model as compiled for other samples of as many patients.

    Returns
    -------
    chains : list of mapping
        Draws and statistics of each.
    sampling : Sampling
        How they were sampled.
    """
    if progress is not None:
        progress(0, 1, "compiling")
    compiled = compiled or compiled_model(question, begun)
    compiled.patients.density = begun.density
    # Only chains in a folder have to say what of: the hash needs a model that a file
    # can hold.
    said = f"{question.sha256}-" if sampling.keep else ""
    chains: list[Chain] = []
    for accept in attempts(sampling, len(question.shape.data.patients)):
        sampling = replace(sampling, accept=accept)
        chains = sample_chains(
            compiled.sampler,
            sampling,
            seed=seed,
            question=f"{said}{seed}-{sampling.tune}-{sampling.draws}",
            finish=lambda chain: _finished(question, begun.density, chain),
            progress=progress,
        )
        if not any(chain["diverging"].any() for chain in chains):
            break
    return chains, sampling


def _finished(question: Question, density: Density, chain: Chain) -> Chain:
    """Return a chain with parameters in the place of whitened numbers."""
    structure = question.shape.structure
    raw = ("chol_", "w", "z", "lot_z")
    found = {n: x for n, x in chain.items() if not n.startswith(raw)}
    correlation = _correlations(structure, chain)
    inverse = np.linalg.inv(
        correlation * found["spread"][:, :, None] * found["spread"][:, None, :]
    )
    shift = np.zeros((len(inverse), *structure.design.shape[:2]))
    if structure.lots:
        found["lot_effect"] = chain["lot_z"] * chain["lot_spread"][:, None, :]
        shift = structure.lots.shift(found["lot_effect"], shift.shape[-1])
    placed = [
        density.placement.forward(w, z, shift[i], between=inverse[i])
        for i, (w, z) in enumerate(zip(chain["w"], chain["z"], strict=True))
    ]
    found["location"] = np.array([one.beta for one in placed])
    theta = np.array([one.theta for one in placed])
    return found | {"correlation": correlation, "theta": theta}


def _correlations(structure: Structure, chain: Chain) -> Array:
    """Return correlation matrices of the parameters that vary, (draws, v, v)."""
    number, size = chain["spread"].shape
    roots = np.tile(np.eye(size), (number, 1, 1))
    for k, group in enumerate(blocks(structure)):
        roots[:, *np.ix_(group, group)] = np.tril(chain[f"chol_{k}"])
    return roots @ np.swapaxes(roots, -1, -2)
