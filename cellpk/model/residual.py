"""Residual error: from the level of a patient to what an instrument reads."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cellpk.errors import ModelError, nearest
from cellpk.model.description import Description
from cellpk.model.draws import stream
from cellpk.model.parameters import Array
from cellpk.model.rows import Observed

STATED_ALONE = "lognormal"
"""Form of a residual error of which only the size is stated, by the user."""


Residual = Mapping[str, float | Mapping[str, float]]
"""Standard deviations of residual errors by assay, by name where an error has two."""


def with_residual(
    row: Observed, residual: Residual | None, *, model: Description
) -> Observed:
    """Return an assay with its residual error: the given one, else the published one.

    Parameters
    ----------
    row : Observed
        The assay as the model states it.
    residual : mapping of str to float, optional
        Standard deviations by assay, in the meaning of the row's ``error``; of the log
        level where the model publishes none. Of a "combined" error it is a mapping,
        ``{"additive": 5, "proportional": 0.2}``, or 0 for levels without error.
    model : Model
        Which assays there are.

    Raises
    ------
    ModelError
        Where none is published and none given, one is given of an assay that is not
        there, or it is negative.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> with_residual(stein.observed["qpcr"], {"qpcr": 0.2}, model=stein).sd
    0.2
    """
    given = residual or {}
    for name in given:
        if name not in model.observed:
            raise ModelError(
                f"a residual error is given of {name!r}",
                where=model.name,
                todo=nearest(name, model.observed),
            )
    sizes = _sizes(row, given.get(row.name))
    if None in sizes.values():
        raise ModelError(
            f"the residual error of {row.name} is not published",
            where=model.name,
            todo=f"Give it: residual={{{row.name!r}: 0.5}}, the standard deviation of "
            "the log level, 0 for levels without error; or leave the assay out of the "
            "design.",
        )
    for size in sizes.values():
        if not 0 <= (size or 0.0) < np.inf or set(sizes) != set(row.sizes):
            raise ModelError(
                f"the residual error of {row.name} is {given[row.name]}",
                where=model.name,
                todo=f"Give {' and '.join(row.sizes)}, none of them negative."
                if len(row.sizes) > 1
                else "Give a number that is not negative.",
            )
    form = STATED_ALONE if row.error == "unpublished" else row.error
    return replace(row, error=form, **sizes)


def _sizes(
    row: Observed, given: float | Mapping[str, float] | None
) -> dict[str, float | None]:
    """Return the standard deviations by name: those given, else the published ones."""
    if given is None:
        return row.sizes
    if isinstance(given, Mapping):
        return {name: float(value) for name, value in given.items()}
    # One number states an error of two only where it is 0: there is none.
    names = row.sizes if len(row.sizes) == 1 or given == 0 else ("sd",)
    return dict.fromkeys(names, float(given))


def read_levels(level: Array, row: Observed, days: Array, *, seed: int) -> Array:
    """Return what an instrument reads: levels with residual error.

    Parameters
    ----------
    level : ndarray, shape (n, m)
        True levels in the unit of the assay.
    row : Observed
        Assay with the form and size of its error: "lognormal" multiplies by
        ``exp(sd*z)``, "student" by ``exp(sd*t)`` with Student's t of ``df`` degrees of
        freedom (whose own standard deviation is ``sqrt(df/(df - 2))``), "proportional"
        by ``1 + sd*z``; "normal" adds ``sd*z`` and "combined" to the level f
        ``sqrt(additive**2 + (proportional*f)**2)*z``.
    days : ndarray, shape (m,)
        Planned days.
    seed : int
        Where chance comes from.

    Returns
    -------
    ndarray, shape (n, m)
        Below 0 where an error that is not lognormal outweighs the level.

    Examples
    --------
    >>> import cellpk as ck
    >>> qpcr = ck.load_model("stein_2019_tisagenlecleucel").observed["qpcr"]
    >>> read_levels(np.zeros((1, 2)), qpcr, np.array([7.0, 14.0]), seed=1)
    array([[0., 0.]])
    """
    error = np.empty_like(level)
    for i, day in enumerate(days.tolist()):
        chance = stream(seed, f"residual, {row.name}, {day!r}")
        if row.error == "student":
            error[:, i] = chance.standard_t(row.df or np.inf, len(level))
        else:
            error[:, i] = chance.standard_normal(len(level))
    if row.error == "combined":
        return (
            level
            + np.hypot(row.additive or 0.0, (row.proportional or 0.0) * level) * error
        )
    error *= row.sd or 0.0
    if row.error == "normal":
        return level + error
    return level * (1 + error if row.error == "proportional" else np.exp(error))
