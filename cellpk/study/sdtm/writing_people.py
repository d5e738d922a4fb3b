"""Patients, infusions and comedication as DM, EX and CM."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.study.dataset import Dataset, is_number
from cellpk.study.dates import write_dates
from cellpk.study.sdtm.levels import number_text
from cellpk.study.sdtm.people import COVARIATES
from cellpk.study.sdtm.qualifying import code, qualifiers, shortened, supplement
from cellpk.study.sdtm.variables import START, dataset, sequence, study_days
from cellpk.study.sheet import CENTURY, DIGITS

if TYPE_CHECKING:
    from cellpk.study.study import Study

PRODUCT = "CAR-T CELLS"
"""What the product is called in EX: a study does not name it."""

_YEARS = frozenset({"", "year", "years", "y", "yr", "a"})


def write_people(study: "Study") -> tuple[list[Dataset], dict[str, str]]:
    """Return the patients of a study as DM with its supplement.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    datasets : list of Dataset
        DM; SUPPDM with the covariates for which DM has no variable, or whose values it
        would not keep to the last digit.
    covariates : dict
        By our name, in their order, the variable or qualifier; "" where nobody has a
        value.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": [1], "time": [7], "level": [3], "assay": ["qpcr"]}
    >>> patients = pd.DataFrame({"patient": [1], "age": [61], "burden": [0.5]})
    >>> study = ck.Study.from_frames(pd.DataFrame(samples), patients=patients)
    >>> [data.name for data in write_people(study)[0]], write_people(study)[1]
    (['dm', 'suppdm'], {'age': 'AGE', 'burden': 'BURDEN'})
    """
    patients = study.patients
    names = patients["patient"]
    covariates, columns = _covariates(study, patients)
    beside = {n: v for n, v in covariates.items() if v and v not in columns}
    first = study.infusions.groupby("patient")["time"].min()
    dead = names.map(told_deaths(study).set_index("patient")["time"])
    died = names.isin(told_deaths(study)["patient"])
    columns = {
        "STUDYID": study.settings.study.id,
        "DOMAIN": "DM",
        "USUBJID": names,
        "SUBJID": names,
        "RFSTDTC": f"{START}T00:00:00",
        "RFXSTDTC": write_dates(names.map(first).astype("float64"), START),
        "RFPENDTC": columns.get("RFPENDTC", ""),
        "DTHDTC": write_dates(dead.astype("float64"), START),
        "DTHFL": pd.Series(np.where(died, "Y", ""), dtype="str"),
        "SITEID": columns.get("SITEID", ""),
        "AGE": columns.get("AGE", np.nan),
        "AGEU": "YEARS" if "AGE" in columns else "",
        **{n: columns.get(n, "") for n in ("SEX", "RACE", "ETHNIC", "ARM", "ACTARM")},
        "COUNTRY": columns.get("COUNTRY", ""),
    }
    records = pd.DataFrame({"USUBJID": names, "IDVAR": "", "IDVARVAL": ""})
    data, more = shortened(dataset("DM", columns), records)
    parts = [
        qualifiers(records, qnam, name.replace("_", " "), values=_text(patients[name]))
        for name, qnam in beside.items()
    ]
    extra = supplement(study.settings.study.id, "DM", [*parts, more])
    return [data, *extra], covariates


def _covariates(
    study: "Study", patients: pd.DataFrame
) -> tuple[dict[str, str], dict[str, pd.Series]]:
    """Return where each covariate goes, and the columns of DM among them."""
    covariates: dict[str, str] = {}
    columns: dict[str, pd.Series] = {}
    taken = set(COVARIATES.values()) | {"STUDYID", "DOMAIN", "USUBJID", "SUBJID"}
    taken |= {"RFSTDTC", "RFXSTDTC", "DTHDTC", "DTHFL", "AGEU"}
    for name in patients.columns.drop("patient"):
        values = patients[name]
        variable = COVARIATES.get(name, "")
        if values.isna().all():
            covariates[name] = ""
        elif variable and _fits(study, name, values):
            covariates[name] = variable
            columns[variable] = _of_dm(variable, values)
        else:
            covariates[name] = code(name, taken)
            taken.add(covariates[name])
    return covariates, columns


def _fits(study: "Study", name: str, values: pd.Series) -> bool:
    """Tell whether a variable of DM keeps the values of a covariate as they are."""
    if name == "age":
        unit = study.settings.units.get("age", "").casefold()
        return is_number(values) and unit in _YEARS
    if name == "last_contact":
        if not is_number(values):
            return False
        days = values.dropna().to_numpy(float)
        return bool((days.round(DIGITS) == days).all() and (abs(days) < CENTURY).all())
    return name == "siteid" or not is_number(values)


def _of_dm(variable: str, values: pd.Series) -> pd.Series:
    if variable == "AGE":
        return values
    if variable == "RFPENDTC":
        return write_dates(values.astype("float64"), START)
    return _text(values)


def _text(values: pd.Series) -> pd.Series:
    """Write the values of a covariate so that they read back equal."""
    if pd.api.types.is_integer_dtype(values.dtype):
        return values.astype("str")
    return number_text(values) if is_number(values) else values.fillna("").astype("str")


def told_deaths(study: "Study") -> pd.DataFrame:
    """Return the deaths that DM can tell: one to a patient, without any more said.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": [1], "time": [7], "level": [3], "assay": ["qpcr"]}
    >>> dead = {"patient": [1, 1], "endpoint": "death", "value": ["1", "0"]}
    >>> outcomes = pd.DataFrame(dead).assign(time=[30.0, 9.0])
    >>> study = ck.Study.from_frames(pd.DataFrame(samples), outcomes=outcomes)
    >>> told_deaths(study)["time"].tolist()
    [30.0]
    """
    deaths = study.outcomes.query("endpoint == 'death'")
    # Of two deaths at one time nobody could tell which came first in the table.
    alone = ~deaths.duplicated(["patient", "time"], keep=False)
    plain = (deaths[["criteria", "evaluator", "note"]] == "").all(axis=1)
    told = deaths[(deaths["value"] == "1") & alone & plain]
    return told.drop_duplicates("patient")


def write_treatments(study: "Study") -> list[Dataset]:
    """Return infusions and comedication as EX and CM, with their supplements.

    Examples
    --------
    >>> import cellpk as ck
    >>> [data.name for data in write_treatments(ck.simulate_study(seed=1))]
    ['ex', 'cm']
    """
    infusions, given = study.infusions, study.comedication
    exposure = {
        "EXTRT": PRODUCT,
        "EXDOSE": infusions["dose"],
        "EXDOSU": infusions["unit"],
        "EXLOT": infusions["lot"],
        "EXSTDTC": write_dates(infusions["time"], START),
        "EXSTDY": study_days(infusions["time"]),
    }
    medication = {
        "CMTRT": given["drug"],
        "CMDOSE": given["dose"],
        "CMDOSU": given["unit"],
        "CMSTDTC": write_dates(given["time"], START),
        "CMENDTC": write_dates(given["end_time"], START),
        "CMSTDY": study_days(given["time"]),
        "CMENDY": study_days(given["end_time"]),
    }
    name = study.settings.study.id
    return [
        *domain_with_supplement(name, "EX", infusions["patient"], columns=exposure),
        *domain_with_supplement(name, "CM", given["patient"], columns=medication),
    ]


def domain_with_supplement(
    study: str,
    domain: str,
    patients: pd.Series,
    *,
    columns: Mapping[str, pd.Series | str],
    told: Sequence[tuple[str, str, pd.Series]] = (),
) -> list[Dataset]:
    """Return a domain and its supplement, or nothing where there are no records.

    Parameters
    ----------
    study, domain : str
        STUDYID and DOMAIN.
    patients : Series of str
        Of the records.
    columns : mapping
        The variables of the domain.
    told : sequence of tuple
        Name, label and values of qualifiers.

    Examples
    --------
    >>> columns = {"CMTRT": pd.Series(["tocilizumab"])}
    >>> data = domain_with_supplement("A", "CM", pd.Series(["1"]), columns=columns)
    >>> data[0].frame.to_dict("records")
    [{'STUDYID': 'A', 'DOMAIN': 'CM', 'USUBJID': '1', 'CMSEQ': 1,
    'CMTRT': 'tocilizumab'}]
    """
    if patients.empty:
        return []
    patients = patients.reset_index(drop=True)
    number = sequence(patients)
    keys: dict[str, Any] = {"STUDYID": study, "DOMAIN": domain, "USUBJID": patients}
    keys[f"{domain}SEQ"] = number
    plain = {
        name: column if isinstance(column, str) else column.reset_index(drop=True)
        for name, column in columns.items()
    }
    records = pd.DataFrame({"USUBJID": patients, "IDVAR": f"{domain}SEQ"})
    records["IDVARVAL"] = number.astype("str")
    data, more = shortened(dataset(domain, keys | plain), records)
    parts = [
        qualifiers(records, name, label, values=values.reset_index(drop=True))
        for name, label, values in told
    ]
    return [data, *supplement(study, domain, [*parts, more])]
