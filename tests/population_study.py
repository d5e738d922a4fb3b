"""Population fits of many simulated trials: bias and coverage of what they say.

``python tests/population_study.py --replicates 100`` simulates and fits every case of
``CASES``, or those named by ``--cases``, and prints tables; with ``--keep FOLDER`` each
trial is written to a file there, and is not fitted again.
"""

import argparse
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

import cellpk as ck

RICH = (1, 3, 5, 7, 10, 14, 21, 28, 60, 90, 180, 360)
SPARSE = (2, 5, 9, 14, 28, 60, 90, 180)
Z = 1.959963984540054

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
        error = np.log(row.high / row.low) / (2 * Z)
        exact = np.log(known[row.quantity][0])
        rows.append(("derived", row.quantity, exact, np.log(row.value), error))
    return pd.DataFrame(rows, columns=["kind", "name", "truth", "estimate", "se"])


def trial(case, seed, *, steps=None):
    """Simulate a trial, fit it, and return its estimates with what is doubted."""
    study = CASES[case].study(1000 + seed).study()
    fit = ck.fit_population(model(CASES[case].model), study, steps=steps, seed=seed)
    below = (study.samples["state"] == "below").mean()
    said = {"case": case, "seed": seed, "below": below, "converged": fit.converged}
    return estimates_of(fit).assign(**said, doubts="; ".join(fit.doubts))


def trials(case, replicates, *, steps=None, keep=None):
    """Return the estimates of many trials; those in the folder are not fitted again."""
    frames = []
    for seed in range(replicates):
        path = Path(keep) / f"{case}_{seed:04}.csv" if keep else None
        if path is not None and path.exists():
            frames.append(pd.read_csv(path, keep_default_na=False, na_values=["nan"]))
            continue
        frames.append(trial(case, seed, steps=steps))
        if path is not None:
            frames[-1].to_csv(path, index=False, na_rep="nan")
    return pd.concat(frames, ignore_index=True)


def recovery(table):
    """Return bias and coverage of each estimate, one row each.

    ``trials`` that give an interval; ``bias`` on the log scale and ``bias_sd`` in the
    SDs of the estimates; ``sd`` of the estimates and the ``se`` they state (root mean
    square); ``covered``, the share of 95% intervals that hold the truth, ``below`` and
    ``above``, those that lie below it and above it.
    """
    rows = []
    for key, own in table.groupby(["case", "kind", "name"], sort=False):
        stated = own[np.isfinite(own["se"])]
        off, se = stated["estimate"] - stated["truth"], stated["se"]
        z, every = off / se, own["estimate"] - own["truth"]
        rows.append(
            dict(zip(("case", "kind", "name"), key, strict=True))
            | {
                "trials": len(stated),
                "bias": every.mean(),
                "bias_sd": every.mean() / every.std(),
                "sd": off.std(),
                "se": np.sqrt(np.mean(se**2)),
                "covered": (np.abs(z) < Z).mean(),
                "below": (z < -Z).mean(),
                "above": (z > Z).mean(),
            }
        )
    return pd.DataFrame(rows)


def by_kind(table):
    """Return coverage of each kind of estimate, with its Monte Carlo standard error."""
    stated = table[np.isfinite(table["se"])]
    held = np.abs((stated["estimate"] - stated["truth"]) / stated["se"]) < Z
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
    given = asked.parse_args()
    if given.keep:
        Path(given.keep).mkdir(parents=True, exist_ok=True)
    for case in given.cases:
        table = trials(case, given.replicates, keep=given.keep)
        below = 100 * table["below"].mean()
        show(f"{case}: {below:.0f} % of the samples below the limit", recovery(table))
        sure = table[table["converged"]]
        show("95 % intervals that hold the truth", by_kind(table))
        show("the same, of fits that say that they converged", by_kind(sure))
        show("what the fits say", what_is_said(table))


if __name__ == "__main__":
    main()
