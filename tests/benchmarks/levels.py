"""Levels and slopes per second, beside SciPy, NumPy and code written by hand.

``python tests/benchmarks/levels.py`` prints tables. Each solver has the largest
tolerance of its ladder at which its log levels are right to ``ACCURACY`` in all
patients of the comparison, and its slopes to ``SLOPE_ACCURACY``; one thread each.
SciPy's slopes are forward differences, which ask for a smaller tolerance than levels:
at that of levels they take ``plain_us`` and are wrong by ``plain_error``.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pandas as pd
from hand_written import hand_written
from peers import hardiansyah, kimmel, stein, with_differences

import cellpk as ck
from cellpk.model.compile.ode_kernel import ode_kernel

ACCURACY = 1e-4
"""Largest error of a log level that a solver may have."""

SLOPE_ACCURACY = 1e-3
"""Largest error of a slope of the log level by a parameter on its scale."""

LADDER = tuple(10.0 ** (-step / 2) for step in range(5, 24))
REFERENCE = 1e-11
DAYS = np.array([1.0, 2.5, 4, 6, 8, 10, 12, 14, 17, 21, 28, 45, 60, 90])
SPREAD = 0.15
"""Between patients of the comparison, on the log scale, where none is published."""

SOLVERS = ("LSODA", "Radau")


@dataclass(frozen=True)
class Contest:
    """A model, and the same by hand for SciPy."""

    name: str
    peer: Callable
    patients: int = 5

    @property
    def model(self):
        return ck.load_model(self.name)

    @property
    def theta(self):
        """Patients about the typical one, the same at each call."""
        model = self.model
        draws = np.random.default_rng(3).standard_normal(
            (self.patients, len(model.free))
        )
        return model.typical + SPREAD * draws


STEIN = Contest("stein_2019_tisagenlecleucel", stein)
KIMMEL = Contest("kimmel_2021_axicel", kimmel)
HARDIANSYAH = Contest("hardiansyah_2019_cll_upn1", hardiansyah)


def seconds(work, *, budget=0.5):
    """Least time of one call, of as many as fit into the budget; two or more."""
    work()
    best, spent, calls = np.inf, 0.0, 0
    while spent < budget or calls < 2:
        begin = perf_counter()
        work()
        now = perf_counter() - begin
        best, spent, calls = min(best, now), spent + now, calls + 1
    return best


def first_right(errors, accuracy=ACCURACY, *, most=LADDER[0]):
    """First of the tolerances at which the error is small enough, and the error."""
    for tolerance in (rung for rung in LADDER if rung <= most):
        error = errors(tolerance)
        if error <= accuracy:
            return tolerance, error
    raise AssertionError(f"never right to {accuracy}")


def compiled_row(contest, kernel, reference, *, peer):
    """The compiled solver's tolerances, errors and times: levels, and with slopes."""
    theta = contest.theta
    many = np.tile(theta, (max(1, 200 // len(theta)), 1))

    def solve(tolerance, at=theta, *, gradient=True):
        settings = {"gradient": gradient, "tolerance": tolerance, "threads": 1}
        return kernel.solve(at, DAYS, **settings)

    def wrong(tolerance):
        return largest(solve(tolerance).log_level, reference.log_level)

    def slopes_wrong(tolerance):
        return largest(solve(tolerance).gradient, reference.gradient)

    value, slopes = first_right(wrong), first_right(slopes_wrong, SLOPE_ACCURACY)
    slopes = min(value[0], slopes[0]), slopes_wrong(min(value[0], slopes[0]))
    times = [
        seconds(lambda g=g, tol=tol: solve(tol, many, gradient=g)) / len(many)
        for g, (tol, _) in enumerate((value, slopes))
    ]
    return row(contest, peer, value, slopes=slopes, times=times)


def scipy_row(contest, method, reference, *, budget=0.5):
    """A SciPy solver's tolerances, errors and times: levels, and with slopes."""
    theta, peer = contest.theta, contest.peer

    def levels(tolerance):
        settings = {"method": method, "tolerance": tolerance}
        return np.array([peer(one, DAYS, **settings) for one in theta])

    def gradient(tolerance):
        settings = {"method": method, "tolerance": tolerance}
        return np.array([with_differences(peer, x, DAYS, **settings) for x in theta])

    value = first_right(lambda tol: largest(levels(tol), reference.log_level))
    slopes = first_right(
        lambda tol: largest(gradient(tol), reference.gradient),
        SLOPE_ACCURACY,
        most=value[0],
    )
    work = ((levels, value[0]), (gradient, slopes[0]), (gradient, value[0]))
    times = [
        seconds(lambda f=f, tol=tol: f(tol), budget=budget) / len(theta)
        for f, tol in work
    ]
    plain = largest(gradient(value[0]), reference.gradient)
    found = row(contest, f"SciPy {method}", value, slopes=slopes, times=times)
    return found | {"plain_error": plain, "plain_us": 1e6 * times[2]}


def largest(found, reference):
    """Largest error."""
    return float(np.abs(found - reference).max())


def row(contest, peer, value, *, slopes, times):
    """Tolerance and error of levels and of slopes, and microseconds per patient."""
    return {
        "model": contest.name,
        "peer": peer,
        "tolerance": value[0],
        "error": value[1],
        "value_us": 1e6 * times[0],
        "slope_tolerance": slopes[0],
        "slope_error": slopes[1],
        "gradient_us": 1e6 * times[1],
    }


def with_ratios(rows):
    """Ratios of times to those of the first row of each model."""
    table = pd.DataFrame(rows)
    first = table.groupby("model", sort=False)[["value_us", "gradient_us"]]
    ratios = table[["value_us", "gradient_us"]] / first.transform("first")
    return table.assign(
        value_ratio=ratios["value_us"], gradient_ratio=ratios["gradient_us"]
    )


def ode_contest(contest, *, methods=SOLVERS, budget=0.5):
    """The compiled solver beside those of SciPy; of a closed form, that too."""
    model, theta = contest.model, contest.theta
    kernel = ode_kernel(model)
    reference = kernel.solve(theta, DAYS, gradient=True, tolerance=REFERENCE)
    assert not reference.failed.any()
    rows = []
    if model.equations.closed:
        reference = model.solve(theta, DAYS, gradient=True)
        rows += [compiled_row(contest, model.kernel, reference, peer="closed form")]
    rows += [compiled_row(contest, kernel, reference, peer="ESDIRK")]
    rows += [scipy_row(contest, m, reference, budget=budget) for m in methods]
    return with_ratios(rows)


def closed_contest(patients=90):
    """Stein's closed form by hand, compiled (the loop alone; all that is checked about
    it) and in NumPy; microseconds are of a whole call.
    """
    contest = Contest(STEIN.name, stein, patients)
    model, theta = contest.model, contest.theta
    exact = model.solve(theta, DAYS, gradient=True)
    ways = {
        "hand-written loop": (None, lambda: hand_written(theta, DAYS)),
        "compiled loop": loops(model, theta),
        "compiled, checked": (
            lambda: model.kernel.log_level(theta, DAYS),
            lambda: model.kernel.log_level_gradient(theta, DAYS),
        ),
        "NumPy": (
            lambda: model.log_level(theta, DAYS),
            lambda: model.log_level_gradient(theta, DAYS),
        ),
    }
    rows = []
    for name, (value, gradient) in ways.items():
        times = [seconds(work) if work else np.nan for work in (value, gradient)]
        found = gradient()
        errors = [
            (np.nan, largest(*pair))
            for pair in zip(found, (exact.log_level, exact.gradient), strict=True)
        ]
        rows.append(row(contest, name, errors[0], slopes=errors[1], times=times))
    dropped = ["tolerance", "slope_tolerance", "value_ratio"]
    return with_ratios(rows).drop(columns=dropped)


def loops(model, theta):
    """The compiled loops with the parameters' scales; nothing is checked."""
    module = model.kernel.module

    def value():
        out = np.empty((len(theta), DAYS.size))
        module.values(0, np.exp(theta), DAYS[None], out)
        return out

    def gradient():
        p, shape = np.exp(theta), (len(theta), DAYS.size)
        out, jac = np.empty(shape), np.empty((*shape, theta.shape[1]))
        module.gradients(0, p, DAYS[None], out, jac)
        jac *= p[:, None, :]
        return out, jac

    return value, gradient


START = """
import sys, time, numba
begin = time.perf_counter()
import cellpk as ck
model = ck.load_model(sys.argv[1])
model.kernel.solve(model.typical, [7.0, 14.0, 28.0], gradient=True)
print(time.perf_counter() - begin)
"""


def starts(names=(STEIN.name, KIMMEL.name, HARDIANSYAH.name)):
    """Seconds to the first levels and slopes in a new process, beyond import numba."""
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            cold, warm = (_start(name, folder) for _ in range(2))
        rows.append({"model": name, "cold_s": cold, "warm_s": warm})
    return pd.DataFrame(rows)


def _start(name, folder):
    answer = subprocess.run(
        [sys.executable, "-c", START, name],
        env={**os.environ, "CELLPK_CACHE": folder},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(answer.stdout)


def simulations(patients=(100_000, 10_000)):
    """Seconds for virtual patients with 14 samples each, all processors."""
    rows = []
    for contest, n in zip((STEIN, KIMMEL), patients, strict=True):
        model, residual = contest.model, None
        if contest is KIMMEL:
            model = model.with_spread(**dict.fromkeys(model.free, SPREAD))
            residual = {"car": 0.5}
        assay = next(iter(model.observed))
        design = ck.Design(DAYS, assays=[assay])
        model.simulate(2, design=design, seed=1, residual=residual)
        begin = perf_counter()
        virtual = model.simulate(n, design=design, seed=1, residual=residual)
        spent = perf_counter() - begin
        failed = len(virtual.failed)
        rows.append({"model": model.name, "patients": n, "s": spent, "failed": failed})
    return pd.DataFrame(rows)


def show(title, table):
    digits = {"float_format": "{:.3g}".format, "index": False, "na_rep": ""}
    sys.stdout.write(f"\n{title}\n{table.to_string(**digits)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for contest in (STEIN, KIMMEL, HARDIANSYAH):
        show(f"Per patient of {DAYS.size} samples", ode_contest(contest))
    show("90 patients of 14 samples, per call", closed_contest())
    show("New process, beyond importing numba", starts())
    show("Virtual patients", simulations())
