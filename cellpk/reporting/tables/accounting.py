"""Tables of who and what is in the analysis: problems, patients, samples."""

from pathlib import PurePath
from typing import TYPE_CHECKING

import pandas as pd

from cellpk.kinetics.layout import assay_of
from cellpk.reporting.grouping import By, Grouping, grouping
from cellpk.reporting.printed import count_share, inside
from cellpk.reporting.table import Table, table
from cellpk.reporting.values import summarised
from cellpk.reporting.visits import at_visits

if TYPE_CHECKING:
    from cellpk.kinetics.nca import Metrics
    from cellpk.study.study import Study

_PLACES = 6


@table
def problems(study: "Study") -> Table:
    """Return everything doubtful that was found on reading, alike ones on one line.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    Table
        ``frame`` is ``study.problems``.

    Examples
    --------
    >>> import cellpk as ck
    >>> problems(ck.simulate_study(seed=1)).title
    'Problems found in the study files'
    """
    frame = study.problems
    alike = frame.groupby(
        ["severity", "rule", "file", "column", "what", "todo"],
        sort=False,
        dropna=False,
    )
    shown = pd.DataFrame(
        [
            {
                "severity": f"{severity}\n{rule}".strip(),
                "file": f"{PurePath(str(file)).name}\n{column}".strip(),
                "count": str(len(rows)),
                "where": _places(rows),
                "what": what,
                "todo": todo,
            }
            for (severity, rule, file, column, what, todo), rows in alike
        ],
        columns=["severity", "file", "count", "where", "what", "todo"],
    )
    return Table(
        name="problems",
        title="Problems found in the study files",
        frame=frame,
        shown=shown,
        labels={
            "severity": "Severity, rule",
            "file": "File, column",
            "count": "n",
            "where": "Where",
            "what": "What was found",
            "todo": "What to do",
        },
        prose=("file", "where", "what", "todo"),
        footnotes=("Impossible data stop the reading; what stands here did not.",),
        source=_source(study, "problems"),
        simulated=study.settings.study.simulated,
    )


def _places(rows: pd.DataFrame) -> str:
    """Name the patients or rows of alike problems, the first few of many."""
    patients = [name for name in rows["patient"].unique() if name]
    lines = [str(row) for row in rows["row"].dropna().unique()]
    word, names = ("patient", patients) if patients else ("row", lines)
    if not names:
        return ""
    more = f" and {len(names) - _PLACES} more" if len(names) > _PLACES else ""
    several = "s" if len(names) > 1 else ""
    return f"{word}{several} {', '.join(names[:_PLACES])}{more}"


@table
def analysis_set(study: "Study", metrics: "Metrics", *, by: By = None) -> Table:
    """Return how many patients are in the analysis, and why the others are not.

    Parameters
    ----------
    study : Study
        The study.
    metrics : Metrics
        Its metrics.
    by : str, sequence of str, Series or mapping, optional
        What makes the columns, see :func:`~cellpk.reporting.grouping.grouping`.

    Returns
    -------
    Table
        ``frame``: assay, item, group, n, of (patients of the group).

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> int(analysis_set(study, ck.nca(study)).frame["n"].iloc[0])
    18
    """
    groups = grouping(study, by)
    patients = study.patients["patient"]
    blocks = {"": _of_study(study)}
    for assay in study.kinetic_assays:
        blocks[assay] = _of_assay(metrics, assay)
    frame = pd.DataFrame(
        [
            {"assay": assay, "item": item, "group": group, "n": n, "of": size}
            for assay, items in blocks.items()
            for item, members in items.items()
            for group, n, size in _counted(groups, patients, members)
        ]
    )
    columns = [*(groups.names if groups.by else ()), "Total"]
    shown = frame.assign(
        text=[
            count_share(n, of) for n, of in zip(frame["n"], frame["of"], strict=True)
        ],
        assay=frame["assay"].map(
            lambda name: study.assay(str(name)).label if name else "Study"
        ),
    )
    shown = shown.pivot_table(
        index=["assay", "item"],
        columns="group",
        values="text",
        aggfunc="first",
        sort=False,
    ).reset_index()
    sizes = groups.sizes | {"Total": len(patients)}
    return Table(
        name="analysis_set" + groups.suffix,
        title="Analysis sets, n (%)",
        frame=frame,
        shown=shown,
        labels={"item": "Patients"}
        | {name: f"{name}\n(N = {sizes[name]})" for name in columns},
        group="assay",
        spans={groups.label: groups.names} if groups.by else {},
        footnotes=(*_set_notes(study), *groups.note()),
        source=_source(study, "patients and samples"),
        simulated=study.settings.study.simulated,
    )


def _of_study(study: "Study") -> dict[str, set[str]]:
    patients = set(study.patients["patient"])
    infused = set(study.infusions["patient"]) & patients
    return {"Patients": patients} | ({"Infused": infused} if infused else {})


def _of_assay(metrics: "Metrics", assay: str) -> dict[str, set[str]]:
    """Return which patients are in each set of one assay, and why others are not."""
    from cellpk.kinetics.metrics import REASONS

    values = summarised(metrics, assay)
    peak, area, half = (
        values[values["metric"] == name] for name in ("cmax", "auc_0_28", "half_life")
    )
    sampled = set(peak.loc[peak["value"].notna(), "patient"])
    unsampled = peak[~peak["patient"].isin(sampled)]
    quantified = set(peak.loc[peak["value"] > 0, "patient"])
    items = {
        "With a usable sample after infusion": sampled,
        "At least one quantified level": quantified,
        "No level quantified": sampled - quantified,
        "Cmax evaluable": set(peak.loc[peak["evaluable"], "patient"]),
        "AUC0-28d evaluable": set(area.loc[area["evaluable"], "patient"]),
        "Half-life calculable": set(half.loc[half["value"].notna(), "patient"]),
    }
    for reason, rows in unsampled.groupby("reason", sort=False):
        items[f"Not in the set: {inside(REASONS[str(reason)]).rstrip('.')}"] = set(
            rows["patient"]
        )
    return items


def _counted(
    groups: Grouping, patients: pd.Series, members: set[str]
) -> list[tuple[str, int, int]]:
    """Count the members in each group, and in all."""
    inside = groups.of[groups.of.index.isin(members)]
    counts = [
        (name, int(inside.eq(name).sum()), size)
        for name, size in groups.sizes.items()
        if groups.by
    ]
    return [*counts, ("Total", len(members), len(patients))]


def _set_notes(study: "Study") -> tuple[str, ...]:
    notes = [
        "Cmax evaluable: three samples from day 0 to 28, one of them from day 7 to 21. "
        "AUC0-28d evaluable: the area to day 28 is calculable."
    ]
    if study.infusions.empty:
        notes.append(
            "The study has no table of infusions; all patients count as infused."
        )
    return tuple(notes)


_STATES = {
    "collected": "Collected",
    "quantified": "Quantified",
    "detected": "Detected, below LLOQ",
    "below": "Below LLOQ",
    "above": "Above ULOQ",
    "missing": "No result",
    "excluded": "Excluded",
}


@table
def samples_by_visit(study: "Study", *, assay: str | None = None) -> Table:
    """Return how many samples each visit has, by what is known of them.

    Parameters
    ----------
    study : Study
        The study.
    assay : str, optional
        Assay; the study's main assay without.

    Returns
    -------
    Table
        ``frame``: specimen, visit, patients, collected, then the states, excluded. An
        excluded sample is counted as such only.

    Examples
    --------
    >>> import cellpk as ck
    >>> visits = samples_by_visit(ck.simulate_study(seed=1)).frame
    >>> visits["collected"].sum() > visits["quantified"].sum()
    np.True_
    """
    assay = assay_of(study, assay)
    samples = study.samples[study.samples["assay"] == assay]
    placed, notes = at_visits(study, samples)
    kinds = samples["state"].mask(samples["excluded"], "excluded")
    states = [name for name in _STATES if name != "collected"]
    counts = pd.get_dummies(kinds).reindex(columns=states, fill_value=False).astype(int)
    rows = pd.concat(
        [placed[["specimen", "patient", "visit", "day"]], counts],
        axis=1,
    ).groupby(["specimen", "visit"], sort=False)
    frame = rows[states].sum()
    frame.insert(0, "collected", rows.size())
    frame.insert(0, "patients", rows["patient"].nunique())
    frame = frame.assign(day=rows["day"].min()).sort_values(["specimen", "day"])
    frame = frame.drop(columns="day").reset_index()
    used = [name for name in _STATES if frame[name].any() or name in _ALWAYS]
    return Table(
        name=f"samples_{assay}",
        title=f"{study.assay(assay).label}: samples by visit",
        frame=frame,
        shown=_with_total(frame).astype(str),
        labels={"visit": "Visit", "patients": "Patients"}
        | {name: _STATES[name] for name in used},
        group="specimen" if len(set(frame["specimen"])) > 1 else "",
        footnotes=(*notes, *_sample_notes(samples)),
        source=_source(study, "samples"),
        simulated=study.settings.study.simulated,
    )


_ALWAYS = ("collected", "quantified", "below")


def _with_total(frame: pd.DataFrame) -> pd.DataFrame:
    numbers = frame.columns.drop(["specimen", "visit", "patients"])
    totals = frame.groupby("specimen", sort=False)[list(numbers)].sum().reset_index()
    parts = [
        pd.concat([part, totals[totals["specimen"] == name].assign(visit="All")])
        for name, part in frame.astype({"patients": "str"}).groupby("specimen")
    ]
    return pd.concat(parts).fillna({"patients": ""}).reset_index(drop=True)


def _sample_notes(samples: pd.DataFrame) -> tuple[str, ...]:
    notes = []
    if samples["limit_assumed"].any():
        notes.append("LLOQ: the limit is assumed; the data do not state it.")
    elif samples.loc[samples["state"] == "below", "lloq"].isna().any():
        notes.append("LLOQ: the limit of quantification is not known.")
    reasons = samples.loc[samples["excluded"], "reason"].value_counts()
    notes += [f"Excluded: {reason} ({n})." for reason, n in reasons.items()]
    return tuple(notes)


def _source(study: "Study", tables: str) -> str:
    return f"study {study.settings.study.id}, {tables}"
