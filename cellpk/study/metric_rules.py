"""The choices behind the metrics: table [metrics] of study.toml, arguments of nca."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from cellpk.errors import DataError, nearest
from cellpk.study.file_sections import Section
from cellpk.study.validation import told

MONTH = 30.4375
"""Days of a month: a twelfth of 365.25."""


def _spelled(*words: str) -> BeforeValidator:
    """Offer the nearest word for a text that is none of them."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value not in words:
            offer = nearest(value, words).removesuffix(".")
            raise ValueError(f"the word is not known ({offer})")
        return value

    return BeforeValidator(check)


type Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
type Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
type Fit = Annotated[
    Annotated[float, Field(le=1, allow_inf_nan=False)] | Literal["any"],
    _spelled("any"),
]
type Stand = Annotated[
    Literal["zero", "drop", "half", "lloq"] | Number,
    _spelled("zero", "drop", "half", "lloq"),
]
type Days = tuple[Number, ...]
type PointsByHand = dict[str, dict[str, Days]]
type Convention = Literal["cellpk", "pknca", "winnonlin"]


class Below(Section):
    """What a level below the limit of quantification counts as under a curve.

    ``first`` are those before the first quantifiable level, ``middle`` those between
    quantifiable ones, ``last`` those after the last. Each is 0, left out, half the
    LLOQ, the LLOQ, or a number in the assay's unit. Where nothing is quantifiable, all
    are ``first``.
    """

    first: Stand = "zero"
    middle: Stand = "zero"
    last: Stand = "zero"

    @property
    def in_order(self) -> tuple[str | float, str | float, str | float]:
        """What the first, the middle and the last count as."""
        return self.first, self.middle, self.last


BELOW: Mapping[str, Below] = {
    "cellpk": Below(),
    "zero": Below(),
    "pknca": Below(middle="drop"),
    "drop": Below(first="drop", middle="drop", last="drop"),
}
"""Rules for levels below the limit by name.

``cellpk`` and ``zero`` are the same today: for cells a level below the limit between
others is a true nadir, and after the last one is loss.
"""

CONVENTIONS: Mapping[str, Mapping[str, Any]] = {
    "cellpk": {},
    "pknca": {
        "below": "pknca",
        "at_zero": "missing",
        "baseline": "at_zero",
        "beyond": "last",
        "all_below": "zero",
        "cmax_window": "all",
        "lambda_z_r2adj": "any",
        "lambda_z_span": 0.0,
    },
    "winnonlin": {
        "auc_rule": "linear",
        "below": "drop",
        "baseline": "at_zero",
        "beyond": "infinity_pred",
        "all_below": "zero",
        "cmax_window": "all",
        "lambda_z_r2adj": "any",
        "lambda_z_span": 0.0,
        "lambda_z_among": "falling",
    },
}
"""What other programs do by default, as far as it differs from cellpk."""

VISITS: Mapping[str, tuple[float, float]] = {
    "d28": (28.0, 7.0),
    "m2": (2 * MONTH, 14.0),
    "m3": (3 * MONTH, 14.0),
    "m6": (6 * MONTH, 30.0),
    "m9": (9 * MONTH, 30.0),
    "m12": (12 * MONTH, 30.0),
}
"""Visits at which persistence is told: the day and how far off a sample may be."""


class Rules(Section):
    """The choices behind the metrics; the defaults are cellpk's.

    Parameters
    ----------
    convention : {"cellpk", "pknca", "winnonlin"}
        Whose defaults the other fields have where they are not given.
    auc_rule : {"linear_up_log_down", "linear", "linear_log"}
        How a level runs between two samples: exponentially where it falls; never;
        everywhere after Tmax. A straight line where an end is 0.
    below : {"cellpk", "pknca", "drop", "zero"} or Below
        What levels below the limit of quantification count as in areas.
    at_zero : {"zero", "extrapolated", "missing"}
        Level at time 0 where no sample was taken up to then: 0, as infused cells spread
        to below what assays reach; back along the first two levels, as after a bolus;
        or unknown, and areas from time 0 are not calculable.
    baseline : {"last", "at_zero"}
        Which sample before the infusion stands at time 0: the last one, or only one at
        exactly time 0.
    beyond : {"sampled", "last", "all", "infinity_obs", "infinity_pred"}
        How an area to a fixed day goes on after the last quantifiable level. "sampled":
        as sampled, and after the last sample with lambda_z where ``auc_coverage`` is
        reached. "last": not. "all": to the first level below the limit. "infinity_...":
        with lambda_z from the last quantifiable level, observed or predicted.
    auc_coverage : float
        Share of an area's days that samples must pass before lambda_z extends it.
    infinity : bool
        Whether areas to infinity, their extrapolated share and MRT are calculated.
    all_below : {"nc", "zero"}
        AUClast, AUCall and Clast of a patient in whom nothing is quantifiable; with
        "zero", areas between days are 0 too, whatever ``below`` and ``at_zero`` say.
    cmax_window : (float, float) or "all"
        Cmax is sought after the first and up to the second of these days.
    second_peak_fold : float
        A second peak rises at least so many times above the lowest level before it.
    early_peak : float
        A peak before this day is noted: infused cells still spread.
    before_infusion_share : float
        A level before the infusion above this share of Cmax keeps the patient's metrics
        out of summaries.
    lambda_z_points : int
        Fewest quantifiable levels after the peak for a terminal slope.
    lambda_z_r2adj : float or "any"
        Lowest adjusted R2 of the log-linear regression.
    lambda_z_span : float
        Fewest half-lives from the first to the last of its points.
    lambda_z_tolerance : float
        Of regressions whose adjusted R2 differs by less, that with most points is used.
    lambda_z_among : {"all", "falling"}
        Whether the best regression is sought among all, and none is used where it does
        not fall, or among those that fall.
    lambda_z_peak : bool
        Whether the level at Tmax may be one of its points.
    lambda_z_below : {"left_out", "censored"}
        Whether levels below the limit enter the slope as left-censored (Tobit).
    lambda_z_times, lambda_z_without : {assay: {patient: days}}
        Times of the samples that make the slope, or that it leaves out, chosen by hand.
    expansion_points : int
        Fewest quantifiable levels from the lowest to the peak for an expansion rate.
    expansion_r2adj : float or "any"
        Lowest adjusted R2 of that regression.
    areas : ((start, end), ...)
        Days of further areas, beyond those to day 7, 14, 28 and month 3, 6, 12.
    above : {assay: level}
        Level of which the time above it is told, in the assay's unit.
    visits : {name: (day, window)}
        Visits at which persistence is told: a sample within ``window`` days counts.
    reinfusion : {"cut", "keep"}
        Whether samples after a further infusion are left out.
    split_dose_days : float
        Infusions within so many days of the first are parts of one dose.
    cut_at : tuple of str
        Comedication from whose first time on samples are left out too.

    Examples
    --------
    >>> Rules(cmax_window=(0, 60)).cmax_window
    (0.0, 60.0)
    >>> Rules(convention="pknca").at_zero
    'missing'
    """

    convention: Convention = "cellpk"
    auc_rule: Literal["linear_up_log_down", "linear", "linear_log"] = (
        "linear_up_log_down"
    )
    below: Annotated[
        Literal["cellpk", "pknca", "drop", "zero"] | Below, _spelled(*BELOW)
    ] = "cellpk"
    at_zero: Literal["zero", "extrapolated", "missing"] = "zero"
    baseline: Literal["last", "at_zero"] = "last"
    beyond: Literal["sampled", "last", "all", "infinity_obs", "infinity_pred"] = (
        "sampled"
    )
    auc_coverage: Annotated[float, Field(ge=0, le=1)] = 0.75
    infinity: bool = False
    all_below: Literal["nc", "zero"] = "nc"
    cmax_window: Annotated[tuple[Number, Number] | Literal["all"], _spelled("all")] = (
        0.0,
        90.0,
    )
    second_peak_fold: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0
    early_peak: Number = 2.0
    before_infusion_share: Number = 0.05
    lambda_z_points: Annotated[int, Field(ge=3)] = 3
    lambda_z_r2adj: Fit = 0.8
    lambda_z_span: Number = 2.0
    lambda_z_tolerance: Number = 1e-4
    lambda_z_among: Literal["all", "falling"] = "all"
    lambda_z_peak: bool = False
    lambda_z_below: Literal["left_out", "censored"] = "left_out"
    lambda_z_times: PointsByHand = Field(default_factory=dict)
    lambda_z_without: PointsByHand = Field(default_factory=dict)
    expansion_points: Annotated[int, Field(ge=3)] = 3
    expansion_r2adj: Fit = 0.8
    areas: tuple[tuple[Number, Positive], ...] = ()
    above: dict[str, Positive] = Field(default_factory=dict)
    visits: dict[str, tuple[Positive, Number]] = Field(
        default_factory=lambda: dict(VISITS)
    )
    reinfusion: Literal["cut", "keep"] = "cut"
    split_dose_days: Number = 7.0
    cut_at: tuple[str, ...] = ("other_car_t", "allo_hsct")

    @model_validator(mode="before")
    @classmethod
    def _by_convention(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        known = CONVENTIONS.get(str(values.get("convention", "cellpk")), {})
        return {**known, **values}

    @field_validator("cmax_window", "areas")
    @classmethod
    def _in_order(cls, value: Any) -> Any:
        pairs = value if value and isinstance(value[0], tuple) else [value]
        for pair in pairs:
            if isinstance(pair, tuple) and pair and not pair[0] < pair[1]:
                message = f"{pair[0]:g} to {pair[1]:g} ends before it begins"
                raise ValueError(message)
        return value

    @field_validator("visits")
    @classmethod
    def _names_of_columns(cls, visits: dict[str, Any]) -> dict[str, Any]:
        for name in visits:
            if not (name and f"x{name}".isidentifier() and name.isascii()):
                message = f"visit {name!r} is no name of letters, digits and '_'"
                raise ValueError(message)
        return visits

    @model_validator(mode="after")
    def _chosen_or_left_out(self) -> Self:
        for assay, patients in self.lambda_z_times.items():
            refused = self.lambda_z_without.get(assay, {})
            for patient, days in patients.items():
                for day in set(days) & set(refused.get(patient, ())):
                    message = (
                        f"lambda_z_times and lambda_z_without of {assay!r} both name "
                        f"day {day:g} of patient {patient!r}"
                    )
                    raise ValueError(message)
        return self

    @property
    def stands(self) -> Below:
        """What levels below the limit count as, without names for it."""
        return self.below if isinstance(self.below, Below) else BELOW[self.below]

    @property
    def window(self) -> tuple[float, float]:
        """Days between which Cmax is sought."""
        return (0.0, float("inf")) if self.cmax_window == "all" else self.cmax_window


def rules_with(settings: Rules, changes: Mapping[str, Any]) -> Rules:
    """Return rules with some of them changed.

    Parameters
    ----------
    settings : Rules
        Those of a study.
    changes : mapping
        Fields of :class:`Rules`. A ``convention`` among them replaces those settings
        that any convention sets.

    Raises
    ------
    DataError
        Naming every rule that is not known (with the nearest known one) and every
        impossible value.

    Examples
    --------
    >>> rules_with(Rules(lambda_z_span=1), {"auc_rule": "linear"}).lambda_z_span
    1.0
    >>> rules_with(Rules(), {"auc_rul": "linear"})
    Traceback (most recent call last):
        ...
    cellpk.errors.DataError: column auc_rul, value 'linear':
      the key is not known. Did you mean 'auc_rule'?
    """
    given = settings.model_dump(exclude_unset=True)
    if "convention" in changes:
        by_convention = {name for each in CONVENTIONS.values() for name in each}
        given = {name: given[name] for name in given.keys() - by_convention}
    try:
        return Rules.model_validate({**given, **changes})
    except ValidationError as error:
        raise DataError(told(error, Rules)) from None
