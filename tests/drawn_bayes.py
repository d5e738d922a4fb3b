"""Hierarchical fits that are not sampled: their draws are given, about the truth."""

from dataclasses import replace

import numpy as np

import cellpk as ck
from cellpk.fit.bayes.fit import result_of
from cellpk.fit.bayes.prior_draws import prior_draws
from cellpk.fit.bayes.prior_rows import HALF
from cellpk.fit.bayes.question import question_of
from cellpk.fit.bayes.tree import draws_of
from cellpk.fit.population.draws import expected

TOLD = 0.2
"""Of the prior's SDs so many are left in the draws, but for what is not told."""


def drawn_fit(
    model, study, *, chains=4, draws=500, untold=("beta",), choice=None, **asked
):
    """A hierarchical fit whose draws are independent: every check of them passes.

    Draws lie about the model's own numbers, closer than its priors; those of ``untold``
    parameters are draws of the priors.
    """
    question = question_of(model, study, asked=asked, choice=choice)
    rng = np.random.default_rng(1)
    made = [_chain(question, draws, untold, rng) for _ in range(chains)]
    sampling = ck.Sampling(chains=chains, draws=draws)
    return result_of(question, made, sampling=sampling, seed=1)


def _chain(question, draws, untold, rng):
    shape, numbers = question.shape, question.priors.numbers
    structure = shape.structure
    varying = np.array(structure.names)[structure.varies]
    found = prior_draws(question.priors, structure, draws, never=shape.never, rng=rng)
    told = np.where(np.isin(structure.coefficients, untold), 1.0, TOLD)
    found["location"] = numbers.centre + told * (found["location"] - numbers.centre)
    kept = np.isin(varying, untold)
    found["spread"] = np.where(kept, found["spread"], _near(numbers.spread, draws, rng))
    found["error"] = _near(numbers.error, draws, rng)
    if shape.never:
        found["never_expanded"] = rng.beta(4, 30, size=draws)
    population = draws_of(shape, {name: x[None] for name, x in found.items()})
    means = expected(population, structure)
    if structure.lots:
        sd = found["lot_spread"][:, None, :]
        size = (draws, len(structure.lots.names), sd.shape[-1])
        found["lot_effect"] = sd * rng.standard_normal(size)
        means = means + structure.lots.shift(found["lot_effect"], means.shape[-1])
    away = rng.standard_normal((*means.shape[:2], len(varying)))
    found["theta"] = means.copy()
    found["theta"][..., structure.varies] += found["spread"][:, None, :] * away
    return found | {
        "diverging": np.zeros(draws, bool),
        "energy": rng.normal(300.0, 10.0, draws),
        "n_steps": np.full(draws, 15, np.uint64),
        "step_size": np.full(draws, 0.25),
        "logp": rng.normal(-300.0, 10.0, draws),
        "depth": np.full(draws, 4, np.uint64),
    }


def _near(scale, draws, rng):
    """Draws about the median of a half-normal prior."""
    return HALF * scale * np.exp(TOLD * rng.standard_normal((draws, len(scale))))


def diverged(fit):
    """The same fit, had one of its draws diverged."""
    tree = fit.tree.copy(deep=True)
    tree["sample_stats/diverging"].values[0, 0] = True
    return replace(fit, tree=tree)
