"""What happened to a patient: covariates, and infusions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cellpk.errors import ModelError, nearest
from cellpk.model.description import Description
from cellpk.model.parameters import Array
from cellpk.model.rows import Covariate


@dataclass(frozen=True, eq=False)
class Inputs:
    """Covariates and infusions of one patient, or of many on the same schedule.

    Made by ``model.inputs()``. Nothing changes it.

    Parameters
    ----------
    values : dict of str to ndarray, shape (...)
        Every covariate fixed in time; broadcast against the leading shape of theta.
    steps : dict of str to (ndarray, shape (k,); ndarray, shape (k,))
        Every covariate that changes with time: days, in order, and the value from each
        day on. Before the first day the reference value holds.
    days, cells : ndarray, shape (k,)
        Infusions: days after the first one, in order, and how many cells, in the unit
        of the model.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> read_inputs(stein).days.size
    0
    """

    values: Mapping[str, Array] = field(default_factory=dict)
    steps: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    days: Array = field(default_factory=lambda: np.empty(0))
    cells: Array = field(default_factory=lambda: np.empty(0))

    def fixed(self) -> dict[str, Array]:
        """Return the covariates fixed in time, by name."""
        return dict(self.values)


def read_inputs(
    model: Description,
    *,
    covariates: Mapping[str, Any] | None = None,
    infusions: Iterable[tuple[float, float]] | None = None,
) -> Inputs:
    """Return what happened to a patient, checked against a model.

    Parameters
    ----------
    model : Description
        Which covariates there are, and whether cells can be infused.
    covariates : mapping, optional
        By name: a number or array; for a covariate that changes with time ``{day:
        value, ...}``, or one number from day 0 on. The rest has its reference value.
    infusions : iterable of (day, cells), optional
        The schedule of the typical patient where not given.

    Raises
    ------
    ModelError
        Where the model has no such covariate, takes no infusions, or a number is not
        possible.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> read_inputs(stein, infusions=[(0, 1e8)])
    Traceback (most recent call last):
        ...
    cellpk.errors.ModelError: stein_2019_tisagenlecleucel: infusions are given, and the
    model has no [infusions]. Leave them out.
    """
    given = dict(covariates or {})
    for name in given:
        if name not in model.covariates:
            raise ModelError(
                f"{name!r} is not a covariate of this model",
                where=model.name,
                todo=_instead(name, model),
            )
    values, steps = {}, {}
    for name, row in model.covariates.items():
        if row.steps:
            steps[name] = _stepped(row, given.get(name, {}), model.name)
        else:
            values[name] = _values(row, given.get(name, row.value), model.name)
    days, cells = _schedule(model, infusions)
    return Inputs(values, steps, days, cells)


def _instead(name: str, model: Description) -> str:
    if name in model.parameters:
        return f"It is a parameter: give it as model.with_values({name}=...)."
    if not model.covariates:
        return "It has none."
    return nearest(name, model.covariates)


def _numbers(value: Any, name: str, where: str) -> Array:
    """Return numbers as an array, or say what is none."""
    try:
        return np.array(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{name} is {value!r}", where=where, todo="Give numbers."
        ) from error


def _values(row: Covariate, value: Any, where: str) -> Array:
    numbers = _numbers(value, row.name, where)
    possible = np.isfinite(numbers)
    if row.levels:
        possible = np.isin(numbers, row.levels)
    elif row.unit == "day":
        possible |= numbers == np.inf  # a day that never comes
    wrong = numbers[~possible]
    if wrong.size:
        raise ModelError(
            f"{row.name} = {wrong.flat[0]:g} is not possible",
            where=where,
            todo=f"Give one of {', '.join(f'{x:g}' for x in row.levels)}."
            if row.levels
            else "Give a number.",
        )
    return numbers


def _stepped(row: Covariate, value: Any, where: str) -> tuple[Array, Array]:
    """Days of change in order, and the values from then on."""
    changes = dict(value) if hasattr(value, "items") else {0.0: value}
    days = _numbers(list(changes), f"days of {row.name}", where)
    numbers = _numbers(list(changes.values()), row.name, where)
    if numbers.ndim != 1:
        raise ModelError(
            f"{row.name} is {value!r}",
            where=where,
            todo="It changes with time: give {day: value, ...}.",
        )
    _check_days(days, f"{row.name} changes", where)
    order = np.argsort(days, kind="stable")
    return days[order], _values(row, numbers[order], where)


def _check_days(days: Array, what: str, where: str) -> None:
    for day in days:
        if not 0 <= day < np.inf:
            raise ModelError(
                f"{what} on day {day:g}",
                where=where,
                todo="Give days after the first infusion, none of them negative.",
            )


def _schedule(
    model: Description, infusions: Iterable[tuple[float, float]] | None
) -> tuple[Array, Array]:
    """Days and cells of the infusions: those given, else those of the file."""
    if model.infusions is None:
        if infusions is not None:
            raise ModelError(
                "infusions are given, and the model has no [infusions]",
                where=model.name,
                todo="Leave them out.",
            )
        return np.empty(0), np.empty(0)
    if infusions is None:
        return np.array(model.infusions.days), np.array(model.infusions.cells)
    return _pairs(list(infusions), model.name)


def _pairs(infusions: list[Any], where: str) -> tuple[Array, Array]:
    if not infusions:
        return np.empty(0), np.empty(0)
    pairs = _numbers(infusions, "the schedule of infusions", where)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ModelError(
            f"the schedule of infusions is {infusions!r}",
            where=where,
            todo="Give pairs of day and cells: [(0, 1e8), (30, 1e8)].",
        )
    days, cells = pairs[np.argsort(pairs[:, 0], kind="stable")].T
    _check_days(days, "an infusion is", where)
    for number in cells:
        if not 0 < number < np.inf:
            raise ModelError(
                f"an infusion has {number:g} cells",
                where=where,
                todo="Give a positive number.",
            )
    return days.copy(), cells.copy()


def step_values(row: Covariate, steps: tuple[Array, Array], days: ArrayLike) -> Array:
    """Return the values of a covariate that changes in steps.

    Parameters
    ----------
    row : Covariate
        Its reference value holds before the first step.
    steps : (ndarray, shape (k,); ndarray, shape (k,))
        Days in order, and the value from each on.
    days : array, shape (n,)
        When it is wanted.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> given = (np.array([5.0]), np.array([1.0]))
    >>> step_values(Covariate("tocilizumab", 0.0), given, [4, 5, 6])
    array([0., 1., 1.])
    """
    changes, values = steps
    place = np.searchsorted(changes, days, side="right")
    return np.concatenate([[row.value], values])[place]
