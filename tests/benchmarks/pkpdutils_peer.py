"""pkpdutils on the profiles of the benchmark; run by a Python that has it.

Arguments: a folder with ``cohort.npz``, the number of runs, and areas by name as JSON.
Writes ``found.npz`` and prints medians of seconds. Its ways to analyse many profiles
are one batch in one thread, and chunks of it in several threads.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time

import numpy as np


def options(lloq, areas, threads):
    """As near to cellpk's defaults as it can come; a span it only flags."""
    from pkpdutils.nca import BLQRules, NCAOptions, TerminalPhase

    return NCAOptions(
        auc_method="linear_log",
        lloq=lloq,
        blq=BLQRules(first="zero", middle="zero", last="zero"),
        terminal=TerminalPhase(min_adj_r2=0.8),
        partial_aucs={name: (0.0, end) for name, end in areas.items()},
        n_workers=threads,
    )


def main(folder, runs, areas):
    from pkpdutils.nca import nca
    from pkpdutils.timecourse import Timecourses

    with np.load(folder / "cohort.npz") as given:
        times, levels, lloq = given["times"], given["levels"], float(given["lloq"])
    batch = Timecourses.from_arrays(
        times,
        levels,
        time_unit="day",
        unit="ng/ml",
        dose={"amount": np.ones(len(times)), "unit": "mg"},
        route="oral",
    )
    seconds = {}
    for name, threads in {"1 thread": 1, "2 threads": 2}.items():
        chosen, clocks = options(lloq, areas, threads), []
        result = nca(batch, options=chosen)
        for _ in range(runs):
            begin = perf_counter(), process_time()
            result = nca(batch, options=chosen)
            clocks.append((perf_counter() - begin[0], process_time() - begin[1]))
        seconds[name] = np.median(clocks, axis=0).tolist()
    names = ["cmax", "tmax", "auc_last", "thalf", *areas]
    found = {name: result.ds[name].to_numpy() for name in names}
    np.savez(folder / "found.npz", **found)
    told = {"version": version("pkpdutils"), "seconds": seconds}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
