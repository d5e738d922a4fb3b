"""A design: who is sampled when, what the assays can tell, who leaves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cellpk.errors import ModelError, nearest
from cellpk.model.description import Description
from cellpk.model.parameters import Array
from cellpk.model.rows import Observed

Limit = float | Mapping[str, float] | None

LIMITS = ("lloq", "llod", "uloq")
HERE = "Design"


@dataclass(frozen=True)
class Planned:
    """The planned samples of one assay.

    Parameters
    ----------
    row : Observed
        What the model says of the assay.
    days : ndarray, shape (m,)
        Planned days after the first infusion, increasing.
    limits : dict of str to float
        ``lloq``, ``llod`` and ``uloq`` in the unit of the assay; NaN where it has none.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> ck.Design([7, 14], lloq=50).planned(stein)[0].limits
    {'lloq': 50.0, 'llod': nan, 'uloq': nan}
    """

    row: Observed
    days: Array
    limits: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Design:
    """Who is sampled when, what the assays can tell, and who leaves.

    For :meth:`Model.simulate`. Nothing changes it.

    Parameters
    ----------
    days : sequence of float, or mapping of str to sequence of float
        Planned days after the first infusion, the same for every patient; by assay
        where they differ. The sample of day 0 is taken half an hour after the infusion.
    assays : sequence of str, optional
        Which of the model's assays are measured; all that have days, where not given.
    infusions : sequence of (day, cells), optional
        In the unit of the model; the schedule of the model where not given.
    lloq, llod, uloq : float or mapping of str to float, optional
        Limits of quantification and detection in the unit of the assay, by assay where
        the model has assays in different units. Without one, an assay has no such
        limit.
    dropout : float
        Chance per day of leaving the study, the same on every day: the time of leaving
        is exponential, and there are no samples after it. Nobody loses that of day 0.
    jitter : float
        Standard deviation, in days, of the day of a visit about the planned one; all
        assays of a visit share it. A day before the infusion is mirrored to the day
        after it. A visit planned on the day of a re-infusion may then fall after it.

    Raises
    ------
    ModelError
        Where a number is not possible, or limits are in the wrong order.

    Examples
    --------
    >>> import cellpk as ck
    >>> ck.Design([28, 7, 14], lloq=50, dropout=0.002).days
    (7.0, 14.0, 28.0)
    >>> ck.Design({"qpcr": [7, 28], "flow": [14]}, lloq={"qpcr": 50, "flow": 1}).days
    {'qpcr': (7.0, 28.0), 'flow': (14.0,)}
    """

    days: ArrayLike | Mapping[str, ArrayLike] = field(kw_only=False)
    assays: str | Sequence[str] | None = None
    infusions: Sequence[tuple[float, float]] | None = None
    lloq: Limit = None
    llod: Limit = None
    uloq: Limit = None
    dropout: float = 0.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        days, said = self.days, {}
        if isinstance(days, Mapping):
            said["days"] = {str(name): _days(x, name) for name, x in days.items()}
        else:
            said["days"] = _days(days, "every assay")
        if self.assays is not None:
            assays = [self.assays] if isinstance(self.assays, str) else self.assays
            said["assays"] = tuple(dict.fromkeys(assays))
        if self.infusions is not None:
            said["infusions"] = tuple(self.infusions)
        said |= {name: _limit(getattr(self, name), name) for name in LIMITS}
        said |= {name: _rate(getattr(self, name), name) for name in _RATES}
        for name, value in said.items():
            object.__setattr__(self, name, value)

    def planned(self, model: Description) -> tuple[Planned, ...]:
        """Return the planned samples of each assay of a model.

        Parameters
        ----------
        model : Model
            Which assays there are, and their units.

        Raises
        ------
        ModelError
            Where the model has no such assay, one has no days, or limits do not fit.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> ck.Design({"flow": [7, 14]}).planned(stein)
        Traceback (most recent call last):
            ...
        cellpk.errors.ModelError: stein_2019_tisagenlecleucel: 'flow' is not observed by
        this model. Use one of: 'qpcr'.
        """
        of_days = tuple(self.days) if isinstance(self.days, Mapping) else ()
        named = [*of_days, *(self.assays or ())]
        limits = {name: getattr(self, name) for name in LIMITS}
        named += [key for x in limits.values() if isinstance(x, Mapping) for key in x]
        _all_known(named, model.observed, where=model.name)
        chosen = tuple(self.assays or of_days or model.observed)
        units = {model.observed[name].unit for name in chosen}
        for name, value in limits.items():
            if isinstance(value, float) and len(units) > 1:
                raise ModelError(
                    f"{name} = {value:g} is given once, for {', '.join(chosen)} in "
                    f"{', '.join(sorted(units))}",
                    where=HERE,
                    todo=f"Give it by assay: {name}={{{chosen[0]!r}: {value:g}}}.",
                )
        days = {assay: self._days_of(assay) for assay in chosen}
        return tuple(
            Planned(model.observed[assay], days[assay], self._limits_of(assay))
            for assay in chosen
        )

    def _days_of(self, assay: str) -> Array:
        if not isinstance(self.days, Mapping):
            return np.array(self.days)
        _all_known([assay], self.days, where=f"{HERE}, days")
        return np.array(self.days[assay])

    def _limits_of(self, assay: str) -> dict[str, float]:
        """Limits of one assay, NaN where it has none: in order, or an error."""
        limits = {}
        for name in LIMITS:
            value = getattr(self, name)
            if isinstance(value, Mapping):
                value = value.get(assay)
            limits[name] = np.nan if value is None else value
        lloq, llod, uloq = (limits[name] for name in LIMITS)
        if not np.isnan(llod) and not llod <= lloq:
            _refuse(f"llod of {assay} is {llod:g} and lloq is {lloq:g}", _ORDER)
        if lloq > uloq:
            _refuse(f"lloq of {assay} is {lloq:g} and uloq is {uloq:g}", _ORDER)
        return limits


_RATES = ("dropout", "jitter")
_ORDER = "Give llod, lloq and uloq in that order, and no llod without an lloq."


def _refuse(what: str, todo: str) -> None:
    raise ModelError(what, where=HERE, todo=todo)


def _all_known(names: Iterable[str], known: Mapping[str, Any], *, where: str) -> None:
    for name in names:
        if name not in known:
            what = "is not observed by this model"
            if where.startswith(HERE):
                what = "has no days"
            raise ModelError(f"{name!r} {what}", where=where, todo=nearest(name, known))


def _days(days: ArrayLike, assay: str) -> tuple[float, ...]:
    """Planned days in order, each of them once."""
    try:
        numbers = np.asarray(days, dtype=float)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    possible = numbers.ndim == 1 and ((numbers >= 0) & (numbers < np.inf)).all()
    if not possible or not 0 < np.unique(numbers).size == numbers.size:
        _refuse(
            f"the days of {assay} are {days!r}",
            "Give different days after the infusion, none of them negative.",
        )
    return tuple(np.sort(numbers).tolist())


def _limit(value: Any, name: str) -> Any:
    """Return a limit as number, mapping of numbers or None."""
    if isinstance(value, Mapping):
        return {
            str(assay): _limit(x, f"{name} of {assay}") for assay, x in value.items()
        }
    if value is None:
        return None
    number = _number(value)
    if not 0 < number < np.inf:
        _refuse(f"{name} is {value!r}", "Give a positive number, or leave it out.")
    return number


def _rate(value: Any, name: str) -> float:
    number = _number(value)
    if not 0 <= number < np.inf:
        _refuse(f"{name} is {value!r}", "Give a number that is not negative.")
    return number


def _number(value: Any) -> float:
    """Return a number; NaN, which is never possible here, where there is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan
