"""A whole population fit, beside one written plainly with SciPy.

``python tests/benchmarks/population.py`` prints seconds of the processor and of the
clock for 90 patients of 12 samples, a fifth of them below the limit: estimates, their
standard errors, what is known of each patient, and -2 log L. The models are compiled
before the clock starts.
"""

import sys
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from plain_laplace import Trial, laplace_em, stein_curve

import cellpk as ck
from cellpk.fit.population.chains import Steps

DAYS = (1, 3, 5, 7, 10, 14, 21, 28, 60, 90, 180, 360)
LLOQ = 50.0
STEIN = "stein_2019_tisagenlecleucel"
ROUNDED = Path(__file__).parents[1] / "rounded_peak.toml"
WARM = Steps(starts=1, search=1, average=1, draws=50)

ELSEWHERE = (
    ("saemix 3.4, 300 + 100 iterations of SAEM", 6.8),
    ("saemix 3.4, with standard errors and likelihood", 14.6),
    ("nlmixr2, SAEM", 108.0),
)
"""Seconds of the processor of other tools on a task of this kind and size, measured on
another machine: context, and no contest."""


def made(name, patients=90, seed=3):
    """Return a model and a trial of it."""
    model = ck.load_model(name)
    design = ck.Design(DAYS, lloq=LLOQ)
    return model, model.simulate(patients, design=design, seed=seed).study()


def complete(model, study, steps=None):
    """Return a fit with all its tables."""
    fit = ck.fit_population(model, study, steps=steps)
    return fit, fit.table, fit.individuals, fit.criteria, fit.derived


def plain(model, study):
    """Return the trial as plain arrays, and where the search begins."""
    samples = study.samples.sort_values(["patient", "time"])
    level = samples["level"].where(samples["state"] == "quantified")
    shape = samples["patient"].nunique(), len(DAYS)
    with np.errstate(divide="ignore"):
        logs = np.log(level.to_numpy(float)).reshape(shape)
    trial = Trial(np.array(DAYS, float), logs, np.log(LLOQ), stein_curve)
    sd = model.observed["qpcr"].sd
    return trial, (model.typical, np.maximum(1.5 * model.spread, 0.3), sd)


def spent(work):
    """Return what comes of it, and seconds of the processor and of the clock."""
    begin = process_time(), perf_counter()
    found = work()
    return found, process_time() - begin[0], perf_counter() - begin[1]


def contest(patients=90, *, steps=None, sweeps=30):
    """Return one row for each way: seconds, their ratio to the first, and -2 log L."""
    rows = []
    for name, label in ((STEIN, "closed form"), (ROUNDED, "solved step by step")):
        model, study = made(name, patients)
        complete(model, study, WARM)
        found, cpu, clock = spent(lambda m=model, s=study: complete(m, s, steps))
        rows.append(_row(f"cellpk, {label}", cpu, clock, found[3]["deviance"]))
    model, study = made(STEIN, patients)
    given = plain(model, study)
    found, cpu, clock = spent(lambda: laplace_em(*given, sweeps=sweeps))
    rows.append(_row(f"SciPy, {sweeps} sweeps of Laplace EM", cpu, clock, found[3]))
    table = pd.DataFrame(rows)
    return table.assign(ratio=table["cpu_s"] / table["cpu_s"][0])


def _row(way, cpu, clock, deviance):
    return {"way": way, "cpu_s": cpu, "s": clock, "deviance": float(deviance)}


if __name__ == "__main__":
    digits = {"float_format": "{:.4g}".format, "index": False}
    sys.stdout.write(f"{contest().to_string(**digits)}\n\nMeasured elsewhere:\n")
    for way, seconds in ELSEWHERE:
        sys.stdout.write(f"{way}: {seconds} s of the processor\n")
