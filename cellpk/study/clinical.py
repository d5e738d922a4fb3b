"""From delivered tables to patients, infusions, comedication and outcomes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cellpk.errors import Problem, nearest
from cellpk.study import parsing
from cellpk.study.assessments import ASSESSMENTS
from cellpk.study.columns import empty
from cellpk.study.file_sections import (
    ComedicationFile,
    EndpointColumns,
    InfusionsFile,
    OutcomesFile,
    PatientsFile,
)
from cellpk.study.sheet import Sheet

NOT_ASSESSED = "not assessed"


def patients_of(sheet: Sheet, section: PatientsFile) -> pd.DataFrame:
    """Read the table of patients: one row each, with any covariates.

    Where study.toml maps columns, these are the covariates; else all columns are.

    Returns
    -------
    DataFrame
        ``patient`` and the covariates as text, blank where not known; numbers have a
        point, whatever the decimal sign of the file.

    Examples
    --------
    >>> frame = pd.DataFrame({"patient": ["a", "b"], "dose_level": [1, 2]})
    >>> section = PatientsFile(file="patients")
    >>> patients_of(Sheet.of_frame(frame, section), section)
      patient dose_level
    0       a          1
    1       b          2
    """
    if not sheet.has("patient"):
        return empty("patients")
    patients = sheet.patients()
    again = patients.duplicated().to_numpy(bool) & ~parsing.is_blank(patients)
    what, todo = "the patient is listed twice", "Keep one row per patient."
    sheet.complain(again, what, todo, column="patient")
    mapped = [name for name in section.columns if name != "patient"]
    names = mapped or [name for name in sheet.cells.columns if name != "patient"]
    names = [name for name in names if sheet.header(name) != sheet.header("patient")]
    for name in names:
        if not (name.isidentifier() and name.isascii()):
            what = "a covariate needs a name of ASCII letters, digits and '_'"
            todo = f"Map {name!r} to such a name under [patients] 'columns'."
            sheet.problems.append(Problem(what, todo, file=section.file, column=name))
    return pd.DataFrame(
        {"patient": patients, **{n: _covariate(sheet, n) for n in names}}
    )


def _covariate(sheet: Sheet, name: str) -> pd.Series:
    """Return a covariate as text, its numbers with a point as the decimal sign."""
    text, sign = sheet.text(name), sheet.section.decimal
    if sign == ".":
        return text
    number = np.isfinite(parsing.numbers(text, decimal=sign))
    wrong = ~number & np.isfinite(parsing.numbers(text))
    what = f"{name!r} has a point, though the decimal sign is {sign!r}"
    sheet.complain(wrong, what, sheet.number_todo, column=name)
    return text.mask(number, text.str.replace(sign, "."))


def one_row_each(
    parts: Sequence[pd.DataFrame], problems: list[Problem]
) -> pd.DataFrame:
    """Make one row of each patient whom several files list.

    Parameters
    ----------
    parts : sequence of DataFrame
        What :func:`patients_of` read of each file.
    problems : list of Problem
        Takes the covariates of which two files state different values.

    Returns
    -------
    DataFrame
        ``patient`` and the covariates as text, NaN where no file states them.

    Examples
    --------
    >>> one = pd.DataFrame({"patient": ["a", "b"], "age": ["50", ""]}, dtype="str")
    >>> other = pd.DataFrame({"patient": ["b"], "age": ["61"], "sex": ["F"]})
    >>> one_row_each([one, other], []).fillna("").values.tolist()
    [['a', '50', ''], ['b', '61', 'F']]
    """
    rows = [part.drop_duplicates("patient") for part in parts if len(part)]
    if len(rows) < 2:
        return rows[0] if rows else empty("patients")
    table = pd.concat(rows, ignore_index=True)
    names = table.columns.drop("patient")
    if names.empty:
        return table.drop_duplicates("patient")
    blank = {name: parsing.is_blank(table[name].fillna("")) for name in names}
    known = table.assign(**{name: table[name].mask(blank[name]) for name in names})
    grouped = known.groupby("patient", sort=False)
    for name in names:
        several = grouped[name].nunique().gt(1)
        problems += [
            _contradiction(known.loc[known["patient"] == patient, name], patient)
            for patient in several.index[several]
        ]
    return grouped.first().reset_index()


def _contradiction(values: pd.Series, patient: str) -> Problem:
    return Problem(
        f"two files state different values of {values.name!r} for the patient",
        "Correct one, or map the covariate in one file only.",
        patient=patient,
        column=str(values.name),
        value=", ".join(values.dropna().unique()),
    )


def with_types(patients: pd.DataFrame) -> pd.DataFrame:
    """Make numbers of the covariates that are numbers (blank: NaN); others stay text.

    Examples
    --------
    >>> table = pd.DataFrame({"patient": ["1", "2"], "age": ["50", ""]}, dtype="str")
    >>> with_types(table)["age"].tolist()
    [50.0, nan]
    """
    typed = {"patient": patients["patient"].astype("str")}
    for name in patients.columns.drop("patient"):
        typed[name] = _typed(patients[name].fillna("").astype("str"))
    return pd.DataFrame(typed)


def _typed(text: pd.Series) -> pd.Series:
    values = parsing.numbers(text)
    blank = parsing.is_blank(text)
    # Codes such as 007 are names, not numbers.
    code = text.str.match(r"[+-]?0\d").to_numpy(bool)
    if blank.all() or code.any() or np.isnan(values[~blank]).any():
        return text.mask(blank)
    numbers = pd.Series(values, index=text.index)
    whole = not blank.any() and bool((values % 1 == 0).all())
    return numbers.astype("int64") if whole and abs(values).max() < 2**53 else numbers


def infusions_of(sheet: Sheet, section: InfusionsFile) -> pd.DataFrame:
    """Read the table of infusions; without a time, an infusion is at time 0.

    Returns
    -------
    DataFrame
        patient, time (day), dose (as delivered), unit of the dose, lot of the product.

    Examples
    --------
    >>> frame = pd.DataFrame({"patient": ["a"], "dose": [1.5e8], "unit": ["cells"]})
    >>> section = InfusionsFile(file="i")
    >>> infusions_of(Sheet.of_frame(frame, section), section)[["time", "dose"]]
       time         dose
    0   0.0  150000000.0
    """
    if not sheet.has("patient"):
        return empty("infusions")
    timed = "time" in sheet
    return pd.DataFrame(
        {
            "patient": sheet.patients(),
            "time": sheet.days("time", required=True) if timed else 0.0,
            "dose": sheet.number("dose", positive=True),
            "unit": sheet.text("unit", section.unit),
            "lot": sheet.text("lot"),
        }
    )


def comedication_of(sheet: Sheet, section: ComedicationFile) -> pd.DataFrame:
    """Read the table of comedication, in rows or as flags per drug.

    Returns
    -------
    DataFrame
        patient, drug (lower case), time and end_time (day, NaN where not known), dose
        and its unit.

    Examples
    --------
    >>> frame = pd.DataFrame({"patient": ["a", "b"], "TOCI": [1, 0]})
    >>> section = ComedicationFile(file="c", given={"TOCI": "tocilizumab"})
    >>> table = comedication_of(Sheet.of_frame(frame, section), section)
    >>> table[["patient", "drug", "time"]].values.tolist()
    [['a', 'tocilizumab', nan]]
    """
    wanted = ["patient"] if section.given else ["patient", "drug"]
    if not (sheet.has(*wanted) and sheet.has_headers(list(section.given))):
        return empty("comedication")
    patients = sheet.patients()
    if not section.given:
        drugs = sheet.text("drug")
        what, todo = "the drug is missing", "Name it, or take the row out."
        sheet.complain(parsing.is_blank(drugs), what, todo, column="drug")
        return pd.DataFrame(
            {
                "patient": patients,
                "drug": drugs.str.casefold(),
                "time": sheet.days("time"),
                "end_time": sheet.days("end_time"),
                "dose": sheet.number("dose", positive=True),
                "unit": sheet.text("unit"),
            }
        )
    flags = {column: sheet.flag(column) for column in section.given}
    none = ~np.any(list(flags.values()), axis=0)
    sheet.set_aside(none, f"no {' or '.join(section.given)} was given")
    return pd.concat(
        [
            _given(patients[flags[column]], drug)
            for column, drug in section.given.items()
        ],
        ignore_index=True,
    )


def _given(patients: pd.Series, drug: str) -> pd.DataFrame:
    unknown = dict.fromkeys(("time", "end_time", "dose"), np.nan)
    return pd.DataFrame(
        {"patient": patients, "drug": drug.casefold(), **unknown, "unit": ""}
    )


def outcomes_of(sheet: Sheet, section: OutcomesFile) -> pd.DataFrame:
    """Read the table of outcomes, in rows or as columns per kind of outcome.

    Returns
    -------
    DataFrame
        patient, endpoint, value (as ``ASSESSMENTS`` spells it), time (day), criteria,
        evaluator and note.

    Examples
    --------
    >>> frame = pd.DataFrame({"patient": ["a", "b"], "CRS": ["2", ""]})
    >>> columns = {"crs_grade": EndpointColumns(column="CRS")}
    >>> section = OutcomesFile(file="o", endpoints=columns)
    >>> table = outcomes_of(Sheet.of_frame(frame, section), section)
    >>> table[["patient", "endpoint", "value", "time"]].values.tolist()
    [['a', 'crs_grade', '2', nan]]
    """
    wanted = ["patient"] if section.endpoints else ["patient", "endpoint", "value"]
    if not sheet.has(*wanted):
        return empty("outcomes")
    patients = sheet.patients()
    if section.endpoints:
        parts = [
            _endpoint(sheet, patients, name, columns)
            for name, columns in section.endpoints.items()
        ]
        table = pd.concat(parts)
        assessed = np.isin(np.arange(len(patients)), table.index)
        sheet.set_aside(~assessed, NOT_ASSESSED)
        return table.reset_index(drop=True)
    endpoint, text = sheet.text("endpoint"), sheet.text("value")
    value = pd.Series("", index=text.index, dtype="str")
    for name in endpoint.unique():
        here = endpoint == name
        said = _values(sheet, text.where(here, ""), name, section.values)
        value = value.mask(here, said)
    columns = {"endpoint": endpoint, "value": value, "time": sheet.days("time")}
    columns |= {name: sheet.text(name) for name in ("criteria", "evaluator", "note")}
    sheet.set_aside((value == "").to_numpy(bool), NOT_ASSESSED)
    return pd.DataFrame({"patient": patients, **columns})[value != ""]


def _endpoint(
    sheet: Sheet, patients: pd.Series, name: str, columns: EndpointColumns
) -> pd.DataFrame:
    """Read one kind of outcome from its own columns."""
    headers = [columns.column, *([columns.time] if columns.time else [])]
    if not sheet.has_headers(headers):
        return empty("outcomes")
    text = sheet.text(columns.column)
    value = _values(sheet, text, name, columns.values, column=columns.column)
    time = sheet.days(columns.time) if columns.time else np.nan
    table = pd.DataFrame(
        {"patient": patients, "endpoint": name, "value": value, "time": time}
    )
    return table.assign(criteria="", evaluator="", note="")[value != ""]


def _values(
    sheet: Sheet,
    text: pd.Series,
    name: str,
    words: dict[str, str],
    *,
    column: str = "value",
) -> pd.Series:
    """Spell the values of one endpoint as we do; blank ones come back as ''."""
    assessment = ASSESSMENTS.get(name)
    if assessment is None:
        offer = nearest(name, ASSESSMENTS)
        what, file = f"the endpoint {name!r} is not known", sheet.section.file
        sheet.problems.append(Problem(what, offer, file=file, column="endpoint"))
        return pd.Series("", index=text.index, dtype="str")
    said = parsing.translated(text.mask(parsing.is_blank(text), ""), words)
    spelt = said.map(lambda word: assessment.spell(word) if word else "")
    wrong = spelt.isna().to_numpy(bool)
    todo = (
        f"Use one of {', '.join(assessment.values)}, or map the file's words to them."
    )
    what = f"the value {{!r}} is none of {name!r}"
    for word in said[wrong].unique():
        here = wrong & (said == word).to_numpy(bool)
        sheet.complain(here, what.format(word), todo, column=column)
    return spelt.fillna("").astype("str")


def once_each(outcomes: pd.DataFrame, problems: list[Problem], *, file: str) -> None:
    """Report patients with two values of what there is one of, as best response.

    Examples
    --------
    >>> rows = [("a", "best_response", "CR", 28.0), ("a", "best_response", "PD", 60.0)]
    >>> problems = []
    >>> table = pd.DataFrame(rows, columns=["patient", "endpoint", "value", "time"])
    >>> once_each(table, problems, file="outcomes")
    >>> problems[0].value
    'CR, PD'
    """
    single = [name for name, row in ASSESSMENTS.items() if row.once]
    rows = outcomes[outcomes["endpoint"].isin(single)]
    rows = rows.drop_duplicates(["patient", "endpoint", "value"])
    key = ["patient", "endpoint"]
    several = rows[rows.duplicated(key, keep=False)]
    found = several.groupby(key, as_index=False).agg({"value": ", ".join})
    problems += [
        Problem(
            f"the patient has more than one {row['endpoint']!r}",
            "Keep one of them.",
            file=file,
            patient=row["patient"],
            column="value",
            value=row["value"],
        )
        for row in found.to_dict("records")
    ]
