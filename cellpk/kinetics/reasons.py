"""Why a metric is not calculable: one vocabulary for all metrics."""

import numpy as np

from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.registry import Reason

REASONS: dict[str, str] = {
    "no_sample": "The patient has no usable sample of this series.",
    "no_sample_after_infusion": "No sample was taken after the infusion.",
    "no_sample_in_window": "No sample was taken in the days that this metric covers.",
    "no_sample_before_peak": "No sample was taken between the infusion and the peak.",
    "no_start": "No sample was taken up to the infusion, and none is assumed.",
    "no_quantifiable": "No sample reached the lower limit of quantification.",
    "no_quantifiable_in_window": "No sample in the days in which Cmax is sought "
    "reached the lower limit of quantification.",
    "above_upper_limit": "A level above the upper limit of quantification decides it.",
    "low_not_quantified": "The lowest level that it is relative to is below the limit "
    "of quantification.",
    "still_quantifiable": "The last sample was still quantifiable.",
    "no_second_peak": "The level did not rise again after the peak.",
    "ends_early": "The last sample was taken too early for this area.",
    "no_lambda_z": "Sampling ended before the last day of this area, and there is no "
    "terminal slope to extrapolate with.",
    "few_points": "Too few quantifiable levels follow the peak.",
    "not_falling": "The best log-linear regression does not fall.",
    "poor_fit": "The adjusted R2 of the log-linear regression is too low.",
    "short_span": "The regression covers too few half-lives.",
    "no_censored_fit": "The maximum of the likelihood with the levels below the "
    "limit was not found.",
    "few_rising_points": "Too few quantifiable levels lead up to the peak.",
    "not_rising": "The log-linear regression up to the peak does not rise.",
    "no_level_given": "No level was given for this assay.",
    "lost_in_error": "With this assay error the metric is not calculable, or nothing "
    "is quantifiable, in more than one of ten draws: there is no interval.",
    "not_a_cell_series": "Only for levels of cells or transgene: this series does not "
    "start from zero.",
}
"""Why a metric is not calculable (NC): its code and the sentence for it."""


def unsampled(profiles: Profiles) -> tuple[Reason, ...]:
    """Return the reasons of profiles without any sample, or none after the infusion.

    Examples
    --------
    >>> [code for mask, code in unsampled(Profiles.one([-1], [0])) if mask[0]]
    ['no_sample_after_infusion']
    """
    return (
        (profiles.counts == 0, "no_sample"),
        (profiles.never_after, "no_sample_after_infusion"),
    )


def unquantified(profiles: Profiles) -> tuple[Reason, ...]:
    """Return the reasons of profiles without a quantifiable level after the infusion.

    Examples
    --------
    >>> [code for mask, code in unquantified(Profiles.one([7], [0])) if mask[0]]
    ['no_quantifiable']
    """
    none = profiles.last_quantified < 0
    return (*unsampled(profiles), (none, "no_quantifiable"))


def no_peak(profiles: Profiles) -> tuple[Reason, ...]:
    """Return the reasons of profiles without one highest level in the Cmax window.

    Examples
    --------
    >>> one = Profiles.one([7, 14], [np.inf, np.inf])
    >>> [code for mask, code in no_peak(one) if mask[0]]
    ['above_upper_limit']
    """
    several = profiles.total(profiles.at_top) > 1
    return (
        *unsampled(profiles),
        (profiles.top < 0, "no_sample_in_window"),
        (profiles.last_quantified < 0, "no_quantifiable"),
        (profiles.top == 0, "no_quantifiable_in_window"),
        (np.isinf(profiles.top) & several, "above_upper_limit"),
    )
