"""Limits that agreement of chains and effective draws have to keep."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.mixing import mixing

Array = NDArray[np.float64]

FEW = 0.01
"""Share of many numbers that may miss a limit by a little.

Of a thousand patients' parameters some do by chance, where all chains agree.
"""


@dataclass(frozen=True)
class Limit:
    """A limit that numbers have to keep.

    Parameters
    ----------
    check : str
        What is limited.
    limit : float
        What each number has to keep.
    worst : float
        What none of many may pass, where few may miss the limit.
    least : bool
        Whether the limit is the least or the largest that passes.
    advice : str
        What it means to miss it, and what to do.

    Examples
    --------
    >>> R_HAT.missed(np.array([1.0, 1.2, np.nan]), R_HAT.limit)
    array([False,  True,  True])
    """

    check: str
    limit: float
    worst: float
    least: bool
    advice: str

    def missed(self, values: Array, limit: float) -> NDArray[np.bool_]:
        """Say which values miss a limit; one that is not known does."""
        return ~(values >= limit) if self.least else ~(values < limit)

    def place(self, values: Array) -> int:
        """Return where the worst value stands."""
        bad = -values if self.least else values
        return int(np.argmax(np.where(np.isnan(bad), np.inf, bad)))


R_HAT = Limit(
    "R-hat", 1.01, 1.05, least=False, advice="the chains do not agree; sample longer"
)
"""That of chains which agree is below 1.01 (Vehtari et al. 2021)."""

BULK = Limit("bulk ESS", 400.0, 200.0, least=True, advice="sample longer")
"""400 independent draws in all tell a mean to a twentieth of its SD, and are what R-hat
and ESS need to be told themselves (Vehtari et al. 2021, who ask for 100 in each of four
chains): precision is a matter of the sum, not of the number of chains."""

TAIL = Limit("tail ESS", 400.0, 200.0, least=True, advice="sample longer")
"""The same of the 5th and 95th percentile."""


def mixing_rows(
    subject: str, numbers: Mapping[str, Array], *, few: float = 0.0
) -> list[dict[str, object]]:
    """Return the checks of R-hat, bulk ESS and tail ESS of some numbers.

    Parameters
    ----------
    subject : str
        What the numbers are of.
    numbers : mapping of str to ndarray, shape (chains, draws)
        Draws of each by its name.
    few : float
        Share of the numbers that may miss a limit by a little.

    Returns
    -------
    list of dict
        Rows of :func:`.checks.sampler_checks`; none of R-hat where there is one chain.

    References
    ----------
    Vehtari A, Gelman A, Simpson D, Carpenter B, Burkner P-C. Bayesian Anal
    2021;16:667-718.

    Examples
    --------
    >>> apart = np.random.default_rng(1).normal([[0], [3]], size=(2, 500))
    >>> mixing_rows("population", {"fb": apart})[0]["sentence"]
    'R-hat of fb is 1.735, not below 1.01: the chains do not agree; sample longer.'
    """
    names, drawn = list(numbers), np.stack(list(numbers.values()), axis=-1)
    known = mixing(drawn)
    found = [(BULK, known.ess_bulk), (TAIL, known.ess_tail)]
    if len(drawn) > 1:
        found.insert(0, (R_HAT, known.r_hat))
    return [_row(subject, names, limit, values, few) for limit, values in found]


def _row(
    subject: str, names: list[str], limit: Limit, values: Array, few: float
) -> dict[str, object]:
    place, missed = limit.place(values), limit.missed(values, limit.limit)
    far = limit.missed(values, limit.worst if few else limit.limit)
    passed = bool(not far.any() and missed.mean() <= few)
    row: dict[str, object] = {
        "check": limit.check,
        "subject": subject,
        "worst": names[place],
        "value": float(values[place]),
        "limit": limit.limit,
        "failing": int(missed.sum()),
        "of": len(names),
        "passed": passed,
    }
    said = _what_passes(limit, row) if passed else _what_fails(limit, row)
    return row | {"sentence": said}


def _what_passes(limit: Limit, row: Mapping[str, object]) -> str:
    return f"{_said(limit, row)}, the worst of {row['of']}."


def _what_fails(limit: Limit, row: Mapping[str, object]) -> str:
    if row["value"] != row["value"]:  # it is not a number
        todo = "look at where the chains begin, and sample anew"
        return f"{row['worst']} never moves, or is no number: {todo}."
    side = "below" if limit.least else "not below"
    many = f" ({row['failing']} of {row['of']} miss it)" if row["of"] != 1 else ""
    return f"{_said(limit, row)}, {side} {limit.limit:g}{many}: {limit.advice}."


def _said(limit: Limit, row: Mapping[str, object]) -> str:
    shown = f"{row['value']:.0f}" if limit.least else f"{row['value']:.3f}"
    return f"{limit.check} of {row['worst']} is {shown}"
