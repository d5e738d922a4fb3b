"""Patients who share a donor lot: who does, and what a lot adds to them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import DataError, FitError, Problem, nearest
from cellpk.study.study import Study

Array = NDArray[np.float64]

MOST = 2
"""Parameters that may have a spread between lots: the integral over what a lot adds is
a sum over a grid."""

FEW = 10
"""Lots up to which the fit says on how few their spread rests."""


@dataclass(frozen=True, eq=False)
class Lots:
    """The donor lots of a population.

    Parameters
    ----------
    names : tuple of str
        The L lots.
    of : ndarray of int, shape (patients,)
        Which lot each patient was given.
    places : ndarray of int, shape (d,)
        Which parameters differ between lots.

    Examples
    --------
    >>> two = Lots(("A", "B"), np.array([0, 1, 1]), np.array([2]))
    >>> two.shift(np.array([[0.5], [-1.0]]), 3)
    array([[ 0. ,  0. ,  0.5],
           [ 0. ,  0. , -1. ],
           [ 0. ,  0. , -1. ]])
    """

    names: tuple[str, ...]
    of: NDArray[np.intp]
    places: NDArray[np.intp]

    @property
    def counts(self) -> NDArray[np.intp]:
        """How many patients were given each lot, shape (L,)."""
        return np.bincount(self.of, minlength=len(self.names))

    def shift(self, effects: Array, size: int) -> Array:
        """Return what lots add to patients, (..., L, d) to (..., patients, size)."""
        added = np.zeros((*effects.shape[:-2], self.of.size, size))
        added[..., self.places] = effects[..., self.of, :]
        return added

    def alike(self, each: Array) -> NDArray[np.bool_]:
        """Say what is the same in all patients of a lot, (patients, k) to (k,)."""
        _, first = np.unique(self.of, return_index=True)
        return (each == each[first][self.of]).all(0)

    def summed(self, each: Array) -> Array:
        """Sum over the patients of each lot, (..., patients, k) to (..., L, k)."""
        belongs = np.eye(len(self.names))[:, self.of]
        return belongs @ each

    def drawn(
        self, away: Array, omega: Array, *, sd: Array, rng: np.random.Generator
    ) -> Array:
        """Draw what each lot adds, given the parameters of its patients.

        A normal distribution (Gelfand AE, Smith AFM. J Am Stat Assoc 1990;85:398-409).

        Parameters
        ----------
        away : ndarray, shape (chains, patients, p)
            Parameters less what is expected of a patient of an average lot.
        omega : ndarray, shape (p, p)
            Covariance between patients of one lot.
        sd : ndarray, shape (d,)
            SDs between lots.
        rng : numpy Generator
            Chance.

        Returns
        -------
        ndarray, shape (chains, L, d)
        """
        inverse = np.linalg.inv(omega)
        pull = self.summed(away @ inverse[:, self.places])
        own = inverse[np.ix_(self.places, self.places)]
        precision = self.counts[:, None, None] * own + np.diag(1 / sd**2)
        covariance = np.linalg.inv(precision)
        mean = np.einsum("lde,cle->cld", covariance, pull)
        normal = rng.standard_normal(mean.shape)
        return mean + np.einsum("lde,cle->cld", np.linalg.cholesky(covariance), normal)


def lots_of(
    study: Study,
    patients: Sequence[str],
    *,
    names: tuple[str, ...],
    differ: Sequence[str],
) -> Lots:
    """Return the lot of the first infusion of each patient.

    Parameters
    ----------
    study : Study
        Holds the infusions.
    patients : sequence of str
        Who is fitted.
    names : tuple of str
        Parameters.
    differ : sequence of str
        Those that differ between lots.

    Raises
    ------
    FitError
        Where a name is not known, there are more than two, or all patients have one
        lot.
    DataError
        Where the lot of a patient is not known; all of them are named.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> found = lots_of(study, ["S01", "S03"], names=("tmax", "cmax"), differ=["cmax"])
    >>> found.names, found.of
    (('LOT-B', 'LOT-C'), array([0, 1]))
    """
    for name in differ:
        if name not in names:
            raise FitError(f"no parameter {name!r}", todo=nearest(name, names))
    if len(set(differ)) < len(differ) or len(differ) > MOST:
        todo = f"Name at most {MOST} parameters, each once."
        raise FitError(f"lots = {list(differ)!r}", todo=todo)
    first = study.infusions.sort_values("time", kind="stable")
    lot = first.drop_duplicates("patient").set_index("patient")["lot"]
    lot = lot.reindex(list(patients))
    absent = lot.index[lot.isna() | (lot == "")]
    if len(absent):
        what = f"the lot of the first infusion of {len(absent)} patients is not known"
        todo = f"Fill it in, or fit without lots: {', '.join(absent)}."
        raise DataError([Problem(what, todo, column="lot")])
    known = sorted(set(lot))
    if len(known) < 2:
        todo = "Fit without lots: one says nothing of how they differ."
        raise FitError(f"all patients were given lot {known[0]}", todo=todo)
    of = np.array([known.index(each) for each in lot])
    return Lots(tuple(known), of, np.array([names.index(name) for name in differ]))
