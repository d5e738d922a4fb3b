"""Which parameters differ between patients by chance, and which do so together."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import FitError, nearest
from cellpk.model.model import Model

Correlations = Literal["none", "full"] | Sequence[Sequence[str]]


def listed(argument: str, names: Sequence[str]) -> list[str]:
    """Return names as a list; one text is not taken for a list of letters.

    Examples
    --------
    >>> listed("lots", "cmax")
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: lots = 'cmax'. Give a list: ['cmax'].
    """
    if isinstance(names, str):
        raise FitError(f"{argument} = {names!r}", todo=f"Give a list: [{names!r}].")
    return list(names)


def freed(model: Model, names: Sequence[str]) -> Model:
    """Return a model in which some parameters are estimated that it holds fixed.

    Parameters
    ----------
    model : Model
        The model.
    names : sequence of str
        Parameters; those that are free already stay so.

    Raises
    ------
    FitError
        Where the model has no such parameter.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> freed(stein, ["tmax"]) is stein
    True
    """
    for name in names:
        if name not in model.parameters:
            todo = nearest(name, model.free)
            raise FitError(f"no parameter {name!r}", todo=todo)
    held = [name for name in names if model.parameters[name].fixed]
    if not held:
        return model
    rows = {
        name: replace(row, fixed=False, iiv_sd=0.0) if name in held else row
        for name, row in model.parameters.items()
    }
    return replace(model, parameters=rows)


def which_vary(
    names: tuple[str, ...], groups: Correlations, without: Sequence[str] = ()
) -> NDArray[np.bool_]:
    """Return which parameters vary between patients, and which may be correlated.

    Parameters
    ----------
    names : tuple of str
        The p parameters.
    groups : {"none", "full"} or sequence of groups
        Within which they may be correlated.
    without : sequence of str
        Which do not vary.

    Returns
    -------
    ndarray of bool, shape (p, p)
        The diagonal says which vary.

    Raises
    ------
    FitError
        Where a name is not known, named twice, or correlated without varying; where
        none varies.

    Examples
    --------
    >>> which_vary(("a", "b"), "full").sum(), which_vary(("a", "b"), "full", ["b"])
    (np.int64(4), array([[ True, False],
           [False, False]]))
    """
    varies = np.array([name not in without for name in names])
    if not varies.any():
        todo = "Leave at least one out of without_spread."
        raise FitError("no parameter differs between patients", todo=todo)
    if isinstance(groups, str) or any(isinstance(group, str) for group in groups):
        if groups in ("full", "none"):
            alone = np.diag(varies)
            return np.outer(varies, varies) if groups == "full" else alone
        todo = "Use 'none', 'full', or groups such as [('tmax', 'cmax')]."
        raise FitError(f"correlations = {groups!r}", todo=todo)
    correlated = np.diag(varies)
    for group in groups:
        places = _places(group, names, without)
        correlated[np.ix_(places, places)] = True
    return correlated


def _places(
    group: Sequence[str], names: tuple[str, ...], without: Sequence[str]
) -> list[int]:
    """Return where the parameters of a group stand."""
    for name in group:
        if name not in names:
            raise FitError(f"no parameter {name!r}", todo=nearest(name, names))
        if name in without:
            found = f"{name} is in without_spread, and in the group {tuple(group)!r}"
            raise FitError(found, todo="What does not vary is not correlated.")
    if len(set(group)) < max(2, len(group)):
        todo = "Name two parameters or more, each once."
        raise FitError(f"correlations within {tuple(group)!r}", todo=todo)
    return [names.index(name) for name in group]
