"""Individual fits of many patients, beside lmfit with SciPy's solve_ivp.

``python tests/benchmarks/individual.py`` prints a table: seconds by the clock and of
the processor per patient, and ratios. Patients are of Stein's model of tisagenlecleucel
with 12 samples and a limit of quantification of 50 copies/ug. The plain way is the one
that is written first: lmfit's least squares from as many starts, a residual per sample
(the censored ones by M3) and one per parameter for the prior, levels by ``solve_ivp``
on log states, split at the peak. It is timed on a few patients.
"""

import sys
import time
from dataclasses import dataclass

import lmfit
import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp
from scipy.special import log_ndtr

import cellpk as ck

DAYS = (1, 3, 5, 7, 10, 14, 21, 28, 60, 90, 180, 360)
LLOQ, SD = 50.0, 0.56
NAMES = ("foldx", "tmax", "cmax", "alpha", "fb", "beta")


def made(patients, seed=3):
    """Return the model and a study of so many patients."""
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    design = ck.Design(list(DAYS), lloq=LLOQ)
    return stein, stein.simulate(patients, design=design, seed=seed).study()


@dataclass(frozen=True)
class Plain:
    """Lmfit and solve_ivp, patient by patient."""

    centre: np.ndarray
    sd: np.ndarray

    def log_levels(self, theta, times):
        """Return log levels: effector cells and memory-like cells by the solver."""
        foldx, tmax, cmax, alpha, fb, beta = np.exp(theta)
        log_level = np.empty(len(times))
        early = times < tmax
        log_level[early] = np.log(cmax) - np.log(foldx) * (1 - times[early] / tmax)

        def rates(_, y):
            effector, ratio = -alpha, np.exp(y[0] - y[1])
            return effector, fb * (alpha - beta) * ratio - beta

        late = times[~early]
        if late.size:
            found = solve_ivp(
                rates,
                (tmax, late[-1]),
                (np.log(cmax), np.log(cmax) - 30.0),
                t_eval=late,
                method="LSODA",
                rtol=1e-6,
                atol=1e-8,
            )
            log_level[~early] = np.logaddexp(*found.y)
        return log_level

    def residuals(self, parameters, times, log_level):
        """Return residuals of samples and of the prior."""
        theta = np.array([parameters[name].value for name in NAMES])
        curve = self.log_levels(theta, times)
        below = np.isnan(log_level)
        r = np.where(below, 0.0, (curve - np.nan_to_num(log_level)) / SD)
        away = (np.log(LLOQ) - curve[below]) / SD
        r[below] = np.sqrt(-2 * log_ndtr(away))
        return np.concatenate([r, (theta - self.centre) / self.sd])

    def fit(self, times, log_level, starts):
        """Return the best of least squares from the starts."""
        best = None
        for start in starts:
            parameters, reach = lmfit.Parameters(), 6 * self.sd
            for i, name in enumerate(NAMES):
                low, high = self.centre[i] - reach[i], self.centre[i] + reach[i]
                parameters.add(name, np.clip(start[i], low, high), min=low, max=high)
            found = lmfit.minimize(
                self.residuals, parameters, args=(times, log_level), scale_covar=False
            )
            if best is None or found.chisqr < best.chisqr:
                best = found
        return best


def plainly(stein, study, patients, starts):
    """Fit some patients plainly; return -2 log posterior, less a constant."""
    plain, rng = Plain(stein.typical, stein.spread), np.random.default_rng(1)
    samples = study.samples
    losses = []
    for patient in patients:
        own = samples[samples["patient"] == patient].sort_values("time")
        begin = stein.typical + stein.spread * rng.standard_normal((starts, 6))
        log_level = np.log(own["level"].to_numpy(float))
        losses.append(plain.fit(own["time"].to_numpy(float), log_level, begin).chisqr)
    return np.array(losses)


def spent(work):
    """Return seconds by the clock and of the processor, and what comes of it."""
    clock, cpu = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - clock, time.process_time() - cpu, found


def agreement(stein, study, patients, starts=16):
    """Return -2 log posterior of some patients, plainly and by ours."""
    fits = ck.fit_individuals(stein, study, starts=starts, draws=0)
    table = fits.table.set_index("patient")
    ours = []
    for patient in patients:
        r = fits.samples.loc[fits.samples["patient"] == patient, "residual"].dropna()
        theta = np.log(table.loc[patient, list(NAMES)].to_numpy(float))
        pull = (theta - stein.typical) / stein.spread
        ours.append(np.square(r).sum() + np.square(pull).sum())
    return plainly(stein, study, patients, starts), np.array(ours)


def contest(patients=10_000, drawn=200, plain=3, starts=16):
    """Return a table of ways and their times per patient."""
    stein, study = made(patients)
    names = sorted(study.patients["patient"])
    few = ck.Study.from_frames(
        study.samples[study.samples["patient"].isin(names[:drawn])].drop(
            columns=["file", "row"]
        )
    )
    ck.fit_individuals(stein, few, draws=100)  # compiled
    rows = []
    for name, count, work in (
        (
            "cellpk, intervals by the delta method",
            patients,
            lambda: ck.fit_individuals(stein, study, starts=starts, draws=0),
        ),
        (
            "cellpk, intervals by 1000 draws",
            drawn,
            lambda: ck.fit_individuals(stein, few, starts=starts),
        ),
        (
            "cellpk, delta method, polished by lmfit",
            drawn,
            lambda: ck.fit_individuals(stein, few, starts=starts, draws=0, polish=True),
        ),
        (
            "lmfit + solve_ivp, no intervals",
            plain,
            lambda: plainly(stein, study, names[:plain], starts),
        ),
    ):
        clock, cpu, _ = spent(work)
        rows.append((name, count, clock, 1e3 * cpu / count))
    columns = ["way", "patients", "seconds", "CPU ms per patient"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(ratio=table[columns[-1]] / table[columns[-1]][0])


def main():
    """Print the table."""
    table = contest()
    sys.stdout.write(f"{table.to_string(float_format='{:.3g}'.format, index=False)}\n")


if __name__ == "__main__":
    main()
