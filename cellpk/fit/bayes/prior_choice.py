"""What is believed before the data: how much the literature counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeGuard

import numpy as np

from cellpk.errors import FitError, nearest

Kind = Literal["literature", "weak"]

KINDS: Mapping[Kind, str] = {
    "literature": "published numbers of the model, down-weighted",
    "weak": "weakly informative, by rule",
}
"""Kinds of priors, in words."""

_EXAMPLES = {
    "typical": '{"beta": (0.003, 0.5)}',
    "spread": '{"beta": 0.5}',
    "never": "(1, 3)",
}


@dataclass(frozen=True)
class Priors:
    """How the priors of a hierarchical fit are made.

    Parameters
    ----------
    kind : {"literature", "weak"}
        Whether the model's published numbers are believed, down-weighted, or only tell
        where to look.
    worth : float
        As how many patients of this study the literature counts for a typical value:
        its prior SD is the published spread between patients by the root of it.
    typical : mapping of str to (float, float)
        Priors given by hand: the median of a typical value in its unit, and its SD on
        the parameter's own scale.
    spread : mapping of str to float
        Medians of SDs between patients given by hand, on the parameter's own scale.
    correlation : float
        Shape of the LKJ distribution of correlations: 1 is uniform, more is closer to
        none.
    never : (float, float)
        Beta distribution of the share of patients whose cells never expand.
    tails : float, optional
        Degrees of freedom of Student's t, for robust residuals of log levels; without
        it residuals are as the model states.

    Raises
    ------
    FitError
        Where a number is not possible.

    Examples
    --------
    >>> Priors(worth=4).kind
    'literature'
    >>> Priors(kind="flat")
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: priors of the kind 'flat'. Use one of: 'literature', 'weak'.
    """

    kind: Kind = "literature"
    worth: float = 1.0
    typical: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    correlation: float = 2.0
    never: tuple[float, float] = (1.0, 3.0)
    tails: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            todo = nearest(self.kind, KINDS)
            raise FitError(f"priors of the kind {self.kind!r}", todo=todo)
        for name, given in (("typical", self.typical), ("spread", self.spread)):
            if not isinstance(given, Mapping):
                todo = f"Give it by parameter: {_EXAMPLES[name]}."
                raise FitError(f"{name} = {given!r}", todo=todo)
        for name, pair in self._pairs().items():
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                todo = f"Give two numbers: {_EXAMPLES[name.split()[0]]}."
                raise FitError(f"{name} = {pair!r}", todo=todo)
        for name, number in self._positive().items():
            if not _is_number(number) or not 0 < number < np.inf:
                raise FitError(f"{name} = {number!r}", todo="Give a positive number.")

    def _pairs(self) -> dict[str, object]:
        """Return all that has to be two numbers."""
        pairs: dict[str, object] = {f"typical {n}": x for n, x in self.typical.items()}
        return pairs | {"never": self.never}

    def _positive(self) -> dict[str, object]:
        """Return all that has to be a positive number."""
        positive: dict[str, object] = {
            "worth": self.worth,
            "correlation": self.correlation,
        }
        positive |= {f"spread of {name}": sd for name, sd in self.spread.items()}
        positive |= {f"SD of typical {n}": pair[1] for n, pair in self.typical.items()}
        positive |= {"never": self.never[0], "second of never": self.never[1]}
        return positive if self.tails is None else positive | {"tails": self.tails}


def _is_number(given: object) -> TypeGuard[float]:
    return isinstance(given, int | float | np.integer | np.floating)


def priors_of(given: Priors | None) -> Priors:
    """Return how priors are made; from the literature where nothing is given.

    Raises
    ------
    FitError
        Where something else is given.

    Examples
    --------
    >>> priors_of("weak")
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: priors = 'weak'. Give, say, cellpk.Priors(kind="weak").
    """
    if given is None:
        return Priors()
    if not isinstance(given, Priors):
        todo = 'Give, say, cellpk.Priors(kind="weak").'
        raise FitError(f"priors = {given!r}", todo=todo)
    return given
