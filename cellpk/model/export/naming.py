"""Names that another tool accepts: no reserved words, no clashes, not too long."""

import re
from dataclasses import dataclass, field
from itertools import count


def words(text: str) -> frozenset[str]:
    """Return the words of a text.

    Examples
    --------
    >>> sorted(words("if else"))
    ['else', 'if']
    """
    return frozenset(text.split())


@dataclass
class Names:
    """Names of one exported text: what a model calls something, and what the text does.

    Parameters
    ----------
    reserved : frozenset of str
        Words that have a meaning in the tool.
    pattern : str
        Regular expression of further reserved words; "" for none.
    longest : int
        Characters that a name may have.
    upper : bool
        Whether the tool does not tell capitals from small letters: then all names are
        in capitals, and two that differ by that alone are told apart by a number.

    Examples
    --------
    >>> names = Names(frozenset({"T"}), upper=True)
    >>> names.add("T"), names.add("k"), names.add("K"), names.of("K")
    ('T_1', 'K', 'K_1', 'K_1')
    >>> names.renamed
    [('T', 'T_1'), ('K', 'K_1')]
    """

    reserved: frozenset[str]
    pattern: str = ""
    longest: int = 60
    upper: bool = False
    renamed: list[tuple[str, str]] = field(default_factory=list)
    _known: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, wanted: str | None = None, *, said: bool = True) -> str:
        """Return the name of something new, as near as possible to the wanted one.

        Parameters
        ----------
        key : str
            What the exporter calls it; for what the equations name, that name.
        wanted : str
            Name that it should have; the key where not given.
        said : bool
            Whether a reader has to be told where the name is another one.

        Examples
        --------
        >>> Names(frozenset({"lag"})).add("lag")
        'lag_1'
        """
        wanted = wanted or key
        name = self._free(self._legal(wanted))
        self._known[key] = name
        if said and name != (wanted.upper() if self.upper else wanted):
            self.renamed.append((wanted, name))
        return name

    def fresh(self, stem: str) -> str:
        """Return a name that nothing has yet, and keep it: for a helping variable.

        Examples
        --------
        >>> names = Names(frozenset())
        >>> names.fresh("peak"), names.fresh("peak")
        ('peak_1', 'peak_2')
        """
        stem = self._legal(stem)
        # MU_1 is a name of NONMEM's own, whatever the number: so the letter
        letter = "X" if self._is_reserved(f"{stem}_1") else ""
        endings = (f"_{letter}{number}" for number in count(1))
        names = (self._cut(stem, ending) for ending in endings)
        name = next(name for name in names if self._is_free(name))
        self._known[name] = name
        return name

    def point(self, key: str, text: str) -> None:
        """Let a key stand for a text that is no name of its own, such as ``A(1)``."""
        self._known[key] = text

    def of(self, key: str) -> str:
        """Return the name that was given to a key."""
        return self._known[key]

    def _legal(self, wanted: str) -> str:
        name = re.sub(r"[^A-Za-z0-9_.]", "_", wanted)
        if not name[0].isalpha():
            name = f"x{name}"
        name = name.upper() if self.upper else name
        return name[: self.longest]

    def _free(self, name: str) -> str:
        return name if self._is_free(name) else self.fresh(name)

    def _is_free(self, name: str) -> bool:
        return not (self._is_reserved(name) or name in self._known.values())

    def _is_reserved(self, name: str) -> bool:
        matched = self.pattern and re.fullmatch(self.pattern, name)
        return bool(matched or name in self.reserved)

    def _cut(self, stem: str, ending: str) -> str:
        return stem[: self.longest - len(ending)] + ending
