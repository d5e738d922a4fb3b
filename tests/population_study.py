"""Population fits of many simulated trials: bias and coverage of what they say.

``python tests/population_study.py --replicates 100`` simulates and fits every case of
``CASES``, or those named by ``--cases``, and prints tables; with ``--keep FOLDER`` each
trial is written to a file there, and is not fitted again. ``--dropping`` sets the
likelihood of samples below the limit (M3) against leaving them out.
"""

import argparse
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

import cellpk as ck
from cellpk.fit.population.result import METHODS

RICH = (1, 3, 5, 7, 10, 14, 21, 28, 60, 90, 180, 360)
SPARSE = (2, 5, 9, 14, 28, 60, 90, 180)
LATER = (3, 7, 10, 14, 21, 28, 60, 90, 180)
COLUMNS = ["patient", "time", "assay", "level", "unit", "lloq", "state"]
LIMITS = (150.0, 300.0, 600.0)

ROUNDED = Path(__file__).with_name("rounded_peak.toml")
"""A model without closed form that levels in blood tell whole."""


@dataclass(frozen=True)
class Case:
    """Trials of one size and design."""

    model: str
    patients: int
    days: tuple[float, ...]
    lloq: float

    def study(self, seed):
        """Simulate a trial."""
        design = ck.Design(self.days, lloq=self.lloq)
        return model(self.model).simulate(self.patients, design=design, seed=seed)


CASES = {
    "stein_90x12": Case("stein", 90, RICH, 50.0),
    "stein_12x8": Case("stein", 12, SPARSE, 150.0),
    "rounded_90x12": Case("rounded", 90, RICH, 50.0),
    "rounded_12x8": Case("rounded", 12, SPARSE, 150.0),
}
"""90 patients of 12 samples, a fifth of them below the limit; 12 of 8, 30 % below."""


@cache
def model(name):
    """Load a model of the study."""
    if name == "stein":
        return ck.load_model("stein_2019_tisagenlecleucel")
    return ck.load_model(ROUNDED)


def reach(names):
    """Return by how many standard errors the intervals of cases reach."""
    freedom = {
        name: case.patients - len(model(case.model).free)
        for name, case in CASES.items()
    }
    return student.ppf(0.975, names.map(freedom))


def estimates_of(fit):
    """Return every estimate, its standard error and its truth, one row each.

    Typical values, SDs and errors are logs; derived quantities too.
    """
    truth, layout = fit.model, fit.estimates.layout
    parts = layout.parts()
    names = list(truth.free)
    assay = fit.data.series[0]
    true = {
        "beta": truth.typical,
        "log_sd": np.log(truth.spread),
        "error": np.log([truth.observed[assay.observed].sd]),
    }
    kinds = {"beta": "typical value", "log_sd": "spread", "error": "residual error"}
    vector, errors = layout.vector(), fit.estimates.standard_errors
    rows = []
    for part, kind in kinds.items():
        named = names if part != "error" else ["sd"]
        columns = named, true[part], vector[parts[part]], errors[parts[part]]
        rows += [(kind, *row) for row in zip(*columns, strict=True)]
    known = truth.quantities(truth.typical)
    for row in fit.derived.itertuples():
        error = np.log(row.high / row.low) / (2 * fit.estimates.quantiles[0])
        exact = np.log(known[row.quantity][0])
        rows.append(("derived", row.quantity, exact, np.log(row.value), error))
    return pd.DataFrame(rows, columns=["kind", "name", "truth", "estimate", "se"])


def trial(case, seed, *, steps=None, method="saem"):
    """Simulate a trial, fit it, and return its estimates with what is doubted."""
    study = CASES[case].study(1000 + seed).study()
    asked = {"steps": steps, "seed": seed, "method": method}
    fit = ck.fit_population(model(CASES[case].model), study, **asked)
    below = (study.samples["state"] == "below").mean()
    said = {"case": case, "seed": seed, "below": below, "converged": fit.converged}
    return estimates_of(fit).assign(**said, doubts="; ".join(fit.doubts))


def trials(case, replicates, *, keep=None, **asked):
    """Return the estimates of many trials; those in the folder are not fitted again."""
    frames = []
    for seed in range(replicates):
        path = Path(keep) / f"{case}_{seed:04}.csv" if keep else None
        if path is not None and path.exists():
            frames.append(pd.read_csv(path, keep_default_na=False, na_values=["nan"]))
            continue
        frames.append(trial(case, seed, **asked))
        if path is not None:
            frames[-1].to_csv(path, index=False, na_rep="nan")
    return pd.concat(frames, ignore_index=True)


def recovery(table):
    """Return bias and coverage of each estimate, one row each.

    ``trials`` that give an interval; ``bias`` on the log scale and ``bias_sd`` in the
    SDs of the estimates; ``sd`` of the estimates and the ``se`` they state (median);
    ``covered``, the share of 95% intervals that hold the truth, ``below`` and
    ``above``, those that lie below it and above it.
    """
    rows = []
    for key, own in table.groupby(["case", "kind", "name"], sort=False):
        stated = own[np.isfinite(own["se"])]
        off, se = stated["estimate"] - stated["truth"], stated["se"]
        every = own["estimate"] - own["truth"]
        z = off / se / reach(stated["case"])
        rows.append(
            dict(zip(("case", "kind", "name"), key, strict=True))
            | {
                "trials": len(stated),
                "bias": every.mean(),
                "bias_sd": every.mean() / every.std(),
                "sd": off.std(),
                "se": se.median(),
                "covered": (np.abs(z) < 1).mean(),
                "below": (z < -1).mean(),
                "above": (z > 1).mean(),
            }
        )
    return pd.DataFrame(rows)


def by_kind(table):
    """Return coverage of each kind of estimate, with its Monte Carlo standard error."""
    stated = table[np.isfinite(table["se"])]
    away = np.abs(stated["estimate"] - stated["truth"]) / stated["se"]
    held = away < reach(stated["case"])
    told = stated.assign(held=held)
    each = told.groupby(["case", "kind", "seed"], sort=False)["held"].mean()
    found = each.groupby(["case", "kind"], sort=False).agg(["mean", "sem", "size"])
    names = {"mean": "covered", "sem": "mc_error", "size": "trials"}
    return found.rename(columns=names).reset_index()


def what_is_said(table):
    """Return how often fits were doubted, and for what."""
    fits = table.drop_duplicates(["case", "seed"])
    rows = []
    for case, own in fits.groupby("case", sort=False):
        doubts = own["doubts"].fillna("").str.split("; ").explode()
        kinds = doubts[doubts != ""].replace(
            {
                r"^the samples do not tell .*": "no maximum is seen",
                r"^new draws still move .*": "new draws still move",
                r"^runs from other starts .*": "other starts ended lower",
                r"^(.*) stands at a bound.*": r"\1 at a bound",
            },
            regex=True,
        )
        rows.append({"case": case, "said": "converged", "n": own["converged"].sum()})
        rows += [
            {"case": case, "said": said, "n": n}
            for said, n in kinds.value_counts().items()
        ]
    return pd.DataFrame(rows)


def dropping(lloqs, replicates, *, steps=None, patients=40):
    """Return the bias of typical values with M3, and without the samples below.

    One row for each limit and way: ``below``, the share of the samples; then the bias
    of each typical value on the log scale.
    """
    stein, rows = model("stein"), []
    for lloq in lloqs:
        case = Case("stein", patients, LATER, lloq)
        for seed in range(replicates):
            study = case.study(300 + seed).study()
            samples = study.samples
            below = (samples["state"] == "below").mean()
            seen = samples.loc[samples["state"] == "quantified", COLUMNS]
            for way, data in (("M3", study), ("dropped", ck.Study.from_frames(seen))):
                fit = ck.fit_population(stein, data, steps=steps, seed=seed)
                size = stein.typical.size
                off = fit.estimates.state.beta[:size] - stein.typical
                own = {"lloq": lloq, "way": way, "below": below}
                rows.append(own | dict(zip(stein.free, off, strict=True)))
    return pd.DataFrame(rows).groupby(["lloq", "way"], as_index=False).mean()


def show(title, table):
    """Print a table."""
    digits = {"float_format": "{:.3f}".format, "index": False}
    sys.stdout.write(f"\n{title}\n{table.to_string(**digits)}\n")
    sys.stdout.flush()


def main():
    """Run the study."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    asked.add_argument("--replicates", type=int, default=100)
    asked.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    asked.add_argument("--keep", help="folder of trials that were fitted before")
    methods = {"default": "saem", "choices": METHODS, "help": "how to fit"}
    asked.add_argument("--method", **methods)
    asked.add_argument("--dropping", action="store_true", help="M3 against dropping")
    given = asked.parse_args()
    if given.dropping:
        table = dropping(LIMITS, given.replicates)
        show("Bias of typical values, 40 patients of 9 samples", table)
        return
    if given.keep:
        Path(given.keep).mkdir(parents=True, exist_ok=True)
    for case in given.cases:
        chosen = {"keep": given.keep, "method": given.method}
        table = trials(case, given.replicates, **chosen)
        below = 100 * table["below"].mean()
        show(f"{case}: {below:.0f} % of the samples below the limit", recovery(table))
        sure = table[table["converged"]]
        show("95 % intervals that hold the truth", by_kind(table))
        show("the same, of fits that say that they converged", by_kind(sure))
        show("what the fits say", what_is_said(table))


if __name__ == "__main__":
    main()
