"""What a metric is, why it may be missing, and how a function becomes one."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.segments import Flags, Floats

if TYPE_CHECKING:
    from cellpk.study.metric_rules import Rules

type UnitKind = Literal["level", "day", "day*level", "1/day", "1", "%"]
type Kind = Literal["peak", "last", "area", "terminal", "expansion", "presence"]
type Reason = tuple[Flags, str]

FUNCTIONS: dict[str, "OnePatient"] = {}
"""Every metric of one patient's plain arrays; filled by :func:`metric`."""

REGISTERED: dict[str, "Metric"] = {}
"""Every metric of its own; filled by :func:`metric`."""

FAMILIES: "list[Callable[[Rules], Iterable[Metric]]]" = []
"""What makes the metrics that rules ask for; filled by :func:`family`."""

KINDS: tuple[Kind, ...] = get_args(Kind.__value__)
"""Kinds of metrics, in the order of the table."""


class Found(NamedTuple):
    """One metric of every profile.

    Parameters
    ----------
    value : array, shape (profiles,)
        NaN where not calculable.
    reason : array of str, shape (profiles,)
        Key of ``REASONS``, empty where calculable.
    """

    value: Floats
    reason: NDArray[np.str_]


def found(value: Floats, *reasons: Reason) -> Found:
    """Return each value, or the first reason that applies why there is none.

    Parameters
    ----------
    value : array, shape (profiles,)
        The metric; what stands where a reason applies does not matter.
    *reasons : (array of bool, str)
        Where each code of ``REASONS`` applies.

    Examples
    --------
    >>> found(np.array([2.0, 3.0]), (np.array([False, True]), "no_sample"))
    Found(value=array([ 2., nan]), reason=array(['', 'no_sample'], dtype='<U9'))
    """
    masks, codes = zip(*reasons, strict=True)
    reason = np.select(masks, codes, default="")
    return Found(np.where(reason == "", value, np.nan), reason)


@dataclass(frozen=True)
class Metric:
    """What a metric is and how it is summarised.

    Parameters
    ----------
    name : str
        Column of ``Metrics.table``.
    kind : {"peak", "last", "area", "terminal", "expansion", "presence"}
        What it is about; metrics of one kind stand together.
    label : str
        What it is called where a person reads.
    unit_kind : {"level", "day", "day*level", "1/day", "1", "%"}
        How it scales with the levels and the times.
    cdisc : str
        CDISC controlled term (PPTESTCD), or a name of ours where there is none.
    summary : {"geometric", "median", "share"}
        Summarised by geometric mean and geometric CV%, by median and range, or, of a 1
        for yes and a 0 for no, by the share of yes with its exact interval.
    compute : callable
        The metric of all profiles.
    cells_only : bool
        Whether it has a meaning only for levels of cells or transgene.
    main : bool
        Whether it is summarised where nobody asks for others.
    infinity : bool
        Whether it rests on the level after the last sample; off unless asked for.
    rests_on : {"", "cmax"}
        Metric without whose samples (``cmax_evaluable``) it stays out of summaries.
    outcome : {"", "follow_up", "persistence"}
        Why it may not predict an outcome: it grows with follow-up, or is seen only in
        the weeks after the peak; "" where it may.
    days : (float, float) or None
        Days that an area covers.
    """

    name: str
    kind: Kind
    label: str
    unit_kind: UnitKind
    cdisc: str
    summary: Literal["geometric", "median", "share"]
    compute: Callable[[Profiles], Found]
    cells_only: bool = False
    main: bool = False
    infinity: bool = False
    rests_on: Literal["", "cmax"] = ""
    outcome: Literal["", "follow_up", "persistence"] = ""
    days: tuple[float, float] | None = None

    def unit(self, level: str) -> str:
        """Return the metric's unit where levels have the unit ``level``.

        Examples
        --------
        >>> from cellpk.kinetics.metrics import METRICS
        >>> METRICS["auc_0_28"].unit("cells/uL")
        'day*cells/uL'
        """
        return self.unit_kind.replace("level", level)


class OnePatient(Protocol):
    """A metric of one patient, computed from plain arrays."""

    def __call__(
        self,
        times: ArrayLike,
        levels: ArrayLike,
        *,
        lloq: ArrayLike = 0.0,
        **rules: Any,
    ) -> float:
        """Return the metric, NaN where it is not calculable."""
        ...


_ARGUMENTS = """

Parameters
----------
times : array, shape (samples,)
    Days after infusion, increasing.
levels : array, shape (samples,)
    Level in the assay's unit; NaN where not measured, ``inf`` above the upper limit.
lloq : float or array, shape (samples,)
    Lower limit of quantification, in the unit of ``levels``.
**rules
    Further arguments of :meth:`cellpk.kinetics.profiles.Profiles.one`, among them the
    fields of :class:`cellpk.study.metric_rules.Rules`.

Returns
-------
float
    In the unit kind %r; NaN where not calculable.
"""


def metric(**declared: Any) -> Callable[[Callable[[Profiles], Found]], OnePatient]:
    """Enter a metric under its function's name.

    Parameters
    ----------
    **declared
        Fields of :class:`Metric` except ``name`` and ``compute``.

    Returns
    -------
    callable
        Decorator of a function of :class:`~cellpk.kinetics.profiles.Profiles`; it
        returns the metric of one patient's plain arrays.

    Examples
    --------
    >>> from cellpk.kinetics.metrics import METRICS, cmax
    >>> METRICS["cmax"].label, cmax([7, 14], [900, 300])
    ('Cmax', 900.0)
    """

    def enter(compute: Callable[[Profiles], Found]) -> OnePatient:
        name = compute.__name__
        REGISTERED[name] = Metric(name=name, compute=compute, **declared)

        @wraps(compute, assigned=("__module__", "__name__", "__qualname__"))
        def one(
            times: ArrayLike, levels: ArrayLike, *, lloq: ArrayLike = 0.0, **rules: Any
        ) -> float:
            profile = Profiles.one(times, levels, lloq=lloq, **rules)
            return float(compute(profile).value[0])

        head, _, rest = inspect.cleandoc(compute.__doc__ or "").partition(
            "\n\nExamples"
        )
        arguments = _ARGUMENTS % REGISTERED[name].unit_kind
        one.__doc__ = f"{head}{arguments}\nExamples{rest}"
        vars(one)["__signature__"] = inspect.signature(one, follow_wrapped=False)
        FUNCTIONS[name] = one
        return one

    return enter


def family(
    make: "Callable[[Rules], Iterable[Metric]]",
) -> "Callable[[Rules], Iterable[Metric]]":
    """Enter a function that makes metrics which the rules ask for, as areas to a day.

    Examples
    --------
    >>> from cellpk.kinetics.metrics.areas import areas
    >>> from cellpk.study.metric_rules import Rules
    >>> [each.name for each in areas(Rules(areas=[(7, 28)]))]
    ['auc_7_28']
    """
    FAMILIES.append(make)
    return make
