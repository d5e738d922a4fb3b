import pandas as pd

from cellpk import Study, read_study

TOML = """
[study]
id = "A"
infusion_day = 0
[[samples]]
file = "levels.csv"
assay = "flow"
[patients]
file = "people.csv"
columns = { patient = "patient", age = "age" }
[[comedication]]
file = "people.csv"
columns = { patient = "patient" }
given = { TOCI = "tocilizumab" }
[[outcomes]]
file = "people.csv"
columns = { patient = "patient" }
[outcomes.endpoints.crs_grade]
column = "CRS"
"""
LEVELS = """patient,time,level,lloq,excluded,reason
1,7,300,1,,
1,14,NA,1,,
1,21,20,1,1,tube broke
2,7,30,1,,
2,7,30,1,,
"""
PEOPLE = "patient,age,TOCI,CRS\n1,50,1,2\n2,60,0,\n"


def fates(study):
    return [tuple(row) for row in study.accounting.to_numpy()]


def test_each_row_is_told_once_with_what_became_of_it(tmp_path):
    (tmp_path / "study.toml").write_text(TOML)
    (tmp_path / "levels.csv").write_text(LEVELS)
    (tmp_path / "people.csv").write_text(PEOPLE)
    everywhere = "patients, comedication, outcomes"
    assert fates(read_study(tmp_path)) == [
        ("levels.csv", "used", "samples", "", 2),
        ("levels.csv", "without a result", "samples", "", 1),
        ("levels.csv", "excluded", "samples", "stands twice", 1),
        ("levels.csv", "excluded", "samples", "tube broke", 1),
        ("people.csv", "used", "patients", "", 1),
        ("people.csv", "used", everywhere, "", 1),
    ]


def test_a_row_that_says_nothing_is_set_aside_with_why(tmp_path):
    text = TOML.replace('[patients]\nfile = "people.csv"\n', "").replace(
        'columns = { patient = "patient", age = "age" }\n', ""
    )
    (tmp_path / "study.toml").write_text(text)
    (tmp_path / "levels.csv").write_text(LEVELS)
    (tmp_path / "people.csv").write_text(PEOPLE)
    told = [row for row in fates(read_study(tmp_path)) if row[0] == "people.csv"]
    assert told == [
        ("people.csv", "used", "comedication, outcomes", "", 1),
        ("people.csv", "set aside", "", "not assessed", 1),
    ]


def test_frames_are_accounted_for_too():
    samples = pd.DataFrame({"patient": ["1"], "time": [7], "level": [3]})
    study = Study.from_frames(
        samples=samples.assign(assay="flow"), patients=pd.DataFrame({"patient": ["1"]})
    )
    assert fates(study) == [
        ("samples", "used", "samples", "", 1),
        ("patients", "used", "patients", "", 1),
    ]


def test_a_row_of_two_assays_is_used_if_one_of_them_is(tmp_path):
    both = 'file = "levels.csv"\ncolumns = { level = "'
    text = TOML.partition("[[samples]]")[0]
    for assay in ("qpcr", "flow"):
        text += f'[[samples]]\nassay = "{assay}"\n{both}{assay}" }}\n'
    (tmp_path / "study.toml").write_text(text)
    rows = "1,7,300,30\n1,14,,3\n1,21,,\n"
    (tmp_path / "levels.csv").write_text(f"patient,time,qpcr,flow\n{rows}")
    assert fates(read_study(tmp_path)) == [
        ("levels.csv", "used", "samples", "", 2),
        ("levels.csv", "without a result", "samples", "", 1),
    ]
