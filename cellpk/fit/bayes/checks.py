"""Whether the draws of a hierarchical fit can be relied on: checks of the sampler."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.bayes.estimated import population_numbers
from cellpk.fit.bayes.mixing_checks import FEW, mixing_rows

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

ENERGY = 0.3
"""E-BFMI below which a chain hardly reaches the tails (Betancourt 2016; the limit is
that of Stan)."""

DEPTH, DEEP = 10, 0.05
"""Doublings after which the sampler gives up a path, and the share of the paths that
may be so long. They cost time; what they do to the draws shows in ESS and R-hat."""

_ORDER = ("chains", "R-hat", "divergences", "bulk ESS", "tail ESS", "E-BFMI")


def sampler_checks(tree: "xr.DataTree") -> pd.DataFrame:
    """Return one row for each check of the sampler.

    Parameters
    ----------
    tree : xarray.DataTree
        ArviZ data of a hierarchical fit: ``posterior`` and ``sample_stats``.

    Returns
    -------
    DataFrame
        ``check`` (chains, R-hat, divergences, bulk ESS, tail ESS, E-BFMI, tree depth);
        ``subject``, of what: ``population``, ``patients``, ``lots`` or ``sampler``;
        ``worst``, the name of the worst; ``value`` there, and its ``limit``;
        ``failing``, how many miss the limit, ``of`` how many; ``passed``; ``sentence``.

    Notes
    -----
    R-hat is the larger one of that of ranks and that of the ranks of distances from the
    median; with one chain it is not known: it has no row then, and the check of chains
    fails. Every number of the population has to keep the limits. Patients' parameters
    may be a thousand: one in a hundred may miss them, none by far (R-hat 1.05, ESS
    200).

    References
    ----------
    Vehtari A, Gelman A, Simpson D, Carpenter B, Burkner P-C. Bayesian Anal
    2021;16:667-718 (R-hat, ESS). Betancourt M. arXiv:1604.00695, 2016 (E-BFMI).

    Examples
    --------
    >>> import arviz as az
    >>> rng = np.random.default_rng(1)
    >>> tree = az.from_dict(
    ...     {"posterior": {"location": rng.normal(size=(2, 900, 1))},
    ...      "sample_stats": {"diverging": np.arange(1800).reshape(2, 900) < 9,
    ...                       "energy": rng.normal(size=(2, 900))}},
    ...     dims={"location": ["coefficient"]}, coords={"coefficient": ["fb"]})
    >>> found = sampler_checks(tree)
    >>> list(found["sentence"][~found["passed"]])
    ['9 of 1800 draws diverge (0.5 %): ...; sample with a higher "accept".']
    """
    posterior = tree.children["posterior"].to_dataset()
    stats = tree.children["sample_stats"].to_dataset()
    rows = [_chains(posterior.sizes["chain"])]
    rows += mixing_rows("population", population_numbers(posterior))
    for subject, variable in (("patients", "theta"), ("lots", "lot_effect")):
        if variable in posterior:
            rows += mixing_rows(subject, _each_of(posterior[variable]), few=FEW)
    rows += [_divergences(stats), _energy(stats), *_depth(stats)]
    rank = {check: i for i, check in enumerate(_ORDER)}
    rows.sort(key=lambda row: rank.get(str(row["check"]), len(rank)))
    return pd.DataFrame(rows)


def _each_of(drawn: "xr.DataArray") -> dict[str, Array]:
    """Return the draws of every patient's or lot's parameters, by their names."""
    _, _, who, what = drawn.dims
    values = np.asarray(drawn)
    return {
        f"{parameter} of {one}": values[:, :, i, k]
        for i, one in enumerate(drawn.coords[who].values)
        for k, parameter in enumerate(drawn.coords[what].values)
    }


def _row(
    check: str, value: float, limit: float, *, of: int, failing: int
) -> dict[str, object]:
    """Return a row of the sampler itself; it passes where nothing fails."""
    return {
        "check": check,
        "subject": "sampler",
        "worst": "",
        "value": value,
        "limit": limit,
        "failing": failing,
        "of": of,
        "passed": not failing,
    }


def _chains(number: int) -> dict[str, object]:
    found = _row("chains", number, 2, of=number, failing=int(number < 2))
    said = f"{number} chains, begun apart."
    if number < 2:
        said = "One chain: nothing tells whether it stays where it began; sample two."
    return found | {"sentence": said}


def _divergences(stats: "xr.Dataset") -> dict[str, object]:
    diverging = np.asarray(stats["diverging"])
    number, total = int(diverging.sum()), diverging.size
    said = "No draw diverges."
    if number:
        said = (
            f"{number} of {total} draws diverge ({100 * number / total:.2g} %): where "
            'the posterior is narrow it is missed; sample with a higher "accept".'
        )
    found = _row("divergences", number, 0, of=total, failing=number)
    return found | {"sentence": said}


def _energy(stats: "xr.Dataset") -> dict[str, object]:
    from arviz_stats.base.array import array_stats

    each = np.array(
        [array_stats.bfmi(one[None])[0] for one in np.asarray(stats["energy"])]
    )
    worst, low = int(np.argmin(each)), ~(each >= ENERGY)
    said = f"E-BFMI of chain {worst} is {each[worst]:.2g}, the lowest of {len(each)}."
    if low.any():
        said = (
            f"E-BFMI of chain {worst} is {each[worst]:.2g}, below {ENERGY:g}: the "
            "chain hardly reaches the tails; sample longer, or give narrower priors."
        )
    found = _row("E-BFMI", each[worst], ENERGY, of=len(each), failing=int(low.sum()))
    return found | {"worst": f"chain {worst}", "sentence": said}


def _depth(stats: "xr.Dataset") -> list[dict[str, object]]:
    """Return the check of long paths, where the sampler says how long they are."""
    if "depth" not in stats:
        return []
    deep = np.asarray(stats["depth"]) >= DEPTH
    share, number = float(deep.mean()), int(deep.sum())
    said = f"{number} of {deep.size} paths reach the greatest length."
    if share > DEEP:
        said = (
            f"{number} of {deep.size} paths reach the greatest length "
            f"({100 * share:.2g} %): draws cost much; give narrower priors."
        )
    failing = number if share > DEEP else 0
    found = _row("tree depth", share, DEEP, of=deep.size, failing=failing)
    return [found | {"sentence": said}]
