"""Log levels as a PyTensor graph of theta, for samplers.

A closed form becomes plain PyTensor, from the same tree as everything else. Where the
solver gives the level, one operation returns level and gradient from the same pass.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytensor.tensor
from numpy.typing import ArrayLike
from pytensor.gradient import (
    DisconnectedType,
    disconnected_grad,
    grad_not_implemented,
)
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.tensor.variable import TensorConstant

from cellpk.errors import ModelError
from cellpk.model.equations import TIME
from cellpk.model.evaluation import Evaluated
from cellpk.model.expression import (
    Choice,
    Integral,
    Node,
)
from cellpk.model.inputs import Inputs
from cellpk.model.levels import LARGEST, SMALLEST
from cellpk.model.parameters import Array
from cellpk.model.rows import Observed
from cellpk.model.scope import Lookup
from cellpk.model.sensitivity import constant, spread_nodes

pt: Any = pytensor.tensor  # which states that many of its functions return None

_SMALLEST, _LARGEST = (pt.constant(x, dtype="float64") for x in (SMALLEST, LARGEST))

Rule = Callable[..., Any]
"""From tensors to a tensor."""


def graph(
    model: Evaluated,
    theta: Any,
    times: ArrayLike,
    *,
    observed: str | None = None,
    inputs: Inputs | None = None,
) -> Any:
    """Return the natural log of the level as a PyTensor expression.

    Parameters
    ----------
    model : Evaluated
        Which levels are meant.
    theta : tensor, shape (..., p)
        Free parameters on the transformed scale, one row per patient.
    times : array, shape (n,) or (..., n)
        Days after infusion, not negative.
    observed : str, optional
        Assay; the first of the model where not given.
    inputs : Inputs, optional
        Covariates and infusions; those of the typical patient where not given.

    Returns
    -------
    TensorVariable, shape (..., n)
        Its value is that of ``model.solve``: within log(1e-300) and log(1e300). A
        patient whom the solver cannot calculate has log(1e-300) and the gradient 0,
        which a likelihood rejects. Gradients are those of
        ``model.log_level_gradient``; what a branch not taken holds leaks into neither.

    Raises
    ------
    ModelError
        Where the assay, theta or the times do not fit, or a parameter has no value.

    Examples
    --------
    >>> import cellpk as ck
    >>> import pytensor.tensor as pt
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> theta = pt.dvector("theta")
    >>> level = graph(stein, theta, [0, 9.3])
    >>> level.eval({theta: stein.typical}, mode="FAST_COMPILE").round(4)
    array([ 1.8171, 10.0858])
    """
    theta, days = pt.as_tensor(theta), model._times(times)
    width = theta.type.shape[-1] if theta.ndim else 0
    if theta.ndim < days.ndim or width not in {None, len(model.free)}:
        raise ModelError(
            f"theta has shape {theta.type.shape} and times have {days.shape}",
            where=model.name,
            todo=f"Give one row per patient: {', '.join(model.free)}.",
        )
    assay = model._observed(observed)
    inputs = inputs or model.inputs()
    if not model.equations.closed:
        op = LogLevel(model, days, assay=assay.name, inputs=inputs)
        return op.make_node(theta).outputs[0]
    return _log_level(model, theta, days, assay=assay, inputs=inputs)


class LogLevel(Op):
    """Log level and gradient from one pass of the solver, for theta of patients.

    Parameters
    ----------
    model : Evaluated
        Anything that has its ``solve``.
    times : ndarray, shape (n,) or (..., n)
        Days after infusion.
    assay : str
        Which level.
    inputs : Inputs
        Covariates and infusions.
    """

    def __init__(
        self, model: Evaluated, times: Array, *, assay: str, inputs: Inputs
    ) -> None:
        _let_numba_call()
        self._model, self._times = model, times
        self._settings: dict[str, Any] = {"observed": assay, "inputs": inputs}

    def make_node(self, *inputs: Any) -> Apply:
        """Return the node for theta, shape (..., p): outputs (..., n), (..., n, p)."""
        theta = pt.as_tensor(inputs[0])
        shape = (*theta.type.shape[:-1], self._times.shape[-1])
        level = pt.tensor(dtype="float64", shape=shape)
        slopes = pt.tensor(dtype="float64", shape=(*shape, theta.type.shape[-1]))
        return Apply(self, [theta], [level, slopes])

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]]
    ) -> None:
        """Solve once, with gradient."""
        levels = self._model.solve(
            inputs[0], self._times, gradient=True, **self._settings
        )
        output_storage[0][0] = levels.log_level
        output_storage[1][0] = levels.gradient

    def pullback(
        self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]
    ) -> list[Any]:
        """Weigh the gradient of the same pass; it has no derivative of its own."""
        along, second = cotangents
        if not isinstance(second.type, DisconnectedType):
            return [grad_not_implemented(self, 0, inputs[0], "no second derivative")]
        return [(along[..., None] * outputs[1]).sum(axis=-2)]


@cache
def _let_numba_call() -> None:
    """Let functions that PyTensor compiles call the solver; it would warn of that."""
    from pytensor.link.numba.dispatch.basic import generate_fallback_impl, numba_funcify

    @numba_funcify.register(LogLevel)
    def _(op: LogLevel, node: Apply, **settings: Any) -> Rule:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            return generate_fallback_impl(op, node, **settings)


def _given(model: Evaluated, inputs: Inputs, columns: Iterable[Any]) -> dict[str, Any]:
    """Parameters and fixed covariates, the last axis being that of times."""
    fixed = {**model.natural(np.zeros(len(model.free))), **inputs.fixed()}
    given = {name: pt.constant(np.asarray(x)[..., None]) for name, x in fixed.items()}
    for name, column in zip(model.free, columns, strict=True):
        given[name] = _BACK[model.parameters[name].scale](column)
    return given


def _log_level(
    model: Evaluated, theta: Any, time: Any, *, assay: Observed, inputs: Inputs
) -> Any:
    """Log of the level, held within limits; no gradient where it is held."""
    time = pt.constant(time) + pt.zeros_like(theta[..., :1])
    columns = [theta[..., i, None] for i in range(len(model.free))]

    def level(columns: Iterable[Any]) -> Any:
        given = {**_given(model, inputs, columns), TIME: time}
        return _Scope(given, model.equations.lines).evaluate(assay.expression)

    free = _still(level(columns)) + pt.zeros_like(time)
    inside = pt.gt(free, _SMALLEST) & pt.lt(free, _LARGEST)
    # theta is let through where inside, so that nothing infinite meets a 0 from above
    value = level([_where(inside, x) for x in columns])
    held = pt.switch(pt.ge(free, _LARGEST), _LARGEST, _SMALLEST)
    return pt.log(pt.switch(inside, value, held))


def _still(x: Any) -> Any:
    """Return the same value with no gradient."""
    return x if isinstance(x, TensorConstant) else disconnected_grad(x)


def _where(test: Any, x: Any) -> Any:
    """Return the same value, with a gradient only where ``test`` holds.

    A choice alone multiplies the slope of the branch not taken by 0, and 0 times
    infinity is not a number. This stops what comes down that branch altogether.
    """
    return x if isinstance(x, TensorConstant) else pt.switch(test, x, _still(x))


def _expit(x: Any) -> Any:
    """Right to the last digit at both ends, as is its gradient."""
    return pt.exp(-pt.softplus(-x))


def _power(base: Any, power: Any) -> Any:
    """Return the power; 0**b stays 0 whatever b > 0, though log(0) is not finite."""
    result = pt.power(base, _still(power))
    if isinstance(power, TensorConstant):
        return result
    logs = pt.log(pt.switch(pt.gt(base, 0), _still(base), 1.0))
    return result * pt.exp(logs * (power - _still(power)))


_BACK: Mapping[str, Rule] = {"log": pt.exp, "logit": _expit, "identity": pt.as_tensor}

_RULES: Mapping[str, Rule] = {
    "negative": pt.neg,
    "+": pt.add,
    "-": pt.sub,
    "*": pt.mul,
    "/": pt.true_div,
    "**": _power,
    "exp": pt.exp,
    "log": pt.log,
    "sqrt": pt.sqrt,
    "expit": _expit,
    "softplus": pt.softplus,
}

_TESTS: Mapping[str, Rule] = {"<": pt.lt, "<=": pt.le, ">": pt.gt, ">=": pt.ge}


class _Scope(Lookup[Any]):
    """Tensors by name: those given, and named lines worked out when first asked for."""

    rules = _RULES

    @staticmethod
    def _number(value: float) -> Any:
        return pt.constant(value, dtype="float64")

    def _call(self, rule: str, arguments: tuple[Node, ...]) -> Any:
        if rule in {"min", "max"}:
            left, right = arguments
            sign = "<=" if rule == "min" else ">="
            return self._choice(Choice(left, left, sign, right, right))
        return super()._call(rule, arguments)

    def _choice(self, node: Choice) -> Any:
        left, right = (_still(self.evaluate(x)) for x in (node.left, node.right))
        test = _TESTS[node.sign](left, right)
        yes = _Inner(self, lambda x: _where(test, x)).evaluate(node.yes)
        no = _Inner(self, lambda x: _where(~test, x)).evaluate(node.no)
        return pt.switch(test, yes, no)

    def _integral(self, node: Integral) -> Any:
        """Gauss-Legendre; the nodes move with the limits, and so does the gradient."""
        start, stop = self.evaluate(node.lower), self.evaluate(node.upper)
        places, weights = spread_nodes(constant(0.0), constant(1.0))
        start, width = start[..., None], (stop - start)[..., None]
        nodes = {node.variable: start + width * places.value}
        inner = _Inner(self, lambda x: x[..., None], nodes)
        return (inner.evaluate(node.body) * width * weights.value).sum(axis=-1)


class _Inner(_Scope):
    """The scope inside a branch or an integral: names come changed from outside."""

    def __init__(
        self, outer: _Scope, change: Rule, given: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(given or {}, {})
        self._outer, self._change = outer, change

    def _found(self, name: str) -> Any:
        return self._change(self._outer[name])
