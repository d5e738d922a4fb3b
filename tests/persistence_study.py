"""A small study for the tests of persistence: one patient for each case."""

import numpy as np
import pandas as pd

import cellpk as ck

# patient: (day, level); the LLOQ is 10, the LLOD 2; None is a missing result.
LEVELS = {
    "lost": [(-1, 0), (7, 90), (28, 20), (60, 5), (90, 0)],
    "again": [(7, 90), (28, 0), (60, 40), (92, 0)],  # below, and quantifiable again
    "still": [(7, 90), (28, 80), (60, 30), (90, None)],
    "never": [(3, 0), (28, 5)],
    "high": [(7, 90), (30, "above"), (60, 0)],
    "missed": [(7, 90), (28, None), (62, 0)],  # missing is not negative
    "empty": [(-1, 0), (14, None)],
}
DIED = {"still": 75.0}


def study_of(levels=LEVELS, *, died=DIED, **frames):
    rows = [
        {
            "patient": patient,
            "time": day,
            "level": np.nan if isinstance(level, str) else level,
            "state": state(level),
        }
        for patient, samples in levels.items()
        for day, level in samples
    ]
    deaths = [
        {"patient": patient, "endpoint": "death", "value": "1", "time": day}
        for patient, day in died.items()
    ]
    limits = {"assay": "flow", "specimen": "blood", "lloq": 10, "llod": 2, "uloq": 500}
    samples = pd.DataFrame(rows).assign(**limits)
    if deaths:
        frames["outcomes"] = pd.DataFrame(deaths)
    return ck.Study.from_frames(samples, **frames)


def state(level):
    if level is None:
        return "missing"
    if level == "above":
        return "above"
    return "quantified" if level >= 10 else "detected" if level >= 2 else "below"
