"""Parameters of a model: their values, scales and the spread between patients."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpk.errors import ModelError, nearest
from cellpk.model.rows import Covariate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """How a parameter is transformed to the scale on which patients spread normally.

    Parameters
    ----------
    forward, back, slope : callable
        From the natural value to the transformed one, back, and the derivative of the
        way back as a function of the natural value.
    legal : callable
        Whether a natural value is possible on this scale.
    """

    forward: Callable[[Any], Any]
    back: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    legal: Callable[[float], bool]


def _share(logit: Any) -> Any:
    """Return a share from its log odds; NaN, which NumPy would warn of, from NaN."""
    with np.errstate(invalid="ignore"):
        return np.exp(-np.logaddexp(0.0, -logit))


SCALES: Mapping[str, Scale] = {
    "log": Scale(np.log, np.exp, np.asarray, lambda x: 0 < x < np.inf),
    "logit": Scale(
        lambda x: np.log(x) - np.log1p(-x),
        _share,
        lambda x: x * (1 - x),
        lambda x: 0 < x < 1,
    ),
    "identity": Scale(
        np.asarray, np.asarray, np.ones_like, lambda x: bool(np.isfinite(x))
    ),
}
"""Scales of a parameter by name."""

BY_HAND = "given by hand"
"""Source of a number that was changed after the file was read."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model.

    Parameters
    ----------
    name : str
        As the equations name it.
    value : float or None
        Typical value, natural scale, in ``unit``; None where none is published.
    unit, label : str
        Unit ("1" where it has none) and what it is called in tables.
    scale : {"log", "logit", "identity"}
        Scale on which patients spread normally.
    iiv_sd : float or None
        Between-patient spread: standard deviation on ``scale``; 0 where fixed, None
        where it was estimated but is not published.
    spread_form : str
        How the file states the spread: ``iiv_sd``, ``iiv_var``, ``iiv_cv`` or "".
    fixed : bool
        Whether it is the same for all patients and is not fitted. With a ``prior_sd``
        its source estimated it, without a spread between patients.
    prior_sd : float or None
        How uncertain the typical value is: standard deviation on ``scale``.
    source, iiv_source : str
        Where the value comes from, and where the spread.
    """

    name: str
    value: float | None
    unit: str = "1"
    label: str = ""
    scale: str = "log"
    iiv_sd: float | None = 0.0
    spread_form: str = ""
    fixed: bool = False
    prior_sd: float | None = None
    source: str = ""
    iiv_source: str = ""

    @property
    def held(self) -> bool:
        """Whether it was not estimated; the same for all, it may yet have been."""
        return self.fixed and self.prior_sd is None

    @property
    def transformed(self) -> float:
        """Typical value on the parameter's scale; not a number where unpublished."""
        if self.value is None:
            return np.nan
        return float(SCALES[self.scale].forward(self.value))


@dataclass(frozen=True, eq=False, repr=False)
class ParameterSpace:
    """Parameters by name, and the way to their transformed scale and back.

    Parameters
    ----------
    name : str
        Name of the model, for messages.
    parameters : dict of str to Parameter
        In the order of the file.
    covariates : dict of str to Covariate
        What else is known of a patient.
    correlations : dict of (str, str) to float
        Between random effects on their scales, where they are not 0.
    correlation_sources : dict of (str, str) to str
        Where these come from.
    """

    name: str
    parameters: Mapping[str, Parameter]
    covariates: Mapping[str, Covariate] = field(default_factory=dict, kw_only=True)
    correlations: Mapping[tuple[str, str], float] = field(
        default_factory=dict, kw_only=True
    )
    correlation_sources: Mapping[tuple[str, str], str] = field(
        default_factory=dict, kw_only=True
    )

    @cached_property
    def free(self) -> tuple[str, ...]:
        """Names of the parameters that differ between patients."""
        return tuple(name for name, row in self.parameters.items() if not row.fixed)

    @cached_property
    def typical(self) -> Array:
        """Typical values on the transformed scale, shape (p,).

        Raises
        ------
        ModelError
            Where a value is not published and was not given.
        """
        self._published(self.free)
        return np.array([self.parameters[name].transformed for name in self.free])

    @cached_property
    def spread(self) -> Array:
        """Between-patient standard deviations on the transformed scale, shape (p,).

        Raises
        ------
        ModelError
            Where a spread is not published and was not given.
        """
        found = {name: self.parameters[name].iiv_sd for name in self.free}
        absent = [name for name, sd in found.items() if sd is None]
        if absent:
            raise ModelError(
                f"the spread between patients is not published: {', '.join(absent)}",
                where=self.name,
                todo=f"Give it: model.with_spread({_example(absent, '0.5')}), standard "
                "deviations on the scales of the parameters.",
            )
        return np.array([sd for sd in found.values() if sd is not None])

    @cached_property
    def correlation(self) -> Array:
        """Correlation of the random effects, shape (p, p); 0 where none is stated."""
        matrix = np.eye(len(self.free))
        for (one, two), value in self.correlations.items():
            i, j = self.free.index(one), self.free.index(two)
            matrix[i, j] = matrix[j, i] = value
        return matrix

    @cached_property
    def covariance(self) -> Array:
        """Covariance of the random effects, shape (p, p).

        Raises
        ------
        ModelError
            Where a spread is not published and was not given.
        """
        return self.correlation * np.outer(self.spread, self.spread)

    def natural(self, theta: ArrayLike) -> dict[str, Array]:
        """Return the parameters on their natural scale.

        Parameters
        ----------
        theta : array, shape (..., p)
            Free parameters on the transformed scale, in the order of ``free``.

        Returns
        -------
        dict of str to ndarray, shape (...)
            In the units of the file; fixed parameters included.

        Raises
        ------
        ModelError
            Where theta does not fit, or a fixed parameter has no value.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> float(stein.natural(stein.typical)["tmax"].round(6))
        9.3
        """
        theta = self._checked(theta)
        self._published(name for name, row in self.parameters.items() if row.fixed)
        values = {name: np.asarray(row.value) for name, row in self.parameters.items()}
        for i, name in enumerate(self.free):
            values[name] = SCALES[self.parameters[name].scale].back(theta[..., i])
        return values

    def theta(self, values: Mapping[str, ArrayLike] | None = None) -> Array:
        """Return transformed parameters from natural values; the rest is typical.

        Parameters
        ----------
        values : mapping of str to array, shape (...)
            Free parameters in the units of the file.

        Returns
        -------
        ndarray, shape (..., p)

        Raises
        ------
        ModelError
            Where a name is not a free parameter of the model, a value is impossible,
            or one is neither given nor published.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> stein.theta({"tmax": [7, 12]}).shape
        (2, 6)
        """
        values = values or {}
        self._known(values, self.free)
        self._published(name for name in self.free if name not in values)
        columns = [
            self._transformed(name, values[name])
            if name in values
            else self.parameters[name].transformed
            for name in self.free
        ]
        return np.stack(np.broadcast_arrays(*columns), axis=-1)

    def with_values(self, **values: float) -> Self:
        """Return the same model with other typical or fixed values.

        Parameters
        ----------
        **values : float
            By name of the parameter, in the units of the file.

        Raises
        ------
        ModelError
            Where a name is not a parameter of the model, or a value is impossible.

        Examples
        --------
        >>> import cellpk as ck
        >>> smooth = ck.load_model("stein_2019_smooth_peak")
        >>> smooth.with_values(w=0.25).parameters["w"].value
        0.25
        """
        self._known(values, self.parameters)
        rows = dict(self.parameters)
        for name, value in values.items():
            self._transformed(name, value)
            rows[name] = replace(rows[name], value=float(value), source=BY_HAND)
        return replace(self, parameters=rows)

    def with_spread(self, **sd: float) -> Self:
        """Return the same model with other spreads between patients.

        Parameters
        ----------
        **sd : float
            Standard deviation on the scale of the parameter, by its name.

        Raises
        ------
        ModelError
            Where a name is not a free parameter of the model, or a spread not positive.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> stein.with_spread(cmax=0.5).spread.tolist()
        [2.4, 0.38, 0.5, 0.91, 0.8, 0.86]
        """
        self._known(sd, self.free)
        rows = dict(self.parameters)
        for name, value in sd.items():
            if not 0 < value < np.inf:
                raise ModelError(
                    f"the spread of {name} is {value}",
                    where=self.name,
                    todo="Give a positive number.",
                )
            rows[name] = replace(
                rows[name],
                iiv_sd=float(value),
                spread_form="iiv_sd",
                iiv_source=BY_HAND,
            )
        return replace(self, parameters=rows)

    def _published(self, names: Iterable[str]) -> None:
        absent = [name for name in names if self.parameters[name].value is None]
        if absent:
            raise ModelError(
                f"no value is published: {', '.join(absent)}",
                where=self.name,
                todo=f"Give it: model.with_values({_example(absent, '...')}), in "
                f"{_listed(self.parameters[name].unit for name in absent)}.",
            )

    def _known(self, values: Iterable[str], known: Iterable[str]) -> None:
        for name in values:
            if name in known:
                continue
            todo = nearest(name, known)
            if name in self.covariates:
                todo = f"It is a covariate: give it as covariates={{{name!r}: ...}}."
            elif name in self.parameters:
                todo = "It is fixed, the same for all patients. " + todo
            raise ModelError(
                f"{name!r} is not such a parameter", where=self.name, todo=todo
            )

    def _transformed(self, name: str, value: ArrayLike) -> Array:
        row, numbers = self.parameters[name], np.asarray(value, dtype=float)
        scale = SCALES[row.scale]
        for number in numbers.flat:
            if not scale.legal(number):
                raise ModelError(
                    f"{name} = {number} is not possible on the {row.scale} scale",
                    where=self.name,
                    todo="Give another value.",
                )
        return scale.forward(numbers)

    def _checked(self, theta: ArrayLike) -> Array:
        array = np.asarray(theta, dtype=float)
        if array.ndim == 0 or array.shape[-1] != len(self.free):
            raise ModelError(
                f"theta has shape {array.shape}",
                where=self.name,
                todo=f"Its last axis holds {', '.join(self.free)}.",
            )
        return array


def _example(names: Iterable[str], value: str) -> str:
    return ", ".join(f"{name}={value}" for name in names)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))
