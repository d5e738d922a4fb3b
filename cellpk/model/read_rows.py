"""Rows of a model file as objects: their formulas read, their names checked."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellpk.errors import ModelError, nearest
from cellpk.model.blocks import CELLS, CHANGES, TIME, check_names
from cellpk.model.equations import Equations
from cellpk.model.expression import Name, Node, parse
from cellpk.model.parameters import Parameter
from cellpk.model.places import Places
from cellpk.model.quantities import AREA
from cellpk.model.rows import (
    ERRORS,
    Covariate,
    Derived,
    Infusions,
    Observed,
)

Row = Mapping[str, Any]
_DECIMAL = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_NEEDED_OF_ERRORS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(ERRORS, ("sd",)),
    "student": ("sd", "df"),
    "combined": ("additive", "proportional"),
    "unpublished": (),
}
"""Which numbers each form of the residual error is stated by."""
_SIZES = tuple(dict.fromkeys(key for x in _NEEDED_OF_ERRORS.values() for key in x))


def read_covariate(name: str, row: Row, *, where: str) -> Covariate:
    """Return a covariate from its row of the file.

    Raises
    ------
    ModelError
        Where its reference value is not among its levels, or a number is impossible.

    Examples
    --------
    >>> row = {"value": 0, "unit": "1", "levels": [0, 1], "probability": 0.2}
    >>> read_covariate("low", row, where="").levels
    (0.0, 1.0)
    """
    value, levels = float(row["value"]), tuple(map(float, row.get("levels", ())))
    possible = np.isfinite(value) or (value == np.inf and row["unit"] == "day")
    if not possible or (levels and value not in levels):
        raise ModelError(
            f"value {value:g} is not possible",
            where=where,
            todo=f"State one of {', '.join(f'{x:g}' for x in levels)}."
            if levels
            else "State a number; inf is for a day that never comes.",
        )
    probability = row.get("probability")
    if probability is not None and set(levels) != {0.0, 1.0}:
        raise ModelError(
            f"probability = {probability} is the chance of 1",
            where=where,
            todo="State it where levels = [0, 1].",
        )
    if probability is not None and not 0 <= probability <= 1:
        raise ModelError(
            f"probability is {probability}",
            where=where,
            todo="State a number from 0 to 1.",
        )
    kept = kept_keys(row, ("unit", "label", "steps", "probability", "source"))
    return Covariate(name, value, levels=levels, **kept)


def kept_keys(row: Row, keys: Iterable[str]) -> dict[str, Any]:
    """Return the part of a row that stands under these keys.

    Examples
    --------
    >>> kept_keys({"unit": "day", "is": "t"}, ["unit", "label"])
    {'unit': 'day'}
    """
    return {key: row[key] for key in keys if key in row}


def finite(key: str, value: float, where: str, *, least: float = -np.inf) -> float:
    """Return a number, or raise where it is infinite or below the least.

    Examples
    --------
    >>> finite("at", 28, "m.toml")
    28.0
    """
    if not (np.isfinite(value) and value >= least):
        wanted = "a number" if least < 0 else f"a number of at least {least:g}"
        raise ModelError(f"{key} is {value}", where=where, todo=f"State {wanted}.")
    return float(value)


def decimal_text(number: str | float, *, where: str) -> str:
    """Return a printed number as text, which keeps its last digit.

    Parameters
    ----------
    number : str or float
        As it stands in the file; text keeps a last 0.
    where : str
        File, section and line.

    Raises
    ------
    ModelError
        Where it is no decimal number.

    Examples
    --------
    >>> decimal_text("2.20e2", where=""), decimal_text(0.78, where="")
    ('2.20e2', '0.78')
    """
    text = number.strip() if isinstance(number, str) else repr(number)
    if not _DECIMAL.fullmatch(text):
        raise ModelError(
            f"printed = {number!r} is not a decimal number",
            where=where,
            todo='Write it as the paper does, for example "0.78" or "2.2e2".',
        )
    return text


@dataclass(frozen=True)
class RowReader:
    """Reads the rows that hold formulas: it knows the names of the model.

    Parameters
    ----------
    parameters, covariates : dict
        By name.
    equations : Equations
        States and lines.
    places : Places
        Where rows stand.
    """

    parameters: Mapping[str, Parameter]
    covariates: Mapping[str, Covariate]
    equations: Equations
    places: Places

    @property
    def fixed(self) -> set[str]:
        """Names of parameters and of covariates fixed in time."""
        known = {*self.parameters, *self.covariates}
        return known.difference(self.equations.stepped)

    @property
    def constant(self) -> set[str]:
        """Names of all that does not change with time."""
        return self.fixed | self.equations.free_of_time

    @property
    def known(self) -> set[str]:
        """Every name that a level may use."""
        found = {TIME, *self.fixed, *self.equations.lines, *self.equations.states}
        return found if self.equations.closed else found.union(self.equations.stepped)

    def formula(self, text: str, where: str, *, known: set[str], of: str = "") -> Node:
        """Return a formula that uses names of ``known`` only."""
        node = parse(text, where=where)
        moving = {TIME, *self.equations.lines, *self.equations.states}
        refused = dict.fromkeys(moving.union(self.equations.stepped), CHANGES)
        refused[CELLS] = "it stands for what is infused"
        if self.equations.closed:
            why = f"{CHANGES} step by step, and the model has a closed form"
            refused |= dict.fromkeys(self.equations.stepped, why)
        check_names(node, known, where, refused=refused)
        return node

    def observed(self, name: str, row: Row) -> Observed:
        """Return an observed level; its residual error is stated in full or not."""
        where = self.places.of("observed", name)
        node = self.formula(row["is"], where, known=self.known)
        if name in self.known and node != Name(name):
            raise ModelError(
                f"the assay {name!r} has the name of something else",
                where=where,
                todo="Give it another name.",
            )
        _check_error(row, where)
        kept = kept_keys(row, ("unit", "error", *_SIZES, "label", "source"))
        return Observed(name, node, **kept)

    def derived(self, name: str, row: Row) -> Derived:
        """Return a derived quantity: a formula of what does not change with time."""
        where = self.places.of("derived", name)
        if name == AREA:
            raise ModelError(
                f"{name!r} is calculated for every model",
                where=where,
                todo="Leave it out.",
            )
        if name in self.parameters:
            raise ModelError(
                f"{name!r} is a parameter already",
                where=where,
                todo="Leave it out: parameters are among the results anyway.",
            )
        node = self.formula(row["is"], where, known=self.constant)
        kept = kept_keys(row, ("unit", "label", "source"))
        if "printed" in row:
            kept["printed"] = decimal_text(row["printed"], where=where)
        return Derived(name, node, **kept)

    def infusions(self, row: Row) -> Infusions:
        """Return what infusions add and their schedule."""
        if self.equations.closed:
            raise ModelError(
                "[infusions] stand beside a solution",
                where=self.places.of("infusions"),
                todo="Leave out the solution: a closed form knows no infusions.",
            )
        adds = {state: self._added(state, text) for state, text in row["adds"].items()}
        where = self.places.of("infusions", "lag")
        lag = row.get("lag")
        node = self.formula(lag, where, known=self.constant) if lag else None
        days, cells = self._schedule(row)
        kept = kept_keys(row, ("unit", "label", "source"))
        return Infusions(adds, days, cells, node, **kept)

    def _added(self, state: str, text: str) -> Node:
        where = self.places.of("infusions", "adds", within=state)
        if state not in self.equations.states:
            raise ModelError(
                f"{state!r} is not a state",
                where=where,
                todo=nearest(state, self.equations.states),
            )
        return self.formula(text, where, known=self.constant | {CELLS})

    def _schedule(self, row: Row) -> tuple[tuple[float, ...], tuple[float, ...]]:
        days, cells = row["days"], row["cells"]
        where = self.places.of("infusions", "days")
        if len(days) != len(cells):
            raise ModelError(
                f"there are {len(days)} days and {len(cells)} numbers of cells",
                where=where,
                todo="State one number of cells per day.",
            )
        for day in days:
            finite("a day", day, where, least=0)
        if list(days) != sorted(set(days)):
            raise ModelError(
                f"days are {days}", where=where, todo="State them in order, each once."
            )
        check_cells(cells, self.places.of("infusions", "cells"))
        return tuple(map(float, days)), tuple(map(float, cells))


def check_cells(cells: Iterable[float], where: str) -> None:
    """Raise where a number of infused cells is not positive.

    Examples
    --------
    >>> check_cells([1e8, 3e8], "m.toml")
    """
    for number in cells:
        if not 0 < number < np.inf:
            raise ModelError(
                f"cells is {number}", where=where, todo="State positive numbers."
            )


def _check_error(row: Row, where: str) -> None:
    """Raise where the numbers are not those that the form of the error needs."""
    error = row["error"]
    if error not in ERRORS:
        raise ModelError(
            f"error {error!r} is not known", where=where, todo=nearest(error, ERRORS)
        )
    needed = _NEEDED_OF_ERRORS[error]
    for key in _SIZES:
        if key in needed and key not in row:
            raise ModelError(
                f"{key!r} is missing",
                where=where,
                todo=f"A {error} error states {' and '.join(needed)}; where no number "
                'is published, write error = "unpublished".',
            )
        if key in row and key not in needed:
            forms = [form for form, keys in _NEEDED_OF_ERRORS.items() if key in keys]
            named = " or ".join(f'"{form}"' for form in forms)
            raise ModelError(
                f"{key} = {row[key]} has no meaning in the error {error!r}",
                where=where,
                todo=f"Leave it out, or write error = {named}.",
            )
        if key in row and not 0 < row[key] < np.inf:
            raise ModelError(
                f"{key} is {row[key]}", where=where, todo="State a positive number."
            )
