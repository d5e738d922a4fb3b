"""Hierarchical fits that are not sampled: their draws are given."""

import numpy as np

from cellpk.fit.bayes.fit import result_of
from cellpk.fit.bayes.prior_draws import prior_draws
from cellpk.fit.bayes.question import question_of
from cellpk.fit.bayes.sampling import Sampling


def made_bayes(model, study, *, draws=400, chains=2, change=lambda chain: chain, **own):
    """A hierarchical fit whose draws are those of its prior, or changed ones.

    ``change`` takes draws of the population by name, as ``prior_draws`` returns them,
    and returns others; where it adds no ``theta``, patients are drawn about these.
    """
    question = question_of(model, study, asked=own)
    shape, found = question.shape, []
    for seed in range(chains):
        rng = np.random.default_rng(seed)
        given = {"never": shape.never, "rng": rng}
        population = prior_draws(question.priors, shape.structure, draws, **given)
        found.append(with_patients(change(population), shape.structure, rng))
    sampling = Sampling(chains=chains, draws=draws)
    return result_of(question, found, sampling=sampling, seed=1)


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
