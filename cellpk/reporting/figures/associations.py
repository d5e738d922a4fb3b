"""Figures of what exposure goes with: outcomes and cytokines."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.style import (
    INK,
    PALETTE,
    legend_below,
    level_axis,
    sheet,
    spread,
    styled,
)
from cellpk.reporting.labels import labels_of
from cellpk.reporting.printed import inside
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cellpk.outcomes.cytokines import CytokineAssociation
    from cellpk.outcomes.exposure_response import ExposureResponse

_EVENT, _NONE, _CURVE = PALETTE[0], PALETTE[1], PALETTE[2]


def binned(data: pd.DataFrame) -> pd.DataFrame:
    """Return the share of patients with the event in groups of equal size by exposure.

    Parameters
    ----------
    data : DataFrame
        ``exposure`` and ``event``, a row for each patient.

    Returns
    -------
    DataFrame
        ``exposure`` (median of the group), ``n``, ``events``, ``share``, ``low`` and
        ``high``: the exact 95% interval of Clopper and Pearson (1934). Two groups below
        15 patients, three below 40, else four.

    Examples
    --------
    >>> data = pd.DataFrame({"exposure": [1.0, 2, 3, 4], "event": [0, 0, 0, 1]})
    >>> binned(data)[["n", "events", "high"]].round(3).values.tolist()
    [[2.0, 0.0, 0.842], [2.0, 1.0, 0.987]]
    """
    from scipy.stats import beta

    count = 2 if len(data) < 15 else 3 if len(data) < 40 else 4
    ranked = data.sort_values("exposure", kind="stable").reset_index(drop=True)
    place = ranked["exposure"].rank(method="min").sub(1)
    bins = (place * count // len(ranked)).astype(int)
    groups = ranked.assign(bin=bins, event=ranked["event"].astype(int)).groupby("bin")
    table = groups.agg(
        exposure=("exposure", "median"), n=("event", "size"), events=("event", "sum")
    ).reset_index(drop=True)
    events, others = table["events"], table["n"] - table["events"]
    low = np.where(events > 0, beta.ppf(0.025, events, others + 1), 0.0)
    high = np.where(others > 0, beta.ppf(0.975, events + 1, others), 1.0)
    return table.assign(share=events / table["n"], low=low, high=high)


@figure
def exposure_response(result: "ExposureResponse") -> Drawing:
    """Draw the probability of an outcome against exposure, with what stands behind it.

    Parameters
    ----------
    result : ExposureResponse
        The fitted curve with its data.

    Returns
    -------
    Drawing
        Posterior curve with its interval, the prior's interval, a mark for each patient
        and the observed share in groups of equal size. ``frame`` holds all of them by
        ``kind``: "curve", "patient", "group".

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> result = ck.exposure_response(ck.nca(study), study, draws=500)
    >>> exposure_response(result).name
    'exposure_response_response_cmax'
    """
    row, labels = result.table.iloc[0], labels_of(result)
    patients = _placed(result.data)
    groups = binned(patients.assign(exposure=patients["shown"]))
    simulated = result.simulated
    with styled():
        page, axes = sheet(6.4, 4.3, simulated=simulated)
        panel = axes[0, 0]
        _draw_curve(panel, result.curve)
        _draw_patients(panel, patients)
        _draw_groups(panel, groups)
        held = np.concatenate([patients["shown"], result.curve["exposure"]])
        level_axis(panel, held, axis="x")
        panel.set(ylim=(-0.14, 1.14), yticks=np.linspace(0, 1, 5))
        panel.set_xlabel(labels.axis)
        panel.set_ylabel(f"Probability of {inside(labels.outcome)}")
        legend_below(page)
    return Drawing(
        name=f"exposure_response_{row['endpoint']}_{row['exposure']}",
        title=f"{labels.outcome} against {labels.exposure}, {labels.assay}",
        frame=_stacked(curve=result.curve, patient=patients, group=groups),
        figure=page,
        caption=f"{row['n']} patients, {row['events']} with the outcome. Observed "
        "share: groups of equal size with exact (Clopper-Pearson) 95% intervals.",
        footnotes=_where_below(patients),
        source=f"study {result.study_id}",
        simulated=simulated,
    )


@figure
def cytokine(result: "CytokineAssociation") -> Drawing:
    """Draw the peak of a cytokine against exposure, both on log axes.

    Parameters
    ----------
    result : CytokineAssociation
        The association with its data.

    Returns
    -------
    Drawing
        A point for each patient, marked by what is known of tocilizumab; the log-log
        line and its interval. ``frame`` by ``kind``: "curve", "patient".

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> cytokine(ck.cytokine_association(ck.nca(study), study)).name
    'cytokine_il6_cmax'
    """
    row, labels = result.table.iloc[0], labels_of(result)
    simulated = result.simulated
    curve, data = result.curve, result.data
    with styled():
        page, axes = sheet(6.4, 4.3, simulated=simulated)
        panel = axes[0, 0]
        if len(curve):
            _draw_band(panel, curve)
        for how, (words, look) in _TOCILIZUMAB.items():
            part = data[data["after_tocilizumab"] == how]
            if len(part):
                panel.plot(part["exposure"], part["peak"], label=words, **look)
        level_axis(
            panel, np.concatenate([data["exposure"], curve["exposure"]]), axis="x"
        )
        level_axis(panel, np.concatenate([data["peak"], curve["low"], curve["high"]]))
        panel.set_xlabel(labels.axis)
        panel.set_ylabel(f"Peak {labels.outcome} ({pretty(result.units['peak'])})")
        legend_below(page)
    return Drawing(
        name=f"cytokine_{row['cytokine']}_{row['exposure']}",
        title=f"Peak {labels.outcome} against {labels.exposure}, {labels.assay}",
        frame=_stacked(curve=curve, patient=data),
        figure=page,
        caption=f"{row['n']} patients. Line: least squares on log scales; band: 95% "
        "interval of the line.",
        footnotes=result.notes,
        source=f"study {result.study_id}",
        simulated=simulated,
    )


_POINT = {"linestyle": "none", "markersize": 5}
_TOCILIZUMAB = {
    "no": ("No tocilizumab", {**_POINT, "marker": "o", "color": PALETTE[0]}),
    "set aside": (
        "Peak until tocilizumab",
        {**_POINT, "marker": "s", "color": PALETTE[1]},
    ),
    "unknown": (
        "Tocilizumab on an unknown day",
        {**_POINT, "marker": "D", "color": PALETTE[1], "markerfacecolor": "white"},
    ),
}
"""What is known of tocilizumab: words and mark."""


def _draw_band(panel: "Axes", curve: pd.DataFrame) -> None:
    x = curve["exposure"]
    low, high = curve["low"], curve["high"]
    panel.fill_between(x, low, high, color=_CURVE, alpha=0.25, linewidth=0)
    panel.plot(x, curve["peak"], color=_CURVE, label="Line with 95% interval")


def _placed(data: pd.DataFrame) -> pd.DataFrame:
    """Return where each patient is drawn: below a limit at half of it, above at it."""
    bound = (data["high"] / 2).where(data["below"], data["low"])
    shift = data.groupby("event")["event"].transform(lambda rows: spread(len(rows)))
    height = data["event"].astype(float) + np.where(data["event"], 0.07, -0.07)
    return data.assign(
        shown=data["exposure"].fillna(bound), height=height + 0.035 * shift
    )


def _draw_curve(panel: "Axes", curve: pd.DataFrame) -> None:
    x = curve["exposure"]
    panel.fill_between(
        x,
        curve["prior_low"],
        curve["prior_high"],
        facecolor="#F0F0F0",
        edgecolor="#9A9A9A",
        linestyle="--",
        linewidth=0.8,
        label="Prior, 95% interval",
    )
    panel.fill_between(
        x,
        curve["low"],
        curve["high"],
        color=_CURVE,
        alpha=0.25,
        linewidth=0,
        label="Posterior, 95% interval",
    )
    panel.plot(x, curve["probability"], color=_CURVE, label="Posterior median")


def _draw_patients(panel: "Axes", patients: pd.DataFrame) -> None:
    for event, words in ((True, "With the outcome"), (False, "Without")):
        rows = patients[patients["event"] == event]
        colour = _EVENT if event else _NONE
        for below, marker in ((False, "o"), (True, "v")):
            part = rows[rows["below"] == below]
            if len(part):
                panel.plot(
                    part["shown"],
                    part["height"],
                    linestyle="none",
                    marker=marker,
                    markersize=4,
                    color=colour,
                    markerfacecolor="white" if below else colour,
                    label=f"{words}, below the LLOQ" if below else words,
                )


def _draw_groups(panel: "Axes", groups: pd.DataFrame) -> None:
    share = groups["share"]
    panel.errorbar(
        groups["exposure"],
        share,
        yerr=[share - groups["low"], groups["high"] - share],
        fmt="s",
        color=INK,
        markersize=4.5,
        capsize=2.5,
        linewidth=1,
        label="Observed share",
    )
    for row in groups.itertuples():
        panel.annotate(
            f"{row.events}/{row.n}",
            (row.exposure, row.share),
            xytext=(5, -9),
            textcoords="offset points",
            fontsize=7,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6},
        )


def _where_below(patients: pd.DataFrame) -> tuple[str, ...]:
    if not patients["below"].any():
        return ()
    return (
        "Patients below the limit of quantification (LLOQ) are drawn at half of it.",
    )


def _stacked(**frames: pd.DataFrame) -> pd.DataFrame:
    """Return the frames below each other, named in ``kind``."""
    parts = [frame.assign(kind=kind) for kind, frame in frames.items()]
    whole = pd.concat(parts, ignore_index=True)
    return whole[["kind", *whole.columns.drop("kind")]]
