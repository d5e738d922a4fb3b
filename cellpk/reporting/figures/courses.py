"""Figures of a model: the typical patient's course, and the spread between patients."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.errors import ModelError
from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.level_panels import draw_course, plain, unit_label
from cellpk.reporting.figures.style import (
    close_unused,
    label_outer,
    legend_below,
    sheet,
    styled,
)
from cellpk.study.assays import ASSAYS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cellpk.model.model import Model
    from cellpk.model.parameters import Array

EARLY, LATE = 28.0, 90.0
"""Days after the first infusion of the first panel, and at least of the second."""

POINTS = 281
PERCENTILES = (5, 25, 50, 75, 95)
TALLEST = 7.6
"""Inches that fit on a printed page with heading and caption."""

_ACROSS = 4
_DAY = "Time (day)"


@figure
def typical_course(model: "Model") -> Drawing:
    """Draw every observed level of the typical patient, early and to the horizon.

    Parameters
    ----------
    model : Model
        With a value for every parameter.

    Returns
    -------
    Drawing
        A row of two panels per assay, on log axes; ``frame`` holds the curves.

    Raises
    ------
    ModelError
        Where a value is not published, or the course cannot be calculated.

    Examples
    --------
    >>> import cellpk as ck
    >>> drawing = typical_course(ck.load_model("stein_2019_tisagenlecleucel"))
    >>> len(drawing.figure.axes)
    2
    """
    frame = model.course(_days(model))[["time", *model.observed]]
    curves = {
        name: pd.DataFrame({"time": frame["time"], "typical": frame[name]})
        for name in model.observed
    }
    return Drawing(
        name=f"typical_course_{model.name}",
        title="Observed levels of the typical patient",
        frame=frame,
        figure=_rows(model, curves),
        caption=_extent(model),
        footnotes=_reference(model),
        source=f"model {model.name}",
    )


@figure
def states(model: "Model") -> Drawing:
    """Draw every state of the typical patient, a panel each.

    Parameters
    ----------
    model : Model
        With a value for every parameter.

    Returns
    -------
    Drawing
        To day 90, or to the horizon where that is earlier; ``frame`` holds the curves.

    Raises
    ------
    ModelError
        As :func:`typical_course`.

    Examples
    --------
    >>> import cellpk as ck
    >>> drawing = states(ck.load_model("stein_2019_tisagenlecleucel"))
    >>> [axes.get_title("left") for axes in drawing.figure.axes]
    ['E (copies/µg)', 'M (copies/µg)']
    """
    from cellpk.model.dimensions import state_units

    names, units = list(model.equations.states), state_units(model)
    end = _first_day(model) + LATE
    frame = model.course(_days(model))[["time", *names]]
    frame = frame[frame["time"] <= end].reset_index(drop=True)
    rows = math.ceil(len(names) / _ACROSS)
    columns = min(len(names), _ACROSS)
    with styled():
        drawn, axes = sheet(
            7.4 if columns > 2 else 1.9 * columns + 1,
            0.6 + 1.45 * rows,
            rows=rows,
            columns=columns,
            simulated=False,
            shared=False,
        )
        for panel, name in zip(axes.flat, names, strict=False):
            curve = pd.DataFrame({"time": frame["time"], "typical": frame[name]})
            draw_course(panel, curve, until=end)
            unit = unit_label(units.get(name, "1"))
            title = f"{name} ({unit})" if unit else name
            panel.set_title(title, loc="left", fontsize=8)
            panel.set_xticks(np.arange(0.0, end + 1, EARLY))
            panel.tick_params(labelsize=7)
        close_unused(axes, len(names))
        label_outer(axes, _DAY)
    return Drawing(
        name=f"states_{model.name}",
        title="States of the typical patient",
        frame=frame,
        figure=drawn,
        caption=f"To day {end:g}. {_AXES}",
        source=f"model {model.name}",
    )


@figure
def patient_spread(model: "Model", *, patients: int = 200, seed: int = 1) -> Drawing:
    """Draw how patients differ: percentiles of the levels of virtual patients.

    Parameters
    ----------
    model : Model
        With a value and a spread for every parameter.
    patients : int
        How many are drawn from the spread between patients.
    seed : int
        Where chance comes from.

    Returns
    -------
    Drawing
        As :func:`typical_course`; ``frame`` holds the percentiles. No residual error.

    Raises
    ------
    ModelError
        Where a value or a spread is not published.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> list(patient_spread(stein).frame.columns)
    ['observed', 'time', 'typical', 'p5', 'p25', 'p50', 'p75', 'p95']
    """
    from cellpk.model.draws import draw_covariates, draw_patients

    days = _days(model)
    theta = draw_patients(model, patients, seed=seed)
    given = draw_covariates(model, patients, None, seed=seed)
    inputs = model.inputs(covariates=given)
    typical = model.course(days)
    curves, reasons = {}, []
    for name in model.observed:
        levels = model.solve(theta, days, observed=name, inputs=inputs)
        good = np.array([reason is None for reason in levels.reasons])
        reasons = [reason for reason in levels.reasons if reason is not None]
        if not good.any():
            raise ModelError(f"no patient could be calculated: {reasons[0]}")
        bands = np.percentile(np.exp(levels.log_level[good]), PERCENTILES, axis=0)
        shares = {f"p{p}": x for p, x in zip(PERCENTILES, bands, strict=True)}
        curves[name] = pd.DataFrame({"time": days, "typical": typical[name], **shares})
    notes = _failed(reasons, patients)
    if model.covariates:
        drawn = ", ".join(given)
        notes += (f"Drawn with its published chance: {drawn}.",) if drawn else ()
        notes += ("Other covariates are those of the typical patient.",)
    return Drawing(
        name=f"patient_spread_{model.name}",
        title=f"Spread between patients: {patients} virtual patients",
        frame=pd.concat(
            [curve.assign(observed=name) for name, curve in curves.items()]
        )[["observed", *next(iter(curves.values())).columns]],
        figure=_rows(model, curves, legend=True),
        caption="Percentiles at each time, without residual error. " + _extent(model),
        footnotes=notes,
        source=f"model {model.name}, seed {seed}",
    )


def horizon(model: "Model") -> float:
    """Return the last day of a model's course that is drawn.

    The latest day that its printed numbers name; at least 90 days after infusion.

    Examples
    --------
    >>> import cellpk as ck
    >>> horizon(ck.load_model("stein_2019_tisagenlecleucel"))
    1200.0
    """
    named = [row.until if row.at is None else row.at for row in model.printed.values()]
    return float(max([_first_day(model) + LATE, *named]))


def observed_label(model: "Model", name: str) -> str:
    """Return what an observed level is called.

    Examples
    --------
    >>> import cellpk as ck
    >>> observed_label(ck.load_model("stein_2019_tisagenlecleucel"), "qpcr")
    'CAR transgene by qPCR'
    """
    known = ASSAYS[name].label if name in ASSAYS else name
    return model.observed[name].label or known


_AXES = (
    "Log axes, down to 0.001 or a millionth of the highest level, what is larger; a "
    "line that leaves below is lower or 0."
)


def _extent(model: "Model") -> str:
    early = _first_day(model) + EARLY
    return f"Left: to day {early:g}; right: to day {horizon(model):g}. {_AXES}"


def _reference(model: "Model") -> tuple[str, ...]:
    if not model.covariates:
        return ()
    said = ", ".join(
        f"{row.name} = {'never' if math.isinf(row.value) else plain(row.value)}"
        for row in model.covariates.values()
    )
    return (f"Covariates of the typical patient: {said}.",)


def _failed(reasons: list[str], patients: int) -> tuple[str, ...]:
    if not reasons:
        return ()
    return (
        f"Left out: {len(reasons)} of {patients} patients that could not be "
        f"calculated, the first because {reasons[0]}.",
    )


def _first_day(model: "Model") -> float:
    days = model.infusions.days if model.infusions else ()
    return float(min(days, default=0.0))


def _days(model: "Model") -> "Array":
    """Days to draw: dense at first, and every day at which the course changes."""
    first, end = _first_day(model), horizon(model)
    changes = [
        *model.switch_times(model.typical).ravel(),
        *(model.infusions.days if model.infusions else ()),
    ]
    days = np.concatenate(
        [
            np.linspace(0.0, first + EARLY, POINTS),
            first + np.geomspace(1e-4, 0.1, 16),
            np.linspace(first + EARLY, end, POINTS),
            [day for day in changes if 0 <= day <= end],
        ]
    )
    return np.unique(days)


def _rows(
    model: "Model", curves: Mapping[str, pd.DataFrame], *, legend: bool = False
) -> "Figure":
    """Draw a row of panels per observed level."""
    rows = len(curves)
    each = min(2.3, TALLEST / rows)
    with styled():
        drawn, axes = sheet(
            7.4,
            0.5 + each * rows + 0.3 * legend,
            rows=rows,
            columns=2,
            simulated=False,
            shared=False,
        )
        for panels, (name, curve) in zip(axes, curves.items(), strict=True):
            for panel, until in zip(
                panels, (_first_day(model) + EARLY, horizon(model)), strict=True
            ):
                draw_course(panel, curve, until=until)
            panels[0].set_title(observed_label(model, name), loc="left")
            panels[0].set_ylabel(unit_label(model.observed[name].unit))
        label_outer(axes, _DAY)
        if legend:
            legend_below(drawn)
    return drawn
