"""Table of what a population fit estimated."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from cellpk.fit.diagnostics.etas import SHRUNK, shrinkage_warnings
from cellpk.fit.population.result import METHODS
from cellpk.reporting.fitted import doubted
from cellpk.reporting.printed import NOTHING, enumerated, fixed, level, percent
from cellpk.reporting.table import Table, table
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from cellpk.fit.population.result import PopulationFit
    from cellpk.model.model import Model

KINDS = {
    "typical value": "Typical values, and how patients differ",
    "covariate effect": "Effects of covariates",
    "correlation": "Correlations between parameters",
    "spread between lots": "Spread between donor lots",
    "residual error": "Residual error",
    "share": "Patients whose cells never expanded",
}
"""Blocks of rows by the kind of an estimate, in order."""

_NATURAL = {
    "log": "of the natural log of the parameter",
    "logit": "of the logit of the parameter",
    "identity": "of the parameter itself",
}


@table
def population(fit: "PopulationFit") -> Table:
    """Return what a population fit estimated, and how surely.

    Parameters
    ----------
    fit : PopulationFit
        The fit.

    Returns
    -------
    Table
        A row for each estimate; ``frame`` is ``fit.table``. The footnotes name what the
        spread is the SD of, the criteria, and why the fit has not converged where that
        is so.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> made = population(ck.fit_population(stein, study, steps=quick))
    >>> made.shown["estimate"].size == len(made.frame) == 7
    True
    """
    frame = fit.table
    rows = [_row(fit, row) for row in frame.to_dict("records")]
    assays = enumerated(fit.study.assay(one.assay).label for one in fit.data.series)
    about = fit.study.settings.study
    return Table(
        name="population_" + "_".join(one.assay for one in fit.data.series),
        title=f"{assays}: population fit of {fit.model.name}",
        frame=frame,
        shown=pd.DataFrame(rows),
        labels={
            "parameter": "Parameter",
            "unit": "Unit",
            "estimate": "Estimate",
            "rse": "RSE (%)",
            "interval": "95% CI",
            "sd": "SD",
            "sd_rse": "RSE (%)",
            "cv": "CV (%)",
            "shrinkage": "Shrinkage (%)",
        },
        group="kind",
        spans={"Between patients": ("sd", "sd_rse", "cv", "shrinkage")},
        prose=("unit",),
        footnotes=(
            *_spread(fit),
            _criteria(fit),
            *(f"{line}." for line in shrinkage_warnings(fit)),
            *(f"{line[:1].upper()}{line[1:]}." for line in fit.data.notes),
            *doubted(fit),
        ),
        rules=_RULES,
        source=f"study {about.id}, population fit by {METHODS[fit.method]}, seed "
        f"{fit.seed}",
        simulated=about.simulated,
    )


_RULES = (
    "Population fit: maximum likelihood; samples below a limit enter by the "
    "probability to be there (M3).",
    "RSE: standard error in percent of the estimate; intervals (Wald) are symmetric on "
    "the scale on which the parameter is estimated.",
    "Shrinkage: 1 less the SD of the patients' estimates over that of the population; "
    f"above {SHRUNK:g}% plots of the patients' estimates are not to be trusted.",
)


def _row(fit: "PopulationFit", row: dict[Any, Any]) -> dict[str, str]:
    name = labelled(fit.model, row["parameter"])
    share = row["kind"] == "share"
    ends = [level(row[end]) for end in ("low", "high")]
    return {
        "kind": KINDS[row["kind"]],
        "parameter": "Share" if share else name,
        "unit": pretty(row["unit"]) or NOTHING,
        "estimate": level(row["value"]),
        "rse": percent(row["rse"]),
        "interval": f"({', '.join(ends)})",
        "sd": _or_nothing(row["iiv_sd"], row, 3),
        "sd_rse": _or_nothing(row["iiv_rse"], row, 1),
        "cv": _or_nothing(row["iiv_cv"], row, 1),
        "shrinkage": _or_nothing(row["shrinkage"], row, 1),
    }


def labelled(model: "Model", parameter: str) -> str:
    """Return the name of an estimate, with the label of the model where it has one.

    Examples
    --------
    >>> import cellpk as ck
    >>> labelled(ck.load_model("stein_2019_tisagenlecleucel"), "cmax")
    'cmax, Peak level'
    """
    known = model.parameters.get(parameter)
    return f"{parameter}, {known.label}" if known and known.label else parameter


def _or_nothing(value: float, row: dict[Any, Any], digits: int) -> str:
    """Print what only typical values have, and only some of them can have."""
    if row["kind"] != "typical value":
        return NOTHING
    return fixed(value, digits)


def _spread(fit: "PopulationFit") -> tuple[str, ...]:
    """Say what the spread is: a trap, as papers print SD, variance or CV alike."""
    by_scale: dict[str, list[str]] = {}
    for name in fit.model.free:
        by_scale.setdefault(fit.model.parameters[name].scale, []).append(name)
    scales = [
        f"{_NATURAL[scale]} ({', '.join(names)})" for scale, names in by_scale.items()
    ]
    lines = [f"SD between patients: {enumerated(scales)}; its square is the variance."]
    if "log" in by_scale:
        lines.append(
            "CV: that of a log-normal parameter, 100 sqrt(exp(SD²) - 1). Papers print "
            "SD, variance or 100 SD under the same heading: compare like with like."
        )
    return tuple(lines)


def _criteria(fit: "PopulationFit") -> str:
    found = fit.criteria
    return (
        f"-2 log likelihood {fixed(found['deviance'], 1)} (Monte Carlo standard error "
        f"{fixed(found['deviance_error'], 2)}), of log levels; AIC "
        f"{fixed(found['aic'], 1)}, BIC {fixed(found['bic'], 1)}, BICc "
        f"{fixed(found['bicc'], 1)}; {found['parameters']:.0f} estimates, "
        f"{len(fit.patients)} patients, {fit.n_samples} samples ({fit.n_below} of them "
        "by limits only)."
    )
