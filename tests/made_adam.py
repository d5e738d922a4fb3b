"""A study of everything that is awkward, and files shaped as ADaM folders are."""

import pandas as pd

import cellpk as ck

SETTINGS = {
    "study": {"id": "AWK-1", "title": "Awkward", "infusion_day": 0},
    "assays": {
        "car_by_own_very_long_name": {
            "unit": "copies/cell",
            "label": "CAR copies by an assay of our own with a very long label",
            "kinetics": True,
        },
        "own_marker": {
            "unit": "AU",
            "label": "A marker of our own, measured by the laboratory of site A",
            "codes": ["TOOLONGCODE", "9BAD", "OWNM"],
        },
        "own_marker_2": {
            "unit": "AU",
            "label": "A marker of our own, measured by the laboratory of site B",
            "codes": ["OWNM"],
        },
    },
    "limits": {"flow": {"assumed_lloq": 0.5, "why": "an old habit"}},
    "units": {"tumour_burden": "%"},
}


def awkward_study():
    """Return a study with every state, odd names, lots, covariates and outcomes."""
    qpcr = pd.DataFrame(
        {
            "patient": "Ü-01",
            "time": [-0.25, 1 / 3, 7, 14, 21, 28, 28, 35, 42],
            "nominal_time": [0, 0, 7, 14, 21, 28, 28, None, 42],
            "visit": ["Screening", "D0", "D7", "", "D21", "D28", "D28", "x, y", "NA"],
            "level": ["0", "1e-3", "<50", "310.0", ">1e6", "30", "", "no", "60"],
            "state": ["", "quantified", "", "", "", "", "missing", "missing", ""],
            "lloq": [50, None, None, 50, 50, 50, 50, 50, 50],
            "llod": [20, None, None, 20, 20, 20, 20, 20, 20],
            "uloq": [None, None, None, 1e5, None, None, None, None, None],
            "specimen": [*["blood"] * 5, "marrow", "CSF", *["Skin, odd"] * 2],
            "excluded": [0, 0, 0, 0, 0, 0, 0, 0, 1],
            "reason": [*[""] * 7, "tube lost", 'the "tube"\nbroke'],
            "assay": "qpcr",
        }
    ).replace({"level": {"no": "NA"}})
    others = pd.DataFrame(
        {
            "patient": ["Ü-01", "02", "02", "02", "02", "三", "三", "三"],
            "time": [7, 7, 7.5, 7, 9, 1, 2, 3],
            "level": ["0.25", "BLQ", "12", "2", "detected", "7", "1.5e-7", "ND"],
            "lloq": [None, None, None, 1, None, None, None, 3],
            "assay": [
                *("car_by_own_very_long_name", "flow", "flow", "flow_percent"),
                *("il6", "own_marker", "own_marker_2", "own_marker"),
            ],
            "derived": ["from a ratio", *[""] * 7],
            "unit": ["copies/cell", "10^9/L", "cells/uL", "%", "ng/mL", *["AU"] * 3],
        }
    )
    patients = pd.DataFrame(
        {
            "patient": ["Ü-01", "02", "三", "no samples"],
            "tumour_burden": [0.1, None, 50, 1e-9],
            "tumour_burden_2": [1, 2, 3, 4],
            "sex": ["F", "", "M", "M"],
            "trtsdt": ["007", "008", "009", "010"],
            "AFRLT": ["a", "b", "c", "d"],
            "last_contact": [100, None, 12.5, 3],
            "empty": ["", "", "", ""],
        }
    )
    infusions = pd.DataFrame(
        {
            "patient": ["Ü-01", "Ü-01", "Ü-01", "02"],
            "time": [0, 0, 30.5, 0],
            "dose": [1.5e8, None, 3e7, 1],
            "unit": ["cells", "cells", "10^6 cells", ""],
            "lot": ["Z", "A", "", "lot 3"],
        }
    )
    comedication = pd.DataFrame(
        {
            "patient": ["Ü-01", "Ü-01", "02"],
            "drug": ["Tocilizumab", "ß-Blocker", "dexamethasone"],
            "time": [3.125, None, -2],
            "end_time": [None, None, 5],
            "dose": [8, None, None],
            "unit": ["mg/kg", "", ""],
        }
    )
    rows = [
        ("Ü-01", "response", "PR", 28, "IMWG", "INVESTIGATOR", ""),
        ("Ü-01", "response", "CR", 56.5, "IMWG", "IRC", "confirmed, later"),
        ("Ü-01", "best_response", "CR", None, "", "", ""),
        ("Ü-01", "mrd", "negative", 56, "10^-5", "", "NGS"),
        ("Ü-01", "crs_grade", "2", None, "ASTCT", "", ""),
        ("Ü-01", "crs_grade", "0", None, "CTCAE", "", ""),
        ("Ü-01", "crs_grade", "1", 3, "ASTCT", "", ""),
        ("02", "crs_grade", "0", None, "", "", "none seen"),
        ("02", "icans_grade", "4", 9.25, "ASTCT", "", ""),
        ("02", "dlt", "1", 9, "", "", ""),
        ("三", "dlt", "0", None, "", "", ""),
        ("三", "death", "1", 12.5, "", "", "of progression"),
        ("02", "death", "0", 300, "", "", ""),
        ("02", "progression", "1", None, "IMWG", "", ""),
        ("no samples", "progression", "0", 3, "", "IRC", ""),
    ]
    names = ["patient", "endpoint", "value", "time", "criteria", "evaluator", "note"]
    return ck.Study.from_frames(
        samples=pd.concat([qpcr, others], ignore_index=True),
        patients=patients,
        infusions=infusions,
        comedication=comedication,
        outcomes=pd.DataFrame(rows, columns=names),
        settings=SETTINGS,
    )


def differences(one, other):
    """Return what differs between two studies, by table, for a failing test to show."""
    found = {}
    for name in ("samples", "infusions", "patients", "comedication", "outcomes"):
        left, right = (
            getattr(study, name).drop(columns=["file", "row"], errors="ignore")
            for study in (one, other)
        )
        if not left.equals(right):
            same = left.shape == right.shape and list(left) == list(right)
            found[name] = left.compare(right) if same else (left, right)
    return found


def read(folder, frames, *, study=None, **said):
    """Write frames as CSV files of a folder 'adam' and read them as a study."""
    (folder / "adam").mkdir(exist_ok=True)
    for name, frame in frames.items():
        pd.DataFrame(frame).to_csv(folder / "adam" / f"{name}.csv", index=False)
    settings = {"id": "A", "infusion_day": 1, **(study or {})}
    lines = ["[study]"] + [f"{name} = {value!r}" for name, value in settings.items()]
    lines += ["[[data]]", 'format = "adam"', 'files = ["adam"]']
    lines += [f"{name} = {in_toml(value)}" for name, value in said.items()]
    (folder / "study.toml").write_text("\n".join(lines))
    return ck.read_study(folder)


def in_toml(value):
    """Spell a text, list or mapping as TOML does."""
    if isinstance(value, dict):
        pairs = ", ".join(f'"{key}" = {in_toml(one)}' for key, one in value.items())
        return f"{{ {pairs} }}"
    return repr(value)


ADSL = pd.DataFrame(
    {
        "STUDYID": "A",
        "USUBJID": ["01", "02", "03"],
        "SUBJID": ["1", "2", "3"],
        "AGE": [50, 61, 70],
        "SEX": ["F", "M", "M"],
        "TRT01A": ["DL1", "DL2", ""],
        "SAFFL": ["Y", "Y", "N"],
        "ARMNRS": "",
        "TRTSDT": ["2024-01-10", "2024-02-01", ""],
        "TRTSDTM": ["2024-01-10T09:00:00", "2024-02-01T12:00:00", ""],
        "DTHDT": ["2024-03-10", "", ""],
        "LSTALVDT": ["2024-03-10", "2024-12-01", ""],
    }
)


def adpc(**changes):
    """Return a patient's qPCR, with a dose, as pharmaverse's ADPC has it: in hours."""
    columns = {
        "USUBJID": "01",
        "PARAMCD": ["CARGENE", "DOSE", *["CARGENE"] * 6],
        "PARAM": "CAR transgene",
        "PCSPEC": ["BLOOD", "", *["BLOOD"] * 6],
        "NFRLT": [0, 0, 168, 168, 336, 504, 672, 672],
        "AFRLT": [-2.4, 0, 170.4, 170.4, 336, 504, 672, 672],
        "FRLTU": "h",
        "AVISIT": "Day",
        "ATPT": ["Pre-dose", "Dose", *[""] * 6],
        "AVAL": [None, 1.5e8, 310, 310, 0, 25, 12, 6],
        "AVALU": ["copies/ug", "cells", *["copies/ug"] * 6],
        "PCSTRESC": ["<BLQ", "", "310", "310", "<BLQ", "<50", "", ""],
        "AVALCAT1": ["<BLQ", "1.5e+08", "310", "310", "<BLQ", "<50", "", ""],
        "ALLOQ": [50, None, *[50] * 6],
        "BLQFL": ["", "", "", "", "Y", "", "", ""],
        "DTYPE": ["", "", "", "COPY", "", "", "", "HALFLLOQ"],
        "EXLOT": ["", "LOT 7", *[""] * 6],
    }
    return pd.DataFrame(columns | changes)


ASSAYS = {"CARGENE": "qpcr"}


def fates(study, file):
    """Return how many rows of a file had which fate, by reason."""
    rows = study.accounting[study.accounting["file"] == f"adam/{file}.csv"]
    return rows.groupby("reason")["rows"].sum().to_dict()
