"""Tables of what exposure goes with: outcomes and cytokines."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.reporting.labels import Labels, labels_of
from cellpk.reporting.printed import (
    NOT_CALCULABLE,
    NOTHING,
    count_share,
    fixed,
    level,
    probability,
)
from cellpk.reporting.table import Table, table

if TYPE_CHECKING:
    from cellpk.outcomes.cytokines import CytokineAssociation
    from cellpk.outcomes.exposure_response import ExposureResponse

type _Rows = dict[tuple[str, str], str]

_Z95 = 1.959963984540054


@table
def exposure_response(results: "Sequence[ExposureResponse]") -> Table:
    """Return how the odds of each outcome change with exposure.

    Parameters
    ----------
    results : sequence of ExposureResponse
        One for each outcome and exposure: a column each.

    Returns
    -------
    Table
        Odds ratio per 2-fold and per 10-fold exposure with the prior's beside it,
        predicted probabilities, and what the sampler says of itself. ``frame`` holds
        the results' own tables, a row each.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> result = ck.exposure_response(ck.nca(study), study, draws=500)
    >>> exposure_response([result]).frame["endpoint"].tolist()
    ['response']
    """
    labels = [labels_of(result) for result in results]
    columns = {f"result_{i + 1}": label for i, label in enumerate(labels)}
    cells = [_response_rows(result) for result in results]
    return Table(
        name="exposure_response",
        title="Outcome against exposure: Bayesian logistic regression on log exposure",
        frame=pd.concat([result.table for result in results], ignore_index=True),
        shown=_columns(cells, list(columns)),
        labels={"item": ""}
        | {name: _heading(label) for name, label in columns.items()},
        group="block",
        footnotes=(
            "Odds ratio: factor on the odds of the outcome per 2-fold or 10-fold "
            "exposure. Posterior median and 95% credible interval (CrI). Contraction: "
            "1 - posterior over prior variance of the slope; 0 where the data add "
            "nothing.",
            *_said(results, labels),
        ),
        rules=_once(line for result in results for line in result.prior),
        source=f"study {results[0].study_id}",
        simulated=results[0].simulated,
    )


@table
def cytokine(result: "CytokineAssociation") -> Table:
    """Return how the peak of a cytokine goes with exposure.

    Parameters
    ----------
    result : CytokineAssociation
        The association.

    Returns
    -------
    Table
        Slope, fold change of the peak per 2-fold and per 10-fold exposure, and rank
        correlation, with 95% intervals. ``frame`` is ``result.table``.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> cytokine(ck.cytokine_association(ck.nca(study), study)).name
    'association_il6_cmax'
    """
    row = result.table.iloc[0]
    labels = labels_of(result)
    how = result.data["after_tocilizumab"].value_counts()
    rows = {
        "Patients": str(row["n"]),
        "Peak until tocilizumab": str(how.get("set aside", 0)),
        "Tocilizumab on an unknown day": str(how.get("unknown", 0)),
        "Slope, log-log": _digits(row, "slope"),
        "Peak per 2-fold exposure, factor": _digits(row, "fold_per_2fold"),
        "Peak per 10-fold exposure, factor": _digits(row, "fold_per_10fold"),
        f"Spearman's rank correlation (n = {row['n_spearman']})": _digits(
            row, "spearman"
        ),
        f"Slope without tocilizumab (n = {row['n_without_tocilizumab']})": _digits(
            row, "slope_without_tocilizumab"
        ),
    }
    return Table(
        name=f"association_{row['cytokine']}_{row['exposure']}",
        title=f"Peak {labels.outcome} against {labels.exposure}, {labels.assay}",
        frame=result.table,
        shown=pd.DataFrame({"item": list(rows), "value": list(rows.values())}),
        labels={"item": "", "value": "Estimate (95% interval)"},
        footnotes=(*result.notes, *_left_out(result.excluded)),
        source=f"study {result.study_id}",
        simulated=result.simulated,
    )


def _response_rows(result: "ExposureResponse") -> _Rows:
    """Print one result, a line for each number."""
    row = result.table.iloc[0]
    block = "Odds ratio (95% CrI)"
    sd = float(row["prior_slope_sd"])
    prior_2, prior_10 = (
        np.exp(sd * step * np.array([0, -_Z95, _Z95])) for step in (np.log10(2), 1.0)
    )
    rows = {
        ("Patients", "n"): str(row["n"]),
        ("Patients", "With the outcome, n (%)"): count_share(row["events"], row["n"]),
        ("Patients", "Exposure below the LLOQ"): str(row["n_exposure_below"]),
        (block, "per 2-fold exposure"): _level(row, "odds_ratio_2fold"),
        (block, "prior, per 2-fold"): _three(*prior_2),
        (block, "per 10-fold exposure"): _level(row, "odds_ratio_10fold"),
        (block, "prior, per 10-fold"): _three(*prior_10),
    }
    slope = "Slope of the log odds (95% CrI)"
    rows |= {
        (slope, "per 2-fold exposure"): _digits(row, "slope_2fold"),
        (slope, "per 10-fold exposure"): _digits(row, "slope_10fold"),
        (slope, "Pr(slope > 0)"): probability(row["pr_positive"]),
        (slope, "Contraction"): fixed(row["contraction"], 2),
    }
    return rows | _predicted(result) | _sampling(row)


def _predicted(result: "ExposureResponse") -> _Rows:
    """Print the probability at percentiles of the exposures that there were."""
    unit = labels_of(result).unit
    rows = {}
    block = "Probability of the outcome (95% CrI), at a percentile of exposure"
    for row in result.at.to_dict("records"):
        where = (
            "below the LLOQ" if row["below"] else f"at {level(row['exposure'])} {unit}"
        )
        middle, low, high = (
            probability(row[n]) for n in ("probability", "low", "high")
        )
        key = (block, f"{row['percentile']}th")
        rows[key] = f"{middle} ({low}, {high})\n{where}"
    return rows


def _sampling(row: Any) -> _Rows:
    effective = f"{row['ess_bulk']:,.0f}, {row['ess_tail']:,.0f}"
    return {
        ("Sampling", "R-hat"): fixed(row["r_hat"], 3),
        ("Sampling", "Effective draws, bulk and tail"): effective,
        ("Sampling", "Divergences"): str(row["divergences"]),
        ("Sampling", "Converged"): "yes" if row["converged"] else "NO",
    }


def _columns(cells: Sequence[_Rows], names: Sequence[str]) -> pd.DataFrame:
    """Set results beside each other, a line for each number."""
    keys = list(dict.fromkeys(key for rows in cells for key in rows))
    lines = [
        {"block": block, "item": item}
        | {
            name: rows.get((block, item), NOTHING)
            for name, rows in zip(names, cells, strict=True)
        }
        for block, item in keys
    ]
    return pd.DataFrame(lines)


def _heading(labels: Labels) -> str:
    return f"{labels.outcome}\n{labels.exposure} ({labels.unit})\n{labels.assay}"


def _level(row: Any, name: str) -> str:
    return _three(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _three(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return NOT_CALCULABLE
    return f"{level(value)} ({level(low)}, {level(high)})"


def _digits(row: Any, name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if np.isnan(row[name]):
        return NOT_CALCULABLE
    return f"{fixed(row[name], 2)} ({fixed(low, 2)}, {fixed(high, 2)})"


def _said(
    results: "Sequence[ExposureResponse]", labels: Sequence[Labels]
) -> tuple[str, ...]:
    """Say each note once, with the results that it is about."""
    about: dict[str, list[str]] = {}
    for result, label in zip(results, labels, strict=True):
        for note in (*result.notes, *_left_out(result.excluded)):
            about.setdefault(note, []).append(f"{label.outcome}, {label.exposure}")
    return tuple(
        note if len(whose) == len(results) else f"{'; '.join(whose)}: {note}"
        for note, whose in about.items()
    )


def _left_out(excluded: pd.DataFrame) -> tuple[str, ...]:
    """Say who is left out and why, patients of one reason together."""
    return tuple(
        f"Left out: {str(reason).rstrip('.')} (patients {', '.join(rows['patient'])})."
        for reason, rows in excluded.groupby("reason", sort=False)
    )


def _once(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lines))
