"""Parameters of a model that are held, or that follow from others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cellpk.model.expression import Node
from cellpk.model.model import Model
from cellpk.model.parameters import SCALES
from cellpk.model.sensitivity import Quantity, Scope, constant

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ties:
    """How the parameters of a model follow from those that are estimated.

    Parameters
    ----------
    model : Model
        The model, with p free parameters.
    held : mapping of str to float
        Parameters that stay at a value, in the units of the model.
    tied : mapping of str to Node
        Parameters that follow from others, by expressions in the units of the model.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.model.expression import parse
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> ties = Ties(stein, held={"tmax": 9.0}, tied={"beta": parse("alpha/10")})
    >>> ties.names
    ('foldx', 'cmax', 'alpha', 'fb')
    >>> full = ties.full(np.log([3900.0, 24000.0, 0.16, 0.01]))
    >>> np.exp(full).round(3).tolist()
    [3900.0, 9.0, 24000.0, 0.16, 0.01, 0.016]
    >>> ties.slopes(np.zeros(4)).shape
    (6, 4)
    """

    model: Model
    held: Mapping[str, float] = field(default_factory=dict)
    tied: Mapping[str, Node] = field(default_factory=dict)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the k parameters that are estimated, in the order of the model."""
        kept = {*self.held, *self.tied}
        return tuple(name for name in self.model.free if name not in kept)

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """Where they stand among the free parameters of the model, shape (k,)."""
        return np.array([self.model.free.index(name) for name in self.names], np.intp)

    def full(self, theta: Array) -> Array:
        """Return all p parameters, (..., p), from those estimated, (..., k)."""
        return self._all(theta)[0]

    def slopes(self, theta: Array) -> Array:
        """Return the derivatives of all by those estimated, (..., p, k)."""
        return self._all(theta, gradient=True)[1]

    def _all(self, theta: Array, *, gradient: bool = False) -> tuple[Array, Array]:
        shape, size = theta.shape[:-1], len(self.model.free)
        full = np.empty((*shape, size))
        slopes = np.zeros((*shape, size, theta.shape[-1]))
        full[..., self.places] = theta
        slopes[..., self.places, np.arange(theta.shape[-1])] = 1.0
        for name, value in self.held.items():
            scale = SCALES[self.model.parameters[name].scale]
            full[..., self.model.free.index(name)] = scale.forward(value)
        if self.tied:
            self._follow(full, slopes, gradient=gradient)
        return full, slopes

    def _follow(self, full: Array, slopes: Array, *, gradient: bool) -> None:
        """Fill in what follows from others."""
        given = {}
        for name, row in self.model.parameters.items():
            if name in self.tied:
                continue
            if name not in self.model.free:
                given[name] = constant(row.value)
                continue
            i, scale = self.model.free.index(name), SCALES[row.scale]
            value = np.asarray(scale.back(full[..., i]))
            along = scale.slope(value)[..., None] * slopes[..., i, :]
            given[name] = Quantity(value, along if gradient else None)
        scope = Scope(given, self.tied)
        with np.errstate(all="ignore"):
            for name, node in self.tied.items():
                i = self.model.free.index(name)
                scale = SCALES[self.model.parameters[name].scale]
                found = scope.evaluate(node)
                full[..., i] = scale.forward(found.value)
                if found.gradient is not None:
                    steep = np.divide(1.0, scale.slope(found.value))
                    slopes[..., i, :] = steep[..., None] * found.gradient
