"""What a model file may hold: its texts, sections, rows and keys, and their kinds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cellpk.errors import ModelError, nearest
from cellpk.model.parameter_rows import FORMS
from cellpk.model.places import Places

Keys = tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """What a key holds.

    Parameters
    ----------
    words : str
        For the message of an error.
    types : tuple of type
        Of the value as TOML reads it.
    each : tuple of type
        Of the members of a list or table, where it is one.
    """

    words: str
    types: tuple[type, ...]
    each: tuple[type, ...] = ()

    def fits(self, value: Any) -> bool:
        """Whether a value is of this kind; true and false are no numbers."""
        if not _is(value, self.types):
            return False
        if not self.each or not isinstance(value, list | dict):
            return True
        members = value.values() if isinstance(value, dict) else value
        return all(_is(member, self.each) for member in members)


def _is(value: Any, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


TEXT = Kind("text", (str,))
NUMBER = Kind("a number", (int, float))
FLAG = Kind("true or false", (bool,))
TABLE = Kind("a table", (dict,))
NUMBERS = Kind("a list of numbers", (list,), (int, float))
TEXTS = Kind("a list of texts", (list,), (str,))
PRINTED = Kind("a number, best as text", (str, int, float))
FORMULAS = Kind("a table of formulas", (dict,), (str,))

TOP: Mapping[str, Kind] = {
    **dict.fromkeys(
        (
            "title",
            "source",
            "note",
            "doubts",
            "time",
            "status",
            "variant_of",
            "equations",
            "solution",
        ),
        TEXT,
    ),
    "drop": TEXTS,
}
"""Keys at the top of a file."""

ROWS: Mapping[str, Mapping[str, Kind]] = {
    "parameters": {
        "value": NUMBER,
        "unpublished": FLAG,
        "unit": TEXT,
        "label": TEXT,
        "scale": TEXT,
        **dict.fromkeys(FORMS, NUMBER),
        "fixed": FLAG,
        "iiv": TEXT,
        "prior_sd": NUMBER,
        "source": TEXT,
        "iiv_source": TEXT,
    },
    "correlations": {"value": NUMBER, "source": TEXT},
    "covariates": {
        "value": NUMBER,
        "unit": TEXT,
        "label": TEXT,
        "steps": FLAG,
        "levels": NUMBERS,
        "probability": NUMBER,
        "source": TEXT,
    },
    "observed": {
        "is": TEXT,
        "unit": TEXT,
        "error": TEXT,
        "sd": NUMBER,
        "df": NUMBER,
        "additive": NUMBER,
        "proportional": NUMBER,
        "label": TEXT,
        "source": TEXT,
    },
    "derived": {
        "is": TEXT,
        "unit": TEXT,
        "label": TEXT,
        "printed": PRINTED,
        "source": TEXT,
    },
    "printed": {
        "what": TEXT,
        "of": TEXT,
        "from": NUMBER,
        "until": NUMBER,
        "at": NUMBER,
        "above": NUMBER,
        "printed": PRINTED,
        "unit": TEXT,
        "label": TEXT,
        "given": Kind("a table of numbers", (dict,), (int, float, list)),
        "source": TEXT,
    },
}
"""Sections of rows, the keys of a row, and what each holds."""

INFUSIONS: Mapping[str, Kind] = {
    "adds": FORMULAS,
    "days": NUMBERS,
    "cells": NUMBERS,
    "unit": TEXT,
    "label": TEXT,
    "lag": TEXT,
    "source": TEXT,
}
"""Keys of the one table ``[infusions]``."""

NEEDED: Mapping[str, tuple[str, ...]] = {
    "parameters": ("unit",),
    "correlations": ("value",),
    "covariates": ("value", "unit"),
    "observed": ("is", "unit", "error"),
    "derived": ("is", "unit"),
    "printed": ("what", "of", "printed", "unit"),
}
NEEDED_OF_INFUSIONS = ("adds", "days", "cells", "unit")
NEEDED_AT_TOP = ("title", "source", "time", "equations", "parameters", "observed")


def flatten_correlations(data: dict[str, Any], places: Places) -> None:
    """Turn ``cmax.foldx = 0.3`` into a row "cmax.foldx" of its own, in place.

    Raises
    ------
    ModelError
        Where it is not a pair of names, or a pair is stated twice.
    """
    rows: dict[str, Any] = {}
    for one, others in (data.get("correlations") or {}).items():
        where = places.of("correlations", one)
        if not isinstance(others, dict):
            raise ModelError(
                f"{one} = {others!r} is not a pair of parameters",
                where=where,
                todo="Write one.other = 0.3.",
            )
        for two, row in others.items():
            if f"{two}.{one}" in rows:
                raise ModelError(
                    f"the correlation of {one} and {two} is stated twice",
                    where=places.of("correlations", one, two),
                    todo="Leave one out.",
                )
            number = not isinstance(row, dict)
            rows[f"{one}.{two}"] = {"value": row} if number else row
    if "correlations" in data:
        data["correlations"] = rows


def check_keys(data: Mapping[str, Any], places: Places) -> None:
    """Raise where a file holds a key that is not known, or of another kind.

    Raises
    ------
    ModelError
        Naming the key and the nearest known one.

    Examples
    --------
    >>> from cellpk.model.places import File
    >>> places = Places((File("m.toml", "tittle = 'Rise and fall'"),))
    >>> check_keys({"tittle": "Rise and fall"}, places)
    Traceback (most recent call last):
        ...
    cellpk.errors.ModelError: m.toml, tittle, line 1: 'tittle' is not known here.
    Did you mean 'title'?
    """
    sections = dict.fromkeys((*ROWS, "infusions"), TABLE)
    _check_row(data, {**TOP, **sections}, places, ("",))
    for section, kinds in ROWS.items():
        for name, row in data.get(section, {}).items():
            keys = name.split(".") if section == "correlations" else [name]
            if not isinstance(row, dict):
                raise _wrong_kind(name, row, TABLE, places.of(section, *keys))
            _check_row(row, kinds, places, (section, *keys))
    _check_row(data.get("infusions", {}), INFUSIONS, places, ("infusions",))


def _check_row(
    row: Mapping[str, Any], kinds: Mapping[str, Kind], places: Places, at: Keys
) -> None:
    for key, value in row.items():
        if key in kinds and kinds[key].fits(value):
            continue
        one_table = len(at) < 2
        where = places.of(*at, key) if one_table else places.of(*at, within=key)
        if key not in kinds:
            raise ModelError(
                f"{key!r} is not known here", where=where, todo=nearest(key, kinds)
            )
        raise _wrong_kind(key, value, kinds[key], where)


def _wrong_kind(key: str, value: Any, kind: Kind, where: str) -> ModelError:
    return ModelError(
        f"{key} = {value!r} is not {kind.words}",
        where=where,
        todo=f"Write {kind.words}.",
    )


def check_needed(data: Mapping[str, Any], places: Places) -> None:
    """Raise where a file, laid over what it varies, lacks a key that it needs.

    Raises
    ------
    ModelError
        Naming the key.

    Examples
    --------
    >>> from cellpk.model.places import File
    >>> check_needed({"title": "Rise"}, Places((File("m.toml", ""),)))
    Traceback (most recent call last):
        ...
    cellpk.errors.ModelError: m.toml: 'source' is missing. Add it to the file.
    """
    for key in NEEDED_AT_TOP:
        if not data.get(key):
            raise ModelError(
                f"{key!r} is missing",
                where=places.files[0].name,
                todo="Add it to the file.",
            )
    for section, needed in NEEDED.items():
        for name, row in data.get(section, {}).items():
            where = places.of(section, *name.split("."))
            _check_stated(row, needed, section, where)
    if "infusions" in data:
        where = places.of("infusions")
        _check_stated(data["infusions"], NEEDED_OF_INFUSIONS, "infusions", where)


def _check_stated(
    row: Mapping[str, Any], needed: Iterable[str], section: str, where: str
) -> None:
    for key in needed:
        if key not in row:
            raise ModelError(
                f"{key!r} is missing",
                where=where,
                todo=f"[{section}] states {', '.join(needed)}.",
            )
