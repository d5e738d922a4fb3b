"""What is known of patients, as columns that move their parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import DataError, Problem, nearest
from cellpk.fit.population.structure import Structure

Array = NDArray[np.float64]

POWER = "log "
"""What a covariate begins with that acts by its logarithm (a power law)."""


@dataclass(frozen=True, eq=False)
class Column:
    """One covariate as a number for each patient, 0 for the typical one.

    Parameters
    ----------
    name : str
        What its effect is called.
    numbers : ndarray, shape (patients,)
        What the effect is multiplied by.

    Examples
    --------
    >>> Column("age - 60", np.array([0.0, 5.0])).name
    'age - 60'
    """

    name: str
    numbers: Array


def structure_with(
    names: tuple[str, ...],
    patients: pd.DataFrame,
    covariates: Mapping[str, Sequence[str]],
    *,
    correlated: NDArray[np.bool_],
) -> Structure:
    """Return how parameters depend on covariates.

    Parameters
    ----------
    names : tuple of str
        Parameters.
    patients : DataFrame
        Covariates, a row for each patient in the order of the fit.
    covariates : mapping of str to sequence of str
        By parameter, the columns that it depends on. A number acts along itself, less
        its median: on a log-normal parameter exponentially. ``"log NAME"`` acts by its
        logarithm, a power law. Texts and flags act by category, against the most
        frequent one.
    correlated : ndarray of bool, shape (p, p)
        Which covariances are estimated.

    Raises
    ------
    DataError
        Where a parameter or a column is not known, a value is missing, or a covariate
        has no effect of its own in these patients: all of them at once.

    Examples
    --------
    >>> people = pd.DataFrame({"patient": ["a", "b", "c"], "age": [50.0, 60, 70]})
    >>> made = structure_with(("cmax",), people, {"cmax": ["age"]},
    ...                       correlated=np.ones((1, 1), bool))
    >>> made.coefficients
    ('cmax', 'age on cmax')
    """
    if not isinstance(covariates, Mapping):
        what, todo = "covariates are by parameter", "Give, say, {'cmax': ['age']}."
        raise DataError(Problem(what, todo, value=str(covariates)))
    problems = [
        Problem("there is no such parameter", nearest(name, names), value=name)
        for name in covariates
        if name not in names
    ]
    effects: list[tuple[int, Column]] = []
    for name, wanted in covariates.items():
        own, wrong = _of_parameter(name, wanted, patients)
        problems += wrong
        if name in names:
            effects += [(names.index(name), each) for each in own]
    if problems:
        raise DataError(problems)
    size = len(names)
    design = np.zeros((len(patients), size, size + len(effects)))
    design[:, :, :size] = np.eye(size)
    for place, (parameter, column) in enumerate(effects, size):
        design[:, parameter, place] = column.numbers
    labels = tuple(f"{column.name} on {names[at]}" for at, column in effects)
    return Structure(names, design, (*names, *labels), correlated)


def one_text(parameter: str, given: str) -> Problem:
    """Say that a text stands where a list of covariates should.

    Examples
    --------
    >>> one_text("cmax", "age").todo
    "Give ['age']."
    """
    return Problem(f"{parameter} has one text", f"Give [{given!r}].", value=given)


def _of_parameter(
    parameter: str, wanted: Sequence[str], patients: pd.DataFrame
) -> tuple[list[Column], list[Problem]]:
    """Return what moves a parameter, or what is wrong with it."""
    if isinstance(wanted, str):
        return [], [one_text(parameter, wanted)]
    columns: list[Column] = []
    problems: list[Problem] = []
    for name in wanted:
        own, wrong = _columns(name, patients)
        what = "" if wrong else _undetermined(parameter, columns, own)
        if what:
            wrong = [Problem(what, "Leave it out.", value=name)]
        problems += wrong
        columns += [] if wrong else own
    return columns, problems


def _undetermined(
    parameter: str, others: Sequence[Column], own: Sequence[Column]
) -> str:
    """Say why a covariate has no one effect in these patients; empty where it has."""
    if not any(np.ptp(column.numbers) > 0 for column in own):
        return "it is the same in all patients"
    numbers = [column.numbers for column in (*others, *own)]
    design = np.stack([np.ones_like(numbers[0]), *numbers], axis=-1)
    design /= np.linalg.norm(design, axis=0)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return f"it says nothing that the others of {parameter} do not"
    return ""


def _columns(name: str, patients: pd.DataFrame) -> tuple[list[Column], list[Problem]]:
    """Return a covariate as columns of numbers, or what is wrong with it."""
    plain = name.removeprefix(POWER)
    known = [str(each) for each in patients.columns.drop("patient")]
    if plain not in known:
        what, todo = "there is no such covariate", nearest(plain, known)
        return [], [Problem(what, todo, value=plain)]
    values = patients[plain]
    if values.isna().any():
        who = ", ".join(patients.loc[values.isna(), "patient"].head(10))
        what = f"the covariate is not known of {int(values.isna().sum())} patients"
        todo = f"Fill it in, or fit without the covariate: {who}."
        return [], [Problem(what, todo, column=plain)]
    if not pd.api.types.is_numeric_dtype(values) or values.dtype == bool:
        return _categories(plain, values), []
    numbers = values.to_numpy(float)
    if name.startswith(POWER):
        if (numbers <= 0).any():
            what, todo = "a logarithm takes values above 0", f"Use {plain!r} as it is."
            return [], [Problem(what, todo, column=plain)]
        numbers = np.log(numbers)
    return [Column(name, numbers - np.median(numbers))], []


def _categories(name: str, values: pd.Series) -> list[Column]:
    """Return one column for each category but the most frequent."""
    words = values.astype("str")
    usual, *others = (
        words.value_counts()
        .sort_index()
        .sort_values(ascending=False, kind="stable")
        .index
    )
    return [
        Column(
            f"{name} {other} against {usual}",
            np.asarray(words.eq(other), dtype=np.float64),
        )
        for other in others
    ]
