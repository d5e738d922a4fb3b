"""The key facts of a study in fixed sentences: numbers, and nothing else."""

from typing import TYPE_CHECKING

import numpy as np

from cellpk.reporting.labels import labels_of
from cellpk.reporting.material import Material
from cellpk.reporting.phrases import say
from cellpk.reporting.printed import (
    by_kind,
    enumerated,
    fixed,
    level,
    percent,
    probability,
)
from cellpk.reporting.statistics import FEW, summarise
from cellpk.reporting.values import speaks_for_all, summarised
from cellpk.study.units import pretty

if TYPE_CHECKING:
    import pandas as pd

    from cellpk.fit.bayes.result import BayesFit
    from cellpk.fit.individual.result import IndividualFits
    from cellpk.fit.population.result import PopulationFit
    from cellpk.kinetics.nca import Metrics
    from cellpk.outcomes.cytokines import CytokineAssociation
    from cellpk.outcomes.exposure_response import ExposureResponse
    from cellpk.study.study import Study

HEADLINES = ("cmax", "tmax", "auc_0_28")
"""Metrics of the key facts."""


def facts(material: Material) -> tuple[str, ...]:
    """Return the key facts: fixed sentences with numbers, nothing else.

    Parameters
    ----------
    material : Material
        Everything that the report is made from.

    Returns
    -------
    tuple of str
        Patients and samples, peak and area of the main assay, fits, associations.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> facts(Material(study, ck.nca(study)))[0][:12]
    '18 patients;'
    """
    study = material.study
    if not study.main_assay:
        return (say("no_assay"),)
    lines = [*_counted(study, material.metrics), *_summaries(study, material.metrics)]
    if material.fits is not None:
        lines += fitted_sentences(material.fits)
    if material.population is not None:
        lines += population_sentences(material.population)
    if material.bayes is not None:
        lines += bayes_sentences(material.bayes)[:2]
    lines += [odds_sentence(result) for result in material.responses]
    lines += [peak_sentence(result) for result in material.cytokines]
    return tuple(lines)


def _counted(study: "Study", metrics: "Metrics") -> list[str]:
    """Say how many patients and samples there are, and how many are below the limit."""
    assay = study.main_assay
    samples = study.select(assay)
    peaks = summarised(metrics, assay).query("metric == 'cmax' and value.notna()")
    quantified = peaks.groupby("patient")["value"].max() > 0
    below = int(samples["state"].isin(["below", "detected"]).sum())
    label = study.assay(assay).label
    lines = [
        say(
            "patients",
            patients=len(study.patients),
            sampled=len(quantified),
            assay=label,
        ),
        say(
            "samples",
            samples=len(samples),
            assay=label,
            first=fixed(samples["time"].min(), 0),
            last=fixed(samples["time"].max(), 0),
            quantified=int((samples["state"] == "quantified").sum()),
            below=below,
            share=percent(100 * below / max(len(samples), 1)),
        ),
    ]
    if not quantified.all():
        never = int((~quantified).sum())
        lines.append(say("never", never=never, sampled=len(quantified)))
    return lines


def _summaries(study: "Study", metrics: "Metrics") -> list[str]:
    """Say the summary of each headline metric of the main assay."""
    from cellpk.kinetics.metrics import METRICS

    values = summarised(metrics, study.main_assay)
    units = metrics.units(study.main_assay)
    lines = []
    for name in HEADLINES:
        metric, rows = METRICS[name], values[values["metric"] == name]
        found = summarise(rows.loc[rows["evaluable"], "value"])
        common = {"metric": metric.label, "unit": pretty(units[name]), "n": found.n}
        if found.n_quantified < FEW:
            lines.append(say("too_few", metric=metric.label, n=found.n_quantified))
        elif metric.summary == "geometric" and not speaks_for_all(rows):
            sampled = int(rows["reason"].ne("no_sample").sum())
            count = {"n": found.n, "sampled": sampled}
            lines.append(say("partial", metric=metric.label, **count))
        elif metric.summary == "geometric":
            mean = by_kind(found.geometric_mean, metric.unit_kind)
            cv = percent(found.geometric_cv)
            count = found.n_quantified
            lines.append(say("geometric", **common, mean=mean, cv=cv, quantified=count))
        else:
            middle, low, high = (
                by_kind(value, metric.unit_kind)
                for value in (found.median, found.minimum, found.maximum)
            )
            common["unit"] = f"{common['unit']}s"  # medians are of times: days
            lines.append(say("median", **common, median=middle, low=low, high=high))
    return lines


def fitted_sentences(fits: "IndividualFits") -> tuple[str, ...]:
    """Say how many patients were fitted, how, and how many were not.

    Examples
    --------
    >>> import cellpk as ck
    >>> whole = ck.simulate_study(seed=1)
    >>> study = ck.Study.from_frames(whole.samples.query("patient == 'S02'"))
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> fitted_sentences(ck.fit_individuals(stein, study, starts=2))[0][:11]
    'Model stein'
    """
    table = fits.table
    methods = table["method"].value_counts()
    states = table["status"].value_counts()
    fitted = table["method"] != "none"
    counts = say(
        "fits",
        model=fits.model.name,
        ml=methods.get("ml", 0),
        map=methods.get("map", 0),
        never=states.get("never_expanded", 0),
        refused=states.get("too_few_samples", 0),
        converged=int(table.loc[fitted, "converged"].astype(bool).sum()),
        fitted=int(fitted.sum()),
    )
    failed = int((table["status"].eq("expanded") & ~fitted).sum())
    return (counts, say("failed", failed=failed)) if failed else (counts,)


def population_sentences(fit: "PopulationFit") -> tuple[str, ...]:
    """Say what a population fit rests on, and whether it converged.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> fit = ck.fit_population(stein, study, steps=quick)
    >>> population_sentences(fit)[1][:18]
    'The population fit'
    """
    from cellpk.fit.population.result import METHODS

    labels = [fit.study.assay(one.assay).label for one in fit.data.series]
    found = fit.criteria
    about = say(
        "population",
        model=fit.model.name,
        method=METHODS[fit.method],
        patients=len(fit.patients),
        samples=fit.n_samples,
        assays=enumerated(labels),
        below=fit.n_below,
        deviance=fixed(found["deviance"], 1),
        estimates=fixed(found["parameters"], 0),
    )
    if fit.converged:
        return about, say("population_converged")
    return about, say("population_not_converged", why="; ".join(fit.doubts))


def bayes_sentences(fit: "BayesFit") -> tuple[str, ...]:
    """Say whether the draws can be relied on, what they rest on, and which they are.

    Examples
    --------
    >>> callable(bayes_sentences)      # see fit_bayes
    True
    """
    from cellpk.fit.bayes.prior_choice import KINDS

    checks, sampling = fit.checks["passed"], fit.sampling
    counts = {"checks": len(checks), "failed": int((~checks).sum())}
    said = say("bayes_reliable", **counts)
    if not fit.converged:
        said = say("bayes_not_reliable", **counts, why=f"{fit.doubts[0]}.")
    about = say(
        "bayes",
        model=fit.model.name,
        patients=len(fit.patients),
        samples=fit.n_samples,
        assays=enumerated(fit.study.assay(x.assay).label for x in fit.data.series),
        below=fit.n_below,
        priors=KINDS[fit.choice.kind],
        chains=sampling.chains,
        draws=sampling.draws,
        tune=sampling.tune,
        seed=fit.seed,
    )
    draws = say("bayes_draws", sha256=fit.draws_sha256)
    return said, about, *calibration_sentences(fit.model.name), draws


def calibration_sentences(model: str) -> tuple[str, ...]:
    """Say how hierarchical fits of a model did in simulated trials; nothing if none.

    Parameters
    ----------
    model : str
        Its name.

    Examples
    --------
    >>> calibration_sentences("my_model")
    ()
    """
    from cellpk.fit.bayes.calibration import calibrated

    said = []
    for patients, rows in calibrated(model).groupby("patients"):
        held = rows.set_index("quantity")["coverage"]
        about = {name: rows[name].iloc[0] for name in ("cellpk", "date", "trials")}
        shown = {"area": "auc_0_28 of a patient", "peak": "cmax of a patient"}
        found = {name: f"{held[row]:.0f}" for name, row in shown.items()}
        said.append(say("bayes_calibrated", patients=patients, **about, **found))
    return tuple(said)


def odds_sentence(result: "ExposureResponse") -> str:
    """Say the odds ratios of one outcome, per 10-fold and per 2-fold exposure.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> result = ck.exposure_response(ck.nca(study), study, draws=500)
    >>> odds_sentence(result)[:35]
    'Response (PR or better) against Cma'
    """
    row, labels = result.table.iloc[0], labels_of(result)
    return say(
        "odds",
        outcome=labels.outcome,
        exposure=labels.exposure,
        assay=labels.assay,
        events=row["events"],
        n=row["n"],
        positive=probability(row["pr_positive"]),
        **_three(row, "ten", "odds_ratio_10fold"),
        **_three(row, "two", "odds_ratio_2fold"),
    )


def peak_sentence(result: "CytokineAssociation") -> str:
    """Say how a cytokine's peak goes with exposure, or why that cannot be said.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> peak_sentence(ck.cytokine_association(ck.nca(study), study))[:22]
    'Peak IL-6 against Cmax'
    """
    row, labels = result.table.iloc[0], labels_of(result)
    if np.isnan(row["slope"]):
        return " ".join(result.notes)
    return say(
        "peak",
        outcome=labels.outcome,
        exposure=labels.exposure,
        assay=labels.assay,
        n=row["n"],
        **_three(row, "ten", "fold_per_10fold"),
        **_three(row, "two", "fold_per_2fold"),
    )


def _three(row: "pd.Series", slot: str, column: str) -> dict[str, str]:
    """Print an estimate and the ends of its interval for the slots of a sentence."""
    ends = ("", "_low", "_high")
    return {f"{slot}{end}": level(row[f"{column}{end}"]) for end in ends}
