"""Rows of ``[printed]``: numbers of the typical patient's course, as they stand."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cellpk.errors import ModelError, nearest
from cellpk.model.blocks import CELLS
from cellpk.model.parameters import SCALES
from cellpk.model.read_rows import (
    Row,
    RowReader,
    check_cells,
    decimal_text,
    finite,
    kept_keys,
)
from cellpk.model.rows import WHAT, Infusions, Observed, Printed


@dataclass(frozen=True)
class PrintedReader:
    """Reads the rows of ``[printed]``.

    Parameters
    ----------
    rows : RowReader
        Knows the names of the model.
    observed : dict of str to Observed
        Levels that a row can be about.
    infusions : Infusions or None
        Whether a row can state other cells.
    """

    rows: RowReader
    observed: Mapping[str, Observed]
    infusions: Infusions | None

    def read(self, name: str, row: Row) -> Printed:
        """Return what was printed of the course of the typical patient."""
        where = self.rows.places.of("printed", name)
        what = row["what"]
        if what not in WHAT:
            raise ModelError(
                f"what {what!r} is not known", where=where, todo=nearest(what, WHAT)
            )
        _check_asked(row, where)
        known = self.rows.known.union(self.observed)
        node = self.rows.formula(row["of"], where, known=known)
        start = finite("from", row.get("from", 0), where, least=0)
        until = finite("until", row.get("until", 28), where, least=0)
        if start >= until:
            raise ModelError(
                f"from = {start:g} is not before until = {until:g}",
                where=where,
                todo="State the days between which the course is looked at.",
            )
        given = row.get("given", {})
        return Printed(
            name,
            what,
            node,
            decimal_text(row["printed"], where=where),
            start=start,
            until=until,
            given={key: self._given(key, given[key], where) for key in given},
            **{k: finite(k, row[k], where) for k in ("at", "above") if k in row},
            **kept_keys(row, ("unit", "label", "source")),
        )

    def _given(
        self, name: str, value: float | list[float], where: str
    ) -> float | tuple[float, ...]:
        """Return another value of a parameter, of a covariate, or of the cells."""
        if name == CELLS:
            return self._cells(value, where)
        known = {*self.rows.parameters, *self.rows.covariates, CELLS}
        if name not in known:
            raise ModelError(
                f"{name!r} is neither parameter nor covariate",
                where=where,
                todo=nearest(name, known),
            )
        if isinstance(value, list):
            raise ModelError(
                f"{name} = {value} is not a number", where=where, todo="Write a number."
            )
        parameter = self.rows.parameters.get(name)
        levels = () if parameter else self.rows.covariates[name].levels
        legal = not np.isnan(value) and (not levels or value in levels)
        if parameter:
            legal = SCALES[parameter.scale].legal(value)
        if not legal:
            raise ModelError(
                f"{name} = {value} is not possible", where=where, todo="Correct it."
            )
        return float(value)

    def _cells(
        self, value: float | list[float], where: str
    ) -> float | tuple[float, ...]:
        if self.infusions is None:
            raise ModelError(
                f"cells = {value} are given, and the model has no [infusions]",
                where=where,
                todo="Leave them out, or add [infusions].",
            )
        cells = value if isinstance(value, list) else [value]
        check_cells(cells, where)
        if not isinstance(value, list):
            return float(value)
        if len(cells) != len(self.infusions.days):
            raise ModelError(
                f"cells = {value}, and the schedule has "
                f"{len(self.infusions.days)} infusions",
                where=where,
                todo="State as many numbers.",
            )
        return tuple(map(float, cells))


def _check_asked(row: Row, where: str) -> None:
    """Raise where a level has no day, a crossing no height, or another has one."""
    what = row["what"]
    wanted = {"level": "at", "first_above": "above", "last_above": "above"}.get(what)
    if wanted and wanted not in row:
        raise ModelError(
            f"{wanted!r} is missing of {what!r}",
            where=where,
            todo=f"State {wanted} = ....",
        )
    keys = ("at", "above") if what != "level" else ("above", "from", "until")
    for key in keys:
        if key in row and key != wanted:
            raise ModelError(
                f"{key} = {row[key]} has no meaning in {what!r}",
                where=where,
                todo="Leave it out.",
            )
