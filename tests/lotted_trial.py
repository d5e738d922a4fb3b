"""Stein's patients whose donor lots differ."""

import numpy as np
import pandas as pd
from made_population import DAYS

import cellpk as ck


def trial(stein, *, lots=8, per=10, sd=0.7, seed=0):
    """Stein's patients; a lot multiplies all levels, and the limit, by one number."""
    many = lots * per
    design = ck.Design(DAYS, lloq=50.0)
    study = stein.simulate(many, design=design, seed=900 + seed).study()
    effects = sd * np.random.default_rng(seed).standard_normal(lots)
    who = study.patients["patient"].to_list()
    lot = {name: k % lots for k, name in enumerate(who)}
    samples = study.samples[
        ["patient", "time", "assay", "level", "unit", "lloq", "state"]
    ]
    times = np.exp(effects[samples["patient"].map(lot)])
    samples = samples.assign(
        level=samples["level"] * times, lloq=samples["lloq"] * times
    )
    infusions = pd.DataFrame(
        {
            "patient": who,
            "time": 0.0,
            "dose": 1e8,
            "unit": "cells",
            "lot": [f"L{lot[name]}" for name in who],
        }
    )
    return samples, infusions, effects
