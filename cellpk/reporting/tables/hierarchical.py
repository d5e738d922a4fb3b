"""Tables of a hierarchical fit: its estimates, its priors, the checks of its draws."""

import string
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from cellpk.fit.prior import prior_for
from cellpk.reporting.fitted import doubted
from cellpk.reporting.printed import (
    NOTHING,
    enumerated,
    fixed,
    interval,
    level,
    percent,
)
from cellpk.reporting.table import Table, table
from cellpk.reporting.tables.population_estimates import KINDS, labelled
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit

BLOCKS: Mapping[str, str] = {
    "typical value": "Typical values",
    "covariate effect": KINDS["covariate effect"],
    "spread": "Spread between patients (SD)",
    "correlation": KINDS["correlation"],
    "spread between lots": KINDS["spread between lots"],
    "residual error": KINDS["residual error"],
    "share": KINDS["share"],
}
"""Blocks of rows by the kind of an estimate."""

_LITTLE = "†"


@table
def bayes(fit: "BayesFit") -> Table:
    """Return what a hierarchical fit estimated, each estimate beside its prior.

    Parameters
    ----------
    fit : BayesFit
        The fit.

    Returns
    -------
    Table
        A row for each estimate; ``frame`` is ``fit.table``. The footnotes say what the
        data do not inform, and why the draws cannot be relied on where that is so.

    Examples
    --------
    >>> callable(bayes)      # see fit_bayes
    True
    """
    frame = fit.table
    rows = [_estimate(fit, row) for row in frame.to_dict("records")]
    little = bool(frame["sentence"].ne("").any())
    return Table(
        name=_named(fit, "bayes"),
        title=f"{_assays(fit)}: hierarchical Bayes of {fit.model.name}",
        frame=frame,
        shown=pd.DataFrame(rows),
        labels={
            "parameter": "Parameter",
            "unit": "Unit",
            "value": "Median",
            "interval": "95% CrI",
            "prior": "Prior median\n(95%)",
            "contraction": "Contraction (%)",
            "overlap": "Overlap (%)",
            "r_hat": "R-hat",
            "ess": "ESS\n(bulk, tail)",
        },
        group="kind",
        spans={"Posterior": ("value", "interval"), "Draws": ("r_hat", "ess")},
        prose=("unit",),
        footnotes=(
            *(f"{_LITTLE} The data say little or nothing of it.",) * little,
            "SD between patients: on the scale on which the parameter is estimated "
            "(log, logit or its own).",
            *doubted(fit),
        ),
        rules=_RULES,
        **_about(fit),
    )


_RULES = (
    "Hierarchical Bayes: a PyMC model sampled by NUTS (nutpie); samples below a limit "
    "enter by the probability to be there (M3).",
    "CrI: credible interval, from the 2.5th to the 97.5th percentile of the draws.",
    "Contraction: 1 less the variance of the posterior over that of the prior, on the "
    "scale of the parameter; at 0% the data say nothing, at 100% the prior does not "
    "count. Overlap: the area that both densities share.",
    "R-hat and ESS: rank-normalised (Vehtari et al. 2021).",
)


def _estimate(fit: "BayesFit", row: Mapping[Any, Any]) -> dict[str, str]:
    mark = f" {_LITTLE}" if row["sentence"] else ""
    prior = interval(row["prior_low"], row["prior_high"])
    return {
        "kind": BLOCKS[row["kind"]],
        "parameter": _parameter(fit, row) + mark,
        "unit": pretty(row["unit"]) or NOTHING,
        "value": level(row["value"]),
        "interval": interval(row["low"], row["high"]),
        "prior": f"{level(row['prior_median'])} {prior}",
        "contraction": percent(100 * row["contraction"]),
        "overlap": percent(100 * row["overlap"]),
        "r_hat": fixed(row["r_hat"], 3),
        "ess": f"{fixed(row['ess_bulk'], 0)}, {fixed(row['ess_tail'], 0)}",
    }


@table
def bayes_priors(fit: "BayesFit") -> Table:
    """Return every prior of a hierarchical fit, in words and numbers.

    Parameters
    ----------
    fit : BayesFit
        The fit.

    Returns
    -------
    Table
        A row for each; ``frame`` is ``fit.priors.table``, whose ``sentence`` says the
        same in full. Published sources stand once, in the footnotes.

    Examples
    --------
    >>> callable(bayes_priors)      # see fit_bayes
    True
    """
    frame = fit.priors.table
    sources = dict.fromkeys(prior_for(fit.data).table["source"].astype(str))
    marks = dict(zip(sources, string.ascii_lowercase, strict=False))
    rows = [
        {
            "kind": BLOCKS[row["kind"]],
            "parameter": _parameter(fit, row),
            "unit": pretty(row["unit"]) or NOTHING,
            "median": level(row["median"]),
            "interval": interval(row["low"], row["high"]),
            "words": f"{_capital(row['distribution'])}. {_rests(row['source'], marks)}",
        }
        for row in frame.to_dict("records")
    ]
    used = {mark: long for long, mark in marks.items() if _used(frame, long)}
    return Table(
        name=_named(fit, "bayes_priors"),
        title=f"{_assays(fit)}: priors of the hierarchical fit of {fit.model.name}",
        frame=frame,
        shown=pd.DataFrame(rows),
        labels={
            "parameter": "Parameter",
            "unit": "Unit",
            "median": "Median",
            "interval": "90% interval",
            "words": "In words",
        },
        group="kind",
        prose=("unit", "words"),
        footnotes=(
            *(f"({mark}) {_ended(long)}" for mark, long in used.items()),
            *_counts(frame),
        ),
        **_about(fit),
    )


def _rests(source: str, marks: Mapping[str, str]) -> str:
    """Return what a prior rests on, the published source as a letter.

    The longest source wins where one begins as another does.
    """
    for long in sorted(marks, key=len, reverse=True):
        if source.startswith(long):
            rest = source.removeprefix(long).strip(" .")
            return f"Published ({marks[long]}){f'; {_small(rest)}' if rest else ''}."
    return source


def _used(frame: pd.DataFrame, long: str) -> bool:
    return bool(frame["source"].astype(str).str.startswith(long).any())


def _counts(frame: pd.DataFrame) -> tuple[str, ...]:
    if not frame["source"].str.contains("Counts as").any():
        return ()
    return (
        "Counts as 1 patient: the prior of a typical value is as wide as patients are "
        "published to spread; of n patients, narrower by the root of n.",
    )


@table
def bayes_checks(fit: "BayesFit") -> Table:
    """Return the checks of the draws of a hierarchical fit, the failed ones first.

    Parameters
    ----------
    fit : BayesFit
        The fit.

    Returns
    -------
    Table
        A row for each; ``frame`` is ``fit.checks``.

    Examples
    --------
    >>> callable(bayes_checks)      # see fit_bayes
    True
    """
    frame = fit.checks
    ordered = frame.sort_values("passed", kind="stable")
    rows = [
        {
            "check": _capital(str(row["check"])),
            "subject": _capital(str(row["subject"])),
            "value": _number(row["value"]),
            "limit": _number(row["limit"]),
            "passed": "yes" if row["passed"] else "NO",
            "sentence": _capital(row["sentence"]),
        }
        for row in ordered.to_dict("records")
    ]
    return Table(
        name=_named(fit, "bayes_checks"),
        title=f"{_assays(fit)}: checks of the draws of {fit.model.name}",
        frame=frame,
        shown=pd.DataFrame(rows),
        labels={
            "check": "Check",
            "subject": "Of",
            "value": "Worst",
            "limit": "Limit",
            "passed": "Passed",
            "sentence": "What was found",
        },
        prose=("subject", "passed", "sentence"),
        footnotes=doubted(fit),
        **_about(fit),
    )


def _number(value: float) -> str:
    """Print a whole number as such, and 4 figures of another: R-hat 1.012."""
    number = float(value)
    return fixed(number, 0) if number.is_integer() else f"{number:.4g}"


def _about(fit: "BayesFit") -> dict[str, Any]:
    about = fit.study.settings.study
    source = (
        f"study {about.id}, hierarchical Bayes, seed {fit.seed}, draws "
        f"{fit.draws_sha256[:12]}"
    )
    return {"source": source, "simulated": about.simulated}


def _named(fit: "BayesFit", what: str) -> str:
    return "_".join([what, *(one.assay for one in fit.data.series)])


def _assays(fit: "BayesFit") -> str:
    return enumerated(fit.study.assay(one.assay).label for one in fit.data.series)


def _parameter(fit: "BayesFit", row: Mapping[Any, Any]) -> str:
    if row["kind"] == "share":
        return "Share"
    return labelled(fit.model, str(row["parameter"]))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _ended(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def what_is_not_told(fit: "BayesFit") -> Sequence[str]:
    """Return a sentence for each estimate of which the data say little or nothing.

    Examples
    --------
    >>> callable(what_is_not_told)      # see fit_bayes
    True
    """
    said = fit.table["sentence"]
    return [_ended(_capital(each)) for each in said[said != ""]]
