"""Values as the text of a TOML file."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_CONTROL = re.compile("\x7f")


def toml_lines(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    r"""Yield the lines of a TOML file.

    Parameters
    ----------
    values : mapping
        Texts, numbers, flags, lists, mappings (tables) and lists of mappings.
    path : str
        The name of the table in which the values stand, with a dot at its end.

    Examples
    --------
    >>> print("\n".join(toml_lines({"a": 1, "data": [{"file": "x.csv"}]})))
    a = 1
    <BLANKLINE>
    [[data]]
    file = "x.csv"
    """
    for name, value in values.items():
        if not _is_table(value):
            yield f"{toml_key(name)} = {toml_value(value)}"
    for name, value in values.items():
        place = f"{path}{toml_key(name)}"
        if isinstance(value, Mapping):
            if not value or not all(map(_is_table, value.values())):
                yield f"\n[{place}]"
            yield from toml_lines(value, f"{place}.")
        elif _is_table(value):
            for row in value:
                yield f"\n[[{place}]]"
                yield from toml_lines(row, f"{place}.")


def toml_key(name: str) -> str:
    """Return a key, in quotation marks where it needs them.

    Examples
    --------
    >>> toml_key("crs_grade"), toml_key("crs grade")
    ('crs_grade', '"crs grade"')
    """
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)


def toml_value(value: Any) -> str:
    r"""Return a text, number, flag or list of them.

    Examples
    --------
    >>> toml_value('a "b"'), toml_value([1.5, True])
    ('"a \\"b\\""', '[1.5, true]')
    """
    # JSON spells texts, numbers, flags and lists as TOML does, but for one character.
    return _CONTROL.sub(r"\\u007f", json.dumps(value, ensure_ascii=False))


def toml_inline(values: Mapping[str, str]) -> str:
    """Return a mapping as a table in one line.

    Examples
    --------
    >>> toml_inline({"patient": "ID"})
    '{ patient = "ID" }'
    """
    pairs = (f"{toml_key(key)} = {toml_value(value)}" for key, value in values.items())
    return f"{{ {', '.join(pairs)} }}"


def _is_table(value: Any) -> bool:
    rows = isinstance(value, list) and bool(value)
    return isinstance(value, Mapping) or (rows and isinstance(value[0], Mapping))
