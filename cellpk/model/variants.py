"""A variant of a model: its file laid over the file that it varies, row by row."""

from collections.abc import Mapping
from typing import Any

from cellpk.errors import ModelError, nearest
from cellpk.model.parameter_rows import FORMS, UNPUBLISHED
from cellpk.model.places import Places
from cellpk.model.sections import ROWS

SPREAD = (*FORMS, "fixed", "iiv")
NUMBERS = {"value", UNPUBLISHED, "prior_sd", "levels", "probability"}
NUMBERS |= {"error", "sd", "additive", "proportional", "printed"}

REPLACED: Mapping[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    "parameters": (
        (SPREAD, (*SPREAD, "iiv_source")),
        (("value", UNPUBLISHED), ("value", UNPUBLISHED)),
    ),
    "covariates": ((("levels",), ("probability",)),),
    "observed": ((("error",), ("sd", "df", "additive", "proportional")),),
    "derived": ((("is",), ("printed",)),),
    "printed": (),
}
"""By section: a row that states one of the first keys replaces all of the second."""


def state_sources(data: dict[str, Any], whole: str) -> None:
    """Write the file's source into each row of numbers that states none, in place.

    A row of a parameter has two: of the value, and of the spread between patients.

    Parameters
    ----------
    data : dict
        A model file, or a variant that is not yet laid over anything.
    whole : str
        Source of the file; that of what it varies where it states none.

    Examples
    --------
    >>> row = {"value": 3, "iiv_sd": 0.5, "iiv_source": "Third 2022"}
    >>> state_sources({"parameters": {"rho": row}}, "Somebody 2020")
    >>> row["source"], row["iiv_source"]
    ('Somebody 2020', 'Third 2022')
    """
    for section in ROWS:
        for row in data.get(section, {}).values():
            if section == "parameters" and {*FORMS, "iiv"} & row.keys():
                row.setdefault("iiv_source", row.get("source", whole))
                if not NUMBERS & row.keys():
                    row.pop("source", None)  # it said where the spread comes from
            if NUMBERS & row.keys():
                row.setdefault("source", whole)
    if "infusions" in data:
        data["infusions"].setdefault("source", whole)


def lay_over(
    base: Mapping[str, Any], data: Mapping[str, Any], places: Places
) -> dict[str, Any]:
    """Return a model file with a variant laid over it.

    Texts of the variant replace those of the base, rows are completed key by key, and
    what ``drop`` names is left out. New equations drop the old closed form. Printed
    numbers speak of the base: where the variant has other equations, values or
    infusions, it keeps only those that it states itself.

    Parameters
    ----------
    base, data : mapping
        What is varied, and the variant, as TOML reads them.
    places : Places
        Of the variant.

    Raises
    ------
    ModelError
        Where ``drop`` names something that the base does not hold.

    Examples
    --------
    >>> base = {"title": "A", "parameters": {"rho": {"value": 1, "iiv_sd": 0.5}}}
    >>> data = {"title": "B", "parameters": {"rho": {"iiv_var": 0.5}}}
    >>> lay_over(base, data, Places(()))
    {'title': 'B', 'parameters': {'rho': {'value': 1, 'iiv_var': 0.5}}}
    """
    below = _without(base, data.get("drop", []), places)
    if _is_other(below, data):
        below.pop("printed", None)
        for row in below.get("derived", {}).values():
            row.pop("printed", None)
    merged = {**below, **{key: text for key, text in data.items() if key != "drop"}}
    if "equations" in data and "solution" not in data:
        merged.pop("solution", None)
    if "infusions" in data:
        merged["infusions"] = {**below.get("infusions", {}), **data["infusions"]}
    for section in ROWS:
        if section in below or section in data:
            merged[section] = _rows(section, below, data)
    return merged


def _without(
    base: Mapping[str, Any], dropped: list[str], places: Places
) -> dict[str, Any]:
    """Copy what is varied, but for the sections, rows and keys dropped from it."""
    copy = {
        section: {name: _copied(row) for name, row in rows.items()}
        if isinstance(rows, dict)
        else rows
        for section, rows in base.items()
    }
    for path in dropped:
        *above, last = _steps(path)
        inside: Any = copy
        for key in above:
            inside = inside.get(key, {}) if isinstance(inside, dict) else {}
        if not isinstance(inside, dict) or last not in inside:
            known = [".".join((*above, key)) for key in inside] or copy
            raise ModelError(
                f"{path!r} is not there to drop",
                where=places.of("", "drop"),
                todo=nearest(path, known),
            )
        del inside[last]
    return copy


def _copied(row: Any) -> Any:
    return dict(row) if isinstance(row, dict) else row


def _steps(path: str) -> list[str]:
    """Section, row and key of a text in ``drop``; a pair of parameters is one row."""
    if path.startswith("correlations."):
        return path.split(".", 1)
    return path.split(".", 2)


def _is_other(base: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Whether a variant has another course of the typical patient than its base."""
    if {"equations", "solution", "infusions"} & data.keys():
        return True
    moved = {"parameters": {"value", UNPUBLISHED}, "covariates": {"value"}}
    moved["observed"] = {"is"}
    return any(
        keys & row.keys() and name in base.get(section, {})
        for section, keys in moved.items()
        for name, row in data.get(section, {}).items()
    )


def _rows(
    section: str, base: Mapping[str, Any], data: Mapping[str, Any]
) -> dict[str, Any]:
    rows = dict(base.get(section, {}))
    for name, row in data.get(section, {}).items():
        old = dict(rows.get(name, {}))
        if section == "correlations":
            rows.pop(".".join(reversed(name.split("."))), None)
        for stated, replaced in REPLACED.get(section, ()):
            if any(key in row for key in stated):
                old = {k: v for k, v in old.items() if k not in replaced}
        rows[name] = {**old, **row}
    return rows
