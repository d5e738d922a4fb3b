"""The density of all patients as one operation of a PyTensor graph."""

import warnings
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import generate_fallback_impl, numba_funcify

from cellpk.fit.bayes.density import Density


class Patients(Op):
    """The log density of all patients; its gradients come from the same pass.

    Parameters
    ----------
    density : Density
        What is worked out. Another one of the same shapes may take its place, without
        anything being compiled anew.

    Examples
    --------
    >>> Patients.__mro__[1].__name__
    'Op'
    """

    def __init__(self, density: Density) -> None:
        self.density = density

    def make_node(self, *inputs: Any) -> Apply:
        """Return the node: w, z, shift, between, errors, odds to value and slopes.

        Log odds of minus infinity stand for no class of patients who never expand.
        """
        given = [pt.as_tensor_variable(each) for each in inputs]
        kinds = ("dscalar", "dvector", *["dmatrix"] * 3, "dvector", "dscalar")
        return Apply(self, given, [getattr(pt, kind)() for kind in kinds])

    def perform(self, node: Apply, inputs: Any, output_storage: Any) -> None:
        """Work it out."""
        w, z, shift, between, errors, odds = inputs
        # A step too far overflows; its density is 0, and the sampler turns back.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = self.density(
                *(w, z, shift),
                between=between,
                error_logs=errors,
                log_odds=float(odds),
            )
        for storage, value in zip(output_storage, found, strict=True):
            storage[0] = np.asarray(value, float)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Return slopes: those of the value, which are the other outputs."""
        return [cotangents[0] * slope for slope in outputs[1:]]


@numba_funcify.register(Patients)
def _called_from_numba(op: Patients, node: Apply, **given: Any) -> Any:
    """Let compiled code call back: what the operation calls is compiled itself."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        return generate_fallback_impl(op, node, **given)
