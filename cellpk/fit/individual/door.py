"""Parameters as lmfit knows them: what a user asks for, and what a fit asks of lmfit.

A user states values, bounds, what is held and what follows from others in the units of
the model, by the names of the model. In a result each estimated parameter stands twice:
on the scale on which it was estimated (``log_cmax``, ``logit_share``; it varies) and in
the units of the model (``cmax``, an expression of the other).
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import FitError, nearest
from cellpk.fit.data import FitData
from cellpk.fit.individual.question import Question
from cellpk.fit.modes import Aim
from cellpk.fit.prior import Prior, prior_for
from cellpk.fit.signed_roots import signed_roots
from cellpk.fit.ties import Ties
from cellpk.model.expression import Node, names, parse
from cellpk.model.model import Model
from cellpk.model.parameters import SCALES

if TYPE_CHECKING:
    from lmfit import Minimizer, Parameters

Array = NDArray[np.float64]

WORST = 1e8
"""Residual that stands for a curve that cannot be calculated: worse than any real one,
and a number, so that a search turns away from it as from any other bad place."""

_BACK = {
    "log": "exp({})",
    "logit": "1/(1 + exp(-{}))",
    "identity": "{}",
}


def model_parameters(model: Model) -> "Parameters":
    """Return the parameters of a model for lmfit, in the units of the model.

    Change values (a further start), bounds, ``vary`` and ``expr``, and hand them to
    :func:`fit_individuals`. Without bounds, those of a fit are six between-patient
    standard deviations from the centre. Expressions know ``+ - * / **``, brackets and
    the functions of the model language.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    lmfit.Parameters
        Those that differ between patients vary; those that do not are held.

    Raises
    ------
    ModelError
        Where a value is not published.

    Examples
    --------
    >>> import cellpk as ck
    >>> parameters = model_parameters(ck.load_model("stein_2019_tisagenlecleucel"))
    >>> parameters["tmax"].max = 20
    >>> parameters["beta"].expr = "alpha/10"
    >>> round(parameters["beta"].value, 3)
    0.016
    """
    from lmfit import Parameters

    found, natural = Parameters(), model.natural(model.typical)
    for name, row in model.parameters.items():
        low, high = {"log": (0.0, np.inf), "logit": (0.0, 1.0)}.get(
            row.scale, (-np.inf, np.inf)
        )
        held = row.fixed
        found.add(name, float(natural[name]), vary=not held, min=low, max=high)
    return found


def question(
    data: FitData, parameters: "Parameters | None", *, starts: int, seed: int
) -> Question:
    """Return what all patients are asked.

    Parameters
    ----------
    data : FitData
        The samples of all patients: they say which prior fits the assay.
    parameters : lmfit.Parameters, optional
        As from :func:`model_parameters`; where not given, all vary.
    starts, seed : int
        As for :func:`fit_individuals`.

    Returns
    -------
    Question

    Raises
    ------
    FitError
        Where a parameter is not one of the model, is the same for all patients, or none
        varies.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> changed = model_parameters(stein)
    >>> changed["tmax"].vary = False
    >>> question(data, changed, starts=16, seed=1).names
    ('foldx', 'cmax', 'alpha', 'fb', 'beta')
    """
    model, prior = data.model, prior_for(data)
    if parameters is None:
        given = np.empty((0, len(model.free)))
        ties, low, high = Ties(model), prior.low, prior.high
    else:
        ties = _ties(model, parameters)
        low, high = _bounds(ties, parameters, prior)
        given = _given(ties, parameters)
    return Question(
        model, prior, ties, low, high, given=given, starts=starts, seed=seed
    )


def _ties(model: Model, parameters: "Parameters") -> Ties:
    """Return what is held and what follows from others."""
    held: dict[str, float] = {}
    tied: dict[str, Node] = {}
    for name, one in parameters.items():
        if name not in model.parameters:
            todo = nearest(name, model.parameters)
            raise FitError(f"{name!r} is not a parameter of {model.name}", todo=todo)
        if name not in model.free:
            _check_the_same(model, name, one)
        elif one.expr:
            tied[name] = parse(one.expr, where=f"the expression of {name}")
        elif not one.vary:
            held[name] = _legal(model, name, one.value)
    _check_known(model, tied)
    ties = Ties(model, held, _in_order(tied))
    if not ties.names:
        raise FitError(f"no parameter of {model.name} varies", todo="Let one vary.")
    return ties


def _check_known(model: Model, tied: Mapping[str, Node]) -> None:
    """Refuse expressions of what is no parameter of the model."""
    for name, node in tied.items():
        for other in names(node):
            if other not in model.parameters:
                found = f"{name} = {node} names {other!r}"
                raise FitError(found, todo=nearest(other, model.parameters))


def _check_the_same(model: Model, name: str, one: Any) -> None:
    """Refuse changes of a parameter that the model holds the same for all."""
    if one.vary or one.expr or one.value != model.parameters[name].value:
        raise FitError(
            f"{name} = {one.expr or one.value} (vary = {one.vary}), and it is the same "
            f"for all patients of {model.name}",
            todo=f"Change it in the model: model.with_values({name}=...).",
        )


def _legal(model: Model, name: str, value: float) -> float:
    scale = model.parameters[name].scale
    if not SCALES[scale].legal(value):
        found = f"{name} = {value} is not possible on the {scale} scale"
        raise FitError(found, todo="Give another value.")
    return float(value)


def _bounds(ties: Ties, parameters: "Parameters", prior: Prior) -> tuple[Array, Array]:
    """Return the bounds that were given, else those of the prior."""
    low, high = prior.low[ties.places].copy(), prior.high[ties.places].copy()
    width = high - low
    for i, name in enumerate(ties.names):
        scale, one = SCALES[ties.model.parameters[name].scale], parameters.get(name)
        if one is None:
            continue
        if scale.legal(one.min):
            low[i] = scale.forward(one.min)
            high[i] = max(high[i], low[i] + width[i])
        if scale.legal(one.max):
            high[i] = scale.forward(one.max)
            low[i] = low[i] if scale.legal(one.min) else min(low[i], high[i] - width[i])
    return low, high


def _given(ties: Ties, parameters: "Parameters") -> Array:
    """Return the values that were given, where they are not those of the model."""
    model = ties.model
    typical = model.natural(model.typical)
    natural = {
        name: _legal(model, name, parameters[name].value)
        for name in ties.names
        if name in parameters
    }
    if all(value == float(typical[name]) for name, value in natural.items()):
        return np.empty((0, len(ties.names)))
    return model.theta(natural)[None, ties.places]


def plain_parameters(parameters: "Parameters | None") -> dict[str, Any] | None:
    """Return what was asked of parameters as plain numbers, which a file can hold.

    Examples
    --------
    >>> import cellpk as ck
    >>> plain = plain_parameters(model_parameters(ck.load_model("stein_2019_lag")))
    >>> plain["tmax"]["vary"]
    True
    """
    if parameters is None:
        return None
    return {
        name: {
            "value": float(row.value),
            "vary": bool(row.vary),
            "min": float(row.min) if np.isfinite(row.min) else None,
            "max": float(row.max) if np.isfinite(row.max) else None,
            "expr": row.expr,
        }
        for name, row in parameters.items()
    }


def minimizer(aim: Aim, asked: Question, theta: Array) -> "Minimizer":
    """Return lmfit's minimizer of one patient, at a place.

    Parameters
    ----------
    aim : Aim
        What is sought, of this patient alone.
    asked : Question
        Names and ties.
    theta : ndarray, shape (k,)
        Where it begins, on the transformed scale.

    Returns
    -------
    lmfit.Minimizer
        Its residuals are signed roots of each sample's share of -2 log L and, where the
        prior counts, standardised distances from its centre.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> asked = question(data, None, starts=4, seed=1)
    >>> aim = asked.aim(data.of(np.array([1])))
    >>> found = minimizer(aim, asked, asked.mean)
    >>> list(found.params)[:4], list(found.params)[-1]
    (['log_foldx', 'foldx', 'log_tmax', 'tmax'], 'qpcr_sd')
    """
    from lmfit import Minimizer

    varying = inner_names(asked)
    root = np.linalg.cholesky(aim.precision[0]).T if aim.precision.any() else None

    def at(parameters: "Parameters") -> Array:
        return np.array([parameters[name].value for name in varying])

    def residuals(parameters: "Parameters") -> Array:
        return _residuals(aim, at(parameters), root)[0]

    def jacobian(parameters: "Parameters") -> Array:
        moving = [parameters[name].vary for name in varying]
        return _residuals(aim, at(parameters), root)[1][:, moving]

    parameters = _parameters(aim, asked, theta)
    return Minimizer(residuals, parameters, scale_covar=False, Dfun=jacobian)


def inner_names(asked: Question) -> tuple[str, ...]:
    """Return what the estimated parameters are called on their scales.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> inner_names(question(data, None, starts=4, seed=1))[:2]
    ('log_foldx', 'log_tmax')
    """
    rows = asked.model.parameters
    return tuple(
        name if rows[name].scale == "identity" else f"{rows[name].scale}_{name}"
        for name in asked.names
    )


def _parameters(aim: Aim, asked: Question, theta: Array) -> "Parameters":
    """Return the parameters of a result: estimated, held, tied, residual errors."""
    from lmfit import Parameters

    found, ties, rows = Parameters(), asked.ties, asked.model.parameters
    low, high = (np.broadcast_to(end, aim.mean.shape)[0] for end in (aim.low, aim.high))
    for i, (name, inner) in enumerate(
        zip(asked.names, inner_names(asked), strict=True)
    ):
        found.add(inner, float(theta[i]), min=low[i], max=high[i])
        if inner != name:
            found.add(name, expr=_BACK[rows[name].scale].format(inner))
    for name, row in rows.items():
        if name in ties.held or row.fixed:
            found.add(name, ties.held.get(name, row.value), vary=False)
    for name, node in ties.tied.items():
        found.add(name, expr=str(node))
    for one, error in zip(aim.data.series, aim.errors, strict=True):
        for name, value in error.values.items():
            label = re.sub(r"\W", "_", f"{one.assay}_{name}")
            found.add(label, float(np.ravel(value)[0]), vary=False)
    return found


def _in_order(tied: Mapping[str, Node]) -> dict[str, Node]:
    """Return what follows from others, each after those that it follows from."""
    found: dict[str, Node] = {}
    while left := {name: node for name, node in tied.items() if name not in found}:
        ready = {
            n: node for n, node in left.items() if left.keys().isdisjoint(names(node))
        }
        if not ready:
            said = f"the expressions of {', '.join(sorted(left))} lead in a circle"
            raise FitError(said, todo="Let one vary.")
        found |= ready
    return found


def _residuals(aim: Aim, theta: Array, root: Array | None) -> tuple[Array, Array]:
    """Return residuals whose squares add up to -2 log density, and their Jacobian."""
    theta = theta[None]
    levels = aim.data.levels(aim.full(theta), gradient=True)
    r, jacobian = [], []
    for found, one, error in zip(levels, aim.data.series, aim.errors, strict=True):
        assert found.gradient is not None
        size, slope = signed_roots(found.log_level, one.said, error)
        known = one.known[0]
        r.append(np.where(found.failed[0], WORST, size[0, known]))
        along = found.gradient[0]
        if aim.ties is not None:
            along = along @ aim.ties.slopes(theta)[0]
        jacobian.append(slope[0, known, None] * along[known])
    if root is not None:
        r.append(root @ (theta[0] - aim.mean[0]))
        jacobian.append(root)
    return np.concatenate(r), np.concatenate(jacobian)
