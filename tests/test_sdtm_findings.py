import pytest
from sdtm_files import DM, EX, PC, SECTION, aside, columns, problems, rows, study, told

BLANK = {"PCORRES": "", "PCSTRESC": "", "PCSTRESN": ""}
OPEN = [EX | {"EXSTDTC": "2020-03-01"}]  # the infusion without a clock time


def result(text, number="", **more):
    return {"PCORRES": text, "PCSTRESC": text, "PCSTRESN": number} | more


def on(*changes):
    """Samples on consecutive days, in the order of their days."""
    days = [{"PCDTC": f"2020-03-{day:02d}T10:00"} for day in range(2, 2 + len(changes))]
    more = [day | change for day, change in zip(days, changes, strict=True)]
    return rows(PC, *more)


def test_results_become_states_by_text_number_and_limits(tmp_path):
    limits = {"PCLLOQ": "50", "PCULOQ": "1000"}
    read = study(
        tmp_path,
        pc=on(
            result("<BLQ", "0", **limits),
            result("<BLQ", **limits),
            result("<50"),
            result(">1000", **limits),
            result("70", "70", **limits),
            result("30", "30", PCLLOD="10", **limits),
            BLANK | {"PCSTAT": "NOT DONE", "PCREASND": "CLOTTED"},
            BLANK | {"PCORRES": "ND"},
        ),
    )
    names = ("state", "level", "lloq", "reported", "reason")
    assert columns(read, "samples", *names) == [
        ["below", None, 50.0, "<BLQ", ""],
        ["below", None, 50.0, "<BLQ", ""],
        ["below", None, 50.0, "<50", ""],
        ["above", None, 50.0, ">1000", ""],
        ["quantified", 70.0, 50.0, "70", ""],
        ["detected", 30.0, 50.0, "30", ""],
        ["missing", None, None, "", "CLOTTED"],
        ["below", None, None, "ND", ""],
    ]


def test_texts_of_a_laboratory_can_be_mapped(tmp_path):
    lysed = on(result("HEMOLYZED"))
    found = problems(tmp_path, pc=lysed)
    assert [(p.column, p.value) for p in found] == [("PCSTRESC", "HEMOLYZED")]
    read = study(tmp_path, f'{SECTION}\ntexts = {{ HEMOLYZED = "NA" }}', pc=lysed)
    assert columns(read, "samples", "state", "reason") == [
        ["missing", "reported as HEMOLYZED"]
    ]


def test_contradictions_within_a_record_are_told(tmp_path):
    read = study(
        tmp_path,
        pc=on(
            result("300", "30"),
            result("BLQ", "25"),
            result("300", "300", PCSTAT="NOT DONE"),
            result("300", "300", PCSTRESU=""),
        ),
    )
    assert read.samples["state"].tolist() == [
        "quantified",
        "below",
        "missing",
        "quantified",
    ]
    assert read.samples["level"].tolist()[0] == 300
    for word in (
        "PCSTRESC and PCSTRESN are different numbers",
        "with a text in PCSTRESC and a number beside it",
        "not done, with a result",
        "with a number and no unit",
    ):
        assert told(read, f"1 record {word}") or told(read, f"1 record in which {word}")


def test_codes_may_need_their_method(tmp_path):
    both = on({"PCMETHOD": "QPCR"}, {"PCMETHOD": "DDPCR"}, {"PCTESTCD": "XYZ"})
    section = 'assays = { "CAR/QPCR" = "qpcr", "car/ddpcr" = "ddpcr" }'
    read = study(tmp_path, section, pc=both)
    assert sorted(read.samples["assay"]) == ["ddpcr", "qpcr"]
    assert aside(read) == {
        ("sdtm/pc.csv", "test code XYZ is mapped to no assay"): 1,
    }


def test_no_mapped_code_at_all_is_a_problem_with_an_example(tmp_path):
    found = problems(tmp_path, "", pc=on({}, {"PCTESTCD": "XYZ"}))
    assert found[0].what == "no test code is mapped to an assay: CAR, XYZ"
    assert 'assays = { CAR = "qpcr" }' in found[0].todo


def test_any_domain_of_findings_is_read(tmp_path):
    lb = {"DOMAIN": "LB", "USUBJID": "S-1", "LBSEQ": "1", "LBTESTCD": "INTLK6"}
    lb |= {"LBORRES": "<2", "LBSTRESC": "<2", "LBSTRESU": "pg/mL", "LBSPEC": "SERUM"}
    cp = {"DOMAIN": "CP", "USUBJID": "S-1", "CPSEQ": "1", "CPTESTCD": "CART"}
    cp |= {"CPORRES": "0.3", "CPORRESU": "10^9/L", "CPDTC": "2020-03-08T10:00"}
    section = 'assays = { CAR = "qpcr", CART = "flow" }'
    read = study(tmp_path, section, lb=[lb | {"LBDTC": "2020-03-02T10:00"}], cp=[cp])
    names = ("assay", "specimen", "level", "lloq", "time", "reported_unit")
    assert columns(read, "samples", *names) == [
        ["flow", "", 300.0, None, 7.0, "10^9/L"],
        ["il6", "serum", None, 2.0, 1.0, ""],
        ["qpcr", "", 300.0, None, 7.0, ""],
    ]


@pytest.mark.parametrize(
    ("change", "time"),
    [
        ({"PCDTC": "2020-03-08T22:00"}, 7.5),
        ({"PCDTC": "2020-03-08"}, 7.0),
        ({"PCDTC": "", "PCDY": "8"}, 7.0),
        ({"PCDTC": "", "PCDY": "-1"}, -1.0),
        ({"PCDTC": "", "VISITDY": "15"}, 14.0),
        ({"PCDTC": "2020-03", "VISITDY": "15"}, 14.0),
        ({"PCDTC": "", "PCELTM": "P7DT6H"}, 7.25),
    ],
)
def test_times_come_from_date_study_day_or_plan(tmp_path, change, time):
    assert columns(study(tmp_path, pc=[PC | change]), "samples", "time") == [[time]]


def test_study_days_count_from_the_reference_not_from_the_infusion(tmp_path):
    people = [DM | {"RFSTDTC": "2020-02-25"}]  # lymphodepletion; leap year
    read = study(tmp_path, dm=people, pc=[PC | {"PCDTC": "", "PCDY": "8"}])
    assert columns(read, "samples", "time") == [[2.0]]
    lost = [DM | {"RFSTDTC": ""}]
    found = problems(tmp_path, dm=lost, pc=[PC | {"PCDTC": "", "PCDY": "8"}])
    assert "no study day that can be counted" in found[0].what


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"PCDTC": "08MAR2020"}, "PCDTC is no date"),
        ({"PCDTC": "", "PCDY": "0"}, "PCDY is no study day"),
        ({"PCDTC": ""}, "the sample has no date, no study day that can be counted"),
        ({"PCELTM": "P1M"}, "the planned elapsed time is no duration"),
    ],
)
def test_times_that_cannot_be_read_are_problems(tmp_path, change, what):
    found = problems(tmp_path, pc=rows(PC, {}, change))
    assert [(p.file, p.row, p.patient) for p in found if what in p.what] == [
        ("sdtm/pc.csv", 3, "S-1")
    ]


def test_samples_that_cannot_be_placed_are_set_aside_and_told(tmp_path):
    lost = rows(
        PC, {}, {"PCDTC": "2020-03"}, BLANK | {"PCDTC": "", "PCSTAT": "NOT DONE"}
    )
    read = study(tmp_path, pc=lost)
    assert aside(read) == {
        ("sdtm/pc.csv", "its date is incomplete, and no time planned"): 1,
        ("sdtm/pc.csv", "neither a result nor a date"): 1,
    }
    assert told(read, "1 record with an incomplete date and no planned time")


def test_without_clock_times_the_plan_tells_the_time_within_the_day(tmp_path):
    point = {"PCDTC": "2020-03-01", "VISITDY": "1"}
    pc = rows(
        PC,
        point | {"PCTPT": "PREDOSE", "PCELTM": "-PT30M", "PCSTRESC": "BLQ"},
        point | {"PCTPT": "4 H", "PCELTM": "PT4H"},
        {"PCDTC": "2020-03-09", "PCELTM": "P7D"},
    )
    read = study(tmp_path, ex=OPEN, pc=pc)
    assert read.samples["time"].round(6).tolist() == [-0.020833, 0.166667, 8.0]
    assert read.samples["nominal_time"].round(6).tolist() == [-0.020833, 0.166667, 7.0]
    assert told(read, "3 records without a clock time")[0].endswith(
        "counted in whole days, 2 of them at their planned time of that day"
    )


def test_a_sample_before_the_dose_does_not_land_after_the_infusion(tmp_path):
    early = PC | {"PCDTC": "2020-03-01", "PCTPT": "Pre-infusion", "PCSTRESC": "BLQ"}
    assert columns(study(tmp_path, pc=[early]), "samples", "time") == [[0.0]]
    late = early | {"PCDTC": "2020-03-01T11:00"}
    read = study(tmp_path, pc=[late])
    assert told(
        read, "1 record marked as taken before the dose, but after the infusion"
    )


def test_the_clock_time_of_infusions_can_be_said(tmp_path):
    section = f'{SECTION}\ninfusion_clock = "08:00"'
    again = [*OPEN, EX | {"EXSEQ": "2", "EXSTDTC": "2020-05-01T20:00"}]
    read = study(tmp_path, section, ex=again)
    assert read.samples["time"].tolist() == [pytest.approx(7 + 2 / 24, abs=1e-9)]
    assert columns(read, "infusions", "time") == [[0.0], [61.5]]
    assert not told(read, "whole days")


def test_the_clock_time_is_that_of_rfxstdtc_where_it_is_the_same_day(tmp_path):
    read = study(tmp_path, ex=OPEN, dm=[DM | {"RFXSTDTC": "2020-03-01T04:00"}])
    assert read.samples["time"].tolist() == [7.25]


def test_another_day_in_rfxstdtc_is_told_unless_it_is_lymphodepletion(tmp_path):
    people = [DM | {"RFXSTDTC": "2020-02-25"}]
    read = study(tmp_path, dm=people)
    assert told(read, "RFXSTDTC is another day than the first infusion")
    section = f'{SECTION}\nproduct = ["CART"]'
    flu = EX | {"EXTRT": "FLUDARABINE", "EXSTDTC": "2020-02-25"}
    assert not told(study(tmp_path, section, dm=people, ex=[EX, flu]), "RFXSTDTC")
    other = study(tmp_path, f'{section}\nreference = "RFXSTDTC"', dm=people)
    assert columns(other, "infusions", "time") == [[5.0]]


def test_planned_times_need_the_unit_of_their_number(tmp_path):
    point = PC | {"VISITDY": "8", "PCTPTNUM": "12", "VISIT": "DAY 8", "PCTPT": "12 H"}
    read = study(tmp_path, pc=[point])
    assert columns(read, "samples", "nominal_time", "visit") == [[None, "DAY 8, 12 H"]]
    assert told(read, "1 record with PCTPTNUM, of which no unit is said")
    hours = study(tmp_path, f'{SECTION}\ntimepoint_unit = "hour"', pc=[point])
    assert columns(hours, "samples", "nominal_time") == [[7.5]]


def test_planned_times_count_from_their_own_reference(tmp_path):
    second = {"PCELTM": "P7D", "PCTPTREF": "SECOND DOSE", "PCDTC": "2020-05-08T10:00"}
    pc = rows(PC, second | {"PCRFTDTC": "2020-05-01T09:00"})
    assert columns(study(tmp_path, pc=pc), "samples", "nominal_time") == [[68.0]]
    two = rows(PC, {"PCELTM": "P7D", "PCTPTREF": "FIRST DOSE"}, second)
    read = study(tmp_path, pc=two)
    # By their dates, samples of the first were taken as planned after time 0.
    assert columns(read, "samples", "nominal_time") == [[7.0], [None]]
    assert told(read, "1 record with planned times after another reference than time 0")


def test_r_writes_na_where_nothing_is_known(tmp_path):
    na = dict.fromkeys(("PCSTAT", "PCREASND", "PCLLOQ", "VISIT", "PCTPT"), "NA")
    read = study(tmp_path, pc=[PC | na])
    assert columns(read, "samples", "visit", "lloq") == [["", None]]
    kept = study(tmp_path, f"{SECTION}\nblank = []", pc=[PC | {"VISIT": "NA"}])
    assert columns(kept, "samples", "visit") == [["NA"]]
