"""The hierarchical model as a PyMC model."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.bayes.prior_numbers import PriorNumbers
from cellpk.fit.population.structure import Structure

if TYPE_CHECKING:
    import pymc as pm

    from cellpk.fit.bayes.operation import Patients

Array = NDArray[np.float64]


def blocks(structure: Structure) -> list[NDArray[np.intp]]:
    """Return the groups of parameters that are correlated, among those that vary.

    Raises
    ------
    FitError
        Where two groups share a parameter without being one.

    Examples
    --------
    >>> blocks(Structure.without_covariates(("a", "b"), 3, full=True))
    [array([0, 1])]
    """
    varies = np.flatnonzero(structure.varies)
    correlated = structure.correlated[np.ix_(varies, varies)]
    found: list[NDArray[np.intp]] = []
    for row in correlated:
        group = np.flatnonzero(row)
        if len(group) > 1 and not any(np.array_equal(group, old) for old in found):
            found.append(group)
    members, counts = np.unique(
        np.concatenate([*found, np.zeros(0, int)]), return_counts=True
    )
    if (counts > 1).any():
        shared = structure.names[varies[members[counts.argmax()]]]
        raise FitError(
            f"two groups of correlated parameters share {shared!r}",
            todo="Make them one group: its correlations have one LKJ prior.",
        )
    return found


def joint_model(
    operation: "Patients", structure: Structure, priors: PriorNumbers, *, never: bool
) -> "pm.Model":
    """Return the model: priors, lots, and the density of all patients.

    Parameters
    ----------
    operation : Patients
        The density of all patients.
    structure : Structure
        How parameters differ between patients.
    priors : PriorNumbers
        Of everything that is estimated.
    never : bool
        Whether there is a class of patients whose cells never expand.

    Returns
    -------
    pymc.Model
        Free variables: ``w`` (coefficients), ``spread``, ``chol_K`` (a block of
        correlations), ``error``, ``never_expanded``, ``lot_spread``, ``lot_z``, ``z``
        (patients).

    Examples
    --------
    >>> callable(joint_model)
    True
    """
    import pymc as pm
    import pytensor.tensor as pt

    numbers, patients = priors.numbers, len(structure.design)
    varying = int(structure.varies.sum())
    with pm.Model() as model:
        spread: Any = pm.HalfNormal("spread", numbers.spread)
        error: Any = pm.HalfNormal("error", numbers.error)
        odds: Any = pt.constant(-np.inf)
        if never:
            share: Any = pm.Beta("never_expanded", *numbers.never)
            odds = pm.math.logit(share)
        between, log_root = _precision(structure, numbers.correlation, spread)
        shift = _of_lots(structure, numbers.lot)
        w: Any = pm.Flat("w", shape=len(structure.coefficients))
        z: Any = pm.Flat("z", shape=(patients, varying))
        found: Any = operation(w, z, shift, between, pt.log(error), odds)
        pm.Potential("patients", found[0] - patients * log_root)
    return model


def _precision(structure: Structure, shape: float, spread: Any) -> tuple[Any, Any]:
    """Return the precision between patients, and half the log of its inverse's det."""
    import pymc as pm
    import pytensor.tensor as pt
    from pytensor.tensor.linalg import solve_triangular

    triangular: Any = solve_triangular
    inverse: Any = pt.diag(1 / spread)
    logs: Any = pm.math.log(spread)
    log_root = logs.sum()
    for k, group in enumerate(blocks(structure)):
        none = np.eye(len(group))
        root: Any = pm.LKJCorr(f"chol_{k}", n=len(group), eta=shape, initval=none)
        size = len(structure.varies[structure.varies])
        lower: Any = pt.eye(size)
        lower = lower[np.ix_(group, group)].set(root)
        inverse = triangular(lower, inverse, lower=True)
        logs = pm.math.log(pt.diag(root))
        log_root = log_root + logs.sum()
    return pt.dot(inverse.T, inverse), log_root


def _of_lots(structure: Structure, scales: Array) -> Any:
    """Return what lots add to what is expected of each patient, (patients, p)."""
    import pymc as pm
    import pytensor.tensor as pt

    lots = structure.lots
    if lots is None:
        return pt.zeros((len(structure.design), len(structure.names)))
    spread: Any = pm.HalfNormal("lot_spread", scales)
    effects: Any = (
        pm.Normal("lot_z", shape=(len(lots.names), len(lots.places))) * spread
    )
    added: Any = pt.zeros((lots.of.size, len(structure.names)))
    return added[:, lots.places].set(effects[lots.of])
