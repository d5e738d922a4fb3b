"""A model file: TOML in, checked key by key; errors name file, section and line."""

import keyword
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cellpk.errors import ModelError, nearest
from cellpk.model.blocks import RESERVED
from cellpk.model.dimensions import check_dimensions
from cellpk.model.equations import read_equations
from cellpk.model.expression import Node, names
from cellpk.model.model import Model
from cellpk.model.parameter_rows import read_correlations, read_parameter
from cellpk.model.parameters import Parameter
from cellpk.model.places import File, Places
from cellpk.model.printed_rows import PrintedReader
from cellpk.model.read_rows import RowReader, read_covariate
from cellpk.model.rows import Covariate
from cellpk.model.sections import check_keys, check_needed, flatten_correlations
from cellpk.model.switches import Clock, find_gates, find_switches
from cellpk.model.variants import lay_over, state_sources

STATUS = ("published", "unpublished")
TAKEN = RESERVED | {"times", "observed", "covariates", "infusions"}
"""Names that parameters and covariates cannot have: ``curve`` takes them by name."""

Find = Callable[[str, Path], Path]
"""From the name in ``variant_of`` and the folder of the variant to the file varied."""

PROSE = ("title", "source", "note", "doubts")

PlacedNode = tuple[Node, Callable[[], str]]


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
    check_needed(data, places)
    if data["time"] != "day":
        raise ModelError(
            f"time is {data['time']!r}",
            where=places.of("", "time"),
            todo="Write the equations in days: time = 'day'.",
        )
    if data.get("status", "published") not in STATUS:
        raise ModelError(
            f"status {data['status']!r} is not known",
            where=places.of("", "status"),
            todo=nearest(data["status"], STATUS),
        )
    return _build(path.stem, data, places)


def _read(
    path: Path, find: Find, above: tuple[Path, ...]
) -> tuple[dict[str, Any], Places]:
    """Read one file and, where it is a variant, lay it over what it varies."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ModelError(
            f"the file is not UTF-8: {error}", where=path.name, todo="Save it as UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ModelError(
            f"the file is not TOML: {error}", where=path.name, todo="Correct it there."
        ) from error
    file = File(path.name, text)
    own = Places((file,))
    flatten_correlations(data, own)
    check_keys(data, own)
    if "variant_of" not in data:
        if "drop" in data:
            raise ModelError(
                f"drop = {data['drop']} stands in a model that varies no other",
                where=own.of("", "drop"),
                todo="Leave it out, or name a model in variant_of.",
            )
        state_sources(data, data.get("source", ""))
        return data, own
    varied = find(data["variant_of"], path.parent)
    if varied in (path, *above):
        raise ModelError(
            f"the model is a variant of itself, by {data['variant_of']!r}",
            where=path.name,
            todo="Name another model in variant_of.",
        )
    base, places = _read(varied, find, (path, *above))
    state_sources(data, data.get("source", base.get("source", "")))
    return lay_over(base, data, own), Places((file, *places.files))


def _build(name: str, data: Mapping[str, Any], places: Places) -> Model:
    parameters, covariates = _numbers(data, places)
    correlations, sources = read_correlations(
        {_pair(key): row for key, row in data.get("correlations", {}).items()},
        parameters,
        lambda pair: _place_of_pair(pair, places),
    )
    stepped = [key for key, row in covariates.items() if row.steps]
    equations = read_equations(
        {key: data[key] for key in ("equations", "solution") if key in data},
        parameters=[key for key in (*parameters, *covariates) if key not in stepped],
        stepped=stepped,
        where=lambda section, n: places.of("", section, offset=n),
    )
    if equations.closed and stepped:
        raise ModelError(
            f"covariate {stepped[0]!r} changes with time, and the model has a solution",
            where=places.of("covariates", stepped[0]),
            todo="Leave out the solution: a closed form knows no steps.",
        )
    rows = RowReader(parameters, covariates, equations, places)
    model = Model(
        name=name,
        parameters=parameters,
        covariates=covariates,
        correlations=correlations,
        correlation_sources=sources,
        time=data["time"],
        status=data.get("status", "published"),
        equations=equations,
        files=places.files,
        **{key: data.get(key, "").strip() for key in PROSE},
        **_results(data, rows),
    )
    _check_used(model, places)
    check_dimensions(model, places.of)
    return model


def _numbers(
    data: Mapping[str, Any], places: Places
) -> tuple[dict[str, Parameter], dict[str, Covariate]]:
    """Parameters and covariates; their names are new."""
    parameters, covariates = {}, {}
    for key, row in data["parameters"].items():
        where = places.of("parameters", key)
        _check_name(key, "parameter", where)
        parameters[key] = read_parameter(key, row, where=where)
    for key, row in data.get("covariates", {}).items():
        where = places.of("covariates", key)
        _check_name(key, "covariate", where)
        if key in parameters:
            raise ModelError(
                f"covariate {key!r} has the name of a parameter",
                where=where,
                todo="Give it another name.",
            )
        covariates[key] = read_covariate(key, row, where=where)
    return parameters, covariates


def _check_name(name: str, what: str, where: str) -> None:
    plain = name.isidentifier() and name.isascii() and not keyword.iskeyword(name)
    if name in TAKEN or not plain:
        raise ModelError(
            f"{name!r} cannot be the name of a {what}",
            where=where,
            todo="Use letters, digits and _, and no name of the language: "
            f"{', '.join(sorted(TAKEN))}.",
        )


def _pair(key: str) -> tuple[str, str]:
    one, _, two = key.partition(".")
    return one, two


def _place_of_pair(pair: tuple[str, str], places: Places) -> str:
    """Where a correlation stands: in either order of its names."""
    stated = any(file.line(("correlations", *pair)) for file in places.files)
    return places.of("correlations", *(pair if stated else reversed(pair)))


def _results(data: Mapping[str, Any], rows: RowReader) -> dict[str, Any]:
    """Read what rests on the equations: levels, results, infusions, switches."""
    observed = {key: rows.observed(key, row) for key, row in data["observed"].items()}
    derived = {
        key: rows.derived(key, row) for key, row in data.get("derived", {}).items()
    }
    infusions = rows.infusions(data["infusions"]) if "infusions" in data else None
    printed = PrintedReader(rows, observed, infusions)
    nodes: list[PlacedNode] = [
        *((x.expression, _at(rows, "observed", key)) for key, x in observed.items()),
        *((x.expression, _at(rows, "derived", key)) for key, x in derived.items()),
        *_placed(rows),
    ]
    clock = _clock(rows)
    return {
        "observed": observed,
        "derived": derived,
        "infusions": infusions,
        "printed": {
            key: printed.read(key, row) for key, row in data.get("printed", {}).items()
        },
        "switches": _switches(nodes, clock),
        "gates": find_gates([node for node, _ in nodes], clock),
    }


def _clock(rows: RowReader) -> Clock:
    stepped = frozenset(rows.equations.stepped)
    return Clock(rows.equations.lines, frozenset(rows.fixed), stepped)


def _at(rows: RowReader, section: str, key: str) -> Callable[[], str]:
    return lambda: rows.places.of(section, key)


def _placed(rows: RowReader) -> Iterator[PlacedNode]:
    """Every right side of the equations, and where it stands."""
    equations = rows.equations
    for section, block in (
        ("equations", equations.rates),
        ("solution", equations.solution),
    ):
        for kind in ("lines", "starts", "rates"):
            for name, node in getattr(block, kind).items():
                line = block.numbers[kind, name]
                yield node, lambda s=section, n=line: rows.places.of("", s, offset=n)


def _switches(nodes: Iterable[PlacedNode], clock: Clock) -> tuple[Node, ...]:
    found = [
        switch
        for node, where in nodes
        for switch in find_switches([node], clock, where=where())
    ]
    return tuple(dict.fromkeys(found))


def _check_used(model: Model, places: Places) -> None:
    """Raise where nothing uses a number: it is a mistake, or left over."""
    rows = (*model.observed.values(), *model.derived.values())
    nodes = [row.expression for row in rows]
    if model.infusions:
        nodes += [*model.infusions.adds.values()]
        nodes += [model.infusions.lag] if model.infusions.lag else []
    used = model.equations.used.union(*map(names, nodes))
    for section, what in (("parameters", "parameter"), ("covariates", "covariate")):
        for name in getattr(model, section):
            if name not in used:
                raise ModelError(
                    f"{what} {name!r} is not used",
                    where=places.of(section, name),
                    todo="Use it in the equations, or leave it out; a variant leaves "
                    f'it out by drop = ["{section}.{name}"].',
                )
