"""A model: equations, parameters, and the levels that follow from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from cellpk.errors import ModelError, nearest
from cellpk.model.area import GATE_MARKS, area
from cellpk.model.description import Description
from cellpk.model.equations import TIME
from cellpk.model.parameters import SCALES, Array
from cellpk.model.rows import Observed
from cellpk.model.sensitivity import Quantity, Scope, constant

SMALLEST, LARGEST = 1e-300, 1e300
"""Levels are held within these: an extreme parameter gives a finite log level."""

AREA = "auc_0_28"


@dataclass(frozen=True, eq=False, repr=False)
class Model(Description):
    """A published or own model of levels after infusion.

    Made by :func:`cellpk.load_model`. Nothing changes it.

    Parameters
    ----------
    name : str
        Name of its file, without ending.
    parameters : dict of str to Parameter
        In the order of the file.
    title, source, note : str
        What it describes, where it comes from, what to know before use.
    time : str
        Unit of time.
    observed : dict of str to Observed
        What assays measure; the first is meant where none is named.
    derived : dict of str to Derived
        Formulas of parameters with shared names.
    equations : Equations
        Rates and closed form, read from text.
    switches : tuple of Node
        Times at which the course changes, as expressions of the parameters.
    gates : tuple of Gate
        Smooth switches: centre and width, as expressions of the parameters.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> stein.curve([28, 90], cmax=24000).round(2)
    array([1373.56,  146.51])
    """

    def log_level(
        self, theta: ArrayLike, times: ArrayLike, *, observed: str | None = None
    ) -> Array:
        """Return the natural log of the level.

        Parameters
        ----------
        theta : array, shape (..., p)
            Free parameters on the transformed scale.
        times : array, shape (n,)
            Days after infusion, not negative.
        observed : str, optional
            Assay; the first of the model where not given.

        Returns
        -------
        ndarray, shape (..., n)
            Finite: a level below 1e-300 counts as 1e-300, one above 1e300 as 1e300.

        Raises
        ------
        ModelError
            Where the model has no closed form, or the assay or theta does not fit.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> stein.log_level(stein.typical, [0, 9.3]).round(4)
        array([ 1.8171, 10.0858])
        """
        theta, times = self._checked(theta), self._times(times)
        with np.errstate(all="ignore"):
            level = self._level(self._given(theta), constant(times), observed)
            value = np.log(np.clip(level.value, SMALLEST, LARGEST))
        return np.broadcast_to(value, (*theta.shape[:-1], times.size)).copy()

    def log_level_gradient(
        self, theta: ArrayLike, times: ArrayLike, *, observed: str | None = None
    ) -> tuple[Array, Array]:
        """Return the natural log of the level and its gradient.

        Parameters
        ----------
        theta : array, shape (..., p)
            Free parameters on the transformed scale.
        times : array, shape (n,)
            Days after infusion, not negative.
        observed : str, optional
            Assay; the first of the model where not given.

        Returns
        -------
        log_level : ndarray, shape (..., n)
            As from :meth:`log_level`.
        gradient : ndarray, shape (..., n, p)
            By theta; 0 where the level is held at its smallest or largest.

        Raises
        ------
        ModelError
            Where the model has no closed form, or the assay or theta does not fit.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> level, gradient = stein.log_level_gradient(stein.typical, [7, 14, 28])
        >>> gradient.shape
        (3, 6)
        """
        theta, times = self._checked(theta), self._times(times)
        shape = (*theta.shape[:-1], times.size)
        with np.errstate(all="ignore"):
            given = self._given(theta, gradient=True)
            level = self._level(given, constant(times), observed)
            value = np.log(np.clip(level.value, SMALLEST, LARGEST))
            inside = (level.value > SMALLEST) & (level.value < LARGEST)
            slope = level.along(np.divide(1.0, level.value))
            gradient = np.where(inside[..., None], 0.0 if slope is None else slope, 0.0)
        wide = np.broadcast_to(gradient, (*shape, theta.shape[-1]))
        return np.broadcast_to(value, shape).copy(), wide.copy()

    def curve(
        self, times: ArrayLike, *, observed: str | None = None, **changes: float
    ) -> Array:
        """Return the level of the typical patient, with changed parameters.

        Parameters
        ----------
        times : array, shape (n,)
            Days after infusion, not negative.
        observed : str, optional
            Assay; the first of the model where not given.
        **changes : float
            Parameters by name, in the units of the file.

        Returns
        -------
        ndarray, shape (n,)
            Level in the unit of the assay.

        Raises
        ------
        ModelError
            Where a name is not a parameter of the model, or a value is impossible.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> stein.curve([9.3, 28], cmax=5e4).round(1)
        array([50000. ,  2861.6])
        """
        model = self.with_values(**changes) if changes else self
        return np.exp(model.log_level(model.typical, times, observed=observed))

    def quantities(self, theta: ArrayLike) -> dict[str, tuple[Array, Array]]:
        """Return derived quantities with their gradients.

        Parameters
        ----------
        theta : array, shape (..., p)
            Free parameters on the transformed scale.

        Returns
        -------
        dict of str to (ndarray, shape (...); ndarray, shape (..., p))
            The file's derived quantities and ``auc_0_28``, the area under the level of
            the first assay to day 28; units stand in ``quantity_units``.

        Raises
        ------
        ModelError
            Where the model has no closed form, or theta does not fit.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> value, gradient = stein.quantities(stein.typical)["auc_0_28"]
        >>> float(value.round(1)), gradient.shape
        (171774.3, (6,))
        """
        theta = self._checked(theta)
        found = self._quantities(self._given(theta, gradient=True))
        return {
            name: (_value(quantity, theta), _slope(quantity, theta))
            for name, quantity in found.items()
        }

    def quantity_values(self, theta: ArrayLike) -> dict[str, Array]:
        """Return derived quantities alone: for many draws, some times faster.

        Parameters
        ----------
        theta : array, shape (..., p)
            Free parameters on the transformed scale.

        Returns
        -------
        dict of str to ndarray, shape (...)
            The values of :meth:`quantities`.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> float(stein.quantity_values(stein.typical)["half_life_1"].round(3))
        4.332
        """
        theta = self._checked(theta)
        found = self._quantities(self._given(theta))
        return {name: _value(quantity, theta) for name, quantity in found.items()}

    def _quantities(self, given: Mapping[str, Quantity]) -> dict[str, Quantity]:
        scope = Scope(given, self.equations.lines)
        with np.errstate(all="ignore"):
            found = {
                name: scope.evaluate(row.expression)
                for name, row in self.derived.items()
            }
            marks = self._marks(scope)
            found[AREA] = area(lambda t: self._level(given, t), marks, 28.0)
        return found

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

    @cached_property
    def quantity_units(self) -> dict[str, str]:
        """Units of the derived quantities, by name."""
        units = {name: row.unit for name, row in self.derived.items()}
        return {**units, AREA: f"{self.time}*{self._observed(None).unit}"}

    def switch_times(self, theta: ArrayLike) -> Array:
        """Return the times at which the course changes.

        Parameters
        ----------
        theta : array, shape (..., p)
            Free parameters on the transformed scale.

        Returns
        -------
        ndarray, shape (..., k)
            Days after infusion, one per element of ``switches``.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> stein.switch_times(stein.typical).round(6)
        array([9.3])
        """
        theta = self._checked(theta)
        scope = Scope(self._given(theta), self.equations.lines)
        shape = theta.shape[:-1]
        with np.errstate(all="ignore"):
            found = [scope.evaluate(node).value for node in self.switches]
        times = [np.broadcast_to(time, (*shape, 1)) for time in found]
        return np.concatenate([np.empty((*shape, 0)), *times], axis=-1)

    def _marks(self, scope: Scope) -> list[Quantity]:
        """Where pieces of an area end: switches, and places about each gate."""
        marks = [scope.evaluate(node) for node in self.switches]
        for gate in self.gates:
            centre, width = scope.evaluate(gate.centre), scope.evaluate(gate.width)
            marks += [centre + width * constant(place) for place in GATE_MARKS]
        return marks

    def _given(self, theta: Array, *, gradient: bool = False) -> dict[str, Quantity]:
        """Parameters as quantities, shape (..., 1): the last axis is that of times."""
        one_hot = np.eye(theta.shape[-1])
        given = {}
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
        if not self.equations.closed:
            raise ModelError(
                f"{self.name!r} has no closed form",
                todo="Add a 'solution' to its file: this version evaluates closed "
                "forms only.",
            )
        scope = Scope({**given, TIME: time}, self.equations.lines)
        return scope.evaluate(self._observed(observed).expression)

    def _observed(self, name: str | None) -> Observed:
        first = next(iter(self.observed))
        if name is not None and name not in self.observed:
            raise ModelError(
                f"{name!r} is not observed by this model",
                where=self.name,
                todo=nearest(name, self.observed),
            )
        return self.observed[name or first]

    def _times(self, times: ArrayLike) -> Array:
        array = np.asarray(times, dtype=float)
        if array.ndim != 1 or not (array >= 0).all():
            raise ModelError(
                f"times are {times!r}",
                where=self.name,
                todo="Give a list of days after infusion, none of them negative.",
            )
        return array


def _value(quantity: Quantity, theta: Array) -> Array:
    """Value without the axis of times: it has one time only."""
    return np.broadcast_to(quantity.value, (*theta.shape[:-1], 1))[..., 0].copy()


def _slope(quantity: Quantity, theta: Array) -> Array:
    """Gradient without the axis of times; 0 for a constant."""
    slope = 0.0 if quantity.gradient is None else quantity.gradient
    shape = (*theta.shape[:-1], 1, theta.shape[-1])
    return np.broadcast_to(slope, shape)[..., 0, :].copy()
