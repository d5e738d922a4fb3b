"""Whose curves: the patients', the typical patient's, a new one's; at a new dose."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError, nearest
from cellpk.fit.histories import Group, counted_cells
from cellpk.fit.population.covariates import POWER
from cellpk.model.inputs import Inputs

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit

Array = NDArray[np.float64]
Whose = Literal["patients", "typical", "new"]

WHOSE = ("patients", "typical", "new")

SOLVED = 500
"""Draws of a model without closed form of which curves are worked out."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Parameters of curves under all draws.

    Parameters
    ----------
    patients : tuple of str
        Whose: N.
    theta : ndarray, shape (chains, draws, N, p)
        On the transformed scale.
    expanded : ndarray of bool, shape (chains, draws, N)
        Whether cells expanded in the draw: where not, there is no curve.
    groups : tuple of Group
        Their infusions and covariates.

    Examples
    --------
    >>> sorted(Curves.__annotations__)
    ['expanded', 'groups', 'patients', 'theta']
    """

    patients: tuple[str, ...]
    theta: Array
    expanded: NDArray[np.bool_]
    groups: tuple[Group, ...]


def curves_of(
    fit: "BayesFit",
    of: Whose,
    *,
    dose: float | None = None,
    number: int = 1,
    draws: int | None = None,
) -> Curves:
    """Return the parameters of the patients, the typical patient, or new ones.

    The typical patient has the typical values, the covariates and infusions of the
    model file, and cells that expand. A new patient is drawn about her, with the lot of
    a new donor where lots differ; in the share of the class her cells never expand.

    Parameters
    ----------
    fit : BayesFit
        The fit.
    of : {"patients", "typical", "new"}
        Whose.
    dose : float, optional
        A dose in place of the one that was given, in the unit of the study's infusions:
        that of every infusion where the model takes infusions; else the dose is that of
        the covariate of the fit, in the unit of its column.
    number : int
        How many new patients in each draw.
    draws : int, optional
        The most draws of all chains together, evenly chosen. All where not given, but
        500 of a model without closed form.

    Returns
    -------
    Curves

    Raises
    ------
    FitError
        Where the word is not known, or neither model nor fit knows the dose.

    Examples
    --------
    >>> callable(curves_of)            # see BayesFit.quantities
    True
    """
    if of not in WHOSE:
        raise FitError(f"quantities of {of!r}", todo=nearest(of, WHOSE))
    chosen = _Draws(fit, slice(None, None, _stride(fit, draws)))
    rng = np.random.default_rng([fit.seed, 8])
    if of == "patients":
        curves = chosen.patients(rng)
    elif of == "typical":
        curves = chosen.typical()
    else:
        curves = chosen.new(number, rng)
    if dose is None:
        return curves
    return _dosed(fit, curves, dose, location=chosen("location"))


def _stride(fit: "BayesFit", draws: int | None) -> int:
    if draws is None and fit.model.equations.closed:
        return 1
    sizes = fit.tree["posterior"].sizes
    return -(-sizes["chain"] * sizes["draw"] // (draws or SOLVED))


@dataclass(frozen=True, eq=False)
class _Draws:
    """Some of the draws of every chain."""

    fit: "BayesFit"
    kept: slice

    def __call__(self, name: str) -> Array:
        return np.asarray(self.fit.tree[f"posterior/{name}"])[:, self.kept]

    def patients(self, rng: np.random.Generator) -> Curves:
        theta = self("theta")
        chance = self("expanded") if self.fit.shape.never else np.ones(theta.shape[:3])
        expanded = rng.random(chance.shape) < chance
        return Curves(self.fit.patients, theta, expanded, self.fit.data.groups)

    def typical(self) -> Curves:
        own = self("location")[:, :, None, : len(self.fit.model.free)]
        everybody = np.ones(own.shape[:3], bool)
        return Curves(("typical patient",), own, everybody, self._as_in_the_file(1))

    def new(self, number: int, rng: np.random.Generator) -> Curves:
        location = self("location")[:, :, None, : len(self.fit.model.free)]
        shape = (*location.shape[:2], number)
        theta = np.tile(location, (1, 1, number, 1))
        spread, varies = self("spread"), self.fit.structure.varies
        root = spread[..., None] * np.linalg.cholesky(self("correlation"))
        chance = rng.standard_normal((*shape, spread.shape[-1]))
        theta[..., varies] += chance @ np.swapaxes(root, -1, -2)
        lots = self.fit.structure.lots
        if lots:
            between = self("lot_spread")[:, :, None]
            away = rng.standard_normal((*shape, between.shape[-1]))
            theta[..., lots.places] += between * away
        expanded = np.ones(shape, bool)
        if self.fit.shape.never:
            expanded = rng.random(shape) >= self("never_expanded")[..., None]
        groups = self._as_in_the_file(number)
        return Curves(("new patient",) * number, theta, expanded, groups)

    def _as_in_the_file(self, number: int) -> tuple[Group, ...]:
        return (Group(np.arange(number), self.fit.model.inputs()),)


def _dosed(fit: "BayesFit", curves: Curves, dose: float, *, location: Array) -> Curves:
    """Return the curves at a new dose."""
    if not 0 < dose < np.inf:
        raise FitError(f"dose = {dose}", todo="Give a positive number.")
    columns = _dose_columns(fit)
    if fit.model.infusions is None and columns:
        theta = _moved(fit, curves, dose, location=location)
        return replace(curves, theta=theta)
    if fit.model.infusions is None:
        raise FitError(
            f"dose = {dose:g}, and the model knows no dose",
            where=fit.model.name,
            todo="Fit a model that takes infusions, or fit with the dose as a "
            "covariate: covariates={'cmax': ['log dose']}.",
        )
    if columns:
        raise FitError(
            f"dose = {dose:g}, which the model takes as infusions and the fit as "
            f"the covariate {columns[0][1]}",
            where=fit.model.name,
            todo="Fit without the covariate.",
        )
    cells = dose * _unit_of_dose(fit, fit.model.infusions.unit)
    groups = [replace(one, inputs=_given(one.inputs, cells)) for one in curves.groups]
    return replace(curves, groups=tuple(groups))


def _given(inputs: Inputs, cells: float) -> Inputs:
    """Return the same schedule with another dose at every infusion."""
    return replace(inputs, cells=np.full(inputs.cells.shape, cells))


def _unit_of_dose(fit: "BayesFit", to: str) -> float:
    """Return how many of the model's cells one of the study's unit of dose is."""
    units = [str(unit) for unit in fit.study.infusions["unit"].unique()]
    if len(units) > 1:
        raise FitError(
            f"doses of the study are in {' and '.join(units)}",
            todo="Give them in one unit in the study: dose= is in that unit.",
        )
    return next((counted_cells(unit, to) or 1.0 for unit in units), 1.0)


def _dose_columns(fit: "BayesFit") -> list[tuple[str, str]]:
    """Return pairs of a parameter and the covariate of it that is a dose."""
    asked = fit.asked["covariates"] or {}
    return [
        (parameter, name)
        for parameter, names in asked.items()
        for name in names
        if "dose" in name.casefold()
    ]


def _moved(fit: "BayesFit", curves: Curves, dose: float, *, location: Array) -> Array:
    """Return parameters as a covariate that is a dose moves them, (..., N, p)."""
    theta, structure = curves.theta.copy(), fit.structure
    table = fit.study.patients.set_index("patient").reindex(list(fit.patients))
    for parameter, name in _dose_columns(fit):
        label = f"{name} on {parameter}"
        if label not in structure.coefficients:
            raise FitError(
                f"dose = {dose:g}, and {name} acts by category",
                todo="Fit with the dose as a number.",
            )
        i, place = fit.model.free.index(parameter), structure.coefficients.index(label)
        numbers = structure.design[:, i, place]
        acts = np.log if name.startswith(POWER) else np.asarray
        values = pd.to_numeric(table[name.removeprefix(POWER)]).to_numpy(float)
        # The covariate counts from the patients' median, where it is 0.
        middle = acts(values[0]) - numbers[0]
        own = numbers if curves.patients == fit.patients else np.zeros(1)
        away = acts(dose) - middle - own
        theta[..., i] += location[..., place][..., None] * away
    return theta
