"""Individual fits as members of a file."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.fit.archive import Members
from cellpk.fit.contents import (
    array_bytes,
    array_of,
    frame_bytes,
    frame_of,
    json_bytes,
    json_of,
    model_members,
    model_of,
    under,
    within,
)
from cellpk.fit.individual import IndividualFits
from cellpk.fit.likelihood import Evidence
from cellpk.fit.objective import Objective
from cellpk.fit.patient import PatientFit
from cellpk.fit.prior import Prior
from cellpk.fit.store import Kind, register
from cellpk.model.model import Model

if TYPE_CHECKING:
    from lmfit.minimizer import MinimizerResult

_TABLES = ("table", "long", "failed", "prior", "samples")
_SAID = ("units", "study_id", "assay", "unit", "level")
_OF_FIT = ("method", "doubts", "no_ml")
_OF_OBJECTIVE = ("observed", "sd", "penalised")
_OF_PARAMETER = ("value", "vary", "expr", "stderr", "correl", "init_value")
_AN_ARRAY = ("covar", "residual")
_NOT_KEPT = ("params", "call_kws", "uvars")
"""Of lmfit's result: parameters stand apart, the others hold functions or follow."""


def members(fits: IndividualFits) -> Members:
    """Return the members of the file of individual fits.

    ``fits.json`` holds what belongs to all, and each patient's method, doubts and
    lmfit's result; ``said.parquet`` what her samples say; ``draws.npy`` her draws. Both
    hold the patients one after the other.
    """
    each = fits._fits
    said = {name: getattr(fits, name) for name in _SAID}
    said["patients"] = {name: _said(fit) for name, fit in each.items()}
    draws = [fit.draws for fit in each.values()] or [np.empty((0, 0))]
    return {
        "fits.json": json_bytes(said),
        **{f"{name}.parquet": frame_bytes(getattr(fits, name)) for name in _TABLES},
        "said.parquet": frame_bytes(_evidence(each)),
        "draws.npy": array_bytes(np.concatenate(draws)),
        **under("model", model_members(fits.model)),
    }


def restored(members: Members) -> IndividualFits:
    """Return the fits of :func:`members`."""
    said = json_of(members["fits.json"])
    model = model_of(within(members, "model"))
    tables = {name: frame_of(members[f"{name}.parquet"]) for name in _TABLES}
    samples = frame_of(members["said.parquet"])
    own = dict(iter(samples.groupby("patient", sort=False)))
    ends = np.cumsum([each["draws"] for each in said["patients"].values()])[:-1]
    draws = np.split(array_of(members["draws.npy"]), ends)
    fits = {}
    for (name, each), drawn in zip(said["patients"].items(), draws, strict=False):
        prior = Prior(
            np.array(each["centre"]), np.array(each["spread"]), tables["prior"]
        )
        fits[name] = PatientFit(
            result=_result_of(each["lmfit"]),
            objective=_objective_of(each, own[name], prior, model),
            draws=drawn,
            **{part: each[part] for part in _OF_FIT},
        )
    whole = {name: said[name] for name in _SAID}
    return IndividualFits(model=model, _fits=fits, **tables, **whole)


def _said(fit: PatientFit) -> dict[str, Any]:
    """Return what is plain of a patient's fit."""
    objective = fit.objective
    return {
        **{name: getattr(fit, name) for name in _OF_FIT},
        **{name: getattr(objective, name) for name in _OF_OBJECTIVE},
        "centre": objective.prior.centre,
        "spread": objective.prior.sd,
        "draws": len(fit.draws),
        "lmfit": _result(fit.result),
    }


def _evidence(fits: Mapping[str, PatientFit]) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "patient": name,
                "time": fit.objective.times,
                "low": fit.objective.said.low,
                "high": fit.objective.said.high,
            }
        )
        for name, fit in fits.items()
    ]
    columns = ["patient", "time", "low", "high"]
    return pd.concat(frames) if frames else pd.DataFrame(columns=pd.Index(columns))


def _objective_of(
    said: Mapping[str, Any], samples: pd.DataFrame, prior: Prior, model: Model
) -> Objective:
    time, low, high = (samples[name].to_numpy() for name in ("time", "low", "high"))
    how = {name: said[name] for name in _OF_OBJECTIVE}
    return Objective(
        model=model, times=time, said=Evidence(low, high), prior=prior, **how
    )


def _result(result: "MinimizerResult") -> dict[str, Any]:
    """Return lmfit's result; its own JSON may hold pickled functions."""
    parameters = {
        name: {part: getattr(row, part) for part in _OF_PARAMETER}
        | {end: _finite(getattr(row, end)) for end in ("min", "max")}
        for name, row in vars(result)["params"].items()
    }
    kept = {name: x for name, x in vars(result).items() if name not in _NOT_KEPT}
    return {"parameters": parameters, "result": kept}


def _result_of(said: Mapping[str, Any]) -> "MinimizerResult":
    from lmfit import Parameters
    from lmfit.minimizer import MinimizerResult

    parameters = Parameters()
    for name, row in said["parameters"].items():
        parameters.add(name, *(row[x] for x in ("value", "vary", "min", "max", "expr")))
        parameters[name].stderr, parameters[name].correl = row["stderr"], row["correl"]
        parameters[name].init_value = row["init_value"]
    kept = dict(said["result"])
    kept |= {name: np.array(kept[name]) for name in _AN_ARRAY if kept.get(name)}
    if kept.get("covar") is not None:
        kept["uvars"] = parameters.create_uvars(covar=kept["covar"])
    return MinimizerResult(params=parameters, **kept)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


register(Kind("individual", IndividualFits, members, restored))
