"""A study of two assays of the same samples, made by hand."""

import numpy as np
import pandas as pd

import cellpk as ck

UNITS = {"qpcr": ("copies/ug", 50.0), "flow": ("cells/uL", 1.0)}


def made_pairs(rows, **settings):
    """Return a study of rows (patient, time of qPCR, time of flow, qPCR, flow)."""
    names = ["patient", "qpcr_time", "flow_time", "qpcr", "flow"]
    wide = pd.DataFrame(rows, columns=names)
    parts = []
    for assay, (unit, lloq) in UNITS.items():
        part = wide[["patient"]].assign(time=wide[f"{assay}_time"], level=wide[assay])
        part = part.assign(assay=assay, unit=unit, lloq=lloq, specimen="blood")
        parts.append(part.dropna(subset="time"))
    about = {"id": "PAIRS", "title": "Pairs", "infusion_day": 0} | settings
    return ck.Study.from_frames(pd.concat(parts), settings={"study": about})


def log_normal_pairs(patients=6, each=4, *, ratio=100.0, spread=0.0, seed=1):
    """Rows of pairs with a known ratio of qPCR to flow, and patients that differ."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(patients):
        shift = rng.normal(0, spread)
        for day in range(each):
            flow = 10 ** rng.uniform(0.5, 3)
            qpcr = ratio * flow * np.exp(shift)
            rows.append((f"P{number}", 7.0 * day, 7.0 * day, qpcr, flow))
    return rows
