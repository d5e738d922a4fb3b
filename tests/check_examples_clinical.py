"""Examples of the rules for limits, patients, infusions, drugs and outcomes."""

import pandas as pd
from check_examples import (
    LISTED,
    QUIET,
    Example,
    course,
    frame,
    samples,
    table,
    together,
)

LIMITS = {
    "unknown_limits": Example(
        samples(("1", 7, "ND"), ("1", 8, "ND"), ("2", 7, 3)),
        samples(("1", 7, "ND"), ("1", 8, "<5"), ("2", 7, 3), lloq=5),
        "2 samples of flow are reported as 'ND' with no limit stated: read as below",
    ),
    "unknown_upper_limits": Example(
        samples(("1", 7, ">ULOQ"), ("2", 7, 3)),
        samples(("1", 7, ">400"), ("2", 7, 3)),
        "1 sample of flow is reported as '>ULOQ' with no upper limit stated",
    ),
    "detected_without_llod": Example(
        samples(("1", 7, "POS"), ("2", 7, 30), lloq=5),
        samples(("1", 7, "POS"), ("2", 7, 30), lloq=5, llod=2),
        "1 sample of flow is detected but not quantifiable, and no LLOD is stated",
    ),
    "numbers_beyond_limits": Example(
        samples(("1", 7, 3), ("2", 7, 30), lloq=5),
        samples(("1", 7, 0), ("2", 7, 5), lloq=5),
        "1 sample of flow is reported as a number beyond a limit: read as below",
    ),
    "limit_above_most_levels": Example(
        together(course(*range(1, 13), lloq=8)),
        together(course(*range(1, 13), lloq=7)),
        "7 samples of flow are a number below the limit, of 12 numbers in all",
    ),
    "quantified_beyond_limits": Example(
        samples(("1", 7, 30), ("2", 7, 3), lloq=5, state="quantified"),
        samples(("1", 7, 30), ("2", 7, 5), lloq=5, state="quantified"),
        "1 sample of flow is called quantified but beyond a limit",
    ),
    "several_limits": Example(
        samples(("1", 7, 30), ("2", 7, 300), lloq=[5, 50]),
        samples(("1", 7, 30), ("2", 7, 300), lloq=[5, 5]),
        "flow has 2 limits of quantification, from 5 to 50",
    ),
    "texts_below_their_limit": Example(
        samples(("1", 7, "<2"), ("2", 7, 30), lloq=5),
        samples(("1", 7, "<2"), ("2", 7, 30), lloq=5, llod=2),
        "1 sample of flow is reported as below a number that is less than its limit",
    ),
}

RESULTS = {
    "no_car_t_assay": Example(
        samples(("1", 7, 3), ("2", 7, 3), assay="il6"),
        samples(("1", 7, 3), ("2", 7, 3), assay=["il6", "qpcr"]),
        "study 'A' has no assay of CAR-T cells or transgene",
    ),
    "excluded_samples": Example(
        samples(("1", 7, 30), ("2", 7, 30), excluded=["", "1"], reason="clotted"),
        samples(("1", 7, 30), ("2", 7, 30), excluded=["", "0"], reason="clotted"),
        "1 sample of flow is excluded: clotted",
    ),
    "missing_results": Example(
        samples(("1", 7, ""), ("1", 9, 3), ("2", 7, 30)),
        samples(("1", 7, "<3"), ("1", 9, 3), ("2", 7, 30)),
        "1 sample of flow without a result",
    ),
}

PATIENTS = {
    "unlisted_patients": Example(
        {
            "samples": pd.concat([QUIET["samples"], course(4.5, patient="3")]),
            "patients": LISTED,
        },
        QUIET | {"patients": LISTED},
        "the patients table does not list this patient, or lists nothing else",
    ),
    "patients_without_samples": Example(
        {"samples": course(5, 3), "patients": LISTED},
        QUIET | {"patients": LISTED},
        "no usable sample",
    ),
    "covariates_partly_numbers": Example(
        QUIET | {"patients": frame("patient kg", ("1", "80,5"), ("2", "60"))},
        QUIET | {"patients": frame("patient kg", ("1", "light"), ("2", "60"))},
        "'kg' is read as words, since some of its values are no numbers: '80,5'",
    ),
    "look_alike_patients": Example(
        samples(("P-1", 7, 30), ("p\N{EN DASH}01", 7, 30)),
        samples(("P-1", 7, 30), ("P-11", 7, 30), ("P1-1", 7, 30), ("Q-1", 7, 30)),
        "look like one patient",
    ),
}

SPLIT = [("1", 0, 1e8, "cells", "A"), ("2", 0, 1e8, "cells", "A")]
DOSED = "patient time dose unit lot"
FIVE = [(p, 0, 1e8, "cells", "A") for p in "12345"]
INFUSED = {"samples": pd.concat([course(9, 4, patient=p) for p in "12345"])}


def five(*last):
    return INFUSED | {"infusions": frame(DOSED, *FIVE[:4], ("5", *last))}


INFUSIONS = {
    "infusions_not_at_zero": Example(
        table("infusions", "patient time", ("1", 0), ("2", 1)),
        table("infusions", "patient time", ("1", 0), ("2", 0.04)),
        "the first infusion is not at time 0",
    ),
    "infusions_missing": Example(
        table("infusions", "patient time", ("1", 0)),
        table("infusions", "patient time", ("1", 0), ("2", 0)),
        "no infusion is listed for 1 patient: 2",
    ),
    "infused_twice_at_once": Example(
        table("infusions", DOSED, *SPLIT, ("1", 0, 2e8, "cells", "A")),
        table("infusions", DOSED, *SPLIT, ("1", 0.01, 2e8, "cells", "A")),
        "two infusions stand at day 0",
    ),
    "further_infusions": Example(
        table("infusions", DOSED, *SPLIT, ("1", 30, 1e8, "cells", "A")),
        table("infusions", DOSED, *SPLIT),
        "1 patient was infused again, from day 30 to 30: 1",
    ),
    "mixed_dose_units": Example(
        table("infusions", DOSED, *SPLIT[:1], ("2", 0, 1e8, "cells/kg", "A")),
        table("infusions", DOSED, *SPLIT[:1], ("2", 0, 1e8, "Cells", "A")),
        "doses are in 'cells', 'cells/kg'",
    ),
    "doses_alone": Example(
        five(0, 1e9, "cells", "A"),
        five(0, 5e8, "cells", "A"),
        "the dose is far from that of every other infusion",
    ),
    "doses_missing": Example(
        five(0, None, "cells", "A"),
        table("infusions", DOSED, ("1", 0), ("2", 0)),
        "no dose is given for 1 patient: 5",
    ),
    "lots_missing": Example(
        five(0, 1e8, "cells", ""),
        table("infusions", DOSED, ("1", 0, 1e8, "cells"), ("2", 0, 1e8, "cells")),
        "no lot is given for 1 patient: 5",
    ),
}

DRUG = "patient drug time end_time"


def treated(*grades):
    crs = [(str(i + 1), "crs_grade", g, 3) for i, g in enumerate(grades)]
    return table("comedication", DRUG, ("2", "tocilizumab", 4)) | {
        "outcomes": frame("patient endpoint value time", *crs)
    }


COMEDICATION = {
    "untimed_comedication": Example(
        table("comedication", DRUG, ("1", "anakinra"), ("2", "anakinra")),
        table("comedication", DRUG, ("1", "anakinra", 3), ("2", "anakinra", 4)),
        "anakinra was given to 2 patients at a time that is not known",
    ),
    "comedication_ends_before_start": Example(
        table("comedication", DRUG, ("1", "anakinra", 5, 4)),
        table("comedication", DRUG, ("1", "anakinra", 5, 5)),
        "anakinra ends on day 4, before day 5, on which it begins",
    ),
    "comedication_long_before": Example(
        table("comedication", DRUG, ("1", "bortezomib", -200, -31)),
        table("comedication", DRUG, ("1", "bortezomib", -200, -29)),
        "bortezomib was given to 1 patient up to 200 days before",
    ),
    "tocilizumab_without_crs": Example(
        treated(2, 0),
        treated(0, 1),
        "tocilizumab was given to 1 patient with no CRS: 2",
    ),
}

ASSESSED = "patient endpoint value time criteria evaluator"


def outcomes(*rows):
    return table("outcomes", ASSESSED, *rows)


def graded(one, other):
    return outcomes(("1", "crs_grade", 1, 3, one), ("2", "crs_grade", 2, 3, other))


def best(*responses):
    rows = [("1", "response", value, 28 * i) for i, value in enumerate(responses, 1)]
    return outcomes(("1", "best_response", "VGPR"), *rows, ("2", "best_response", "PD"))


def died(day):
    return samples(("1", 7, 30), ("1", 14, 3)) | {
        "outcomes": frame(ASSESSED, ("1", "death", 1, day))
    }


OUTCOMES = {
    "outcomes_before_infusion": Example(
        outcomes(("1", "crs_grade", 1, -2), ("2", "crs_grade", 1, 3)),
        outcomes(("1", "crs_grade", 1, 0), ("2", "crs_grade", 1, 3)),
        "'crs_grade' was assessed before the infusion",
    ),
    "missing_outcomes": Example(
        outcomes(("1", "mrd", "negative", 28)),
        outcomes(("1", "death", "1", 90)),
        "'mrd' is missing for 1 of 2 patients: 2",
    ),
    "mixed_criteria": Example(
        graded("CTCAE v5.0", "ASTCT 2019"),
        graded("CTCAE v5.0", "NCI CTCAE 4.03"),
        "'crs_grade' was assessed by 'CTCAE v5.0' and 'ASTCT 2019'",
    ),
    "several_evaluators": Example(
        outcomes(
            ("1", "response", "PR", 28, "IMWG", "INVESTIGATOR"),
            ("1", "response", "CR", 28, "IMWG", "IRC"),
            ("2", "response", "CR", 28, "IMWG", "IRC"),
        ),
        outcomes(
            ("1", "response", "PR", 28, "IMWG", "IRC"),
            ("1", "mrd", "negative", 28, "IMWG", "LABORATORY"),
            ("2", "response", "PR", 28, "IMWG", "IRC"),
        ),
        "'response' was assessed by several evaluators: INVESTIGATOR, IRC",
    ),
    "several_values_at_once": Example(
        outcomes(
            ("1", "mrd", "negative", 28),
            ("1", "mrd", "positive", 28),
            ("2", "mrd", "negative", 28),
        ),
        outcomes(
            ("1", "mrd", "negative", 28),
            ("1", "mrd", "positive", 56),
            ("2", "mrd", "negative", 28),
        ),
        "'mrd' is 'negative' and 'positive' on day 28",
    ),
    "best_response_contradicted": Example(
        best("PR", "PR"),
        best("PR", "NE", "VGPR"),
        "the best response is VGPR, the best assessment PR",
    ),
    "progressions_contradicted": Example(
        outcomes(("1", "progression", 0, 28), ("1", "response", "PD", 28)),
        outcomes(
            *(("1", "progression", 0, 28), ("1", "response", "PD", 56)),
            *(("2", "progression", 1, 90), ("2", "response", "CR", 28)),
        ),
        "progression is 0 on day 28, but the response is PD on day 28",
    ),
    "events_after_death": Example(
        died(12),
        died(13.5),
        "samples (1) stand up to day 14, after the death on day 12",
    ),
    "untimed_events": Example(
        outcomes(("1", "progression", 1, None)),
        outcomes(("1", "progression", 0, None)),
        "'progression' has no time in 1 patient: 1",
    ),
}
