"""Printed numbers beside what a model file gives: the proof of its transcription."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.errors import ModelError
from cellpk.model.expression import Node
from cellpk.model.inputs import Inputs
from cellpk.model.parameters import Array
from cellpk.model.quantities import SOON
from cellpk.model.rows import Printed

if TYPE_CHECKING:
    from cellpk.model.model import Model

GRID = 801
"""Days looked at between ``from`` and ``until``, before the place is narrowed."""

ZOOMS, ZOOM_GRID = 3, 41
"""Each zoom looks 20 times as closely about the place found."""

NODES, PIECE = 8, 0.5
"""Rule of Gauss and Legendre, and the days it covers, for areas."""


def half_unit(text: str) -> float:
    """Return half a unit of the last printed place.

    Raises
    ------
    ModelError
        Where the text is no decimal number.

    Examples
    --------
    >>> half_unit("0.78"), half_unit("2.2e2"), half_unit("12.0")
    (0.005, 5.0, 0.05)
    """
    try:
        exponent = Decimal(text).as_tuple().exponent
    except InvalidOperation:
        exponent = "n"
    if not isinstance(exponent, int):
        raise ModelError(
            f"{text!r} is not a printed number",
            todo='Write it as it stands, e.g. "0.78", or "2.2e2" for two figures.',
        )
    return float(Decimal(5).scaleb(exponent - 1))


def agrees(printed: str, computed: float) -> bool:
    """Whether a number rounds to what is printed.

    Examples
    --------
    >>> agrees("4.3", 4.332), agrees("4.33", 4.336)
    (True, False)
    """
    allowed = half_unit(printed) * (1 + 1e-9)
    return abs(computed - float(printed)) <= allowed


def reproduce(model: "Model") -> pd.DataFrame:
    """Return printed numbers beside what the model gives.

    Parameters
    ----------
    model : Model
        Derived quantities with a printed number come first, then ``[printed]``.

    Returns
    -------
    DataFrame
        name, label, unit, printed (text), computed, agrees, source.

    Raises
    ------
    ModelError
        Where a number needs a parameter that is not published.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> reproduce(stein)[["name", "printed", "agrees"]].head(2)
                name printed  agrees
    0  doubling_time    0.78    True
    1    half_life_1     4.3    True
    """
    derived = [row for row in model.derived.values() if row.printed is not None]
    values = [model.formula(row.expression) for row in derived]
    values += [_course_number(model, row) for row in model.printed.values()]
    rows = [*derived, *model.printed.values()]
    return pd.DataFrame(
        [
            (
                row.name,
                row.label,
                row.unit,
                str(row.printed),
                value,
                agrees(str(row.printed), value),
                row.source,
            )
            for row, value in zip(rows, values, strict=True)
        ],
        columns=["name", "label", "unit", "printed", "computed", "agrees", "source"],
    )


@dataclass(frozen=True)
class _Course:
    """One expression along the course of one patient."""

    model: "Model"
    node: Node
    inputs: Inputs

    def at(self, days: Array) -> Array:
        found = self.model.along({"x": self.node}, days, inputs=self.inputs)
        return found["x"]


def _course_number(model: "Model", row: Printed) -> float:
    given: dict[str, Any] = dict(row.given)
    cells = given.pop("cells", None)
    infusions = None
    if cells is not None and model.infusions is not None:
        many = cells if isinstance(cells, tuple) else (cells,)
        infusions = list(zip(model.infusions.days, many, strict=False))
    covariates = {name: given.pop(name) for name in model.covariates if name in given}
    changed = model.with_values(**given) if given else model
    inputs = changed.inputs(covariates=covariates, infusions=infusions)
    return float(_MEASURES[row.what](_Course(changed, row.of, inputs), row))


def _highest(course: _Course, row: Printed) -> tuple[float, float]:
    """Day and value of the highest point: a scan, then ever closer looks."""
    days = np.linspace(row.start, row.until, GRID)
    for _ in range(ZOOMS):
        best = int(np.argmax(course.at(days)))
        days = np.linspace(*_about(days, best - 1, best + 1), ZOOM_GRID)
    values = course.at(days)
    best = int(np.argmax(values))
    return float(days[best]), float(values[best])


def _about(days: Array, first: int, last: int) -> tuple[float, float]:
    """Days at two places of a grid, held within it."""
    low, high = np.clip([first, last], 0, days.size - 1)
    return float(days[low]), float(days[high])


def _lowest(course: _Course, row: Printed) -> tuple[float, float]:
    day, value = _highest(_Mirrored(course.model, course.node, course.inputs), row)
    return day, -value


class _Mirrored(_Course):
    """The same upside down."""

    def at(self, days: Array) -> Array:
        return -super().at(days)


def _crossing(course: _Course, row: Printed, *, last: bool) -> float:
    """First or last day on which the course is above a limit."""
    assert row.above is not None
    ends = (row.start, row.until)
    for size in (GRID, *[ZOOM_GRID] * ZOOMS):
        days = np.linspace(*ends, size)
        above = np.flatnonzero(course.at(days) > row.above)
        if not above.size:
            return np.nan
        place = above[-1] if last else above[0] - 1
        ends = _about(days, place, place + 1)
    return sum(ends) / 2


def _area(course: _Course, row: Printed) -> float:
    """Area by pieces that end at every change of the course."""
    model, inputs = course.model, course.inputs
    switches = model.switch_times(model.typical, inputs=inputs).ravel()
    steps = [day for days, _ in inputs.steps.values() for day in days]
    lag = model.infusions.lag if model.infusions else None
    later = model.formula(lag) if lag else 0.0
    acts = np.add.outer(inputs.days + later, (0.0, *SOON)).ravel()
    grid = np.arange(row.start, row.until, PIECE)
    marks = np.concatenate([grid, [row.until], switches, acts, steps])
    ends = np.unique(marks[(marks >= row.start) & (marks <= row.until)])
    places, weights = np.polynomial.legendre.leggauss(NODES)
    width = np.diff(ends)[:, None] / 2
    days = ends[:-1, None] + width * (places + 1)
    return float((course.at(days.ravel()).reshape(days.shape) * weights * width).sum())


def _level(course: _Course, row: Printed) -> float:
    return float(course.at(np.array([row.at], dtype=float))[0])


_MEASURES: Mapping[str, Callable[[_Course, Printed], float]] = {
    "peak": lambda course, row: _highest(course, row)[1],
    "peak_time": lambda course, row: _highest(course, row)[0],
    "nadir": lambda course, row: _lowest(course, row)[1],
    "nadir_time": lambda course, row: _lowest(course, row)[0],
    "area": _area,
    "level": _level,
    "first_above": lambda course, row: _crossing(course, row, last=False),
    "last_above": lambda course, row: _crossing(course, row, last=True),
}
