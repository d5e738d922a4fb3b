"""The equations of a model: rates and, where there is one, the closed form."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from cellpk.errors import ModelError
from cellpk.model.blocks import (
    CHANGES,
    TIME,
    Block,
    independent,
    line_of_text,
    read_block,
)
from cellpk.model.expression import Name, Node, walk
from cellpk.model.sensitivity import Scope, constant


@dataclass(frozen=True)
class Equations:
    """The equations of a model and their closed form.

    Parameters
    ----------
    rates : Block
        Starts and rates of the states, and the named lines they use.
    solution : Block
        The closed form: each state as a line; empty where there is none.
    stepped : tuple of str
        Covariates that change with time.
    """

    rates: Block
    solution: Block = field(default_factory=Block)
    stepped: tuple[str, ...] = ()

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states."""
        return tuple(self.rates.rates)

    @property
    def closed(self) -> bool:
        """Whether the model has a closed form; without states, its lines are one."""
        return bool(self.solution.lines) or not self.rates.rates

    @property
    def lines(self) -> dict[str, Node]:
        """All named lines; a state's line is its closed form."""
        return {**self.rates.lines, **self.solution.lines}

    @property
    def free_of_time(self) -> frozenset[str]:
        """Names of the lines that do not change with time."""
        return frozenset(independent(self.lines, {TIME, *self.states, *self.stepped}))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every right side, of rates and closed form."""
        return (*self.rates.nodes, *self.solution.nodes)

    @property
    def used(self) -> frozenset[str]:
        """Every name that the equations use."""
        found = (inner for node in self.nodes for inner in walk(node))
        return frozenset(inner.name for inner in found if isinstance(inner, Name))

    def starts(self, values: Mapping[str, ArrayLike]) -> np.ndarray:
        r"""Return the states at time 0.

        Parameters
        ----------
        values : mapping of str to float
            All parameters on the natural scale, as from ``model.natural``, and
            covariates.

        Returns
        -------
        ndarray, shape (k,)
            In the order of ``states``.

        Examples
        --------
        >>> texts = {"equations": "E(0) = cmax/foldx\ndE/dt = -k*E"}
        >>> equations = read_equations(texts, parameters=["cmax", "foldx", "k"])
        >>> equations.starts({"cmax": 24000, "foldx": 4000, "k": 1})
        array([6.])
        """
        return self._evaluated(self.rates.starts, values)

    def slopes(
        self, time: float, states: ArrayLike, values: Mapping[str, ArrayLike]
    ) -> np.ndarray:
        r"""Return the right sides of the differential equations.

        Parameters
        ----------
        time : float
            Days after infusion.
        states : array, shape (k,)
            In the order of ``states``.
        values : mapping of str to float
            All parameters on the natural scale, as from ``model.natural``, and
            covariates.

        Returns
        -------
        ndarray, shape (k,)
            Change per day.

        Examples
        --------
        >>> texts = {"equations": "E(0) = 1\ndE/dt = -k*E if t > lag else 0"}
        >>> equations = read_equations(texts, parameters=["k", "lag"])
        >>> equations.slopes(20, [100], {"k": 0.16, "lag": 3})
        array([-16.])
        """
        now = dict(zip(self.states, np.asarray(states, dtype=float), strict=True))
        return self._evaluated(self.rates.rates, {**values, **now, TIME: time})

    def _evaluated(
        self, nodes: Mapping[str, Node], values: Mapping[str, ArrayLike]
    ) -> np.ndarray:
        given = {name: constant(value) for name, value in values.items()}
        scope = Scope(given, self.rates.lines)
        with np.errstate(all="ignore"):
            found = [scope.evaluate(nodes[name]).value for name in self.states]
        return np.array(found)


def read_equations(
    texts: Mapping[str, str],
    *,
    parameters: Iterable[str],
    stepped: Iterable[str] = (),
    where: Callable[[str, int], str] = lambda section, n: (
        f"{section}, {line_of_text(n)}"
    ),
) -> Equations:
    r"""Return the equations of a model from its texts.

    Parameters
    ----------
    texts : mapping
        ``equations`` (starts and rates) and, where there is one, ``solution``.
    parameters : iterable of str
        Names of the parameters, and of the covariates fixed in time.
    stepped : iterable of str
        Names of the covariates that change with time.
    where : callable
        From section and line within it to file, section and line.

    Raises
    ------
    ModelError
        Where a line cannot be read, the solution leaves out a state, or a covariate
        changes with time and no state follows it.

    Examples
    --------
    >>> texts = {"equations": "E(0) = 1\ndE/dt = -k*E", "solution": "E = exp(-k*t)"}
    >>> read_equations(texts, parameters=["k"]).states
    ('E',)
    """
    known, stepped = set(parameters), tuple(stepped)
    rates = read_block(
        texts["equations"],
        known=known,
        stepped=stepped,
        where=lambda n: where("equations", n),
    )
    if not rates.rates and stepped:
        raise ModelError(
            f"{stepped[0]!r} changes step by step, and there is no state that follows",
            where=where("equations", 0),
            todo="State a rate, as dE/dt = ..., or fix the covariate in time.",
        )
    if "solution" not in texts:
        return Equations(rates, stepped=stepped)
    moving = {*rates.rates, *stepped}
    refused = dict.fromkeys(stepped, f"{CHANGES}, step by step")
    solution = read_block(
        texts["solution"],
        known=known | independent(rates.lines, moving),
        refused=refused | dict.fromkeys(rates.lines, "it rests on a state"),
        where=lambda n: where("solution", n),
    )
    absent = [state for state in rates.rates if state not in solution.lines]
    for state in [*absent, *solution.rates]:
        raise ModelError(
            f"the closed form does not state {state!r}",
            where=where("solution", 0),
            todo=f"Add the line '{state} = ...'.",
        )
    return Equations(rates, solution, stepped)
