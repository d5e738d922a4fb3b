"""Reading and checking a large study, beside pandas reading its files as text.

``python tests/benchmarks/reading.py`` prints a table: for each format and kind of file,
seconds and peak memory of a new process that reads 10,000 patients of 20 samples by
each of 3 assays, and the ratio to a process that only reads the same bytes with pandas.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import cellpk as ck

ASSAYS = {"qpcr": ("copies/ug", 50.0), "flow": ("cells/uL", 1.0), "il6": ("pg/mL", 2.0)}
SCRIPT = """
import json, resource, sys
from pathlib import Path
from time import perf_counter
begin = perf_counter()
if sys.argv[1] == "cellpk":
    import cellpk as ck
    study = ck.read_study(sys.argv[2])
    found = {**study.counts, "problems": len(study.problems)}
    found["rows"] = int(study.accounting["rows"].sum())
else:
    import pandas as pd
    for file in Path(sys.argv[2]).glob("*.csv"):
        pd.read_csv(file, dtype="str", keep_default_na=False)
    found = {}
found["s"] = perf_counter() - begin
found["gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(json.dumps(found))
"""


def made(patients, visits=20):
    """Return a study: profiles that rise and fall, a part of them below the limit."""
    rng = np.random.default_rng(1)
    planned = np.linspace(1, 90, visits).round()
    parts = []
    for assay, (unit, lloq) in ASSAYS.items():
        peak = 1e3 * lloq * rng.lognormal(0, 1, (patients, 1))
        shape = -np.abs(planned - 10) * rng.lognormal(-1.6, 0.3, (patients, 1))
        level = peak * np.exp(shape) * rng.lognormal(0, 0.4, (patients, visits))
        frame = pd.DataFrame(
            {
                "patient": np.repeat([f"P{i:05}" for i in range(patients)], visits),
                "time": np.tile(planned, patients)
                + rng.uniform(-0.4, 0.4, patients * visits).round(3),
                "nominal_time": np.tile(planned, patients),
                "level": level.ravel().round(3),
                "assay": assay,
                "unit": unit,
                "specimen": "blood",
                "lloq": lloq,
            }
        )
        text = frame["level"].astype("str").where(frame["level"] >= lloq, f"<{lloq:g}")
        parts.append(frame.assign(level=text))
    people = pd.DataFrame({"patient": parts[0]["patient"].unique()})
    people["dose_level"] = rng.integers(1, 4, patients)
    infusions = people[["patient"]].assign(time=0.0, dose=1.5e8, unit="cells", lot="A")
    return ck.Study.from_frames(
        samples=pd.concat(parts, ignore_index=True),
        patients=people,
        infusions=infusions,
    )


def measured(reader, folder):
    """Return what a new process finds in a folder, its seconds and its memory."""
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, reader, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)


def contest(patients=10_000, kinds=(("tidy", ".csv"),)):
    """Return one row per format and kind of file."""
    study = made(patients)
    rows = []
    for name, ending in kinds:
        with tempfile.TemporaryDirectory() as place:
            ck.write_study(study, place, format=name, ending=ending)
            ours = measured("cellpk", place)
            plain = measured("pandas", place) if ending == ".csv" else {"s": np.nan}
            size = sum(path.stat().st_size for path in Path(place).iterdir())
        rows.append(
            {
                "format": f"{name}{ending}",
                "MB": size / 1e6,
                "used": ours["used"],
                "problems": ours["problems"],
                "s": ours["s"],
                "GB": ours["gb"],
                "times_pandas": ours["s"] / plain["s"],
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    from cellpk.study.exchange import formats

    every = [(name, end) for name, kind in formats().items() for end in kind.endings]
    table = contest(kinds=every)
    sys.stdout.write(f"{table.to_string(float_format='{:.3g}'.format, index=False)}\n")
