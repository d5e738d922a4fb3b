"""A trial that never was: 18 simulated patients of an allogeneic CAR-T product."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.model.library import load_model
from cellpk.model.model import Model
from cellpk.study.config import Settings, settings_of
from cellpk.study.study import Study
from cellpk.trial.laboratory import Laboratory

Floats = NDArray[np.float64]

# Design. All of it is illustrative; nothing of a real protocol is encoded.
DOSES = (1.5e8, 3.0e8, 4.5e8)  # cells, flat
PATIENTS_PER_DOSE = 6
LOTS = ("LOT-A", "LOT-B", "LOT-C")  # donors; patients of one lot share its effect
FOLLOW_UP = (120.0, 380.0)  # days; patients entered one after the other
CAR_T_DAYS = (0, 1, 3, 5, 7, 10, 14, 21, 28, 42, 60, 90, 120, 180, 270, 360)
FLOW_DAYS = (3, 7, 10, 14, 21, 28, 42, 60, 90, 180)
IL6_DAYS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 17, 21, 28)

# Kinetics. Shape and spread come from the model; these change it.
MODEL = "stein_2019_tisagenlecleucel"
TYPICAL_CMAX = 12_000.0  # copies/ug at the middle dose
COPIES_PER_CELL = 100.0  # (copies/ug) per (cell/uL): 30 to 2000 (ck_models section 23)
DOSE_POWER = 0.25  # 3-fold dose, 1.3-fold peak: dose hardly matters for CAR-T
BURDEN_POWER = 0.35  # tumour burden drives expansion
LOT_SD = 0.3
NEVER_EXPANDED = 3  # of 18; the infused cells only decline
REJECTION = 0.07  # /day at full host recovery; our assumption, none is published
REJECTION_SD = 0.5
HOST_RETURN = 0.17  # /day, Gompertz return of host lymphocytes (Kimmel 2021)
HOST_LEFT = 0.01  # share of host lymphocytes left by lymphodepletion
QPCR_SD, FLOW_SD = 0.56, 0.4  # residual error on the log scale; qPCR as in Stein 2019

# Patients.
BURDEN_MEDIAN, BURDEN_SD, BURDEN_MAX = 35.0, 0.7, 95.0  # % plasma cells in marrow
AGE = (42, 78)
PRIOR_LINES = (3, 8)

# IL-6: dI/dt = baseline * loss + production * level * antigen - loss * I.
IL6_LOSS = 3.96  # /day (Hardiansyah 2019)
IL6_BASELINE, IL6_BASELINE_SD = 3.0, 0.4  # pg/mL
IL6_PEAK, IL6_PEAK_SD = 400.0, 0.9  # pg/mL where level and antigen are typical
IL6_ERROR_SD = 0.25
ANTIGEN_KILL = 0.5  # /day at the typical peak: antigen is used up as cells expand
TOCILIZUMAB_CLEARANCE = 0.4  # receptor blockade leaves this share of the loss

# What follows from exposure: latent logistic scales, cut into grades and responses.
CRS_REFERENCE, CRS_SLOPE = 150.0, 2.5  # pg/mL; per 10-fold peak IL-6
CRS_ONSET = 0.3  # begins when IL-6 is at this share of its peak
CRS_CUTS = (-1.5, 0.7, 3.2, 5.5)  # grade 1, 2, 3, 4 above
TOCILIZUMAB_GRADE_1 = 0.2  # share of grade 1; everyone from grade 2
TOCILIZUMAB_DELAY = (0.3, 2.5)  # days after onset
RESPONSES = ("PD", "SD", "MR", "PR", "VGPR", "CR", "sCR")
RESPONSE_CUTS = (-2.8, -1.4, -1.1, -0.4, 0.4, 1.4)
RESPONSE_EXPOSURE, RESPONSE_BURDEN = 2.0, -1.0  # per 10-fold peak; per 10-fold burden
RESPONSE_DAY = dict(zip(RESPONSES, (28, 28, 28, 28, 56, 84, 112), strict=True))
# Mean days from the response to progression.
REMISSION = dict(zip(RESPONSES, (0, 40, 60, 150, 250, 400, 600), strict=True))
SURVIVAL = 500.0  # mean days after progression
DLT_GRADE = 3  # CRS of this grade counts as dose-limiting
MRD_NEGATIVE = 0.85  # share of those with VGPR or better, who alone are tested

STEP = 0.05  # days
GRID = np.arange(0.0, 400.0, STEP)


LABORATORIES = (
    Laboratory("qpcr", "blood", CAR_T_DAYS, QPCR_SD, lloq=50, llod=20),
    Laboratory("flow", "blood", FLOW_DAYS, FLOW_SD, lloq=1),
    Laboratory("il6", "serum", IL6_DAYS, IL6_ERROR_SD, lloq=1.5, uloq=1000),
)


def simulate_study(*, seed: int = 1) -> Study:
    """Simulate a small dose escalation of an allogeneic CAR-T product.

    Every patient, level and outcome is simulated. The numbers are illustrative: the
    study looks like a CT0596-like trial in myeloma and encodes nothing that is known
    of a real one. Each assumption is one named constant of this module.

    Eighteen patients receive one of three doses from three donor lots. The levels
    follow the Stein 2019 model of tisagenlecleucel with its spread between patients,
    scaled to a typical peak of 12,000 copies/ug (by flow, 120 cells/uL), and are lost
    faster as the host's lymphocytes return and reject the cells. Three patients never
    expand. Tumour burden raises the peak, which raises IL-6 and with it CRS; a high
    peak favours the response, a high burden hampers it. Tocilizumab is given because
    of CRS and slows the loss of IL-6. Sampling ends with death or last contact.

    Parameters
    ----------
    seed : int
        Same seed, same study, byte for byte (with the same version of NumPy).

    Returns
    -------
    Study
        Labelled as simulated: ``study.settings.study.simulated`` is true. Series
        ``qpcr`` (copies/ug), ``flow`` (cells/uL) and ``il6`` (pg/mL); times in days.

    Source
    ------
    Kinetics: Stein et al. 2019, doi:10.1002/psp4.12388. Loss of IL-6: Hardiansyah &
    Ng 2019, doi:10.1111/cts.12636. Return of the host's lymphocytes: Kimmel et al.
    2021. The rest is assumed.

    Examples
    --------
    >>> study = simulate_study(seed=1)
    >>> len(study.patients), study.assays
    (18, ('qpcr', 'flow', 'il6'))
    >>> study.settings.study.title
    'Simulated dose escalation of an allogeneic CAR-T product in myeloma'
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    model = load_model(MODEL)
    patients, infusions = _enrol(rng)
    level = _levels(model, patients, infusions, rng=rng)
    production = _il6_production(level, patients, rng)
    untreated = _turnover(production, np.full_like(production, IL6_LOSS))
    toxicity = _crs(untreated, patients, rng)
    il6 = _turnover(production, _il6_loss(toxicity["tocilizumab"].to_numpy()))
    courses = _courses(level.max(axis=1), patients, rng)
    truths = {"qpcr": level, "flow": level / COPIES_PER_CELL, "il6": il6}
    last_contact = courses["last_contact"]
    until = dict(zip(patients["patient"], last_contact, strict=True))
    samples = [
        laboratory.samples(GRID, truths[laboratory.assay], until, rng=rng)
        for laboratory in LABORATORIES
    ]
    return Study.from_frames(
        samples=pd.concat(samples, ignore_index=True),
        patients=patients.assign(last_contact=last_contact),
        infusions=infusions,
        comedication=_comedication(toxicity),
        outcomes=_outcomes(toxicity, courses),
        settings=_settings(seed),
    )


def _settings(seed: int) -> Settings:
    title = "Simulated dose escalation of an allogeneic CAR-T product in myeloma"
    study = {"id": "SIM-ALLO", "title": title, "infusion_day": 0, "simulated": True}
    units = {"age": "year", "tumour_burden": "%"}
    return settings_of({"study": study, "analysis": {"seed": seed}, "units": units})


def _enrol(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw who takes part, and what each receives."""
    n = PATIENTS_PER_DOSE * len(DOSES)
    dose_level = np.repeat(np.arange(len(DOSES)) + 1, PATIENTS_PER_DOSE)
    burden = BURDEN_MEDIAN * np.exp(BURDEN_SD * rng.standard_normal(n))
    patients = pd.DataFrame(
        {
            "patient": [f"S{number:02d}" for number in range(1, n + 1)],
            "dose_level": dose_level,
            "age": rng.integers(*AGE, size=n, endpoint=True),
            "sex": rng.choice(["F", "M"], size=n),
            "prior_lines": rng.integers(*PRIOR_LINES, size=n, endpoint=True),
            "tumour_burden": np.minimum(burden, BURDEN_MAX).round(),
        }
    )
    infusions = pd.DataFrame(
        {
            "patient": patients["patient"],
            "time": 0.0,
            "dose": np.array(DOSES)[dose_level - 1],
            "unit": "cells",
            "lot": rng.choice(LOTS, size=n),
        }
    )
    return patients, infusions


def _levels(
    model: Model,
    patients: pd.DataFrame,
    infusions: pd.DataFrame,
    *,
    rng: np.random.Generator,
) -> Floats:
    """Return each patient's true level on GRID (patients, GRID) in copies/ug."""
    n = len(patients)
    spread = model.spread * rng.standard_normal((n, len(model.free)))
    values = model.natural(model.typical + spread)
    published = model.parameters["cmax"].value
    assert published is not None
    lots = LOT_SD * rng.standard_normal(len(LOTS))
    values["cmax"] = (
        values["cmax"]
        * (TYPICAL_CMAX / published)
        * (infusions["dose"].to_numpy() / DOSES[1]) ** DOSE_POWER
        * (patients["tumour_burden"].to_numpy() / BURDEN_MEDIAN) ** BURDEN_POWER
        * np.exp(lots[[LOTS.index(lot) for lot in infusions["lot"]]])
    )
    theta = model.theta({name: values[name] for name in model.free})
    log_level = model.log_level(theta, GRID)
    never = rng.choice(n, size=NEVER_EXPANDED, replace=False)
    decline = values["alpha"][never, None] * GRID
    log_level[never] = log_level[never, :1] - decline
    rejection = REJECTION * np.exp(REJECTION_SD * rng.standard_normal((n, 1)))
    host = np.exp(np.log(HOST_LEFT) * np.exp(-HOST_RETURN * GRID))
    return np.exp(log_level - rejection * np.cumsum(host) * STEP)


def _il6_production(
    level: Floats, patients: pd.DataFrame, rng: np.random.Generator
) -> Floats:
    """Return what is added to IL-6 (patients, GRID) in pg/mL per day."""
    n = len(patients)
    baseline = IL6_BASELINE * np.exp(IL6_BASELINE_SD * rng.standard_normal((n, 1)))
    peak = IL6_PEAK * np.exp(IL6_PEAK_SD * rng.standard_normal((n, 1)))
    cells = level / TYPICAL_CMAX
    burden = patients["tumour_burden"].to_numpy()[:, None] / BURDEN_MEDIAN
    antigen = burden * np.exp(-ANTIGEN_KILL * np.cumsum(cells, axis=1) * STEP)
    return IL6_LOSS * (baseline + peak * cells * antigen)


def _turnover(production: Floats, loss: Floats) -> Floats:
    """Solve dI/dt = production - loss * I from its steady state, step by step."""
    kept = np.exp(-loss * STEP)
    added = production / loss * (1 - kept)
    result = np.empty_like(production)
    result[:, 0] = production[:, 0] / loss[:, 0]
    for step in range(1, production.shape[1]):
        result[:, step] = result[:, step - 1] * kept[:, step] + added[:, step]
    return result


def _il6_loss(tocilizumab: Floats) -> Floats:
    """Return the loss of IL-6 (patients, GRID), slower once tocilizumab is given."""
    given = tocilizumab[:, None] <= GRID  # never, where NaN
    return np.where(given, IL6_LOSS * TOCILIZUMAB_CLEARANCE, IL6_LOSS)


def _crs(il6: Floats, patients: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Draw each patient's CRS grade, its first day and when tocilizumab was given."""
    peak = il6.max(axis=1)
    n = len(peak)
    score = CRS_SLOPE * np.log10(peak / CRS_REFERENCE) + rng.logistic(size=n)
    grade = np.searchsorted(CRS_CUTS, score)
    onset = GRID[np.argmax(il6 >= CRS_ONSET * peak[:, None], axis=1)].round()
    treated = (grade >= 2) | ((grade == 1) & (rng.random(n) < TOCILIZUMAB_GRADE_1))
    given = (onset + rng.uniform(*TOCILIZUMAB_DELAY, size=n)).round(1)
    return pd.DataFrame(
        {
            "patient": patients["patient"],
            "grade": grade,
            "onset": np.where(grade > 0, onset, np.nan),
            "tocilizumab": np.where(treated, given, np.nan),
        }
    )


def _courses(
    peak: Floats, patients: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw response, progression, death and last contact, in days."""
    n = len(patients)
    burden = patients["tumour_burden"].to_numpy() / BURDEN_MEDIAN
    score = (
        RESPONSE_EXPOSURE * np.log10(peak / TYPICAL_CMAX)
        + RESPONSE_BURDEN * np.log10(burden)
        + rng.logistic(size=n)
    )
    response = pd.Series(np.array(RESPONSES)[np.searchsorted(RESPONSE_CUTS, score)])
    tested = response.isin(["VGPR", "CR", "sCR"])
    negative = rng.random(n) < MRD_NEGATIVE
    assessed = response.map(RESPONSE_DAY)
    progression = assessed + (response.map(REMISSION) * rng.exponential(size=n)).round()
    death = progression + (SURVIVAL * rng.exponential(size=n)).round() + 1
    seen = rng.uniform(*FOLLOW_UP, size=n).round()
    return pd.DataFrame(
        {
            "patient": patients["patient"],
            "response": response,
            "assessed": assessed,
            "mrd": np.where(tested, np.where(negative, "negative", "positive"), ""),
            "progression": progression.where(progression <= seen),
            "death": death.where(death <= seen),
            "last_contact": death.clip(upper=seen),
        }
    )


def _comedication(toxicity: pd.DataFrame) -> pd.DataFrame:
    """Return who was given what for CRS, and when."""
    drugs = {
        "tocilizumab": toxicity["tocilizumab"],
        "corticosteroid": toxicity["tocilizumab"].where(toxicity["grade"] >= 3) + 1,
    }
    given = [
        toxicity[["patient"]].assign(drug=drug, time=time).dropna()
        for drug, time in drugs.items()
    ]
    return pd.concat(given, ignore_index=True)


def _outcomes(toxicity: pd.DataFrame, courses: pd.DataFrame) -> pd.DataFrame:
    """Return what was assessed: response, MRD, toxicity, progression and death."""
    grade, assessed = toxicity["grade"], courses["assessed"]
    limiting = grade >= DLT_GRADE
    rows = {
        "best_response": (courses["response"], assessed),
        "mrd": (courses["mrd"], assessed),
        "crs_grade": (grade.astype(str), toxicity["onset"]),
        "icans_grade": ("0", np.nan),
        "dlt": (limiting.astype(int).astype(str), toxicity["onset"].where(limiting)),
        "progression": ("1", courses["progression"]),
        "death": ("1", courses["death"]),
    }
    events = courses[["patient"]]
    tables = [
        events.assign(endpoint=endpoint, value=value, time=time)
        for endpoint, (value, time) in rows.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    came = table["time"].notna() | ~table["endpoint"].isin(["progression", "death"])
    return table.loc[came & (table["value"] != "")]
