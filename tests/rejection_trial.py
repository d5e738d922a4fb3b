"""Trials of cells that returning lymphocytes reject: two infusions, with a limit."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

import cellpk as ck

DOSE, AGAIN, LLOQ = 1.8e8, 60.0, 5e6
DAYS = (1, 4, 7, 9, 11, 14, 17, 21, 28, 61, 64, 67, 69, 71, 74, 77, 84)
SPREAD = {"rho": 0.1, "t_end": 0.1, "rejection": 0.4, "r_host": 0.3}
KNOWN = ("alpha", "fb", "beta")
ERROR = 0.3
TRUE = {"r_host": 0.12, "rejection": 1.0}
ABOUT = {
    "study": {"id": "REINFUSED", "infusion_day": 0},
    "assays": {"car": {"unit": "cells", "kinetics": True}},
    "units": {"host_0": "cells"},
}


def rejection_model(folder):
    """The model of rejection with a spread between patients and a residual error."""
    path = Path(__file__).parents[1] / "models" / "allogeneic_rejection.toml"
    text = path.read_text("utf-8")
    said = {name: f"iiv_sd = {sd}" for name, sd in SPREAD.items()}
    said |= dict.fromkeys(KNOWN, "fixed = true")
    for name, own in said.items():
        line = rf'(?m)^({name} *= .*)iiv = "unpublished"'
        text = re.sub(line, rf"\1{own}", text)
    size = f'error = "lognormal", sd = {ERROR}'
    text = re.sub(r'(?m)^(car *= .*)error = "unpublished"', rf"\1{size}", text)
    own = folder / "rejection.toml"
    own.write_text(text, "utf-8")
    return ck.load_model(own)


def rejection_trial(model, *, patients=8, seed=3):
    """A study of patients whose numbers are in part others than the model's.

    Every other one has chemotherapy again, from day 55 to 60, before cells are given
    anew on day 60: in those the cells expand again, in the others they do not.
    """
    true = model.with_values(**TRUE)
    rng = np.random.default_rng(seed)
    host = 3e9 * np.exp(0.5 * rng.standard_normal(patients))
    again = np.arange(patients) % 2 == 0
    design = ck.Design({"car": DAYS}, lloq=LLOQ, infusions=[(0, DOSE), (AGAIN, DOSE)])
    samples, known = [], []
    for chemo in (True, False):
        steps = {"infused": {AGAIN: AGAIN}}
        steps |= {"chemo": {55: 1, 60: 0}} if chemo else {}
        virtual = true.simulate(
            patients, design=design, seed=seed, covariates={**steps, "host_0": host}
        )
        who = virtual.parameters["patient"][again == chemo]
        samples.append(virtual.table[virtual.table["patient"].isin(who)])
        known.append(virtual.parameters[virtual.parameters["patient"].isin(who)])
    parameters = pd.concat(known).sort_values("patient", ignore_index=True)
    names = parameters["patient"]
    study = ck.Study.from_frames(
        pd.concat(samples, ignore_index=True).drop(columns="true_level"),
        patients=parameters[["patient", "host_0"]],
        infusions=pd.DataFrame(
            [
                {"patient": name, "time": day, "dose": DOSE, "unit": "cells"}
                for name in names
                for day in (0.0, AGAIN)
            ]
        ),
        comedication=pd.DataFrame(
            {"patient": names[again], "drug": "chemotherapy", "time": 55.0}
        ).assign(end_time=AGAIN),
        settings=ABOUT,
    )
    return study, parameters


def half_full(r_host, host_0, full):
    """The day on which half of all lymphocytes are back: by Gompertz's formula."""
    return np.log(np.log(full / host_0) / np.log(2)) / r_host
