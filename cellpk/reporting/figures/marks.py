"""Where a sample is drawn, and with which mark: what a state looks like on a plot."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from cellpk.reporting.figures.style import GREY
from cellpk.reporting.placing import assumed_note
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS: dict[str, dict[str, Any]] = {
    "quantified": {"marker": "o", "label": "Quantified"},
    "detected": {"marker": ">", "hollow": True, "label": "Detected below the LLOQ"},
    "below": {"marker": "v", "hollow": True, "label": "Below the LLOQ"},
    "above": {"marker": "^", "label": "Above the upper limit, drawn at it"},
}
"""State of a sample to its mark; hollow marks are not measured levels."""


def draw_samples(
    axes: "Axes", samples: pd.DataFrame, colour: str, *, dense: bool = False
) -> None:
    """Draw placed samples, one mark per state; hollow where no level was measured.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    samples : DataFrame
        ``time``, ``shown`` and ``state``.
    colour : str
        Of the marks.
    dense : bool
        Whether many lie over one another: marks are small, and let others through.

    Examples
    --------
    >>> from cellpk.reporting.figures.style import sheet
    >>> figure, axes = sheet(3, 3, simulated=False)
    >>> samples = pd.DataFrame({"time": [7.0], "shown": [3.0], "state": ["below"]})
    >>> draw_samples(axes[0, 0], samples, "#0072B2")
    >>> len(axes[0, 0].lines)
    1
    """
    for state, part in samples.groupby("state", sort=False):
        look = _look(MARKS[str(state)], colour)
        if dense:
            look |= {"markersize": 2.6, "markeredgewidth": 0.5, "alpha": 0.6}
        axes.plot(part["time"], part["shown"], zorder=3, clip_on=False, **look)


def draw_limits(axes: "Axes", samples: pd.DataFrame) -> None:
    """Draw the limit of quantification: dashed, or dotted where it is assumed.

    A limit of detection below it is drawn in dashes and dots. Limits that vary from
    sample to sample (more than two values) are not drawn as lines; the footnotes say
    so, see :func:`limit_notes`.

    Examples
    --------
    >>> from cellpk.reporting.figures.style import sheet
    >>> figure, axes = sheet(3, 3, simulated=False)
    >>> draw_limits(axes[0, 0], pd.DataFrame(
    ...     {"lloq": [50.0], "limit_assumed": [True], "unit": ["copies/ug"]}))
    >>> axes[0, 0].lines[0].get_linestyle()
    ':'
    """
    for limit, assumed in _drawn_limits(samples):
        axes.axhline(limit, **_line(assumed=assumed))
    for limit in _detection(samples):
        axes.axhline(limit, **_DETECTION)


def limit_notes(samples: pd.DataFrame) -> tuple[str, ...]:
    """Say at which level the samples below the limit are drawn, and what limit that is.

    Parameters
    ----------
    samples : DataFrame
        Samples of one assay.

    Returns
    -------
    tuple of str
        A sentence for each thing that the reader must know of the marks.

    Examples
    --------
    >>> samples = pd.DataFrame({"state": ["below"], "lloq": [50.0],
    ...                         "limit_assumed": [False], "unit": ["%"]})
    >>> limit_notes(samples)
    ('Samples below the limit of quantification (LLOQ) are drawn at half of it.',)
    """
    below = samples[samples["state"].isin(["below", "detected"])]
    known = _limits(samples)
    unit = pretty(samples["unit"].iloc[0]) if len(samples) else ""
    notes = []
    if below["lloq"].notna().any():
        notes.append(
            "Samples below the limit of quantification (LLOQ) are drawn at half of it."
        )
    if below["lloq"].isna().any():
        notes.append(
            "Where the limit of quantification (LLOQ) is unknown, samples below it are "
            "drawn at half the smallest quantified level."
        )
    if len(known) > _MOST_LINES:
        ends = f"{known['lloq'].min():g} to {known['lloq'].max():g}"
        notes.append(f"The LLOQ varies by sample, from {ends} {unit}.")
    above = samples[samples["state"].eq("above")]
    if len(above) and above[["uloq", "level"]].isna().all(axis=1).any():
        notes.append(
            "Where the upper limit is unknown, samples above it are drawn at the "
            "largest quantified level."
        )
    return (*notes, *assumed_note(samples))


def legend_marks(samples: pd.DataFrame, colour: str = GREY) -> list[Any]:
    """Return one legend entry for each state and limit that is drawn.

    Parameters
    ----------
    samples : DataFrame
        Samples of one assay.
    colour : str
        Of the marks.

    Examples
    --------
    >>> samples = pd.DataFrame({"state": ["below"], "lloq": [50.0],
    ...                         "limit_assumed": [False], "unit": ["%"]})
    >>> [entry.get_label() for entry in legend_marks(samples)]
    ['Below the LLOQ', 'LLOQ 50 %']
    """
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], label=mark["label"], **_look(mark, colour))
        for state, mark in MARKS.items()
        if samples["state"].eq(state).any()
    ]
    return marks + legend_limits(samples)


def legend_limits(samples: pd.DataFrame) -> list[Any]:
    """Return one legend entry for each limit that is drawn.

    Parameters
    ----------
    samples : DataFrame
        Samples of one assay.

    Examples
    --------
    >>> samples = pd.DataFrame({"lloq": [50.0], "limit_assumed": [True], "unit": "%"})
    >>> [entry.get_label() for entry in legend_limits(samples)]
    ['LLOQ 50 % (assumed)']
    """
    from matplotlib.lines import Line2D

    unit = pretty(samples["unit"].iloc[0])
    lines = [
        Line2D(
            [],
            [],
            label=f"LLOQ {limit:g} {unit}".strip() + " (assumed)" * assumed,
            **_line(assumed=assumed),
        )
        for limit, assumed in _drawn_limits(samples)
    ]
    detection = [
        Line2D([], [], label=f"LLOD {limit:g} {unit}".strip(), **_DETECTION)
        for limit in _detection(samples)
    ]
    return lines + detection


_MOST_LINES = 2


def _look(mark: dict[str, Any], colour: str) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": mark["marker"],
        "markersize": 3.4 if mark["marker"] == "o" else 4.2,
        "markerfacecolor": "white" if mark.get("hollow") else colour,
        "markeredgecolor": colour,
        "markeredgewidth": 0.8,
    }


def _line(*, assumed: bool) -> dict[str, Any]:
    return {"color": GREY, "linestyle": ":" if assumed else "--", "linewidth": 0.9}


_DETECTION = {"color": GREY, "linestyle": "-.", "linewidth": 0.7}


def _detection(samples: pd.DataFrame) -> list[float]:
    """Return the limits of detection that are drawn: few, and below the LLOQ."""
    if "llod" not in samples:
        return []
    lower = samples["llod"].where(samples["llod"] < samples["lloq"])
    known = sorted(lower.dropna().unique())
    return known if len(known) <= _MOST_LINES else []


def _drawn_limits(samples: pd.DataFrame) -> list[tuple[float, bool]]:
    known = _limits(samples)
    if len(known) > _MOST_LINES:
        return []
    return list(known.itertuples(index=False, name=None))


def _limits(samples: pd.DataFrame) -> pd.DataFrame:
    """Return each known limit once, in ascending order."""
    columns = ["lloq", "limit_assumed"]
    return samples[columns].dropna().drop_duplicates().sort_values(columns)
