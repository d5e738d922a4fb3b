"""Population fits that are not fitted: their estimates are given, such as the truth."""

from dataclasses import replace

import numpy as np
import pandas as pd

import cellpk as ck
from cellpk.fit.population.chains import Chains, Steps
from cellpk.fit.population.estimates import Estimates
from cellpk.fit.population.fit import prepared
from cellpk.fit.population.importance import Importance
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.posteriors import posteriors_of

DAYS = [1, 3, 5, 7, 10, 14, 21, 28, 60, 90, 180, 360]


def made_fit(model, study, *, change=lambda state: state, settle=150, **asked):
    """A population fit whose estimates are the model's own numbers, or changed ones.

    What is known of the patients is found by chains of ``settle`` steps and more.
    """
    sampled, start = prepared(model, study, **asked)
    true = replace(start, omega=np.diag(model.spread**2))
    state = change(true)
    layout = Layout(sampled.structure, state)
    rng = np.random.default_rng(1)
    chains = Chains(sampled, state, rng)
    for done in range(3 * settle // 2):
        chains.move(state, Steps())
        chains.remember(1 / max(done - settle // 2, 1))
    covariance = chains.square - chains.mean[:, :, None] * chains.mean[:, None, :]
    spread = {"moments": (chains.mean, covariance), "rng": rng, "draws": 12 * settle}
    found = Importance(sampled, state, **spread)
    size = layout.vector().size
    return ck.PopulationFit(
        model=model,
        study=study,
        data=sampled.data.data,
        asked={"covariates": None, "correlations": "none", "assays": None} | asked,
        method="saem",
        seed=1,
        units={name: model.parameters[name].unit for name in model.free},
        estimates=Estimates(
            layout, np.diag(np.full(size, 0.01)), 0.0, (False,) * size, ()
        ),
        posteriors=posteriors_of(found, state, rng),
        trace=pd.DataFrame(),
    )


def figures_of(study):
    """Every figure of a population fit, of one that was made of a study."""
    fit = made_fit(ck.load_model("stein_2019_tisagenlecleucel"), study, settle=20)
    quick = {"vpc": {"replicates": 40}, "npde": {"replicates": 60}}
    names = ("gof", "vpc", "npde", "etas")
    return {
        name: ck.figures.FIGURES[name](fit, **quick.get(name, {})) for name in names
    }
