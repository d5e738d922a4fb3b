"""Levels of patients: by the closed form where there is one, else by the solver."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cellpk.errors import ModelError, nearest
from cellpk.model.description import Description
from cellpk.model.equations import TIME
from cellpk.model.inputs import Inputs, read_inputs
from cellpk.model.levels import LARGEST, SMALLEST, Levels, finite_levels
from cellpk.model.parameters import SCALES, Array
from cellpk.model.rows import Observed
from cellpk.model.sensitivity import Quantity, Scope, constant

if TYPE_CHECKING:
    from cellpk.model.compile.kernel import Kernel

TOLERANCE = 1e-8
"""Relative error of a state per step of the solver; fits ask for less."""


@dataclass(frozen=True, eq=False, repr=False)
class Evaluated(Description):
    """A model whose levels can be worked out; see :class:`cellpk.model.model.Model`."""

    @cached_property
    def kernel(self) -> "Kernel":
        """The compiled model: levels and gradients of many patients, fast.

        Compiled once per machine, which takes some seconds, and kept on disk.
        """
        from cellpk.model.compile.kernel import compile_model

        return compile_model(self)

    def inputs(
        self,
        *,
        covariates: Mapping[str, Any] | None = None,
        infusions: Iterable[tuple[float, float]] | None = None,
    ) -> Inputs:
        """Return what happened to a patient: covariates and infusions, checked.

        Parameters
        ----------
        covariates : mapping, optional
            Value by name; for one that changes with time ``{day: value, ...}``, each
            holding from its day on. Where not given, the reference value of the file.
        infusions : iterable of (day, cells), optional
            The schedule of the file where not given.

        Raises
        ------
        ModelError
            Where the model has no such covariate, takes no infusions, or a number is
            not possible.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_comedication")
        >>> float(stein.inputs(covariates={"toci_day": 5.7}).values["toci_day"])
        5.7
        """
        return read_inputs(self, covariates=covariates, infusions=infusions)

    def solve(
        self,
        theta: ArrayLike,
        times: ArrayLike,
        *,
        observed: str | None = None,
        inputs: Inputs | None = None,
        gradient: bool = False,
        tolerance: float = TOLERANCE,
    ) -> Levels:
        """Return log levels of patients; one that cannot be calculated has a reason.

        Parameters
        ----------
        theta : array, shape (..., p)
            Free parameters on the transformed scale.
        times : array, shape (n,) or (..., n)
            Days after the first infusion, not negative and in order.
        observed : str, optional
            Assay; the first of the model where not given.
        inputs : Inputs, optional
            Covariates and infusions; those of the typical patient where not given.
        gradient : bool
            Whether to work out the gradient by theta.
        tolerance : float
            Relative error per step where the model has no closed form.

        Returns
        -------
        Levels
            ``log_level`` (..., n), ``gradient`` (..., n, p) or None, ``reasons``.

        Raises
        ------
        ModelError
            Where the assay, theta or the times do not fit, or a parameter has no value.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> stein.solve(stein.typical, [0, 9.3]).log_level.round(4)
        array([ 1.8171, 10.0858])
        """
        theta, times = self._checked(theta), self._times(times)
        name = self._observed(observed).name
        inputs = inputs or self.inputs()
        if not self.equations.closed:
            return self.kernel.solve(
                theta,
                times,
                observed=name,
                inputs=inputs,
                gradient=gradient,
                tolerance=tolerance,
            )
        return self._closed(theta, times, name, inputs, gradient=gradient)

    def log_level(
        self,
        theta: ArrayLike,
        times: ArrayLike,
        *,
        observed: str | None = None,
        inputs: Inputs | None = None,
    ) -> Array:
        """Return the natural log of the level.

        Parameters
        ----------
        theta, times, observed, inputs
            As for :meth:`solve`.

        Returns
        -------
        ndarray, shape (..., n)
            Finite: a level below 1e-300 counts as 1e-300, one above 1e300 as 1e300.

        Raises
        ------
        ModelError
            As :meth:`solve`, and where a patient cannot be calculated.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> stein.log_level(stein.typical, [0, 9.3]).round(4)
        array([ 1.8171, 10.0858])
        """
        levels = self.solve(theta, times, observed=observed, inputs=inputs)
        return self._complete(levels).log_level

    def log_level_gradient(
        self,
        theta: ArrayLike,
        times: ArrayLike,
        *,
        observed: str | None = None,
        inputs: Inputs | None = None,
    ) -> tuple[Array, Array]:
        """Return the natural log of the level and its gradient.

        Parameters
        ----------
        theta, times, observed, inputs
            As for :meth:`solve`.

        Returns
        -------
        log_level : ndarray, shape (..., n)
            As from :meth:`log_level`.
        gradient : ndarray, shape (..., n, p)
            By theta; 0 where the level is held at its smallest or largest.

        Raises
        ------
        ModelError
            As :meth:`solve`, and where a patient cannot be calculated.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> level, gradient = stein.log_level_gradient(stein.typical, [7, 14, 28])
        >>> gradient.shape
        (3, 6)
        """
        levels = self._complete(
            self.solve(theta, times, observed=observed, inputs=inputs, gradient=True)
        )
        assert levels.gradient is not None
        return levels.log_level, levels.gradient

    def stand_in(self, assay: str) -> Observed:
        """Return the observed level that stands for an assay: its own, else the first.

        Parameters
        ----------
        assay : str
            Which levels were measured.

        Examples
        --------
        >>> import cellpk as ck
        >>> ck.load_model("stein_2019_tisagenlecleucel").stand_in("flow").name
        'qpcr'
        """
        return self.observed.get(assay) or next(iter(self.observed.values()))

    def _closed(
        self, theta: Array, times: Array, name: str, inputs: Inputs, *, gradient: bool
    ) -> Levels:
        """Log levels by the closed form."""
        shape = np.broadcast_shapes((*theta.shape[:-1], times.shape[-1]), times.shape)
        with np.errstate(all="ignore"):
            given = self._given(theta, inputs, gradient=gradient)
            level = self._level(given, constant(times), name)
            value = np.log(np.clip(level.value, SMALLEST, LARGEST))
            slopes = _slopes(level) if gradient else None
        wide = None
        if slopes is not None:
            wide = np.broadcast_to(slopes, (*shape, theta.shape[-1])).copy()
        return finite_levels(np.broadcast_to(value, shape).copy(), wide)

    def _complete(self, levels: Levels) -> Levels:
        for i, reason in enumerate(levels.reasons):
            if reason is not None:
                raise ModelError(
                    f"levels of patient {i + 1} of {len(levels.reasons)} cannot be "
                    f"calculated: {reason}",
                    where=self.name,
                    todo="Look at its parameters; solve() gives the other patients.",
                )
        return levels

    def _given(
        self, theta: Array, inputs: Inputs, *, gradient: bool = False
    ) -> dict[str, Quantity]:
        """Parameters as quantities, shape (..., 1): the last axis is that of times."""
        one_hot = np.eye(theta.shape[-1])
        given = {name: constant(x[..., None]) for name, x in inputs.fixed().items()}
        with np.errstate(over="ignore"):
            values = self.natural(theta)
        for name, value in values.items():
            if name not in self.free:
                given[name] = constant(value[..., None])
                continue
            slope = SCALES[self.parameters[name].scale].slope(value)
            along = slope[..., None, None] * one_hot[self.free.index(name)]
            given[name] = Quantity(value[..., None], along if gradient else None)
        return given

    def _level(
        self, given: Mapping[str, Quantity], time: Quantity, observed: str | None = None
    ) -> Quantity:
        scope = Scope({**given, TIME: time}, self.equations.lines)
        return scope.evaluate(self._observed(observed).expression)

    def _observed(self, name: str | None) -> Observed:
        if name is not None and name not in self.observed:
            raise ModelError(
                f"{name!r} is not observed by this model",
                where=self.name,
                todo=nearest(name, self.observed),
            )
        return self.observed[name or next(iter(self.observed))]

    def _times(self, times: ArrayLike) -> Array:
        array = np.asarray(times, dtype=float)
        if array.ndim < 1 or not ((array >= 0) & (array < np.inf)).all():
            raise ModelError(
                f"times are {times!r}",
                where=self.name,
                todo="Give a list of days after infusion, none of them negative.",
            )
        return array


def _slopes(level: Quantity) -> Array:
    """Gradient of the log level; 0 where the level is held or constant."""
    inside = (level.value > SMALLEST) & (level.value < LARGEST)
    slope = level.along(np.divide(1.0, level.value))
    return np.where(inside[..., None], 0.0 if slope is None else slope, 0.0)
