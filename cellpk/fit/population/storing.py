"""A population fit as one file, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellpk.fit.archive import Members, packed, unpacked, write_archive
from cellpk.fit.inventory import model_members, model_of, study_members, study_of
from cellpk.fit.population.estimates import Estimates
from cellpk.fit.population.fit import prepared, units_of
from cellpk.fit.population.joint import JointData, JointErrors
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.posteriors import Posteriors
from cellpk.fit.population.result import PopulationFit
from cellpk.fit.population.state import State
from cellpk.fit.residual_error import ResidualError

KIND = "population fit"

_PLAIN = ("moved", "at_bound", "untold", "apart", "deviance_error", "doubted")
_POSTERIORS = tuple(Posteriors.__annotations__)


def save(fit: PopulationFit, path: str | Path) -> Path:
    """Write a fit into one file; see ``PopulationFit.save``."""
    estimates, state = fit.estimates, fit.estimates.state
    assert isinstance(state.errors, JointErrors)
    arrays = {name: getattr(fit.posteriors, name) for name in _POSTERIORS}
    arrays |= {
        "beta": state.beta,
        "omega": state.omega,
        "never": np.array(state.never),
        "estimates_covariance": estimates.covariance,
        "trace": fit.trace.to_numpy(float),
    }
    about = {
        "kind": KIND,
        "method": fit.method,
        "seed": fit.seed,
        "asked": fit.asked,
        "trace": list(fit.trace.columns),
        "errors": [asdict(part) for part in state.errors.parts],
        "estimates": {name: getattr(estimates, name) for name in _PLAIN},
    }
    members = study_members(fit.study) | model_members(fit.model)
    members |= {f"arrays/{name}.npy": packed(x) for name, x in arrays.items()}
    return write_archive(path, about, members)


def restore(about: Mapping[str, Any], members: Members) -> PopulationFit:
    """Return the fit of a file's contents."""
    study, model, asked = study_of(members), model_of(members), about["asked"]
    sampled, start = prepared(model, study, **asked)
    assert isinstance(sampled.data, JointData)
    arrays = {
        name.removeprefix("arrays/").removesuffix(".npy"): unpacked(data)
        for name, data in members.items()
        if name.startswith("arrays/")
    }
    errors = start.errors
    assert isinstance(errors, JointErrors)
    parts = tuple(ResidualError(**part) for part in about["errors"])
    state = State(
        arrays["beta"],
        arrays["omega"],
        JointErrors(parts, errors.assays),
        float(arrays["never"]),
    )
    layout = Layout(sampled.structure, state)
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in about["estimates"].items()
    }
    trace = pd.DataFrame(arrays["trace"], columns=pd.Index(about["trace"]))
    return PopulationFit(
        model=model,
        study=study,
        data=sampled.data.data,
        asked=asked,
        method=about["method"],
        seed=about["seed"],
        units=units_of(sampled.data.data),
        estimates=Estimates(layout, arrays["estimates_covariance"], **plain),
        posteriors=Posteriors(**{name: arrays[name] for name in _POSTERIORS}),
        trace=trace.astype({"run": int, "iteration": int}),
    )
