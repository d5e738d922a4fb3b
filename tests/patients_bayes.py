"""Fits by hierarchical Bayes that are not sampled: their draws are given."""

import numpy as np
import pandas as pd

import cellpk as ck
from cellpk.fit.bayes.fit import result_of
from cellpk.fit.bayes.question import question_of
from cellpk.fit.bayes.sampling import Sampling


def made_bayes(model, study, theta, *, unsure=0.0, draws=100, never=None, **asked):
    """A fit of two chains of draws about the model's own numbers.

    ``theta`` (N, p) are the patients' parameters in every draw; ``unsure`` is the SD of
    typical values and of logs of spreads and errors between draws, ``never`` the share
    of patients whose cells never expand in every draw. Correlations are 0.
    """
    question = question_of(model, study, choice=asked.pop("choice", None), asked=asked)
    shape, structure = question.shape, question.sampled.structure
    rng = np.random.default_rng(1)

    def about(numbers):
        return numbers + unsure * rng.standard_normal((draws, len(numbers)))

    centre = np.zeros(len(structure.coefficients))
    centre[: len(model.free)] = model.typical
    own = {"never_expanded": np.full(draws, never)} if shape.never else {}
    varying = int(structure.varies.sum())
    if structure.lots:
        own["lot_spread"] = np.full((draws, len(structure.lots.places)), 0.5)
        size = (len(structure.lots.names), len(structure.lots.places))
        own["lot_effect"] = np.zeros((draws, *size))
    chains = [
        {
            "location": about(centre),
            "spread": np.exp(about(np.log(model.spread[structure.varies]))),
            "error": np.exp(about(shape.errors.logs)),
            "correlation": np.tile(np.eye(varying), (draws, 1, 1)),
            "theta": np.tile(theta, (draws, 1, 1)),
        }
        | own
        for _ in range(2)
    ]
    sampling = Sampling(chains=2, draws=draws)
    return result_of(question, chains, sampling=sampling, seed=1)


def drawn_patients(model, number, days, *, lloq, seed=1, times=1.0):
    """Patients of the model and their study, by the model's curve and NumPy alone.

    Returns their parameters on the transformed scale, and the study; its levels are
    those of the model, ``times`` a factor.
    """
    rng = np.random.default_rng([seed, 98])
    theta = model.typical + model.spread * rng.standard_normal((number, 6))
    natural, sd = model.natural(theta), model.observed["qpcr"].sizes["sd"]
    rows = []
    for i in range(number):
        own = {name: float(natural[name][i]) for name in model.free}
        curve = np.asarray(model.curve(days, **own), float)
        level = times * curve * np.exp(sd * rng.standard_normal(len(days)))
        one = pd.DataFrame({"patient": f"V{i:04d}", "time": days, "level": level})
        rows.append(one)
    table = pd.concat(rows, ignore_index=True)
    below = table["level"] < lloq
    table = table.assign(
        nominal_time=table["time"],
        assay="qpcr",
        unit="copies/ug",
        lloq=lloq,
        level=table["level"].mask(below),
        state=np.where(below, "below", "quantified"),
    )
    return theta, ck.Study.from_frames(table)
