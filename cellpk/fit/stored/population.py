"""A population fit as members of a file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

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
from cellpk.fit.population.estimates import Estimates
from cellpk.fit.population.fit import prepared
from cellpk.fit.population.joint import JointData, JointErrors
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.posteriors import Posteriors
from cellpk.fit.population.result import PopulationFit
from cellpk.fit.population.state import Errors, Sampled, State
from cellpk.fit.store import Kind, register

_SAID = (
    *("moved", "at_bound", "untold", "apart", "drift", "deviance_error"),
    "doubted",
)
"""What stands of the estimates besides numbers and covariance."""

_KNOWN = (
    *("mean", "covariance", "draws", "expanded", "effective", "log_likelihood"),
    *("lot_mean", "lot_sd"),
)
"""What is known of each patient."""


def members(fit: PopulationFit) -> Members:
    """Return the members of a population fit's file.

    ``fit.json`` holds arguments, method, seed, residual errors and what speaks against
    the fit; ``estimates`` coefficients, covariance between patients and covariance of
    the estimates; ``patients`` moments, draws and log likelihoods. ``table.csv`` is for
    people, and is not read.
    """
    estimates, state = fit.estimates, fit.estimates.state
    said = {
        "method": fit.method,
        "seed": fit.seed,
        "asked": fit.asked,
        "units": fit.units,
        "patients": fit.patients,
        "coefficients": estimates.layout.structure.coefficients,
        "errors": _errors(state.errors),
        "never": state.never,
        "estimates": {name: getattr(estimates, name) for name in _SAID},
    }
    numbers = {"beta": state.beta, "omega": state.omega, "lot_sd": state.lot_sd}
    numbers |= {"covariance": estimates.covariance}
    known = {name: getattr(fit.posteriors, name) for name in _KNOWN}
    return {
        "fit.json": json_bytes(said),
        "table.csv": fit.table.to_csv(index=False, lineterminator="\n").encode(),
        "trace.parquet": frame_bytes(fit.trace),
        **{f"estimates/{name}.npy": array_bytes(x) for name, x in numbers.items()},
        **{f"patients/{name}.npy": array_bytes(x) for name, x in known.items()},
        **under("model", model_members(fit.model)),
        **under("study", study_members(fit.study)),
    }


def restored(members: Members) -> PopulationFit:
    """Return the fit of :func:`members`; samples and structure as a fit makes them.

    Raises
    ------
    FitError
        Where this cellpk takes other patients or estimates from study and arguments
        than the one that fitted.
    """
    said = json_of(members["fit.json"])
    numbers = {n: array_of(x) for n, x in within(members, "estimates").items()}
    known = {n: array_of(x) for n, x in within(members, "patients").items()}
    model = model_of(within(members, "model"))
    study = study_of(within(members, "study"))
    asked = {name: x for name, x in said["asked"].items() if name != "steps"}
    sampled, start = prepared(model, study, **asked)
    check_the_same(sampled, said)
    assert isinstance(sampled.data, JointData)
    state = State(
        numbers["beta.npy"],
        numbers["omega.npy"],
        _errors_of(start.errors, said["errors"]),
        said["never"],
        numbers["lot_sd.npy"],
    )
    return PopulationFit(
        model=model,
        study=study,
        data=sampled.data.data,
        asked=said["asked"],
        method=said["method"],
        seed=said["seed"],
        units=said["units"],
        estimates=Estimates(
            layout=Layout(sampled.structure, state),
            covariance=numbers["covariance.npy"],
            **said["estimates"],
        ),
        posteriors=Posteriors(**{name: known[f"{name}.npy"] for name in _KNOWN}),
        trace=frame_of(members["trace.parquet"]),
    )


def check_the_same(sampled: Sampled, said: Mapping[str, Any]) -> None:
    """Refuse a file whose patients or coefficients are others here.

    Parameters
    ----------
    sampled : Sampled
        What this cellpk takes from study and arguments.
    said : mapping
        ``patients`` and ``coefficients`` of the fit that was saved.

    Raises
    ------
    FitError
        With those that differ.

    Examples
    --------
    >>> callable(check_the_same)
    True
    """
    for what, here in (
        ("patients", sampled.data.patients),
        ("coefficients", sampled.structure.coefficients),
    ):
        if here != said[what]:
            odd = sorted({*here} ^ {*said[what]}) or ["in another order"]
            raise FitError(
                f"this cellpk finds other {what} than the fit had: {', '.join(odd)}",
                todo="Load it with the cellpk that its manifest.json names, or fit "
                "again.",
            )


def _errors(errors: Errors) -> list[dict[str, Any]]:
    """Return residual errors by their values: logs of them would lose a digit."""
    assert isinstance(errors, JointErrors)
    parts = zip(errors.assays, errors.parts, strict=True)
    return [{"assay": assay, "values": part.values} for assay, part in parts]


def _errors_of(errors: Errors, said: Sequence[Mapping[str, Any]]) -> JointErrors:
    assert isinstance(errors, JointErrors)
    parts = zip(errors.parts, said, strict=True)
    changed = (replace(part, values=each["values"]) for part, each in parts)
    return replace(errors, parts=tuple(changed))


register(Kind("population", PopulationFit, members, restored))
