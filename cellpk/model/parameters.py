"""Parameters of a model: their values, scales and the spread between patients."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpk.errors import ModelError, nearest

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


SCALES: Mapping[str, Scale] = {
    "log": Scale(np.log, np.exp, np.asarray, lambda x: 0 < x < np.inf),
    "logit": Scale(
        lambda x: np.log(x) - np.log1p(-x),
        lambda theta: np.exp(-np.logaddexp(0.0, -theta)),
        lambda x: x * (1 - x),
        lambda x: 0 < x < 1,
    ),
    "identity": Scale(
        np.asarray, np.asarray, np.ones_like, lambda x: bool(np.isfinite(x))
    ),
}
"""Scales of a parameter by name."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model.

    Parameters
    ----------
    name : str
        As the equations name it.
    value : float
        Typical value, natural scale, in ``unit``.
    unit, label : str
        Unit ("1" where it has none) and what it is called in tables.
    scale : {"log", "logit", "identity"}
        Scale on which patients spread normally.
    iiv_sd : float
        Between-patient spread: standard deviation on ``scale``; 0 where fixed.
    spread_form : str
        How the file states the spread: ``iiv_sd``, ``iiv_var``, ``iiv_cv`` or "".
    fixed : bool
        Whether it is the same for all patients and is not fitted.
    source : str
        Where value and spread come from.
    """

    name: str
    value: float
    unit: str = "1"
    label: str = ""
    scale: str = "log"
    iiv_sd: float = 0.0
    spread_form: str = ""
    fixed: bool = False
    source: str = ""

    @property
    def transformed(self) -> float:
        """Typical value on the parameter's scale."""
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
    """

    name: str
    parameters: Mapping[str, Parameter]

    @cached_property
    def free(self) -> tuple[str, ...]:
        """Names of the parameters that differ between patients."""
        return tuple(name for name, row in self.parameters.items() if not row.fixed)

    @cached_property
    def typical(self) -> Array:
        """Typical values on the transformed scale, shape (p,)."""
        return np.array([self.parameters[name].transformed for name in self.free])

    @cached_property
    def spread(self) -> Array:
        """Between-patient standard deviations on the transformed scale, shape (p,)."""
        return np.array([self.parameters[name].iiv_sd for name in self.free])

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

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> float(stein.natural(stein.typical)["tmax"].round(6))
        9.3
        """
        theta = self._checked(theta)
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
            Where a name is not a free parameter of the model, or a value impossible.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> stein.theta({"tmax": [7, 12]}).shape
        (2, 6)
        """
        values = values or {}
        columns = [
            self._transformed(name, values[name]) if name in values else typical
            for name, typical in zip(self.free, self.typical, strict=True)
        ]
        self._known(values, self.free)
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
            rows[name] = replace(rows[name], value=float(value))
        return replace(self, parameters=rows)

    def _known(self, values: Iterable[str], known: Iterable[str]) -> None:
        for name in values:
            if name not in known:
                raise ModelError(
                    f"{name!r} is not such a parameter",
                    where=self.name,
                    todo=nearest(name, known),
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


def spread(row: Mapping[str, Any], *, where: str) -> tuple[float, str]:
    """Return the between-patient spread of a row as a standard deviation, and its form.

    Parameters
    ----------
    row : mapping
        Of a parameter: exactly one of ``iiv_sd``, ``iiv_var`` and ``iiv_cv``, or
        ``fixed = true``. A coefficient of variation (a fraction, log scale only) is
        turned by ``sd = sqrt(log(1 + cv**2))``.
    where : str
        File, section and line.

    Raises
    ------
    ModelError
        Where there is none or more than one, or it is negative.

    Examples
    --------
    >>> spread({"iiv_var": 0.25}, where="")
    (0.5, 'iiv_var')
    """
    forms = [key for key in ("iiv_sd", "iiv_var", "iiv_cv") if key in row]
    if row.get("fixed", False) and not forms:
        return 0.0, ""
    if len(forms) != 1 or row.get("fixed", False):
        raise ModelError(
            f"the spread between patients is stated by {forms or 'nothing'}"
            + (" and fixed" if row.get("fixed", False) else ""),
            where=where,
            todo="State exactly one of iiv_sd, iiv_var, iiv_cv, or fixed = true.",
        )
    form, value = forms[0], row[forms[0]]
    if form == "iiv_cv" and row.get("scale", "log") != "log":
        raise ModelError(
            f"iiv_cv = {value} has a meaning on the log scale only",
            where=where,
            todo="State iiv_sd or iiv_var on the parameter's own scale.",
        )
    if not 0 < value < np.inf:
        raise ModelError(
            f"{form} is {value}", where=where, todo="State a positive number."
        )
    variance = {"iiv_sd": value**2, "iiv_var": value, "iiv_cv": np.log1p(value**2)}
    return float(np.sqrt(variance[form])), form


def read_parameter(name: str, row: Mapping[str, Any], *, where: str) -> Parameter:
    """Return a parameter from its row of the file.

    Raises
    ------
    ModelError
        Where the scale is unknown, the value is impossible on it, or the spread is not
        stated once.

    Examples
    --------
    >>> row = {"value": 9.3, "unit": "day", "iiv_cv": 0.4}
    >>> read_parameter("tmax", row, where="").iiv_sd.__round__(6)
    0.385253
    """
    scale = row.get("scale", "log")
    if scale not in SCALES:
        raise ModelError(
            f"scale {scale!r} is not known", where=where, todo=nearest(scale, SCALES)
        )
    value = float(row["value"])
    if not SCALES[scale].legal(value):
        raise ModelError(
            f"value {value} is not possible on the {scale} scale",
            where=where,
            todo="Correct the value, or state another scale.",
        )
    sd, form = spread(row, where=where)
    kept = {key: row[key] for key in ("unit", "label", "fixed", "source") if key in row}
    return Parameter(name, value, scale=scale, iiv_sd=sd, spread_form=form, **kept)
