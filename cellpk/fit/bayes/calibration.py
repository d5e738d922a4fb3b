"""Simulation-based calibration: whether posteriors are as wide as they should be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.bayes.fit import (
    Compiled,
    begun_at,
    compiled_model,
    sampled_chains,
)
from cellpk.fit.bayes.prior_choice import Priors
from cellpk.fit.bayes.prior_draws import prior_draws
from cellpk.fit.bayes.question import Question, question_of
from cellpk.fit.bayes.sampling import Chain, Progress, Sampling
from cellpk.fit.bayes.tree import Shape
from cellpk.fit.individual.numbers import quantity_names, values_of
from cellpk.model.design import Design
from cellpk.model.model import Model
from cellpk.model.virtual import Simulated
from cellpk.study.study import Study

Array = NDArray[np.float64]

LEVEL = 0.9
"""Share of the draws within an interval whose coverage is counted."""

RANKS = 20
"""Bins of a rank histogram."""

DAYS = (1, 3, 5, 7, 9, 11, 14, 17, 21, 28, 45, 60, 90, 180)
"""Days on which a phase 1 samples."""

STORED = Path(__file__).with_name("calibrated.csv")
"""Calibrations that were run, by ``cellpk calibrate``: a report cites them."""

_TRIES = 200


def usual_design(lloq: float) -> Design:
    """Return the schedule of a phase 1, with a limit of quantification.

    Examples
    --------
    >>> len(usual_design(10.0).days)
    14
    """
    return Design(DAYS, lloq=lloq)


def calibrated(model: str) -> pd.DataFrame:
    """Return the calibrations of a model that were run: rows as of ``table``.

    Parameters
    ----------
    model : str
        Its name.

    Examples
    --------
    >>> len(calibrated("my_model"))
    0
    """
    table = pd.read_csv(STORED)
    return table[table["model"] == model].reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What became of simulated trials whose truth was drawn from the prior.

    Parameters
    ----------
    ranks : DataFrame
        ``trial, quantity, patient`` (empty for the population), ``rank`` (share of the
        posterior draws below the truth), ``held`` (whether the 90 % interval holds it),
        ``diverged`` (draws of the trial).
    about : mapping of str
        ``model, patients, trials, rejected, seed, cellpk, date``.

    Examples
    --------
    >>> sorted(Calibration.__annotations__)
    ['about', 'ranks']
    """

    ranks: pd.DataFrame
    about: Mapping[str, Any]

    @property
    def table(self) -> pd.DataFrame:
        """One row per quantity.

        ``quantity``, ``n`` (truths), ``coverage`` of 90 % intervals (%) with its
        binomial 95 % interval ``low, high``, ``p`` of a chi-squared test that ranks are
        uniform (of one truth per trial, since those of one trial are not independent),
        and ``model, patients, trials, cellpk, date``.
        """
        rows = []
        for name, own in self.ranks.groupby("quantity", sort=False):
            rows.append({"quantity": name, **_row(own)})
        return pd.DataFrame(rows).assign(**self.about)


def _row(own: pd.DataFrame) -> dict[str, float]:
    from scipy import stats

    held, number = int(own["held"].sum()), len(own)
    ends = stats.binomtest(held, number).proportion_ci(method="wilson")
    first = own.drop_duplicates("trial")["rank"]
    bins = max(2, min(RANKS, len(first) // 5))
    counts, _ = np.histogram(first, bins=bins, range=(0.0, 1.0))
    return {
        "n": number,
        "coverage": 100 * held / number,
        "low": 100 * ends.low,
        "high": 100 * ends.high,
        "p": float(stats.chisquare(counts).pvalue),
    }


def calibrate(
    model: Model,
    patients: int,
    *,
    trials: int = 100,
    design: Design,
    priors: Priors | None = None,
    sampling: Sampling | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> Calibration:
    """Draw truths from the prior, simulate trials of them, and fit each.

    If sampler and model are right, the rank of the truth among the posterior draws is
    uniform, and intervals hold the truth as often as they say. Trials in which every
    sample of a patient is below the limit are drawn again: whether that is so is seen
    in the data, so that ranks given it are uniform, too.

    Parameters
    ----------
    model : Model
        What is simulated and fitted.
    patients, trials : int
        How many patients a trial has, and how many trials.
    design : Design
        Days and limits.
    priors : Priors, optional
        Where truths are drawn from, and with which the trials are fitted.
    sampling : Sampling, optional
        How long each is sampled; two chains of 250 draws where not given.
    seed : int
        Chance.
    progress : callable, optional
        Called as ``progress(done, total, text)``.

    Returns
    -------
    Calibration

    Raises
    ------
    FitError
        Where no trial without such patients can be drawn.

    References
    ----------
    Talts S, Betancourt M, Simpson D, Vehtari A, Gelman A. Validating Bayesian inference
    algorithms with simulation-based calibration. arXiv:1804.06788 (2018).

    Examples
    --------
    >>> callable(calibrate)
    True
    """
    choice = priors or Priors()
    sampling = sampling or Sampling(chains=2, draws=250, tune=300, accept=0.95)
    compiled: Compiled | None = None
    frames, rejected = [], 0
    for trial in range(trials):
        if progress is not None:
            progress(trial, trials, "simulated trials")
        question, truth, again = _trial(
            model, patients, design, choice=choice, seed=(seed, trial)
        )
        rejected += again
        begun = begun_at(question, seed)
        compiled = compiled or compiled_model(question, begun)
        chains, _ = sampled_chains(
            question, begun, sampling, seed=seed + trial, compiled=compiled
        )
        frames.append(_ranks(question.shape, chains, truth).assign(trial=trial))
    about = {"model": model.name, "patients": patients, "trials": trials}
    about |= {"rejected": rejected, "seed": seed, "cellpk": version("cellpk")}
    about["date"] = date.today().isoformat()
    return Calibration(pd.concat(frames, ignore_index=True), about)


def _trial(
    model: Model,
    patients: int,
    design: Design,
    *,
    choice: Priors,
    seed: tuple[int, int],
) -> tuple[Question, Chain, int]:
    """Return a trial of a truth drawn from the prior, and how many were rejected."""
    rng = np.random.default_rng([*seed, 7])
    any_trial = model.simulate(patients, design=design, seed=0).study()
    asked = _question(model, any_trial, choice)
    for again in range(_TRIES):
        truth = prior_draws(
            asked.priors, asked.shape.structure, 1, never=False, rng=rng
        )
        virtual = _simulated(asked.shape, truth, patients, design, rng=rng)
        if len(virtual.failed):
            continue
        question = _question(model, virtual.study(), choice)
        shape = question.shape
        if not shape.never and len(shape.data.patients) == patients:
            theta = _true_theta(model, virtual, shape.data.patients)
            return question, {**truth, "theta": theta}, again
    raise FitError(
        f"after {_TRIES} tries every simulated trial has a patient without a level",
        todo="Lower the limits of the design, or make the priors narrower.",
    )


def _question(model: Model, study: Study, choice: Priors) -> Question:
    return question_of(model, study, choice=choice)


def _simulated(
    shape: Shape,
    truth: Chain,
    patients: int,
    design: Design,
    *,
    rng: np.random.Generator,
) -> Simulated:
    """Simulate a trial of a population that was drawn."""
    model = shape.data.model
    natural = model.natural(truth["location"][0])
    rows = {
        name: replace(
            model.parameters[name],
            value=float(natural[name]),
            iiv_sd=float(truth["spread"][0, i]),
        )
        for i, name in enumerate(model.free)
    }
    errors = shape.errors.with_logs(np.log(truth["error"][0])).parts
    observed = {
        one.observed: replace(model.observed[one.observed], **error.values)
        for one, error in zip(shape.data.series, errors, strict=True)
    }
    true = replace(
        model,
        parameters={**model.parameters, **rows},
        observed={**model.observed, **observed},
    )
    seed = int(rng.integers(2**31))
    return true.simulate(patients, design=design, seed=seed)


def _true_theta(model: Model, virtual: Simulated, patients: Sequence[str]) -> Array:
    """Return the patients' true parameters, transformed scale, (1, N, p)."""
    rows = virtual.parameters.set_index("patient").loc[list(patients)]
    given = {name: rows[name].to_numpy(float) for name in model.free}
    return model.theta(given)[None]


def _ranks(shape: Shape, chains: Sequence[Chain], truth: Chain) -> pd.DataFrame:
    """Return where the truth stands among the posterior draws."""
    names = ("location", "spread", "error", "theta", "correlation")
    drawn = {name: np.concatenate([chain[name] for chain in chains]) for name in names}
    frames = [
        _placed(labels, "", drawn[name], truth[name][0])
        for name, labels in (
            ("location", shape.structure.coefficients),
            ("spread", [f"spread of {name}" for name in shape.structure.names]),
            ("error", shape.errors.names),
        )
    ]
    found = values_of(shape.data, drawn["theta"])
    true = values_of(shape.data, truth["theta"])[0]
    quantities = [f"{name} of a patient" for name in quantity_names(shape.data.model)]
    for i, patient in enumerate(shape.data.patients):
        frames.append(_placed(quantities, patient, found[:, i], true[i]))
    diverged = sum(int(chain["diverging"].sum()) for chain in chains)
    return pd.concat(frames, ignore_index=True).assign(diverged=diverged)


def _placed(
    names: Sequence[str], patient: str, drawn: Array, true: Array
) -> pd.DataFrame:
    tails = (1 - LEVEL) / 2
    low, high = np.nanquantile(drawn, [tails, 1 - tails], axis=0)
    return pd.DataFrame(
        {
            "quantity": list(names),
            "patient": patient,
            "rank": (drawn < true).mean(0),
            "held": (low <= true) & (true <= high),
        }
    )
