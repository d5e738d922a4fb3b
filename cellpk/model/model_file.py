"""A model file: TOML in, checked key by key; errors name file, section and line."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellpk.errors import ModelError, nearest
from cellpk.model.equations import RESERVED, TIME, check_names, read_equations
from cellpk.model.expression import Node, names, parse
from cellpk.model.model import AREA, Model
from cellpk.model.parameters import Parameter, read_parameter
from cellpk.model.rows import Derived, Observed
from cellpk.model.switches import Clock, find_gates, find_switches

SPREADS = ("iiv_sd", "iiv_var", "iiv_cv")
NUMBERS = {*SPREADS, "value", "sd", "printed"}

TEXTS = {"title", "source", "note", "time", "variant_of", "equations", "solution"}
ROWS: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    "parameters": {
        "value": (int, float),
        "unit": str,
        "label": str,
        "scale": str,
        **dict.fromkeys(SPREADS, (int, float)),
        "fixed": bool,
        "source": str,
    },
    "observed": {
        "is": str,
        "unit": str,
        "error": str,
        "sd": (int, float),
        "source": str,
    },
    "derived": {
        "is": str,
        "unit": str,
        "label": str,
        "printed": (int, float),
        "within": (int, float),
        "source": str,
    },
}
"""Sections of rows, the keys of a row, and what each holds."""

NEEDED: Mapping[str, tuple[str, ...]] = {
    "parameters": ("value", "unit"),
    "observed": ("is", "unit", "error", "sd"),
    "derived": ("is", "unit"),
}
ERRORS = ("lognormal",)
OPENING = r"=\s*('{3}|\"{3})\s*$"


@dataclass(frozen=True)
class _File:
    """One file as it stands, to say where in it something was found."""

    name: str
    text: str

    def line(self, section: str, key: str) -> int | None:
        """Line of a key within a section ("" at the top), or of its own table."""
        inside = ""
        for number, line in enumerate(self.text.splitlines(), 1):
            header = re.match(r"\s*\[([^\[\]]+)\]", line)
            if header:
                inside = header[1].strip()
            table = header and inside == f"{section}.{key}"
            row = re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line)
            if table or (row and inside == section):
                return number
        return None

    def opens(self, line: int) -> bool:
        """Whether a text opens at the end of this line and begins on the next."""
        return bool(re.search(OPENING, self.text.splitlines()[line - 1]))


@dataclass(frozen=True)
class _Places:
    """The files that a model was read from: a variant first, then what it varies."""

    files: tuple[_File, ...]

    def of(self, section: str, key: str = "", *, offset: int = 0) -> str:
        """File, section and line of a key; ``offset`` counts lines of a text."""
        at = f"[{section}] {key}".rstrip() if section else key
        for file in self.files:
            line = file.line(section, key)
            if line is not None:
                line += offset + file.opens(line)
                return f"{file.name}, {at}, line {line}"
        return f"{self.files[0].name}, {at}".rstrip(", ")


Find = Callable[[str, Path], Path]
"""From the name in ``variant_of`` and the folder of the variant to the file varied."""


def read_model(path: Path, *, find: Find) -> Model:
    """Return the model of a file.

    Parameters
    ----------
    path : Path
        A TOML file.
    find : callable
        From a name in ``variant_of`` and the folder of this file to a path.

    Raises
    ------
    ModelError
        Where the file holds an unknown key, an equation that cannot be read, or a
        parameter that is not used.

    Examples
    --------
    >>> from cellpk.model.library import folder
    >>> path = folder() / "stein_2019_tisagenlecleucel.toml"
    >>> read_model(path, find=lambda name, beside: path).free
    ('foldx', 'tmax', 'cmax', 'alpha', 'fb', 'beta')
    """
    data, places = _read(path, find, ())
    for key in ("title", "source", "time", "equations", "parameters", "observed"):
        if not data.get(key):
            raise ModelError(
                f"{key!r} is missing", where=path.name, todo="Add it to the file."
            )
    if data["time"] != "day":
        raise ModelError(
            f"time is {data['time']!r}",
            where=places.of("", "time"),
            todo="Write the equations in days: time = 'day'.",
        )
    return _build(path.stem, data, places)


def _read(
    path: Path, find: Find, above: tuple[Path, ...]
) -> tuple[dict[str, Any], _Places]:
    """Read one file and, where it is a variant, lay it over what it varies."""
    text = path.read_text(encoding="utf-8")
    file = _File(path.name, text)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(
            f"the file is not TOML: {error}", where=path.name, todo="Correct it there."
        ) from error
    _check_keys(data, _Places((file,)))
    _state_sources(data)
    if "variant_of" not in data:
        return data, _Places((file,))
    varied = find(data["variant_of"], path.parent)
    if varied in (path, *above):
        raise ModelError(
            f"the model is a variant of itself, by {data['variant_of']!r}",
            where=path.name,
            todo="Name another model in variant_of.",
        )
    base, places = _read(varied, find, (path, *above))
    return _laid_over(base, data), _Places((file, *places.files))


def _state_sources(data: dict[str, Any]) -> None:
    """Write the file's source into each row of numbers that states none of its own."""
    for section in ROWS:
        for row in data.get(section, {}).values():
            if NUMBERS & row.keys():
                row.setdefault("source", data.get("source", ""))


def _laid_over(base: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**base, **data}
    if "equations" in data and "solution" not in data:
        merged.pop("solution", None)
    for section in ROWS:
        rows = dict(base.get(section, {}))
        for name, row in data.get(section, {}).items():
            respread = any(key in row for key in (*SPREADS, "fixed"))
            dropped = {*SPREADS, "fixed"} if respread else set()
            old = {k: v for k, v in rows.get(name, {}).items() if k not in dropped}
            rows[name] = {**old, **row}
        merged[section] = rows
    return merged


def _check_keys(data: Mapping[str, Any], places: _Places) -> None:
    _known(data, {*TEXTS, *ROWS}, places, ("", ""))
    for key, value in data.items():
        kind = dict if key in ROWS else str
        if not isinstance(value, kind):
            raise _wrong_kind(key, value, kind, places.of("", key))
    for section, kinds in ROWS.items():
        for name, row in data.get(section, {}).items():
            place = places.of(section, name)
            if not isinstance(row, dict):
                raise _wrong_kind(name, row, dict, place)
            _known(row, kinds, places, (section, name))
            for key, value in row.items():
                wanted = kinds[key]
                lied = isinstance(value, bool) and wanted is not bool
                if lied or not isinstance(value, wanted):
                    raise _wrong_kind(key, value, wanted, place)


def _known(
    found: Iterable[str], known: Iterable[str], places: _Places, at: tuple[str, str]
) -> None:
    for key in found:
        if key not in known:
            raise ModelError(
                f"{key!r} is not known here",
                where=places.of(*at) if at[0] else places.of("", key),
                todo=nearest(key, known),
            )


def _wrong_kind(key: str, value: Any, wanted: Any, where: str) -> ModelError:
    kinds = {str: "text", bool: "true or false", dict: "a table"}
    text = kinds.get(wanted, "a number")
    return ModelError(
        f"{key} = {value!r} is not {text}", where=where, todo=f"Write {text}."
    )


def _build(name: str, data: Mapping[str, Any], places: _Places) -> Model:
    for section, needed in NEEDED.items():
        for row, content in data.get(section, {}).items():
            for key in needed:
                if key not in content:
                    raise ModelError(
                        f"{key!r} is missing",
                        where=places.of(section, row),
                        todo=f"A row of [{section}] states {', '.join(needed)}.",
                    )
    parameters = {
        key: _parameter(key, row, places.of("parameters", key))
        for key, row in data["parameters"].items()
    }
    equations = read_equations(
        {key: data[key] for key in ("equations", "solution") if key in data},
        parameters=parameters,
        where=lambda section, n: places.of("", section, offset=n),
    )
    known = {TIME, *parameters, *equations.lines, *equations.states}
    constant = {*parameters, *equations.free_of_time}
    observed = {
        key: _observed(key, row, known, places) for key, row in data["observed"].items()
    }
    derived = {
        key: _derived(key, row, constant, places)
        for key, row in data.get("derived", {}).items()
    }
    nodes = [row.expression for row in (*observed.values(), *derived.values())]
    _check_used(parameters, equations.used.union(*map(names, nodes)), places)
    clock = Clock(equations.lines, frozenset(parameters))
    nodes += equations.nodes
    file = places.files[0].name
    return Model(
        name=name,
        title=data["title"],
        source=data["source"],
        note=data.get("note", "").strip(),
        time=data["time"],
        parameters=parameters,
        observed=observed,
        derived=derived,
        equations=equations,
        switches=find_switches(nodes, clock, where=file),
        gates=find_gates(nodes, clock),
    )


def _expression(
    section: str, key: str, text: str, known: Iterable[str], places: _Places
) -> Node:
    where = places.of(section, key)
    node = parse(text, where=where)
    check_names(node, known, where)
    return node


def _parameter(key: str, row: Mapping[str, Any], where: str) -> Parameter:
    if key in RESERVED or not key.isidentifier() or not key.isascii():
        raise ModelError(
            f"{key!r} cannot be the name of a parameter",
            where=where,
            todo="Use letters, digits and _, and no name of the language: "
            f"{', '.join(sorted(RESERVED))}.",
        )
    return read_parameter(key, row, where=where)


def _observed(
    key: str, row: Mapping[str, Any], known: Iterable[str], places: _Places
) -> Observed:
    if row["error"] not in ERRORS:
        raise ModelError(
            f"error {row['error']!r} is not known",
            where=places.of("observed", key),
            todo=nearest(row["error"], ERRORS),
        )
    if not 0 < row["sd"] < float("inf"):
        raise ModelError(
            f"sd is {row['sd']}",
            where=places.of("observed", key),
            todo="State a positive number.",
        )
    node = _expression("observed", key, row["is"], known, places)
    kept = {name: row[name] for name in ("unit", "error", "sd", "source")}
    return Observed(key, node, **kept)


def _derived(
    key: str, row: Mapping[str, Any], known: Iterable[str], places: _Places
) -> Derived:
    if key == AREA:
        raise ModelError(
            f"{key!r} is calculated for every model",
            where=places.of("derived", key),
            todo="Leave it out.",
        )
    node = _expression("derived", key, row["is"], known, places)
    return Derived(key, node, **{k: v for k, v in row.items() if k != "is"})


def _check_used(
    parameters: Mapping[str, Parameter], used: Iterable[str], places: _Places
) -> None:
    for name in parameters:
        if name not in used:
            raise ModelError(
                f"parameter {name!r} is not used",
                where=places.of("parameters", name),
                todo="Use it in the equations, or leave it out.",
            )
