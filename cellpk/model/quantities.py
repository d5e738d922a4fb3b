"""Derived quantities of a model: formulas of its parameters, and the area."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from cellpk.errors import ModelError
from cellpk.model.area import GATE_MARKS, area, area_at_once
from cellpk.model.evaluation import TOLERANCE, Evaluated
from cellpk.model.expression import Node
from cellpk.model.inputs import Inputs
from cellpk.model.parameters import Array
from cellpk.model.sensitivity import Quantity, Scope, constant

AREA, AREA_END = "auc_0_28", 28.0
LONGEST_PIECE = 7.0
"""Days that one rule of Gauss and Legendre covers where the solver gives the level."""

SOON = (0.01, 0.1, 1.0)
"""Days after an infusion or switch at which pieces end: cells leave blood in hours."""

INSTANT = 1e-9
"""Days before and after a stop at which the level is that of its two sides."""


@dataclass(frozen=True, eq=False, repr=False)
class Quantified(Evaluated):
    """A model with derived quantities; see :class:`cellpk.model.model.Model`."""

    def quantities(
        self, theta: ArrayLike, *, inputs: Inputs | None = None
    ) -> dict[str, tuple[Array, Array]]:
        """Return derived quantities with their gradients.

        Parameters
        ----------
        theta : array, shape (..., p)
            Free parameters on the transformed scale.
        inputs : Inputs, optional
            Covariates and infusions; those of the typical patient where not given.

        Returns
        -------
        dict of str to (ndarray, shape (...); ndarray, shape (..., p))
            The file's derived quantities and ``auc_0_28``, the area under the level of
            the first assay to day 28; units stand in ``quantity_units``.

        Raises
        ------
        ModelError
            Where theta does not fit, or a patient cannot be calculated.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> value, gradient = stein.quantities(stein.typical)["auc_0_28"]
        >>> float(value.round(1)), gradient.shape
        (171774.3, (6,))
        """
        theta = self._checked(theta)
        found = self._quantities(theta, inputs or self.inputs(), gradient=True)
        return {
            name: (_value(quantity, theta), _slope(quantity, theta))
            for name, quantity in found.items()
        }

    def quantity_values(
        self,
        theta: ArrayLike,
        *,
        inputs: Inputs | None = None,
        tolerance: float | None = None,
        observed: str | None = None,
    ) -> dict[str, Array]:
        """Return derived quantities alone: for many draws, some times faster.

        Parameters
        ----------
        theta : array, shape (..., p)
            Free parameters on the transformed scale.
        inputs : Inputs, optional
            Covariates and infusions; those of the typical patient where not given.
        tolerance : float, optional
            Where given, levels come from the compiled model, with this relative error
            per step where it has no closed form, and the area of a patient that cannot
            be calculated is NaN.
        observed : str, optional
            Under which level the area is; the first of the model where not given.

        Returns
        -------
        dict of str to ndarray, shape (...)
            The values of :meth:`quantities`.

        Raises
        ------
        ModelError
            Where theta does not fit, or, without a tolerance, a patient cannot be
            calculated.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> float(stein.quantity_values(stein.typical)["half_life_1"].round(3))
        4.332
        """
        theta = self._checked(theta)
        found = self._quantities(
            theta,
            inputs or self.inputs(),
            gradient=False,
            tolerance=tolerance,
            observed=observed,
        )
        return {name: _value(quantity, theta) for name, quantity in found.items()}

    def formula(self, node: Node) -> float:
        """Return a formula free of time, for the typical patient.

        Parameters
        ----------
        node : Node
            Of parameters, covariates fixed in time and lines free of time.

        Raises
        ------
        ModelError
            Where it needs a parameter whose value is not published.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> round(stein.formula(stein.derived["doubling_time"].expression), 4)
        0.7796
        """
        rows = [*self.parameters.values(), *self.covariates.values()]
        known = {row.name: row.value for row in rows if row.value is not None}
        given = {name: constant(value) for name, value in known.items()}
        try:
            return float(Scope(given, self.equations.lines).evaluate(node).value)
        except KeyError as error:
            raise ModelError(
                f"{node} needs {error.args[0]!r}, which has no published value",
                where=self.name,
                todo=f"Give it: model.with_values({error.args[0]}=...).",
            ) from error

    @cached_property
    def quantity_units(self) -> dict[str, str]:
        """Units of the derived quantities, by name."""
        units = {name: row.unit for name, row in self.derived.items()}
        return {**units, AREA: f"{self.time}*{self._observed(None).unit}"}

    def switch_times(self, theta: ArrayLike, *, inputs: Inputs | None = None) -> Array:
        """Return the times at which the course changes.

        Parameters
        ----------
        theta : array, shape (..., p)
            Free parameters on the transformed scale.
        inputs : Inputs, optional
            Covariates; those of the typical patient where not given.

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
        given = self._given(theta, inputs or self.inputs())
        scope = Scope(given, self.equations.lines)
        shape = theta.shape[:-1]
        with np.errstate(all="ignore"):
            found = [scope.evaluate(node).value for node in self.switches]
        times = [np.broadcast_to(time, (*shape, 1)) for time in found]
        return np.concatenate([np.empty((*shape, 0)), *times], axis=-1)

    def marks(self, theta: ArrayLike, *, inputs: Inputs | None = None) -> Array:
        """Return the times about which the course changes, of every kind.

        Parameters
        ----------
        theta : array, shape (..., p)
            Free parameters on the transformed scale.
        inputs : Inputs, optional
            Covariates and infusions; those of the typical patient where not given.

        Returns
        -------
        ndarray, shape (..., k)
            Days: switches, places about smooth gates, infusions once they act, steps
            of covariates; in no order.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> stein.marks(stein.typical).round(6)
        array([9.3])
        """
        theta, inputs = self._checked(theta), inputs or self.inputs()
        scope = Scope(self._given(theta, inputs), self.equations.lines)
        with np.errstate(all="ignore"):
            found = [*self._marks(scope), *self._acts(scope, inputs)]
        found += [constant([day]) for days, _ in inputs.steps.values() for day in days]
        shape = (*theta.shape[:-1], 1)
        times = [np.broadcast_to(mark.value, shape) for mark in found]
        return np.concatenate([np.empty((*shape[:-1], 0)), *times], axis=-1)

    def _quantities(
        self,
        theta: Array,
        inputs: Inputs,
        *,
        gradient: bool,
        tolerance: float | None = None,
        observed: str | None = None,
    ) -> dict[str, Quantity]:
        given = self._given(theta, inputs, gradient=gradient)
        scope = Scope(given, self.equations.lines)
        with np.errstate(all="ignore"):
            found = {
                name: scope.evaluate(row.expression)
                for name, row in self.derived.items()
            }
            marks = self._marks(scope)
            if self.equations.closed and tolerance is None:
                found[AREA] = area(
                    lambda t: self._level(given, t, observed), marks, AREA_END
                )
                return found
        with np.errstate(all="ignore"):
            stops = [scope.evaluate(node) for node in self.switches]
            stops += self._acts(scope, inputs)
        found[AREA] = self._solved_area(
            theta,
            inputs,
            marks=marks,
            stops=stops,
            tolerance=tolerance,
            observed=observed,
        )
        return found

    def _marks(self, scope: Scope) -> list[Quantity]:
        """Where pieces of an area end: switches, and places about each gate."""
        marks = [scope.evaluate(node) for node in self.switches]
        for gate in self.gates:
            centre, width = scope.evaluate(gate.centre), scope.evaluate(gate.width)
            marks += [centre + width * constant(place) for place in GATE_MARKS]
        return marks

    def _acts(self, scope: Scope, inputs: Inputs) -> list[Quantity]:
        """Days on which infusions act."""
        lag = self.infusions.lag if self.infusions else None
        later = scope.evaluate(lag) if lag else constant([0.0])
        return [constant([day]) + later for day in inputs.days]

    def _solved_area(
        self,
        theta: Array,
        inputs: Inputs,
        *,
        marks: Sequence[Quantity],
        stops: Sequence[Quantity],
        tolerance: float | None,
        observed: str | None,
    ) -> Quantity:
        """Area under a level that the compiled model gives, asked for once.

        The ends of its pieces stay where they are as parameters change: where the level
        is the same on both sides their moves cancel. Where it jumps, at an infusion
        with an estimated lag or at a switch of the assay itself, that counts apart.
        """
        gradient = any(mark.gradient is not None for mark in [*marks, *stops])

        def level(times: Quantity) -> Quantity:
            found = self.kernel.solve(
                theta,
                times.value,
                observed=observed,
                inputs=inputs,
                gradient=gradient,
                tolerance=TOLERANCE if tolerance is None else tolerance,
            )
            if tolerance is None:
                self._complete(found)
            value = np.exp(found.log_level)
            value[found.failed] = np.nan
            if found.gradient is None:
                return Quantity(value)
            return Quantity(value, value[..., None] * found.gradient)

        steps = [day for days, _ in inputs.steps.values() for day in days]
        ends = [mark.value for mark in marks] + [[day] for day in steps]
        if not self.equations.closed:
            whole = np.arange(LONGEST_PIECE, AREA_END, LONGEST_PIECE)
            ends += [[day] for day in whole]
            ends += [stop.value + soon for stop in stops for soon in (0.0, *SOON)]
        total = area_at_once(level, [constant(end) for end in ends], AREA_END)
        for stop in stops:
            total += _jump(level, stop)
        return total


def _jump(level: Callable[[Quantity], Quantity], stop: Quantity) -> Quantity:
    """Return what the area gains as a jump of the level moves in time."""
    inside = (stop.value > INSTANT) & (stop.value < AREA_END)
    if stop.gradient is None or not inside.any():
        return constant([0.0])
    day = np.where(inside, stop.value, INSTANT)
    about = np.concatenate([day - INSTANT, day + INSTANT], axis=-1)
    before, after = np.moveaxis(level(constant(about)).value, -1, 0)
    slope = ((before - after)[..., None] * inside)[..., None] * stop.gradient
    return Quantity(np.zeros_like(stop.value), slope)


def _value(quantity: Quantity, theta: Array) -> Array:
    """Value without the axis of times: it has one time only."""
    return np.broadcast_to(quantity.value, (*theta.shape[:-1], 1))[..., 0].copy()


def _slope(quantity: Quantity, theta: Array) -> Array:
    """Gradient without the axis of times; 0 for a constant."""
    slope = 0.0 if quantity.gradient is None else quantity.gradient
    shape = (*theta.shape[:-1], 1, theta.shape[-1])
    return np.broadcast_to(slope, shape)[..., 0, :].copy()
