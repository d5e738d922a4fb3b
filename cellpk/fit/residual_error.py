"""The residual error of one assay, and the censored likelihood that follows from it.

All densities are those of the log level as measured, whatever the kind of the error, so
that AIC and BIC compare kinds. :func:`level_scale` gives what -2 log L differs by on
the scale of the level, on which other tools state it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpk.errors import FitError, nearest
from cellpk.fit.bell import Bell, Normal, Student
from cellpk.fit.likelihood import Evidence, Part
from cellpk.fit.standardised import NAMES, ON_LOG, Standardised, standardise
from cellpk.model.rows import Observed

Array = NDArray[np.float64]

_CLOSE = 1e-5
"""Ends of an interval that are closer enclose a density rather than a probability."""


@dataclass(frozen=True, eq=False)
class ResidualError:
    """The residual error of one assay.

    Parameters
    ----------
    kind : {"lognormal", "student", "normal", "proportional", "combined"}
        The log level is measured with a normal error or with Student's t; or the level
        with a normal error whose standard deviation is constant, in proportion to the
        level f, or ``sqrt(additive**2 + (proportional*f)**2)``.
    values : dict of str to float
        Parameters by the names in ``NAMES``: ``sd`` of the log level, in the unit of
        the level for "normal", relative for "proportional"; ``additive`` in the unit
        of the level and ``proportional`` relative. Arrays are broadcast with the
        samples: (patients, 1) gives each patient an error of her own, a leading axis
        another one to each of many curves.
    df : float, optional
        Degrees of freedom of "student".

    Raises
    ------
    FitError
        Where the kind is not known, or a parameter is missing or not positive.

    Examples
    --------
    >>> error = ResidualError("combined", {"additive": 5.0, "proportional": 0.2})
    >>> error.names, error.logs.round(2)
    (('additive', 'proportional'), array([ 1.61, -1.61]))
    >>> error.with_logs(error.logs + np.log(2)).values["proportional"].round(6)
    np.float64(0.4)
    """

    kind: str
    values: Mapping[str, float | Array]
    df: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in NAMES:
            raise FitError(
                f"the residual error {self.kind!r} is not known",
                todo=nearest(self.kind, NAMES),
            )
        if set(self.values) != set(self.names):
            raise FitError(
                f"a {self.kind} residual error has the parameters "
                f"{', '.join(self.values) or 'none'}",
                todo=f"Give {' and '.join(self.names)}.",
            )
        df = {"df": self.df} if self.kind == "student" else {}
        for name, value in {**self.values, **df}.items():
            if value is None or not np.all(np.greater(value, 0) & np.isfinite(value)):
                raise FitError(
                    f"{name} of a {self.kind} residual error is {value}",
                    todo="Give a positive number.",
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return NAMES[self.kind]

    @property
    def logs(self) -> Array:
        """Natural logs of the parameters, shape (k,)."""
        return np.log(np.array([self.values[name] for name in self.names]))

    def with_logs(self, logs: ArrayLike) -> "ResidualError":
        """Return the same kind of error with other parameters.

        Parameters
        ----------
        logs : array_like, shape (k,) or (..., k)
            Natural logs of the parameters; with leading axes, one error for each
            patient or curve.

        Examples
        --------
        >>> error = ResidualError("lognormal", {"sd": 0.5}).with_logs([0.0])
        >>> float(error.values["sd"])
        1.0
        """
        logs = np.asarray(logs, float)
        columns = np.exp(np.moveaxis(logs, -1, 0))
        wide = columns[..., None] if logs.ndim > 1 else columns
        return ResidualError(
            self.kind, dict(zip(self.names, wide, strict=True)), self.df
        )

    @property
    def bell(self) -> Bell:
        """Distribution of the standardised residual."""
        return Normal() if self.df is None else Student(self.df)


def error_of(row: Observed) -> ResidualError:
    """Return the residual error that a model states of an assay.

    Parameters
    ----------
    row : Observed
        One of ``model.observed``.

    Raises
    ------
    FitError
        Where the model publishes none.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> error_of(stein.observed["qpcr"]).values
    {'sd': 0.56}
    """
    values = {name: value for name, value in row.sizes.items() if value is not None}
    if row.error not in NAMES or len(values) < len(row.sizes):
        raise FitError(
            f"the residual error of {row.name!r} is {row.error!r}",
            todo='State one in a variant of the model, as error = "lognormal" with its '
            "sd, or give the fit one to start from.",
        )
    return ResidualError(row.error, values, row.df)


def prepared(
    log_level: ArrayLike, said: Evidence, error: ResidualError
) -> tuple[Array, tuple[Array, ...], tuple[int, ...]]:
    """Return log levels with the axes of samples in one, parameters likewise, a shape.

    The shape is that of what comes back: of the log levels, and the leading axes of the
    parameters where these differ between curves.
    """
    mu, axes = np.asarray(log_level, float), said.low.ndim
    values = tuple(
        _flat(np.asarray(error.values[name], float), said) for name in error.names
    )
    leads = [x.shape[:-1] for x in values if x.ndim]
    lead = np.broadcast_shapes(mu.shape[: mu.ndim - axes], *leads)
    flat = mu.reshape(*mu.shape[: mu.ndim - axes], said.low.size)
    return flat, values, (*lead, *said.low.shape)


def _flat(value: Array, said: Evidence) -> Array:
    """Return a parameter as (..., 1), or (..., samples) where patients differ in it."""
    if not value.ndim:
        return value
    shape = said.low.shape
    lead = value.shape[: max(value.ndim - len(shape), 0)]
    if all(size == 1 for size in value.shape[len(lead) :]):
        return value.reshape(*lead, 1)
    return np.broadcast_to(value, (*lead, *shape)).reshape(*lead, -1)


def curve_of(
    flat: Array, part: Part, error: ResidualError, *, values: Sequence[Array]
) -> Standardised:
    """Return samples that say the same sort of thing against their curve."""
    own = [x[..., part.place] if x.ndim and x.shape[-1] > 1 else x for x in values]
    return standardise(flat[..., part.place], part, error.kind, values=own)


def log_likelihood(log_level: ArrayLike, said: Evidence, error: ResidualError) -> Array:
    """Return the log likelihood of each sample: a density or a probability.

    Parameters
    ----------
    log_level : array_like, shape (..., n)
        Log level of the curve at the samples; (..., patients, n) where ``said`` has
        rows of patients.
    said : Evidence
        What the samples say.
    error : ResidualError
        How the assay errs.

    Returns
    -------
    ndarray, shape (..., n)
        Log density of the log level as measured for quantified samples, log probability
        for the others; 0 for a sample that says nothing.

    Examples
    --------
    >>> said = Evidence(np.array([2.0, -np.inf]), np.array([2.0, 1.5]))
    >>> error = ResidualError("lognormal", {"sd": 1.0})
    >>> log_likelihood([2.0, 1.5], said, error).round(4)
    array([-0.9189, -0.6931])
    """
    flat, values, shape = prepared(log_level, said, error)
    found = np.zeros((*shape[: len(shape) - said.low.ndim], said.low.size))
    bell = error.bell
    for name, part in said.parts.items():
        curve = curve_of(flat, part, error, values=values)
        if name == "quantified":
            each = bell.log_density(curve.low) - np.log(curve.scale)
            if error.kind not in ON_LOG:
                each += part.low  # the density of the log level, not of the level
        elif name == "below":
            each = bell.log_below(curve.high)
        elif name == "above":
            each = bell.log_below(-curve.low)
        else:
            each = _log_between(bell, curve)
        found[..., part.place] = each
    return found.reshape(shape)


def _log_between(bell: Bell, curve: Standardised) -> Array:
    """Log of the probability to lie between two ends."""
    near, _ = _near(curve)
    with np.errstate(divide="ignore"):
        share = np.log(-np.expm1(bell.log_ratio(near, curve.width)))
    middle = 0.5 * (curve.low + curve.high)
    point = bell.log_density(middle) + np.log(curve.width)
    return np.where(_close(near, curve), point, bell.log_below(near) + share)


def _near(curve: Standardised) -> tuple[Array, NDArray[np.bool_]]:
    """Return the end that is nearer to the middle as one below it; if it was above.

    In the lower tail small probabilities are numbers.
    """
    above = curve.low + curve.high > 0
    return np.where(above, -curve.low, curve.high), above


def _close(near: Array, curve: Standardised) -> NDArray[np.bool_]:
    """Whether two ends are so close that the density between them is one number."""
    return curve.width * (1.0 + np.abs(near)) < _CLOSE


def gradients(
    log_level: ArrayLike, said: Evidence, error: ResidualError
) -> tuple[Array, Array]:
    """Return the derivatives of the log likelihood of each sample.

    Parameters
    ----------
    log_level, said, error
        As in :func:`log_likelihood`.

    Returns
    -------
    by_level : ndarray, shape (..., n)
        By the log level of the curve.
    by_error : ndarray, shape (..., n, k)
        By the natural logs of the error's parameters, in the order of ``error.names``.

    Examples
    --------
    >>> said = Evidence(np.array([2.0]), np.array([2.0]))
    >>> error = ResidualError("lognormal", {"sd": 0.5})
    >>> by_level, by_error = gradients([1.0], said, error)
    >>> by_level.tolist(), by_error.tolist()              # z = 2: z/sd and z**2 - 1
    ([4.0], [[3.0]])
    """
    flat, values, shape = prepared(log_level, said, error)
    lead = shape[: len(shape) - said.low.ndim]
    by_level = np.zeros((*lead, said.low.size))
    by_error = np.zeros((*lead, said.low.size, len(values)))
    bell = error.bell
    for name, part in said.parts.items():
        curve = curve_of(flat, part, error, values=values)
        if name == "quantified":
            level, size = _of_density(bell, curve, curve.low)
        elif name == "below":
            level, size = _of_end(curve, -bell.hazard(curve.high), curve.high)
        elif name == "above":
            level, size = _of_end(curve, bell.hazard(-curve.low), curve.low)
        else:
            level, size = _of_interval(bell, curve)
        by_level[..., part.place] = level
        for i, share in enumerate(curve.shares):
            by_error[..., part.place, i] = size * share
    return by_level.reshape(shape), by_error.reshape(*shape, len(values))


def _of_density(bell: Bell, curve: Standardised, z: Array) -> tuple[Array, Array]:
    """Return the slopes of a log density by the log level and by the log scale."""
    pull = bell.pull(z)
    level = pull * (curve.slope + z * curve.growth) - curve.growth
    return level, pull * z - 1.0


def _of_end(curve: Standardised, push: Array, z: Array) -> tuple[Array, Array]:
    """Return the derivatives of a log probability by an end that the curve moves."""
    return push * (curve.slope + z * curve.growth), push * z


def _of_interval(bell: Bell, curve: Standardised) -> tuple[Array, Array]:
    """Return the derivatives of the log probability to lie between two ends."""
    near, above = _near(curve)
    with np.errstate(all="ignore"):
        ratio = bell.log_ratio(near, curve.width)
        between = -np.expm1(ratio)
        at_near = bell.hazard(near) / between
        at_far = bell.hazard(near - curve.width) * np.exp(ratio) / between
        left = _of_end(curve, np.where(above, at_near, at_far), curve.low)
        right = _of_end(curve, np.where(above, at_far, at_near), curve.high)
        apart = left[0] - right[0], left[1] - right[1]
    together = _of_density(bell, curve, 0.5 * (curve.low + curve.high))
    close = _close(near, curve)
    return (
        np.where(close, together[0], apart[0]),
        np.where(close, together[1], apart[1]),
    )


def level_scale(said: Evidence) -> float:
    """Return what -2 log L gains where it is stated on the scale of the level.

    The density of a level y is that of its log, divided by y. Monolix states -2 log L
    of levels; NONMEM and nlmixr2 of whatever DV holds. NONMEM besides leaves out
    ``log(2*pi)`` per quantified sample, unless told otherwise.

    Parameters
    ----------
    said : Evidence
        What the samples say.

    Returns
    -------
    float
        Twice the sum of the log levels of the quantified samples.

    Examples
    --------
    >>> level_scale(Evidence(np.array([2.0, -np.inf]), np.array([2.0, 1.5])))
    4.0
    """
    return 2.0 * float(said.low[said.quantified].sum())
