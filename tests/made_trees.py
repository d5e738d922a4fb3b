"""ArviZ data as a hierarchical fit returns them, made by hand."""

import arviz as az
import numpy as np

NAMES = ["fb", "tmax"]
PATIENTS = ["P1", "P2", "P3"]
DIMS = {
    "location": ["coefficient"],
    "spread": ["varying"],
    "correlation": ["varying", "varying_other"],
    "theta": ["patient", "parameter"],
}


def drawn(chains=4, draws=500, patients=3, *, seed=1):
    """Draw independently: all chains agree, and each draw is worth one."""
    rng = np.random.default_rng(seed)
    number = (chains, draws)
    r = np.tanh(rng.normal(size=number) / 5)
    one = np.ones(number)
    return {
        "location": rng.normal(size=(*number, 2)),
        "spread": np.abs(rng.normal(size=(*number, 2))),
        "correlation": np.stack([np.stack([one, r], -1), np.stack([r, one], -1)], -1),
        "theta": rng.normal(size=(*number, patients, 2)),
    }


def tree(posterior, **stats):
    """Return the data, with the statistics of a sampler that did well."""
    number = posterior["location"].shape[:2]
    rng = np.random.default_rng(2)
    usual = {
        "diverging": np.zeros(number, bool),
        "energy": rng.normal(size=number),
        "depth": np.full(number, 4),
    }
    patients = [f"P{i + 1}" for i in range(posterior["theta"].shape[2])]
    coords = {"coefficient": NAMES, "varying": NAMES, "varying_other": NAMES}
    coords |= {"parameter": NAMES, "patient": patients}
    groups = {"posterior": posterior, "sample_stats": usual | stats}
    return az.from_dict(groups, coords=coords, dims=DIMS)
