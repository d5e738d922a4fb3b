"""Hierarchical Bayes, beside the same model written plainly in PyMC.

``python tests/benchmarks/bayes.py`` prints, for 90 patients of 14 samples, about a
quarter of them below the limit: seconds of the processor and of the clock, compilation
apart; the least bulk and tail effective sample size over all population parameters, and
per second of the processor spent on sampling (tuning included); the largest R-hat, and
divergences. Give ``--chains`` and ``--draws`` for a longer run.
"""

import argparse
import sys
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from plain_bayes import plain_model

import cellpk as ck
from cellpk.fit.bayes.fit import begun_at, compiled_model
from cellpk.fit.bayes.question import question_of
from cellpk.fit.bayes.sampling import Sampling, sample_chains

DAYS = (1, 3, 5, 7, 9, 11, 14, 17, 21, 28, 45, 60, 90, 180)
LLOQ = 150.0
STEIN = "stein_2019_tisagenlecleucel"
POPULATION = ("location", "spread", "error")


def made(patients=90, seed=3):
    """Return a question about a trial."""
    model = ck.load_model(STEIN)
    design = ck.Design(DAYS, lloq=LLOQ)
    study = model.simulate(patients, design=design, seed=seed).study()
    return question_of(model, study)


def ours(question, sampling, seed=1):
    """Sample with cellpk: search, compilation and sampling apart."""
    from cellpk.fit.bayes.fit import sampled_chains

    begin = _clock()
    begun = begun_at(question, seed)
    searched = _clock()
    compiled = compiled_model(question, begun)
    done = _clock()
    chains, _ = sampled_chains(question, begun, sampling, seed=seed, compiled=compiled)
    return _row("cellpk", chains, (begin, searched, done, _clock()))


def plain_nutpie(question, sampling, seed=1):
    """Sample the plain model with nutpie."""
    import nutpie

    model = plain_model(question.shape.data, question.priors.numbers)
    begin = _clock()
    compiled = nutpie.compile_pymc_model(model, backend="numba")
    done = _clock()
    chains = sample_chains(
        compiled, sampling, seed=seed, question="", finish=lambda chain: chain
    )
    return _row("PyMC model, nutpie", chains, (begin, begin, done, _clock()))


def plain_pymc(question, sampling, seed=1):
    """Sample the plain model with PyMC's own NUTS; it compiles within."""
    import pymc as pm

    model = plain_model(question.shape.data, question.priors.numbers)
    begin = _clock()
    with model:
        tree = pm.sample(
            draws=sampling.draws,
            tune=sampling.tune,
            chains=sampling.chains,
            cores=1,
            random_seed=seed,
            nuts_sampler="pymc",
            progressbar=False,
            compute_convergence_checks=False,
        )
    names = {"diverging": "diverging", "n_steps": "n_steps"}
    stats = tree["sample_stats"]
    chains = [
        {name: tree["posterior"][name].to_numpy()[k] for name in POPULATION}
        | {ours: stats[name].to_numpy()[k] for ours, name in names.items()}
        for k in range(sampling.chains)
    ]
    return _row("PyMC model, PyMC's NUTS", chains, (begin, begin, begin, _clock()))


def _clock():
    return process_time(), perf_counter()


def _row(name, chains, clocks):
    """Return one line of the table."""
    from arviz_stats.base.array import array_stats

    spent = np.diff(np.array(clocks), axis=0)
    drawn = np.concatenate(
        [
            np.stack([chain[each] for chain in chains]).reshape(
                len(chains), len(chains[0][each]), -1
            )
            for each in POPULATION
        ],
        axis=-1,
    )
    bulk, tail, r_hat = (
        [work(drawn[..., i]) for i in range(drawn.shape[-1])]
        for work in (
            lambda x: float(array_stats.ess(x)),
            lambda x: float(array_stats.ess(x, method="tail", prob=0.9)),
            lambda x: float(array_stats.rhat(x)),
        )
    )
    steps = np.mean([chain["n_steps"].mean() for chain in chains])
    return {
        "how": name,
        "search_cpu_s": spent[0, 0],
        "compile_cpu_s": spent[1, 0],
        "sample_cpu_s": spent[2, 0],
        "wall_s": spent[:, 1].sum(),
        "steps": float(steps),
        "least_bulk": min(bulk),
        "least_tail": min(tail),
        "r_hat": max(r_hat),
        "divergences": int(sum(chain["diverging"].sum() for chain in chains)),
        "bulk_per_s": min(bulk) / spent[2, 0],
    }


def contest(question, sampling, ways=(ours, plain_nutpie, plain_pymc)):
    """Return the table; ``ratio`` is ours to each, by bulk size per second."""
    table = pd.DataFrame([way(question, sampling) for way in ways])
    return table.assign(ratio=table["bulk_per_s"][0] / table["bulk_per_s"])


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=90)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--tune", type=int, default=500)
    given = parser.parse_args()
    question = made(given.patients)
    (one,) = question.shape.data.series
    below = 1 - one.said.quantified[one.known].mean()
    said = f"{given.patients} patients, {100 * below:.0f} % of the samples below"
    sampling = Sampling(
        chains=given.chains, draws=given.draws, tune=given.tune, accept=0.8
    )
    table = contest(question, sampling)
    sys.stdout.write(f"{said}\n{table.round(3).T.to_string(header=False)}\n")


if __name__ == "__main__":
    main()
