"""The compiled model: log levels and gradients of many patients, fast.

A kernel gives what ``Model.solve`` gives. For a closed form it is another way beside
NumPy, equal to about 1e-14 and many times as fast; a model without one has no other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from cellpk.errors import ModelError, nearest
from cellpk.model.compile.cache import Notify, announce, load
from cellpk.model.compile.closed import closed_text
from cellpk.model.compile.vectors import fixed_covariates, read_patients
from cellpk.model.description import Description
from cellpk.model.inputs import Inputs, read_inputs
from cellpk.model.levels import Levels, finite_levels
from cellpk.model.parallel import over_chunks
from cellpk.model.parameters import Array

SAMPLES_PER_CHUNK = 200_000
"""Ten milliseconds of work or more: what it takes to set threads to work."""


class Kernel(Protocol):
    """A compiled model: made by :func:`compile_model`."""

    def solve(
        self,
        theta: ArrayLike,
        times: ArrayLike,
        *,
        observed: str | None = None,
        inputs: Inputs | None = None,
        gradient: bool = False,
        tolerance: float = 1e-8,
        threads: int | None = None,
    ) -> Levels:
        """Return log levels of patients; see ``Model.solve``."""
        ...

    def log_level(
        self,
        theta: ArrayLike,
        times: ArrayLike,
        *,
        observed: str | None = None,
        inputs: Inputs | None = None,
    ) -> Array:
        """Return the natural log of the level, shape (..., n); see :meth:`solve`."""
        return self.solve(theta, times, observed=observed, inputs=inputs).log_level

    def log_level_gradient(
        self,
        theta: ArrayLike,
        times: ArrayLike,
        *,
        observed: str | None = None,
        inputs: Inputs | None = None,
    ) -> tuple[Array, Array]:
        """Return log level (..., n) and gradient (..., n, p); see :meth:`solve`."""
        levels = self.solve(
            theta, times, observed=observed, inputs=inputs, gradient=True
        )
        assert levels.gradient is not None
        return levels.log_level, levels.gradient

    def compile(self, *, notify: Notify | None = None) -> None:
        """Compile now what would be compiled when first used."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class ClosedKernel(Kernel):
    """A compiled closed form.

    Parameters
    ----------
    model : Model
        What was compiled.
    module : module
        As :func:`cellpk.model.compile.closed.closed_text` writes it.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> kernel = compile_model(stein)
    >>> kernel.log_level(stein.typical, [0, 9.3]).round(4)
    array([ 1.8171, 10.0858])
    """

    model: Description
    module: ModuleType

    def solve(
        self,
        theta: ArrayLike,
        times: ArrayLike,
        *,
        observed: str | None = None,
        inputs: Inputs | None = None,
        gradient: bool = False,
        tolerance: float = 1e-8,
        threads: int | None = None,
    ) -> Levels:
        """Return log levels of patients, and their gradients where asked for.

        Parameters
        ----------
        theta, times, observed, inputs
            As for ``Model.solve``.
        gradient : bool
            Whether to work out the gradient by theta.
        tolerance : float
            Not used: a closed form has no steps.
        threads : int, optional
            All processors where not given. The numbers do not depend on it.

        Returns
        -------
        Levels
            ``log_level`` (..., n), ``gradient`` (..., n, p) or None, ``reasons``.

        Raises
        ------
        ModelError
            Where the model has no such assay.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> theta = stein.theta({"tmax": [7, 12]})
        >>> compile_model(stein).solve(theta, [7, 14, 28], gradient=True).gradient.shape
        (2, 3, 6)
        """
        which = observed_number(self.model, observed)
        patients = read_patients(
            self.model, theta, times, inputs=inputs or read_inputs(self.model)
        )
        p, days, size = patients.values, patients.times, patients.times.shape[-1]
        out = np.empty((len(p), size))
        slopes = patients.slopes if gradient else np.empty((len(p), 0))
        jac = np.empty((len(p), size, slopes.shape[-1])) if gradient else None

        def work(chunk: slice) -> None:
            now = days if len(days) == 1 else days[chunk]
            if jac is None:
                self.module.values(which, p[chunk], now, out[chunk])
                return
            self.module.gradients(which, p[chunk], now, out[chunk], jac[chunk])
            jac[chunk] *= slopes[chunk, None, :]

        self._announce([self.module.gradients if gradient else self.module.values])
        rows = max(1, SAMPLES_PER_CHUNK // max(size, 1))
        over_chunks(work, len(p), size=rows, threads=threads)
        shape = (*patients.shape, size)
        wide = None if jac is None else jac.reshape((*shape, slopes.shape[-1]))
        return finite_levels(out.reshape(shape), wide)

    def compile(self, *, notify: Notify | None = None) -> None:
        """Compile now what would be compiled when first used."""
        values, gradients = self.module.values, self.module.gradients
        self._announce([values, gradients], notify=notify)
        count = len(self.model.parameters) + len(fixed_covariates(self.model))
        p, one = np.ones((1, count)), np.ones((1, 1))
        values(0, p, one, np.empty((1, 1)))
        gradients(0, p, one, np.empty((1, 1)), np.empty((1, 1, len(self.model.free))))

    def _announce(self, functions: list[Any], *, notify: Notify | None = None) -> None:
        announce(functions, self.model.name, notify=notify)


def observed_number(model: Description, observed: str | None) -> int:
    """Return the place of an assay among those of the model; 0 where none is named.

    Raises
    ------
    ModelError
        Where the model has no such assay.

    Examples
    --------
    >>> import cellpk as ck
    >>> observed_number(ck.load_model("stein_2019_tisagenlecleucel"), "qpcr")
    0
    """
    names = list(model.observed)
    if observed is not None and observed not in names:
        raise ModelError(
            f"{observed!r} is not observed by this model",
            where=model.name,
            todo=nearest(observed, names),
        )
    return names.index(observed) if observed else 0


def compile_model(model: Description) -> Kernel:
    """Return the compiled model; it compiles when first used, once per machine.

    Parameters
    ----------
    model : Model
        With a closed form or without.

    Raises
    ------
    ModelError
        Where the cache cannot be written.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> kernel = compile_model(stein)
    >>> kernel.solve(stein.typical, [9.3]).log_level.round(4)
    array([10.0858])
    """
    if not model.equations.closed:
        from cellpk.model.compile.ode_kernel import ode_kernel

        return ode_kernel(model)
    text = closed_text(
        model.equations,
        [row.expression for row in model.observed.values()],
        known=[*model.parameters, *fixed_covariates(model)],
        free=model.free,
    )
    return ClosedKernel(model, load(text))


def warm_up(
    models: Iterable[Description], *, notify: Notify | None = None
) -> dict[str, float]:
    """Compile models ahead of their first use; return the seconds each one took.

    Parameters
    ----------
    models : iterable of Model
        Which ones. Two with the same equations share what is compiled.
    notify : callable, optional
        Told a sentence before each compilation; where not given, it goes to stderr if
        that is a terminal.

    Examples
    --------
    >>> import cellpk as ck
    >>> list(warm_up([ck.load_model("stein_2019_tisagenlecleucel")]))
    ['stein_2019_tisagenlecleucel']
    """
    seconds = {}
    for model in models:
        begin = perf_counter()
        compile_model(model).compile(notify=notify)
        seconds[model.name] = perf_counter() - begin
    return seconds
