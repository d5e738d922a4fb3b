"""Every metric of many profiles, beside a plain loop and beside pkpdutils.

``python tests/benchmarks/metrics.py [PYTHON]`` prints a table of medians of several
runs, in seconds of the clock and of the processor; the peer is skipped where no PYTHON
that has pkpdutils is given. Profiles are of Stein's model of tisagenlecleucel: 14
samples each, 30 % of the levels below the limit, 5 % missing.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pandas as pd

import cellpk as ck
from cellpk.kinetics.metrics import METRICS
from cellpk.kinetics.profiles import Profiles

DAYS = np.array([1.0, 3, 5, 7, 9, 11, 14, 17, 21, 24, 28, 42, 60, 90])
AREAS = {
    "auc_0_7": 7.0,
    "auc_0_14": 14.0,
    "auc_0_28": 28.0,
    "auc_0_3m": 91.3125,
    "auc_0_6m": 182.625,
    "auc_0_12m": 365.25,
}
PEERS_NAMES = {"cmax": "cmax", "tmax": "tmax", "auc_last": "auc_last"} | {
    "half_life": "thalf"
}
PEER = Path(__file__).with_name("pkpdutils_peer.py")


@dataclass(frozen=True)
class Cohort:
    """Days and levels (profiles, samples), NaN where missing, and one limit."""

    times: np.ndarray
    levels: np.ndarray
    lloq: float

    @property
    def measured(self):
        return ~np.isnan(self.levels)

    def profiles(self):
        """Lay the samples out on flat arrays."""
        known = self.measured
        levels = np.where(self.levels < self.lloq, 0.0, self.levels)
        bounds = np.append(0, known.sum(axis=1).cumsum())
        return Profiles.stacked(
            self.times[known], levels[known], bounds, lloq=self.lloq
        )

    def study(self):
        """Return the samples as a study."""
        known = self.measured
        names = np.array([f"P{i:05}" for i in range(len(self.times))])
        level = self.levels[known]
        text = pd.Series(level).map(repr).where(level >= self.lloq, f"<{self.lloq!r}")
        samples = pd.DataFrame(
            {
                "patient": np.repeat(names, known.sum(axis=1)),
                "time": self.times[known],
                "level": text,
                "assay": "qpcr",
                "unit": "copies/ug",
            }
        )
        return ck.Study.from_frames(samples)


def made(patients, seed=4):
    """Return a cohort, the same for the same seed."""
    rng = np.random.default_rng(seed)
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    spread = rng.standard_normal((patients, len(stein.free)))
    shape = (patients, DAYS.size)
    times = np.sort(np.maximum(DAYS + rng.normal(0, 0.3, shape), 0.05), axis=1).round(3)
    true = stein.log_level(stein.typical + stein.spread * spread, times)
    levels = np.exp(true + 0.3 * rng.standard_normal(shape)).round(3)
    lloq = float(np.quantile(levels, 0.3).round(3))
    return Cohort(times, np.where(rng.random(shape) < 0.05, np.nan, levels), lloq)


def spent(work, runs):
    """Medians of seconds by the clock and of the processor, after a run to warm up."""
    work()
    clocks = []
    for _ in range(runs):
        begin = perf_counter(), process_time()
        work()
        clocks.append((perf_counter() - begin[0], process_time() - begin[1]))
    return tuple(float(x) for x in np.median(clocks, axis=0))


def core(cohort):
    """Return every metric of all profiles on flat arrays."""
    profiles = cohort.profiles()
    return {name: metric.compute(profiles).value for name, metric in METRICS.items()}


def loop(cohort):
    """Return every metric, one profile after another."""
    rows = []
    for times, levels in zip(cohort.times, cohort.levels, strict=True):
        one = Profiles.one(times, levels, lloq=cohort.lloq)
        rows.append({name: m.compute(one).value[0] for name, m in METRICS.items()})
    return pd.DataFrame(rows)


def peer(python, cohort, *, runs=5):
    """Return what pkpdutils finds, its version and its seconds by number of threads."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        given = {"times": cohort.times, "levels": cohort.levels, "lloq": cohort.lloq}
        np.savez(path / "cohort.npz", **given)
        answer = subprocess.run(
            [str(python), str(PEER), folder, str(runs), json.dumps(AREAS)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        with np.load(path / "found.npz") as found:
            return dict(found), json.loads(answer.stdout)


def disagreement(ours, theirs):
    """Largest relative difference of each metric where both give one."""
    largest = {}
    for name, other in PEERS_NAMES.items():
        a, b = np.asarray(ours[name], float), theirs[other]
        both = np.isfinite(a) & np.isfinite(b) & (a > 0)
        assert both.mean() > 0.1, f"{name}: hardly any profile has both"
        largest[name] = float(np.abs(b[both] / a[both] - 1).max())
    return largest


def contest(patients=10_000, *, runs=5, subset=200, python=None):
    """Return one row for each way: seconds, and its ratio to ``ck.nca(study)``."""
    cohort = made(patients)
    study = cohort.study()
    few = Cohort(cohort.times[:subset], cohort.levels[:subset], cohort.lloq)
    scale = patients / len(few.times)
    plain = tuple(x * scale for x in spent(lambda: loop(few), 1))
    ways = {
        "ck.nca(study)": spent(lambda: ck.nca(study), runs),
        "core on flat arrays": spent(lambda: core(cohort), runs),
        f"loop over profiles (of {len(few.times)})": plain,
    }
    if python is not None:
        found, told = peer(python, cohort, runs=runs)
        for threads, clocks in told["seconds"].items():
            ways[f"pkpdutils {told['version']}, {threads}"] = tuple(clocks)
        ours = ck.nca(study, lambda_z_span=0.0).table
        sys.stdout.write(f"largest relative difference: {disagreement(ours, found)}\n")
    first = ways["ck.nca(study)"][0]
    rows = [
        {"way": name, "s": s, "cpu_s": cpu, "ratio": s / first}
        for name, (s, cpu) in ways.items()
    ]
    return pd.DataFrame(rows)


if __name__ == "__main__":
    peers_python = sys.argv[1] if len(sys.argv) > 1 else None
    if peers_python is None:
        sys.stdout.write("pkpdutils is skipped: no Python that has it was given.\n")
    table = contest(python=peers_python)
    sys.stdout.write(f"{table.to_string(float_format='{:.3g}'.format, index=False)}\n")
