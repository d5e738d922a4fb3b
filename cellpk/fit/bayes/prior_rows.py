"""One prior after the other: its numbers, its row of the table, its sentence."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.bayes.prior_choice import Priors
from cellpk.fit.data import FitData
from cellpk.fit.population.joint import JointErrors
from cellpk.fit.population.structure import Structure
from cellpk.fit.prior import Prior, prior_for
from cellpk.model.parameters import SCALES, Scale

Array = NDArray[np.float64]

HALF = 0.6744897501960817
"""Median of a half-normal distribution of scale 1."""

LEAST_TYPICAL, WEAK_TYPICAL = 0.3, 1.0
"""Least prior SDs of a typical value, on a log scale: from the literature, and weak."""

WEAK_SPREAD = 1.0
"""Least median of a weak prior of an SD between patients, on a log scale."""

EFFECT = {"literature": 0.5, "weak": 1.0}
"""Prior SD of what a covariate does to a patient one SD away, on a log scale."""

ERROR = {"literature": 1.0, "weak": 2.0}
"""Median of the prior of a residual error, in published ones."""

_TAIL = 1.6448536269514722


def _centre(name: str, value: float, scale: Scale) -> float:
    """Return a median that was given by hand, on the scale of its parameter."""
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = float(scale.forward(value))
    if not np.isfinite(centre):
        todo = "Give a median that the parameter can have, in its unit."
        raise FitError(f"typical {name} = {value!r}", todo=todo)
    return centre


class PriorRow(NamedTuple):
    """One prior.

    Parameters
    ----------
    centre, size : float
        Its numbers: mean and SD of a normal distribution, or the scale of another.
    said : dict
        Its row of the table.

    Examples
    --------
    >>> PriorRow(0.0, 1.0, {}).size
    1.0
    """

    centre: float
    size: float
    said: dict[str, object]


class PriorRows:
    """Makes the rows of each kind.

    Parameters
    ----------
    data : FitData
        Samples and model.
    structure : Structure
        How parameters differ between patients.
    choice : Priors
        How much the literature counts.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1))
    >>> plain = Structure.without_covariates(stein.free, 18)
    >>> float(PriorRows(data, plain, Priors(worth=4)).typical()[0].size)
    1.2
    """

    def __init__(self, data: FitData, structure: Structure, choice: Priors) -> None:
        self.data, self.structure, self.choice = data, structure, choice
        self.model = data.model
        self.published: Prior = prior_for(data)
        table = self.published.table
        names = [str(name) for name in table["parameter"]]
        self.units = dict(zip(names, table["unit"].astype(str), strict=True))
        self.sources = dict(zip(names, table["source"].astype(str), strict=True))

    def typical(self) -> list[PriorRow]:
        """Return the priors of the typical values."""
        return [self._typical(i, name) for i, name in enumerate(self.model.free)]

    def _typical(self, i: int, name: str) -> PriorRow:
        row = self.model.parameters[name]
        scale, size = SCALES[row.scale], self.structure.sizes[i]
        centre, own = self.published.centre[i], self.published.sd[i]
        moved = self.units[name] != row.unit
        if name in self.choice.typical:
            value, sd = self.choice.typical[name]
            centre, source = _centre(name, value, scale), "Given by hand."
        elif self.choice.kind == "weak" or moved:
            sd = max(2 * own, WEAK_TYPICAL * size)
            source = f"{self.sources[name]} Twice the spread between patients wide."
        else:
            sd = max(own / self.choice.worth**0.5, LEAST_TYPICAL * size)
            sd = max(sd, row.prior_sd or 0.0)
            source = f"{self.sources[name]} Counts as {_patients(self.choice.worth)}."
        ends = scale.back(centre + sd * np.array([0.0, -_TAIL, _TAIL]))
        said = _said(name, "typical value", FAMILY[row.scale], ends)
        return PriorRow(centre, sd, _told(said, self.units[name], source))

    def effects(self) -> list[PriorRow]:
        """Return the priors of what covariates do."""
        size = len(self.model.free)
        moved = self.structure.coefficient_sizes[size:]
        rows = []
        for name, one in zip(self.structure.coefficients[size:], moved, strict=True):
            sd = EFFECT[self.choice.kind] * float(one)
            said = _said(name, "covariate effect", "normal", _normal(sd))
            rows.append(
                PriorRow(0.0, sd, _told(said, "1", "By rule: none is expected."))
            )
        return rows

    def spread(self) -> list[PriorRow]:
        """Return the priors of the SDs between patients."""
        return [
            self._spread(i, name)
            for i, name in enumerate(self.model.free)
            if self.structure.varies[i]
        ]

    def _spread(self, i: int, name: str) -> PriorRow:
        size, own = float(self.structure.sizes[i]), float(self.published.sd[i])
        source = self.sources[name]
        if name in self.choice.spread:
            median, source = self.choice.spread[name], "Given by hand."
        elif self.choice.kind == "weak":
            median, source = max(own, WEAK_SPREAD * size), "By rule."
        else:
            median = own if own > 0 else LEAST_TYPICAL * size
        unit = self.units[name] if self._own_scale(name) else "1"
        return _half_normal(name, "spread", median, unit=unit, source=source)

    def _own_scale(self, name: str) -> bool:
        return self.model.parameters[name].scale == "identity"

    def correlations(self) -> list[PriorRow]:
        """Return the one row of all correlations; none where there is none."""
        if not np.tril(self.structure.correlated, -1).any():
            return []
        shape = self.choice.correlation
        end = _correlation_end(shape, largest_block(self.structure))
        said = _said("correlations", "correlation", f"LKJ({shape:g})", [0.0, -end, end])
        return [PriorRow(0.0, shape, _told(said, "1", "By rule."))]

    def errors(self) -> list[PriorRow]:
        """Return the priors of the residual errors."""
        errors = JointErrors.of(self.data)
        units = errors.units([one.unit for one in self.data.series])
        times = ERROR[self.choice.kind]
        return [
            _half_normal(
                name,
                "residual error",
                times * float(np.exp(log)),
                unit=unit,
                source=f"Model: {self.model.source}.",
            )
            for name, log, unit in zip(errors.names, errors.logs, units, strict=True)
        ]

    def share(self) -> list[PriorRow]:
        """Return the prior of the share of patients who never expand."""
        from scipy.special import betaincinv

        one, other = self.choice.never
        ends = [float(betaincinv(one, other, at)) for at in (0.5, 0.05, 0.95)]
        name = f"beta({one:g}, {other:g})"
        said = _said("never_expanded", "share", name, ends)
        return [PriorRow(0.0, 1.0, _told(said, "1", "By rule."))]

    def lots(self) -> list[PriorRow]:
        """Return the priors of the SDs between lots: half of those between patients."""
        places = self.structure.lots.places if self.structure.lots else ()
        rows = []
        for place in places:
            name = self.model.free[place]
            least = LEAST_TYPICAL * self.structure.sizes[place]
            median = max(float(self.published.sd[place]), float(least)) / 2
            unit = self.units[name] if self._own_scale(name) else "1"
            source = "By rule: half the published spread between patients."
            kind, label = "spread between lots", f"{name} between lots"
            row = _half_normal(label, kind, median, unit=unit, source=source)
            rows.append(row)
        return rows


FAMILY = {"log": "log-normal", "logit": "logit-normal", "identity": "normal"}
"""What a normal distribution on a scale is called."""


def largest_block(structure: Structure) -> int:
    """Return how many parameters the largest group of correlated ones has.

    Examples
    --------
    >>> largest_block(Structure.without_covariates(("a", "b", "c"), 2, full=True))
    3
    """
    return int(structure.correlated.sum(0).max())


def _correlation_end(shape: float, size: int) -> float:
    """Return the 95th percentile of one correlation: a beta distribution on (-1, 1)."""
    from scipy.special import betaincinv

    half = shape - 1 + size / 2
    return 2 * float(betaincinv(half, half, 0.95)) - 1


def _half_normal(
    name: str, kind: str, median: float, *, unit: str, source: str
) -> PriorRow:
    """Return a half-normal prior by its median."""
    from scipy.special import ndtri

    scale = median / HALF
    ends = [median, scale * float(ndtri(0.525)), scale * float(ndtri(0.975))]
    said = _said(name, kind, "half-normal", ends)
    return PriorRow(0.0, scale, _told(said, unit, source))


def _normal(sd: float) -> list[float]:
    return [0.0, -_TAIL * sd, _TAIL * sd]


def _said(
    name: str, kind: str, distribution: str, ends: Sequence[float] | Array
) -> dict[str, object]:
    median, low, high = (float(end) for end in ends)
    return {
        "parameter": name,
        "kind": kind,
        "distribution": distribution,
        "median": median,
        "low": low,
        "high": high,
    }


def _told(said: dict[str, object], unit: str, source: str) -> dict[str, object]:
    """Add unit, source and the sentence."""
    of = "" if unit == "1" else f" {unit}"
    sentence = (
        f"{said['parameter']}, {said['kind']}: {said['distribution']} with median "
        f"{said['median']:.3g}{of}, 90 % between {said['low']:.3g} and "
        f"{said['high']:.3g}{of}. {source}"
    )
    return said | {"unit": unit, "source": source, "sentence": sentence}


def _patients(worth: float) -> str:
    """Return a number of patients in words."""
    return f"{worth:g} patient" + "s" * (worth != 1)
