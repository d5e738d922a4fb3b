"""Patients as generated code takes them: plain arrays, a row per patient."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cellpk.model.description import Description
from cellpk.model.inputs import Inputs
from cellpk.model.parameters import SCALES, Array


@dataclass(frozen=True, eq=False)
class Patients:
    """The numbers of patients as generated code takes them.

    Parameters
    ----------
    model : Description
        Whose parameters they are.
    shape : tuple of int
        Leading shape of theta, times and covariates together; n patients in all.
    values : ndarray, shape (n, all parameters, then covariates fixed in time)
        Natural values.
    times : ndarray, shape (n or 1, m)
        Days after infusion.
    """

    model: Description
    shape: tuple[int, ...]
    values: Array
    times: Array

    @property
    def slopes(self) -> Array:
        """Derivative of each free parameter by its transformed value, shape (n, q)."""
        free, names = self.model.free, list(self.model.parameters)
        slopes = np.empty((len(self.values), len(free)))
        for i, name in enumerate(free):
            scale = SCALES[self.model.parameters[name].scale]
            slopes[:, i] = scale.slope(self.values[:, names.index(name)])
        return slopes


def fixed_covariates(model: Description) -> tuple[str, ...]:
    """Return the names of the covariates that do not change with time, as in a file.

    Examples
    --------
    >>> import cellpk as ck
    >>> fixed_covariates(ck.load_model("stein_2019_tisagenlecleucel"))
    ()
    """
    return tuple(name for name, row in model.covariates.items() if not row.steps)


def read_patients(
    model: Description, theta: ArrayLike, times: ArrayLike, *, inputs: Inputs
) -> Patients:
    """Return theta, times and fixed covariates as generated code takes them.

    Parameters
    ----------
    model : Model
        Whose parameters theta holds.
    theta : array, shape (..., p)
        Free parameters on the transformed scale.
    times : array, shape (m,) or (..., m)
        Days after infusion.
    inputs : Inputs
        Covariates and infusions.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> found = read_patients(stein, stein.typical, [7, 14], inputs=Inputs())
    >>> found.shape, found.values.shape, found.times.shape
    ((), (1, 6), (1, 2))
    """
    with np.errstate(over="ignore"):
        natural = model.natural(theta)
    fixed = inputs.fixed()
    columns = [*natural.values(), *(fixed[name] for name in fixed_covariates(model))]
    days = np.array(times, dtype=float)
    lead = np.shape(theta)[:-1], days.shape[:-1], *(np.shape(x) for x in columns)
    shape = np.broadcast_shapes(*lead)
    if days.ndim > 1:
        days = np.broadcast_to(days, (*shape, days.shape[-1])).copy()
    rows = int(np.prod(days.shape[:-1], dtype=int))
    values = np.empty((*shape, len(columns)))
    for i, column in enumerate(columns):
        values[..., i] = column
    return Patients(
        model,
        shape,
        values.reshape(int(np.prod(shape, dtype=int)), len(columns)),
        days.reshape(rows, days.shape[-1]),
    )
