"""The rules behind the metrics as sentences for footnotes."""

from collections.abc import Iterator, Mapping

from cellpk.study.metric_rules import Rules

_AUC_RULES: Mapping[str, str] = {
    "linear_up_log_down": "Areas are logarithmic where the level falls, and linear "
    "where it rises or an end is 0 (linear up, log down).",
    "linear": "Areas are linear between samples (linear trapezoidal rule).",
    "linear_log": "Areas are linear up to Tmax and logarithmic after it, linear where "
    "an end is 0 (linear-log).",
}
_BASELINE: Mapping[str, str] = {
    "last": "The last level up to time 0 stands at time 0; without one, ",
    "at_zero": "A level at exactly time 0 stands there; without one, ",
}
_AT_ZERO: Mapping[str, str] = {
    "zero": "areas start at 0.",
    "extrapolated": "the line through the logarithms of the first two levels is "
    "followed back to it, or the first level stands there where they do not fall.",
    "missing": "areas from time 0 are NC.",
}
_BEYOND: Mapping[str, str] = {
    "last": "Areas to a fixed day end at the last quantifiable level where it comes "
    "earlier.",
    "all": "Areas to a fixed day end at the first level below the limit after the last "
    "quantifiable one where it comes earlier.",
    "infinity_obs": "Areas to a fixed day go on from the last quantifiable level with "
    "lambda_z.",
    "infinity_pred": "Areas to a fixed day go on from the level that the regression "
    "behind lambda_z has at the last quantifiable one, with lambda_z.",
}
_STANDS = {
    "zero": "count as 0",
    "drop": "are left out",
    "half": "count as half the LLOQ",
    "lloq": "count as the LLOQ",
}


def in_words(rules: Rules) -> tuple[str, ...]:
    """Return the rules as sentences for footnotes.

    Examples
    --------
    >>> in_words(Rules())[0]
    'Time 0 is the start of the first infusion; times are actual days after it.'
    """
    return tuple(_sentences(rules))


def _sentences(rules: Rules) -> Iterator[str]:
    yield "Time 0 is the start of the first infusion; times are actual days after it."
    yield "A sample at time 0 counts as drawn before the infusion."
    yield from _below(rules)
    yield _BASELINE[rules.baseline] + _AT_ZERO[rules.at_zero]
    yield from _peak(rules)
    yield _AUC_RULES[rules.auc_rule]
    yield "AUClast ends at the last quantifiable level."
    yield _fixed_days(rules)
    if rules.infinity:
        yield (
            "AUCinf adds Clast over lambda_z to AUClast, Clast as observed or as the "
            "regression behind lambda_z predicts it; how much of it is extrapolated is "
            "stated in percent."
        )
    yield from _terminal(rules)
    yield _expansion(rules)
    yield (
        "A level above the upper limit of quantification makes the metrics that rest "
        "on it NC."
    )
    yield (
        "Cmax is evaluable with three samples from day 0 to 28, for cells and "
        "transgene one of them from day 7 to 21; AUC0-28d where it is calculable; "
        "neither where a level before the infusion exceeds "
        f"{100 * rules.before_infusion_share:g}% of Cmax."
    )
    yield f"A peak before day {rules.early_peak:g} is noted: cells still spread then."
    yield _further(rules)
    yield "Areas and slopes are given for levels of cells and transgene only."


def _below(rules: Rules) -> Iterator[str]:
    stands = rules.stands
    kinds = {
        "before the first quantifiable level": stands.first,
        "between quantifiable levels": stands.middle,
        "after the last": stands.last,
    }
    if set(kinds.values()) == {"zero"}:
        yield (
            "Levels below the limit of quantification, detected or not, count as 0; "
            "missing samples are left out and never count as 0."
        )
        return
    parts = [f"{where} {_stand(stand)}" for where, stand in kinds.items()]
    yield (
        "Under the curve, levels below the limit of quantification, detected or not, "
        f"{'; '.join(parts)}. Missing samples are left out and never count as 0."
    )


def _stand(stand: str | float) -> str:
    return _STANDS[stand] if isinstance(stand, str) else f"count as {stand:g}"


def _peak(rules: Rules) -> Iterator[str]:
    window = rules.window[1]
    until = "" if rules.cmax_window == "all" else f" up to day {window:g}"
    yield (
        f"Cmax is the highest level after the infusion{until}, and Tmax the day of the "
        "first of equals. A second peak is the highest level of a rise after Tmax to "
        f"at least {rules.second_peak_fold:g} times the lowest level before it, or "
        "above Cmax."
    )
    nothing = "Cmax and areas to a fixed day are 0"
    if rules.all_below == "zero":
        yield (
            f"Where every level is below the limit, {nothing}, AUClast and Clast too, "
            "and Tmax and Tlast are not calculable (NC)."
        )
    else:
        yield (
            f"Where every level is below the limit, {nothing}, and Tmax, Clast, Tlast "
            "and AUClast are not calculable (NC)."
        )


def _fixed_days(rules: Rules) -> str:
    if rules.beyond != "sampled":
        return _BEYOND[rules.beyond]
    day = 28 * rules.auc_coverage
    return (
        "Areas to a fixed day end exactly there, by interpolation. Where sampling ends "
        f"earlier, but after {rules.auc_coverage:.0%} of the days (day {day:g} for "
        "AUC0-28d), the last level is extrapolated with lambda_z, and stays 0 where it "
        "is below the limit; else the area is NC."
    )


def _terminal(rules: Rules) -> Iterator[str]:
    from_ = "from" if rules.lambda_z_peak else "after"
    wanted = ["must fall"]
    if rules.lambda_z_r2adj != "any":
        wanted.append(f"have an adjusted R2 of {rules.lambda_z_r2adj:g} or more")
    if rules.lambda_z_span:
        wanted.append(f"span {rules.lambda_z_span:g} half-lives or more")
    *first, last = wanted
    among = ", of those that fall" if rules.lambda_z_among == "falling" else ""
    text = f"{', '.join(first)} and {last}" if first else last
    yield (
        "lambda_z is from the log-linear regression of at least "
        f"{rules.lambda_z_points} quantifiable levels {from_} Tmax, the last one among "
        "them: the regression with the highest adjusted R2 (within "
        f"{rules.lambda_z_tolerance:g}, that with most levels){among}. It {text}."
    )
    hand = [*rules.lambda_z_times.values(), *rules.lambda_z_without.values()]
    patients = {patient for chosen in hand for patient in chosen}
    if patients:
        yield (
            "Samples behind lambda_z were chosen or left out by hand in "
            f"{len(patients)} patients; where chosen, fit and span are not judged."
        )
    if rules.lambda_z_below == "censored":
        yield (
            "From the first of these levels on, levels below the limit enter the slope "
            "as left-censored (Tobit regression)."
        )


def _expansion(rules: Rules) -> str:
    fit = (
        ""
        if rules.expansion_r2adj == "any"
        else f", with an adjusted R2 of {rules.expansion_r2adj:g} or more"
    )
    return (
        "The expansion rate is from the log-linear regression of at least "
        f"{rules.expansion_points} quantifiable levels from the lowest one after the "
        f"infusion to the peak{fit}."
    )


def _further(rules: Rules) -> str:
    names = ", ".join(name.replace("_", " ") for name in rules.cut_at)
    if rules.cut_at == Rules().cut_at:
        names = "another cell therapy"
    if rules.reinfusion == "keep":
        kept = "Samples after a further infusion are used as all others"
        return f"{kept}; those after {names} are not." if names else f"{kept}."
    return (
        f"Samples after an infusion that came more than {rules.split_dose_days:g} days "
        f"after the first are not used{f', nor those after {names}' if names else ''}."
    )
