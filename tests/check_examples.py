"""For every rule of ``cellpk.study.checks``: a study that it tells of, and a near miss.

``bad`` and ``fine`` are the frames of a study, ``what`` stands in what is told of it.
"""

from dataclasses import dataclass, field

import pandas as pd

TRIAL = {"id": "A", "infusion_day": 0}


@dataclass(frozen=True)
class Example:
    """What a rule finds, and what it does not."""

    bad: dict
    fine: dict
    what: str
    n: int = 1
    settings: dict = field(default_factory=dict)

    @property
    def says(self):
        return {"study": TRIAL, **self.settings}


def frame(columns, *rows, **constant):
    """Make a frame of rows, which may be shorter than the columns are many."""
    names = columns.split()
    full = [(*row, *[None] * (len(names) - len(row))) for row in rows]
    return pd.DataFrame(full, columns=names, dtype=object).assign(**constant)


def samples(*rows, **constant):
    """Make samples of rows (patient, time, level)."""
    return {
        "samples": frame("patient time level", *rows, **{"assay": "flow"} | constant)
    }


def course(*levels, patient="1", times=None, **constant):
    """Make a patient's samples on days 7, 14, 21 ..."""
    times = times or range(7, 7 * len(levels) + 1, 7)
    rows = [(patient, t, x) for t, x in zip(times, levels, strict=True)]
    return samples(*rows, **constant)["samples"]


def together(*frames):
    return {"samples": pd.concat(frames, ignore_index=True)}


QUIET = samples(("1", 7, 30), ("1", 14, 3), ("2", 7, 200))


def table(name, columns, *rows):
    """Make a quiet study with rows in another table."""
    return QUIET | {name: frame(columns, *rows)}


def visits(*rows, **constant):
    """Make samples of rows (time, visit or nominal day), and levels that fall."""
    times = frame("time visit nominal_time", *rows)
    return {
        "samples": times.assign(
            patient="1",
            level=range(100, 100 - len(times), -1),
            assay="flow",
            **constant,
        )
    }


LISTED = frame("patient age", ("1", 50), ("2", 60))
WEEKLY = [(7, "Day 7"), (14, "Day 14"), (21, "Day 21"), (28, "Day 28"), (60, "Day 60")]
ORDERED = [(day, f"Day {day}") for day in range(2, 45, 2)]


def scaled(rows, factor):
    return [(day * factor, visit) for day, visit in rows]


def planned(rows, shift):
    return [(day + shift, None, day) for day, _ in rows]


TIMES = {
    "before_infusion": Example(
        samples(("1", -3, "ND"), ("1", -1, "ND"), ("2", 7, 30), lloq=5),
        samples(("1", 0, "ND"), ("2", 7, 30), lloq=5),
        "2 samples of flow stand before the infusion",
    ),
    "car_t_before_infusion": Example(
        samples(("1", 0, 30), ("2", 7, 30)),
        samples(("1", 0, "ND"), ("2", 0.1, 30), lloq=5),
        "flow is positive at or before the infusion",
    ),
    "off_schedule": Example(
        samples(("1", 19, 3), ("2", 21, 30), nominal_time=[7, 21]),
        samples(("1", 33, 3), ("2", 60, 30), nominal_time=[28, 60]),
        "the flow sample of visit day 7 was taken on day 19",
    ),
    "years_after_infusion": Example(
        samples(("1", 7, 30), ("2", 7300, 30)),
        samples(("1", 7, 30), ("2", 5475, 30)),
        "up to 20 years away",
    ),
    "out_of_order": Example(
        visits(*ORDERED[:10], (9, None), *ORDERED[10:]),
        visits(*ORDERED[:10], (20.5, None), *ORDERED[10:]),
        "the time goes back behind that of row 11 (day 20)",
    ),
    "hours_for_days": Example(
        visits(*scaled(WEEKLY, 24)),
        visits(*WEEKLY),
        "about 24 times the days of their visits",
    ),
    "weeks_for_days": Example(
        visits((1, "Day 7"), (2, "Day 14"), (4, "Day 28"), (8.6, "Day 60")),
        visits((7, "Day 7"), (14, "Day 14"), (28, "W4"), (60, "M2")),
        "about a seventh of the days of their visits",
    ),
    "days_for_other_units": Example(
        visits(*scaled(WEEKLY, 7)),
        visits(*scaled(WEEKLY, 1.2)),
        "about 7 times the days of their visits",
    ),
    "day_zero_or_one": Example(
        visits(*planned(WEEKLY, 1)),
        visits(*planned(WEEKLY[:4], 1), *planned(WEEKLY[:4], 0.1)),
        "5 samples are +1 day off 'nominal_time'",
    ),
    "baseline_after_infusion": Example(
        visits((2, "Pre-dose"), (7, "Day 7")),
        visits((0.3, "Pre-dose"), (1.5, "Baseline, 36h post-dose")),
        "visit 'Pre-dose' was on day 2",
    ),
}

UNITS = {
    "mixed_units": Example(
        samples(("1", 7, 30), ("1", 14, 0.3), unit=["cells/uL", "10^9/L"]),
        samples(("1", 7, 30), ("2", 14, 0.3), unit=["cells/uL", "10^9/L"]),
        "levels of flow came in 'cells/uL' and '10^9/L' for 1 patient: 1",
    ),
    "unit_changes_at_a_row": Example(
        together(
            course(1, 2, 4, unit="cells/uL"),
            course(1, 2, 4, 5, patient="2", unit="10^9/L"),
        ),
        together(
            course(1, 2, 4, unit="cells/uL"), course(1, 2, patient="2", unit="10^9/L")
        ),
        "from here on flow is in '10^9/L', not 'cells/uL'",
    ),
    "shares_above_all": Example(
        samples(("1", 7, 101), ("2", 7, 3), assay="flow_percent"),
        samples(("1", 7, 100), ("2", 7, 3), assay="flow_percent"),
        "1 sample of flow_percent is above 100 %",
    ),
    "copies_beyond_the_dna": Example(
        samples(("1", 7, 3.1e6), ("2", 7, 3e6), assay="qpcr"),
        samples(("1", 7, 3.0e6), ("2", 7, 3e6), assay="qpcr"),
        "1 sample of qpcr is above 3,030,303 copies/ug, 20 copies in every cell",
    ),
    "fractions_for_percent": Example(
        together(
            *(
                course(0.9, 0.3, 0.1, 0.04, patient=p, assay="flow_percent")
                for p in "123"
            )
        ),
        together(
            *(
                course(1.1, 0.3, 0.1, 0.04, patient=p, assay="flow_percent")
                for p in "123"
            )
        ),
        "no level of flow_percent is above 1 %",
    ),
    "fahrenheit": Example(
        QUIET | {"patients": frame("patient temperature", ("1", 37.2), ("2", 101.3))},
        QUIET | {"patients": frame("patient temperature", ("1", 37.2), ("2", 40.9))},
        "'temperature' is from 95 to 110 in 1 patient: 2",
    ),
}

RATIOS = [(1000, 10), (2100, 19), (900, 11), (400, 4.2), (80, 0.7)]


def both(*pairs, patient="1", **second):
    """Make samples of two assays from pairs of levels."""
    return pd.concat(
        [
            course(*[one for one, _ in pairs], patient=patient, assay="qpcr"),
            course(
                *[two for _, two in pairs],
                patient=patient,
                **{"assay": "flow"} | second,
            ),
        ]
    )


def peaks(*levels):
    return together(*(course(x, x / 3.1, patient=str(i)) for i, x in enumerate(levels)))


OUTLIERS = {
    "powers_of_ten_in_a_series": Example(
        together(course(10, 9000, 4100, 210, 1250, 510, 260)),
        together(course(10, 9000, 4100, 260, 1250, 510, 260)),
        "flow is about 10 times below what the samples before and after say "
        "(4100 and 1250)",
    ),
    "peaks_far_above_all_others": Example(
        peaks(10, 30, 50, 70, 200, 1e5),
        peaks(10, 30, 50, 70, 2000, 1e5),
        "the flow peak is far above that of all 5 others",
    ),
    "assays_disagree": Example(
        together(both(*RATIOS), both(*RATIOS[:-1], (80, 7.3), patient="2")),
        together(both(*RATIOS), both(*RATIOS[:-1], (80, 1.9), patient="2")),
        "flow is about 10 times higher against qpcr than usual: flow 7.3, qpcr 80",
    ),
    "assays_of_a_patient_disagree": Example(
        together(
            *(both(*RATIOS, patient=p) for p in "1234"),
            both(*((q, 1000 * f) for q, f in RATIOS), patient="5"),
        ),
        together(
            *(both(*RATIOS, patient=p) for p in "1234"),
            both(*((q, 100 * f) for q, f in RATIOS), patient="5"),
        ),
        "flow is about 1000 times higher against qpcr than in the other patients",
    ),
    "same_digits": Example(
        together(both((120, 31), (8.918, 0.8918))),
        together(both((120, 31), (8.91, 0.891))),
        "flow and qpcr have the same digits",
    ),
}

LEVELS = {
    "repeated_levels": Example(
        together(course(1472, 3, 1472, 2, 1472)),
        together(course(1.47, 3, 1.47, 2, 1.47)),
        "flow is 1472 at 3 times of the patient",
    ),
    "codes_for_levels": Example(
        samples(("1", 7, 9999), ("1", 14, 3)),
        samples(("1", 7, 999), ("1", 14, 3)),
        "flow is 9999, as a code is",
    ),
    "doses_among_samples": Example(
        samples(("1", 0, "150000000"), ("1", 7, 3))
        | {"infusions": frame("patient dose", ("1", 1.5e8))},
        samples(("1", 0, "15000"), ("1", 7, 3))
        | {"infusions": frame("patient dose", ("1", 1.5e8))},
        "1 sample of flow is the dose of the patient",
    ),
    "identical_series": Example(
        together(course(12.5, 413, 37.2), course(12.5, 413, 37.2, patient="2")),
        together(course(12.5, 413, 37.2), course(12.5, 413, 37.3, patient="2")),
        "the 3 levels of flow are those of flow in patient 1",
    ),
}
