"""Hierarchical fits that are not sampled: their draws are given."""

import numpy as np

from cellpk.fit.bayes.fit import question_of
from cellpk.fit.bayes.prior_choice import Priors
from cellpk.fit.bayes.prior_draws import prior_draws
from cellpk.fit.bayes.result import BayesFit
from cellpk.fit.bayes.sampling import Sampling
from cellpk.fit.bayes.tree import tree_of

ASKED = {"covariates": None, "correlations": "none", "without_spread": [], "lots": []}


def made_bayes(model, study, *, draws=400, chains=2, change=lambda chain: chain, **own):
    """A hierarchical fit whose draws are those of its prior, or changed ones.

    ``change`` takes draws of the population by name, as ``prior_draws`` returns them,
    and returns others; where it adds no ``theta``, patients are drawn about these.
    """
    choice, asked = Priors(), ASKED | own
    question = question_of(model, study, asked.pop("assays", None), asked, choice)
    shape = question.shape

    def drawn(number, seed):
        rng = np.random.default_rng(seed)
        own = {"never": shape.never, "rng": rng}
        return prior_draws(question.priors, shape.structure, number, **own), rng

    found = []
    for seed in range(chains):
        population, rng = drawn(draws, seed)
        found.append(with_patients(change(population), shape.structure, rng))
    return BayesFit(
        given=model,
        study=study,
        shape=shape,
        asked=asked | {"assays": None},
        choice=choice,
        priors=question.priors,
        sampling=Sampling(chains=chains, draws=draws),
        seed=1,
        units=question.units,
        tree=tree_of(shape, found, question.priors, drawn(4000, 99)[0]),
    )


def with_patients(chain, structure, rng):
    """Draws of the population, with its lots and patients, as a chain has them."""
    lots, varies, number = structure.lots, structure.varies, len(chain["location"])
    means = np.einsum("ipq,sq->sip", structure.design, chain["location"])
    added = {}
    if lots:
        shape = (number, len(lots.names), len(lots.places))
        sd = chain["lot_spread"][:, None, :]
        added["lot_effect"] = sd * rng.standard_normal(shape)
        means = means + lots.shift(added["lot_effect"], means.shape[-1])
    root = chain["spread"][:, :, None] * np.linalg.cholesky(chain["correlation"])
    theta = means.copy()
    away = rng.standard_normal((*means.shape[:2], root.shape[-1]))
    theta[..., varies] += np.einsum("sab,sib->sia", root, away)
    said = {"diverging": np.zeros(number, bool), "energy": rng.standard_normal(number)}
    return {"theta": theta} | added | said | chain


def known(fit_model, *, sd=1e-6, **spread):
    """A change: the population is known to be that of the model file."""

    def change(chain):
        rng = np.random.default_rng(7)
        size = len(fit_model.free)
        location = chain["location"] * 0.0
        location[:, :size] = fit_model.typical
        location += sd * rng.standard_normal(location.shape)
        return chain | {"location": location} | spread

    return change
