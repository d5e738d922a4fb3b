"""Individual fits as members of a file."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpk.errors import FitError
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
    study_members,
    study_of,
    under,
    within,
)
from cellpk.fit.individual.cases import Case, told
from cellpk.fit.individual.door import question
from cellpk.fit.individual.frames import Made
from cellpk.fit.individual.influence import LeftOut
from cellpk.fit.individual.result import IndividualFits
from cellpk.fit.individual.solution import Solution
from cellpk.fit.store import Kind, register

if TYPE_CHECKING:
    from lmfit import Parameters

_TABLES = ("table", "long", "failed", "prior", "samples")
_SAID = ("units", "assay", "unit", "level", "asked")
_SOLVED = ("theta", "covariance", "sizes", "draws")
_LEFT = ("patient", "row", "theta")


def members(fits: IndividualFits) -> Members:
    """Return the members of the file of individual fits.

    ``fits.json`` holds arguments, and of each patient the class, doubts and why the
    prior was needed; ``solution`` estimates on their scales, covariances, sizes of
    residual errors and draws; ``left_out`` the estimates without single samples.
    """
    made = fits.made
    said = {name: getattr(fits, name) for name in _SAID}
    said |= {
        "patients": made.data.patients,
        "cases": made.cases,
        "scales": made.scales,
        "no_ml": made.solution.no_ml,
        "doubts": made.solution.doubts,
    }
    solved = {name: getattr(made.solution, name) for name in _SOLVED}
    left = {name: getattr(made.left, name) for name in _LEFT}
    return {
        "fits.json": json_bytes(said),
        **{f"{name}.parquet": frame_bytes(getattr(fits, name)) for name in _TABLES},
        **{f"solution/{name}.npy": array_bytes(x) for name, x in solved.items()},
        **{f"left_out/{name}.npy": array_bytes(x) for name, x in left.items()},
        **under("model", model_members(fits.model)),
        **under("study", study_members(fits.study)),
    }


def restored(members: Members) -> IndividualFits:
    """Return the fits of :func:`members`; samples and question as a fit makes them.

    Raises
    ------
    FitError
        Where this cellpk takes other patients from the study than the one that fitted.
    """
    said = json_of(members["fits.json"])
    model = model_of(within(members, "model"))
    study = study_of(within(members, "study"))
    asked, tables = said["asked"], {}
    for name in _TABLES:
        tables[name] = frame_of(members[f"{name}.parquet"])
    data, _ = told(model, study, asked["assays"])
    missing = sorted({*said["patients"]} - {*data.patients})
    if missing:
        raise FitError(
            f"this cellpk finds no samples of {', '.join(missing)}",
            todo="Load it with the cellpk that its manifest.json names, or fit again.",
        )
    rows = [data.patients.index(name) for name in said["patients"]]
    how = {name: asked[name] for name in ("starts", "seed")}
    solved = {n: array_of(x) for n, x in within(members, "solution").items()}
    left = {n: array_of(x) for n, x in within(members, "left_out").items()}
    made = Made(
        data=data.of(np.array(rows, np.intp)),
        asked=question(data, _parameters(asked["parameters"]), **how),
        solution=Solution(
            **{name: solved[f"{name}.npy"] for name in _SOLVED},
            no_ml=said["no_ml"],
            doubts=said["doubts"],
        ),
        left=LeftOut(**{name: left[f"{name}.npy"] for name in _LEFT}),
        cases=tuple(Case(*case) for case in said["cases"]),
        scales=said["scales"],
    )
    whole = {name: said[name] for name in _SAID}
    return IndividualFits(model=model, study=study, made=made, **tables, **whole)


def _parameters(said: Mapping[str, Any] | None) -> "Parameters | None":
    """Return lmfit's parameters from plain numbers."""
    from lmfit import Parameters

    if said is None:
        return None
    found = Parameters()
    for name, row in said.items():
        found.add(name, row["value"], vary=row["vary"], min=row["min"], max=row["max"])
    for name, row in said.items():
        if row["expr"]:
            found[name].expr = row["expr"]
    return found


register(Kind("individual", IndividualFits, members, restored))
