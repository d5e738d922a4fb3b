"""Where something stands in a model file, to say it in an error."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_PART = r"(?:[\w-]+|\"[^\"]*\"|'[^']*')"
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\s*({_PATH})\s*\]\s*(?:#.*)?")
_KEY = re.compile(rf"\s*({_PATH})\s*=\s*(.*)")
_QUOTES = ("'''", '"""')

Path = tuple[str, ...]


def _parts(path: str) -> Path:
    return tuple(part.strip("\"'") for part in re.findall(_PART, path))


@dataclass(frozen=True)
class File:
    """One file as it stands.

    Parameters
    ----------
    name, text : str
        Its name and what it holds.
    """

    name: str
    text: str

    @cached_property
    def _found(self) -> tuple[tuple[Path, int], ...]:
        """Every header and key with its line, in the order of the file."""
        return tuple(self._scanned())

    def _scanned(self) -> Iterator[tuple[Path, int]]:
        inside: Path = ()
        closing = ""
        for number, line in enumerate(self.text.splitlines(), 1):
            if closing:  # a text over several lines: its lines look like keys
                closing = "" if closing in line else closing
            elif header := _HEADER.fullmatch(line):
                inside = _parts(header[1])
                yield inside, number
            elif key := _KEY.match(line):
                yield (*inside, *_parts(key[1])), number
                opened = [quote for quote in _QUOTES if key[2].startswith(quote)]
                closing = next((q for q in opened if line.count(q) == 1), "")

    def line(self, path: Path) -> int | None:
        r"""Return the line of a key, or of the first key under it.

        Examples
        --------
        >>> file = File("m.toml", "[parameters]\nrho = { value = 1 }")
        >>> file.line(("parameters", "rho")), file.line(("parameters", "tmax"))
        (2, None)
        """
        for found, number in self._found:
            if found[: len(path)] == path:
                return number
        return None

    def opens(self, line: int) -> bool:
        """Whether a text opens at the end of this line and begins on the next."""
        written = self.text.splitlines()[line - 1].rstrip()
        return any(written.endswith(q) and written.count(q) == 1 for q in _QUOTES)


@dataclass(frozen=True)
class Places:
    """The files that a model was read from: a variant first, then what it varies.

    Parameters
    ----------
    files : tuple of File
        In the order in which they are asked.
    """

    files: tuple[File, ...]

    def of(self, section: str, *keys: str, offset: int = 0, within: str = "") -> str:
        r"""Return file, section and line of a key; of what is above it, if need be.

        Parameters
        ----------
        section : str
            Name of a table, "" at the top of the file.
        *keys : str
            Of a row, or of a pair.
        offset : int
            Counts lines of a text.
        within : str
            Key of that row, where it may have a line of its own.

        Examples
        --------
        >>> text = "[parameters]\nrho = { value = 1 }"
        >>> Places((File("m.toml", text),)).of("parameters", "rho")
        'm.toml, [parameters] rho, line 2'
        """
        keys = tuple(key for key in keys if key)
        at = f"[{section}] {'.'.join(keys)}" if section else ".".join(keys)
        path = tuple(part for part in (section, *keys, within) if part)
        while path:
            for file in self.files:
                line = file.line(path)
                if line is not None:
                    line += offset + file.opens(line)
                    return f"{file.name}, {at.rstrip()}, line {line}"
            path = path[:-1]
        return ", ".join(part for part in (self.files[0].name, at.rstrip()) if part)
