"""The numbers of a population that a hierarchical fit estimates, each by its name."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.layout import SPREAD

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

_LABELS = {
    "location": "{}",
    "spread": SPREAD + "{}",
    "error": "{}",
    "lot_spread": "{} between lots",
}
"""How a number is called, by the variable that it stands in."""


def population_numbers(posterior: "xr.Dataset") -> dict[str, Array]:
    """Return the draws of every number of the population, by its name.

    A correlation is there once, and only where it is estimated.

    Parameters
    ----------
    posterior : xarray.Dataset
        The group ``posterior`` of a fit.

    Returns
    -------
    dict of str to ndarray, shape (chains, draws)

    Examples
    --------
    >>> import arviz as az
    >>> drawn = {"location": np.zeros((1, 4, 1)), "never_expanded": np.ones((1, 4))}
    >>> tree = az.from_dict({"posterior": drawn}, dims={"location": ["coefficient"]},
    ...                     coords={"coefficient": ["fb"]})
    >>> list(population_numbers(tree["posterior"].to_dataset()))
    ['fb', 'never expanded']
    """
    found: dict[str, Array] = {}
    for name, label in _LABELS.items():
        if name in posterior:
            each = posterior[name]
            labels = each.coords[each.dims[-1]].values
            for i, one in enumerate(labels):
                found[label.format(one)] = np.asarray(each[..., i])
    if "correlation" in posterior:
        found |= _correlations(posterior)
    if "never_expanded" in posterior:
        found["never expanded"] = np.asarray(posterior["never_expanded"])
    return found


def _correlations(posterior: "xr.Dataset") -> dict[str, Array]:
    """Return the correlations that are not fixed at 0."""
    each = posterior["correlation"]
    names, values = each.coords["varying"].values, np.asarray(each)
    rows, columns = np.tril_indices(len(names), -1)
    return {
        f"correlation of {names[b]} and {names[a]}": values[..., a, b]
        for a, b in zip(rows, columns, strict=True)
        if values[..., a, b].any()
    }
