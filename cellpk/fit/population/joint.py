"""The samples and residual errors of a fit as the search for the maximum takes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.data import TOLERANCE, FitData
from cellpk.fit.population.state import Errors
from cellpk.fit.residual_error import ResidualError
from cellpk.model.levels import Levels

Array = NDArray[np.float64]

_RANGE = (1e-3, 1e3)  # of relative errors, or of those relative to the largest level


@dataclass(frozen=True, eq=False)
class JointErrors:
    """The residual errors of all assays as one vector of logs.

    Parameters
    ----------
    parts : tuple of ResidualError
        One per assay.
    assays : tuple of str
        Their names.
    largest : tuple of float
        The largest level of each, in its unit.

    Examples
    --------
    >>> parts = (ResidualError("lognormal", {"sd": 0.5}),
    ...          ResidualError("proportional", {"sd": 0.2}))
    >>> two = JointErrors(parts, ("qpcr", "flow"), (1e5, 300.0))
    >>> two.names, two.with_logs(two.logs + np.log(2)).parts[1].values["sd"].round(6)
    (('qpcr sd', 'flow sd'), np.float64(0.4))
    """

    parts: tuple[ResidualError, ...]
    assays: tuple[str, ...]
    largest: tuple[float, ...]

    @classmethod
    def of(cls, data: FitData) -> "JointErrors":
        """Return the errors that the model states of the assays of a fit.

        Examples
        --------
        >>> import cellpk as ck
        >>> from cellpk.fit.data import fit_data
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> JointErrors.of(fit_data(stein, ck.simulate_study(seed=1))).names
        ('qpcr sd',)
        """
        largest = []
        for one in data.series:
            ends = np.stack([one.said.low, one.said.high])
            largest.append(float(np.exp(ends[np.isfinite(ends)].max())))
        assays = tuple(one.assay for one in data.series)
        return cls(tuple(data.errors), assays, tuple(largest))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters, with their assay."""
        return tuple(
            f"{assay} {name}"
            for part, assay in zip(self.parts, self.assays, strict=True)
            for name in part.names
        )

    def units(self, levels: Sequence[str]) -> tuple[str, ...]:
        """Return the units of all parameters, shape (k,).

        Parameters
        ----------
        levels : sequence of str
            Unit of the levels of each assay.

        Examples
        --------
        >>> values = {"additive": 5.0, "proportional": 0.2}
        >>> one = JointErrors((ResidualError("combined", values),), ("flow",), (9.0,))
        >>> one.units(["cells/uL"])
        ('cells/uL', '1')
        """
        return tuple(
            unit if part.kind == "normal" or name == "additive" else "1"
            for part, unit in zip(self.parts, levels, strict=True)
            for name in part.names
        )

    @property
    def logs(self) -> Array:
        """Logs of all parameters, shape (k,)."""
        return np.concatenate([part.logs for part in self.parts])

    @property
    def ranges(self) -> Array:
        """Least and largest logs that are sought, shape (2, k).

        An error in the unit of the level is measured by the largest level.
        """
        absolute = np.array(self.units(["level"] * len(self.parts))) != "1"
        sizes = [len(part.names) for part in self.parts]
        largest = np.where(absolute, np.repeat(self.largest, sizes), 1.0)
        return np.log(_RANGE)[:, None] + np.log(largest)

    def with_logs(self, logs: Array) -> "JointErrors":
        """Return errors with other parameters, (k,), or (..., k) of many curves."""
        cuts = np.cumsum([len(part.names) for part in self.parts])[:-1]
        pieces = zip(self.parts, np.split(logs, cuts, axis=-1), strict=True)
        parts = tuple(part.with_logs(piece) for part, piece in pieces)
        return replace(self, parts=parts)


@dataclass(frozen=True, eq=False)
class JointData:
    """The samples of all assays; levels are plain arrays.

    A curve that cannot be calculated has a log level of log(1e-300), which no sample
    agrees with: chains turn away from it.

    Parameters
    ----------
    data : FitData
        The samples.
    tolerance : float
        Error per step of a model without closed form.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> joint = JointData(fit_data(stein, ck.simulate_study(seed=1)))
    >>> len(joint.levels(np.tile(stein.typical, (18, 1))))
    1
    """

    data: FitData
    tolerance: float = TOLERANCE

    @property
    def patients(self) -> tuple[str, ...]:
        """Who was sampled."""
        return self.data.patients

    @property
    def all_below(self) -> NDArray[np.bool_]:
        """In whom nothing was quantified, detected or above the upper limit."""
        return self.data.all_below

    def of(self, rows: NDArray[np.intp]) -> "JointData":
        """Return the samples of some patients, given by their places in order."""
        return replace(self, data=self.data.of(rows))

    def levels(self, theta: Array) -> list[Array]:
        """Return log levels at the samples of each assay, (..., patients, n)."""
        found = self.data.levels(theta, tolerance=self.tolerance)
        return [each.log_level.copy() for each in found]

    def score(self, theta: Array, errors: Errors) -> Array:
        """Return the slope of the log likelihood by theta, (..., patients, p)."""
        levels = self.data.levels(theta, gradient=True)
        return self.data.score(levels, _parts(errors))

    def log_likelihood(self, levels: list[Array], errors: Errors) -> Array:
        """Return the log likelihood of each patient, shape (..., patients)."""
        return self.data.log_likelihood(_wrapped(levels), _parts(errors))

    def error_gradient(self, levels: list[Array], errors: Errors) -> Array:
        """Return its slope by the logs of the errors, shape (..., patients, k)."""
        return self.data.error_gradient(_wrapped(levels), _parts(errors))

    def no_cells(self, errors: Errors) -> tuple[Array, Array]:
        """Return both for a level of zero; minus infinity and 0 where it cannot be."""
        return self.data.no_cells(_parts(errors))


def _wrapped(levels: list[Array]) -> list[Levels]:
    return [Levels(log_level, None, ()) for log_level in levels]


def _parts(errors: Errors) -> Sequence[ResidualError]:
    assert isinstance(errors, JointErrors)
    return errors.parts
