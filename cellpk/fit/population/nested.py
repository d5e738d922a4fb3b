"""Whether one population fit is a special case of another."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cellpk.fit.population.joint import JointErrors
from cellpk.fit.population.result import PopulationFit
from cellpk.fit.population.state import Errors
from cellpk.fit.population.structure import Structure
from cellpk.fit.residual_error import ResidualError
from cellpk.model.model import Model
from cellpk.model.parameters import Parameter

PART_OF = {("proportional", "combined"), ("normal", "combined")}
"""Residual errors of which the second is the first where one of its SDs is 0."""


@dataclass(frozen=True)
class Nesting:
    """How a smaller fit follows from a larger one.

    Parameters
    ----------
    df : int
        How many estimates more the larger one has.
    bounds : tuple of str
        What is 0 in the smaller fit and cannot be negative.

    Examples
    --------
    >>> round(Nesting(2, ("the spread of tmax",)).chi_square(5.0), 4)
    0.0821
    """

    df: int
    bounds: tuple[str, ...] = ()

    def chi_square(self, drop: float) -> float:
        """Return the chance of such a drop of -2 log L by the chi-square distribution.

        Where something stands at a bound, it is too large: conservative.
        """
        from scipy.stats import chi2

        return float(chi2.sf(max(drop, 0.0), self.df))

    def mixture(self, drop: float) -> float:
        """Return that chance where one estimate stands at a bound, and no other.

        References
        ----------
        Stram DO, Lee JW. Biometrics 1994;50:1171-1177: the drop is distributed as an
        equal mixture of chi-squares with ``df - 1`` and ``df`` degrees of freedom.

        Examples
        --------
        >>> round(Nesting(1, ("the spread of tmax",)).mixture(2.706), 3)
        0.05
        """
        from scipy.stats import chi2

        drop = max(drop, 0.0)
        less = chi2.sf(drop, self.df - 1) if self.df > 1 else float(drop == 0)
        return float((less + chi2.sf(drop, self.df)) / 2)


def nesting(smaller: PopulationFit, larger: PopulationFit) -> Nesting | None:
    """Return how a fit follows from another; None where it does not.

    It does where the models have the same equations, and all that the smaller one
    estimates is estimated by the larger one, too: parameters may be fixed in the
    smaller model, effects of covariates, spreads, correlations and donor lots may be
    left out, and the residual error may lack one of its parts.

    Parameters
    ----------
    smaller, larger : PopulationFit
        Of the same samples.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=20, average=10, draws=100)
    >>> plain, pair = (
    ...     ck.fit_population(stein, study, steps=quick, correlations=asked)
    ...     for asked in ("none", [("cmax", "tmax")]))
    >>> nesting(plain, pair), nesting(pair, plain)
    (Nesting(df=1, bounds=()), None)
    """
    one, other = (fit.estimates.layout for fit in (smaller, larger))
    df = int(other.vector().size - one.vector().size)
    zero = _zero(one.state.errors, other.state.errors)
    if df < 1 or zero is None or not _frees(smaller.model, larger.model):
        return None
    if not _within(one.structure, other.structure):
        return None
    return Nesting(df, (*_spreads(one.structure, other.structure), *zero))


def _spreads(smaller: Structure, larger: Structure) -> tuple[str, ...]:
    """Return the spreads that only the larger structure has."""
    between = [name for name in _varying(larger) if name not in _varying(smaller)]
    lots = [name for name in _of_lots(larger) if name not in _of_lots(smaller)]
    return (
        *(f"the spread of {name}" for name in between),
        *(f"the spread of {name} between lots" for name in lots),
    )


def _varying(structure: Structure) -> list[str]:
    """Return the parameters that differ between patients by chance."""
    return [structure.names[i] for i in np.flatnonzero(structure.varies)]


def _of_lots(structure: Structure) -> list[str]:
    """Return the parameters in which lots differ."""
    places = structure.lots.places if structure.lots else ()
    return [structure.names[i] for i in places]


def _frees(smaller: Model, larger: Model) -> bool:
    """Whether a model is another one with some parameters fixed."""
    for part in ("equations", "covariates", "infusions"):
        if getattr(smaller, part) != getattr(larger, part):
            return False
    if _curves(smaller) != _curves(larger) or [*smaller.parameters] != [
        *larger.parameters
    ]:
        return False
    pairs = zip(smaller.parameters.values(), larger.parameters.values(), strict=True)
    return all(_frees_or_keeps(row, other) for row, other in pairs)


def _frees_or_keeps(row: Parameter, other: Parameter) -> bool:
    """Whether a parameter is another one, or that fixed."""
    if row.scale != other.scale:
        return False
    if other.fixed:
        return row.fixed and row.value == other.value
    return True


def _curves(model: Model) -> Mapping[str, object]:
    return {name: (row.expression, row.unit) for name, row in model.observed.items()}


def _zero(smaller: Errors, larger: Errors) -> tuple[str, ...] | None:
    """Return parts of residual errors that the smaller fit lacks; None where others."""
    assert isinstance(smaller, JointErrors)
    assert isinstance(larger, JointErrors)
    if smaller.assays != larger.assays:
        return None
    zero = []
    for assay, one, other in zip(
        smaller.assays, smaller.parts, larger.parts, strict=True
    ):
        if (one.kind, other.kind) in PART_OF:
            part = "additive" if one.kind == "proportional" else "proportional"
            zero.append(f"the {part} error of {assay}")
        elif not _same(one, other):
            return None
    return tuple(zero)


def _same(one: ResidualError, other: ResidualError) -> bool:
    return (one.kind, one.df) == (other.kind, other.df)


def _within(smaller: Structure, larger: Structure) -> bool:
    """Whether all effects, correlations and lots of a structure are in another."""
    if not _lots_within(smaller, larger):
        return False
    rows = [larger.names.index(name) for name in smaller.names]
    if (smaller.correlated & ~larger.correlated[np.ix_(rows, rows)]).any():
        return False
    effects = smaller.coefficients[len(smaller.names) :]
    if not set(effects) <= set(larger.coefficients):
        return False
    return all(
        np.array_equal(
            smaller.design[:, :, smaller.coefficients.index(name)],
            larger.design[:, rows, larger.coefficients.index(name)],
        )
        for name in effects
    )


def _lots_within(smaller: Structure, larger: Structure) -> bool:
    """Whether lots differ in nothing in which they do not in another structure."""
    if not smaller.lots or not larger.lots:
        return not smaller.lots
    same = np.array_equal(smaller.lots.of, larger.lots.of)
    return same and {*_of_lots(smaller)} <= {*_of_lots(larger)}
