"""Draws as ArviZ data: groups with named dimensions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.pointwise import Pointwise, pointwise
from cellpk.fit.bayes.prior_numbers import PriorNumbers
from cellpk.fit.bayes.sampling import STATISTICS, Chain
from cellpk.fit.data import FitData
from cellpk.fit.population.draws import PopulationDraws, expected
from cellpk.fit.population.joint import JointErrors
from cellpk.fit.population.structure import Structure

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

DRAWN = ("chain", "draw")


@dataclass(frozen=True, eq=False)
class Shape:
    """What is sampled of whom: samples, structure, residual errors, a class or none.

    Parameters
    ----------
    data : FitData
        The samples.
    structure : Structure
        How parameters differ between patients.
    errors : JointErrors
        Residual errors; their numbers are not used.
    never : bool
        Whether there is a class of patients whose cells never expand.

    Examples
    --------
    >>> sorted(Shape.__annotations__)
    ['data', 'errors', 'never', 'structure']
    """

    data: FitData
    structure: Structure
    errors: JointErrors
    never: bool

    @property
    def coordinates(self) -> dict[str, Sequence[str]]:
        """Names along each dimension."""
        names, structure = self.data.model.free, self.structure
        varying = [n for n, v in zip(names, structure.varies, strict=True) if v]
        lots = structure.lots
        found: dict[str, Sequence[str]] = {
            "coefficient": structure.coefficients,
            "parameter": names,
            "varying": varying,
            "varying_other": varying,
            "residual": self.errors.names,
            "patient": self.data.patients,
        }
        if lots:
            found |= {"lot": lots.names, "differing": [names[i] for i in lots.places]}
        return {name: list(labels) for name, labels in found.items()}


def draws_of(shape: Shape, posterior: Mapping[str, Array]) -> PopulationDraws:
    """Return draws of the population from a group of variables, chains joined.

    Parameters
    ----------
    shape : Shape
        What is sampled.
    posterior : mapping of str to ndarray, shape (chains, draws, ...)
        ``location, spread, correlation, error, never_expanded, lot_spread``.
    """
    flat = {name: _joined(posterior[name]) for name in posterior}
    size, varies = len(shape.structure.names), shape.structure.varies
    number = len(flat["location"])
    spread = flat["spread"]
    own = spread[:, :, None] * spread[:, None, :] * flat["correlation"]
    omega = np.zeros((number, size, size))
    omega[:, *np.ix_(varies, varies)] = own
    return PopulationDraws(
        flat["location"],
        omega,
        np.log(flat["error"]),
        flat.get("never_expanded", np.zeros(number)),
        flat.get("lot_spread", np.zeros((number, 0))),
        shape.errors,
    )


def _joined(values: Array) -> Array:
    return np.asarray(values).reshape(-1, *np.shape(values)[2:])


def tree_of(
    shape: Shape, chains: Sequence[Chain], *, priors: PriorNumbers, prior: Chain
) -> "xr.DataTree":
    """Return all draws as ArviZ data.

    Parameters
    ----------
    shape : Shape
        What was sampled of whom.
    chains : sequence of mapping
        Draws and statistics of each chain.
    priors : PriorNumbers
        For the log prior.
    prior : mapping
        Draws of the prior: the variables of the population.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``sample_stats``, ``log_likelihood`` (per sample of each
        assay, and per patient), ``log_prior``, ``prior``, ``observed_data``.

    Examples
    --------
    >>> callable(tree_of)
    True
    """
    import arviz as az

    names = [name for name in chains[0] if name not in STATISTICS]
    drawn = {name: np.stack([chain[name] for chain in chains]) for name in names}
    stats = {n: np.stack([c[n] for c in chains]) for n in STATISTICS if n in chains[0]}
    population = draws_of(shape, drawn)
    found = pointwise(shape.data, _joined(drawn["theta"]), population)
    lead = drawn["theta"].shape[:2]
    posterior = drawn | _natural(shape, drawn)
    if shape.never:
        posterior["expanded"] = found.expanded.reshape(*lead, -1)
    groups = {
        "posterior": posterior,
        "sample_stats": stats,
        "log_likelihood": _likelihoods(shape, found, lead),
        "log_prior": _log_priors(priors, drawn),
        "prior": {name: values[None] for name, values in prior.items()},
        "observed_data": _observed(shape),
    }
    dims = {**DIMS} | {one.assay: [samples_of(one.assay)] for one in shape.data.series}
    tree = az.from_dict(groups, coords=_coordinates(shape), dims=dims)
    for group in tree.subtree:
        group.attrs.pop("created_at", None)  # equal draws are equal data at any time
    return tree


DIMS: Mapping[str, list[str]] = {
    "location": ["coefficient"],
    "typical": ["parameter"],
    "spread": ["varying"],
    "correlation": ["varying", "varying_other"],
    "error": ["residual"],
    "lot_spread": ["differing"],
    "lot_effect": ["lot", "differing"],
    "theta": ["patient", "parameter"],
    "individual": ["patient", "parameter"],
    "expanded": ["patient"],
    "patient_samples": ["patient"],
}
"""Dimensions of each variable beside chain and draw."""


def samples_of(assay: str) -> str:
    """Return what the dimension of the samples of an assay is called.

    Examples
    --------
    >>> samples_of("qpcr")
    'qpcr_sample'
    """
    return f"{assay}_sample"


def _coordinates(shape: Shape) -> dict[str, Any]:
    """Return names along all dimensions; samples are numbered within their assay."""
    numbers = {
        samples_of(one.assay): np.arange(int(one.known.sum()))
        for one in shape.data.series
    }
    return shape.coordinates | numbers


def _natural(shape: Shape, drawn: Mapping[str, Array]) -> dict[str, Array]:
    """Return typical values and patients' parameters in natural units."""
    model, size = shape.data.model, len(shape.structure.names)
    typical = model.natural(drawn["location"][..., :size])
    own = model.natural(drawn["theta"])
    return {
        "typical": np.stack([typical[name] for name in model.free], axis=-1),
        "individual": np.stack([own[name] for name in model.free], axis=-1),
    }


def _likelihoods(
    shape: Shape, found: Pointwise, lead: tuple[int, int]
) -> dict[str, Array]:
    each = {
        one.assay: np.ascontiguousarray(values[:, one.known]).reshape(*lead, -1)
        for one, values in zip(shape.data.series, found.samples, strict=True)
    }
    return each | {"patient_samples": found.patients.reshape(*lead, -1)}


def _log_priors(priors: PriorNumbers, drawn: Mapping[str, Array]) -> dict[str, Array]:
    """Return the log prior density of each number of the population."""
    numbers = priors.numbers
    away = (drawn["location"] - numbers.centre) / numbers.sd
    found = {"location": -0.5 * np.square(away)}
    halves = {"spread": numbers.spread, "error": numbers.error}
    halves |= {"lot_spread": numbers.lot} if "lot_spread" in drawn else {}
    for name, scale in halves.items():
        found[name] = -0.5 * np.square(drawn[name] / scale)
    shape = numbers.correlation - 1
    found["lkj"] = shape * np.linalg.slogdet(drawn["correlation"])[1]
    if "never_expanded" in drawn:
        one, other = numbers.never
        share = drawn["never_expanded"]
        logs = (one - 1) * np.log(share) + (other - 1) * np.log1p(-share)
        found["never_expanded"] = logs
    return found


def _observed(shape: Shape) -> dict[str, Array]:
    """Return the log levels; of a censored sample the limit that it is known by."""
    found = {}
    for one in shape.data.series:
        low, high = one.said.low[one.known], one.said.high[one.known]
        found[one.assay] = np.where(np.isfinite(high), high, low)
    return found


def expected_means(
    shape: Shape, population: PopulationDraws, lots: Array | None
) -> Array:
    """Return what is expected of each patient in each draw, her lot included."""
    means = expected(population, shape.structure)
    if lots is None or shape.structure.lots is None:
        return means
    return means + shape.structure.lots.shift(lots, means.shape[-1])
