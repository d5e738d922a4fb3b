"""What chance decides of virtual patients: who they are, when they come and leave.

Every purpose has its own stream of random numbers under the one seed, and every patient
a place in it. An assay, a day or a hundred patients more change nothing of the rest.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cellpk.errors import ModelError
from cellpk.model.description import Description
from cellpk.model.parameters import Array


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the random numbers of one purpose.

    Parameters
    ----------
    seed : int
        Not negative.
    purpose : str
        What they are for: another purpose has independent numbers.

    Examples
    --------
    >>> one, two = stream(1, "dropout"), stream(1, "patients, tmax")
    >>> bool(one.random() == two.random())
    False
    """
    key = tuple(purpose.encode())
    seeds = np.random.SeedSequence(seed, spawn_key=key)
    return np.random.Generator(np.random.PCG64(seeds))


def draw_patients(model: Description, n: int, *, seed: int) -> Array:
    """Draw patients: normal on the transformed scale, correlated as the model says.

    Parameters
    ----------
    model : Model
        Typical values, spread and correlations.
    n : int
        How many patients.
    seed : int
        Where chance comes from.

    Returns
    -------
    ndarray, shape (n, p)
        Free parameters on the transformed scale.

    Raises
    ------
    ModelError
        Where a typical value or a spread is not published and was not given.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> draw_patients(stein, 100, seed=1).shape
    (100, 6)
    """
    typical, spread = model.typical, model.spread
    root = np.linalg.cholesky(model.correlation)
    theta = np.empty((n, len(model.free)))
    normal = [stream(seed, f"patients, {x}").standard_normal(n) for x in model.free]
    for i in range(len(model.free)):
        # Summed term by term: a matrix product may round otherwise for other n.
        theta[:, i] = sum(root[i, j] * normal[j] for j in range(i + 1))
    return typical + spread * theta


def draw_covariates(
    model: Description,
    n: int,
    given: pd.DataFrame | Mapping[str, Any] | None,
    *,
    seed: int,
) -> dict[str, Any]:
    """Return the covariates of patients: those given, and those that are drawn.

    Parameters
    ----------
    model : Model
        Which covariates there are. One whose file states the ``probability`` of 1 is
        drawn where it is not given.
    n : int
        How many patients.
    given : DataFrame with n rows, or mapping of str to number or array (n,)
        Values by name; for a covariate that changes with time ``{day: value}``.
    seed : int
        Where chance comes from.

    Returns
    -------
    dict
        Values by name, for ``model.inputs``.

    Raises
    ------
    ModelError
        Where a covariate is not there for every patient.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> draw_covariates(stein, 100, None, seed=1)
    {}
    """
    if isinstance(given, pd.DataFrame):
        given = {str(name): column.to_numpy() for name, column in given.items()}
    found = dict(given or {})
    for name, value in found.items():
        shape = () if isinstance(value, Mapping) else np.shape(value)
        if shape not in {(), (n,)}:
            raise ModelError(
                f"{name} is given for shape {shape}, and there are {n} patients",
                where=model.name,
                todo="Give one value for all patients, or one for each.",
            )
    for name, row in model.covariates.items():
        if name not in found and row.probability is not None and not row.steps:
            chance = stream(seed, f"covariates, {name}").random(n)
            found[name] = (chance < row.probability).astype(float)
    return found


def draw_visits(days: Array, n: int, *, jitter: float, seed: int) -> Array:
    """Draw when visits took place.

    Parameters
    ----------
    days : ndarray, shape (m,)
        Planned days, not negative.
    n : int
        How many patients.
    jitter : float
        Standard deviation about the planned day, days.
    seed : int
        Where chance comes from.

    Returns
    -------
    ndarray, shape (n, m)
        Days; one that would lie before the infusion is mirrored to the day after it.

    Examples
    --------
    >>> draw_visits(np.array([0.0, 7.0]), 3, jitter=0.5, seed=1).shape
    (3, 2)
    """
    normal = [
        stream(seed, f"visits, {day!r}").standard_normal(n) for day in days.tolist()
    ]
    return np.abs(days + jitter * np.stack(normal, axis=1))


def draw_leaving(n: int, *, hazard: float, seed: int) -> Array:
    """Draw when patients leave the study: an exponential time.

    Parameters
    ----------
    n : int
        How many patients.
    hazard : float
        Chance per day of leaving.
    seed : int
        Where chance comes from.

    Returns
    -------
    ndarray, shape (n,)
        Days after the first infusion; infinite where nobody leaves.

    Examples
    --------
    >>> draw_leaving(2, hazard=0.0, seed=1)
    array([inf, inf])
    """
    if hazard == 0:
        return np.full(n, np.inf)
    return stream(seed, "dropout").standard_exponential(n) / hazard
