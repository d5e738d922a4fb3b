import tomllib

import pytest
from pydantic import ValidationError

from cellpk.errors import DataError
from cellpk.study.config import load_settings, settings_of

LEAST = {"study": {"id": "A", "infusion_day": 0}}


def problems_of(values):
    with pytest.raises(DataError) as caught:
        settings_of(values, file="study.toml")
    return caught.value.problems


def test_defaults_are_filled_in():
    settings = settings_of(LEAST)
    assert settings.analysis.model == "stein_2019_tisagenlecleucel"
    assert settings.analysis.endpoints == ("response", "crs_grade_2")
    assert settings.analysis.seed == 1
    assert settings.samples == ()
    assert not settings.study.simulated


def test_settings_are_frozen():
    settings = settings_of(LEAST)
    with pytest.raises(ValidationError, match="frozen"):
        settings.study.id = "B"


def test_resolved_settings_read_back_as_the_same_settings():
    values = tomllib.loads(
        """
        [study]
        id = "A"
        infusion_day = 1
        [limits.qpcr]
        assumed_lloq = 50
        why = "the assay's usual limit"
        [[samples]]
        file = "sub/levels.csv"
        columns = { level = "DV" }
        """
    )
    settings = settings_of(values)
    assert settings_of(settings.resolved()) == settings
    assert settings.resolved()["samples"][0]["file"] == "sub/levels.csv"


@pytest.mark.parametrize(
    ("values", "column", "todo"),
    [
        ({"studdy": {}}, "studdy", "'study'"),
        ({"analysis": {"exposure": ["cmax"]}}, "analysis.exposure", "'exposures'"),
        ({"limits": {"flow": {"llqo": 1}}}, "limits.flow.llqo", "'lloq'"),
        ({"samples": [{"file": "a", "asay": "x"}]}, "samples.1.asay", "'assay'"),
        (
            {"outcomes": [{"file": "a", "endpoints": {"mrd": {"colum": "b"}}}]},
            "outcomes.1.endpoints.mrd.colum",
            "'column'",
        ),
    ],
)
def test_unknown_keys_offer_the_nearest_known_one(values, column, todo):
    found = problems_of({**LEAST, **values})
    problem = next(p for p in found if p.column == column)
    assert problem.what == "the key is not known"
    assert todo in problem.todo
    assert problem.file == "study.toml"


def test_a_table_that_may_stand_several_times_says_how_it_is_headed():
    (problem,) = problems_of({**LEAST, "samples": {"file": "samples.csv"}})
    assert problem.column == "samples"
    assert problem.what.startswith("a single table [samples] stands where")
    assert problem.todo == "Write its heading as [[samples]]."


def test_a_day_without_its_window_says_how_many_values_there_are():
    visits = {**LEAST, "metrics": {"visits": {"d28": [28]}}}
    (problem,) = problems_of(visits)
    assert problem.column == "metrics.visits.d28"
    assert (problem.what, problem.todo) == ("a value is missing", "Give 2 values.")


def test_a_missing_infusion_day_says_what_to_do():
    (problem,) = problems_of({"study": {"id": "A"}})
    assert problem.column == "study.infusion_day"
    assert "0 or 1" in problem.todo


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"limits": {"flow": {"lloq": 0}}}, "greater than 0"),
        ({"limits": {"flow": {"lloq": float("inf")}}}, "finite"),
        ({"limits": {"flow": {"lloq": "much"}}}, "number"),
        ({"limits": {"flow": {"assumed_lloq": 1.0}}}, "'why'"),
        (
            {"limits": {"flow": {"assumed_lloq": 1.0, "why": "x", "lloq": 2}}},
            "no place",
        ),
        ({"limits": {"flwo": {"lloq": 1}}}, "Did you mean 'flow'?"),
        ({"samples": [{"file": "a", "columns": {"levle": "b"}}]}, "'level'"),
        ({"samples": [{"file": "a", "time_unit": "month"}]}, "'day'"),
        ({"study": {"id": "A", "infusion_day": 2}}, "0 or 1"),
        ({"study": {"id": "", "infusion_day": 0}}, "at least 1"),
        ({"study": 3}, "dictionary"),
    ],
)
def test_impossible_values_are_told(values, word):
    assert any(word in str(problem) for problem in problems_of({**LEAST, **values}))


def test_everything_wrong_is_told_at_once():
    assert len(problems_of({"study": {}, "samples": [{}], "x": 1})) == 4


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"[study\n", "not TOML"),
        (b"a = 1\na = 2\n", "not TOML"),
        ("title = 'ä'".encode("latin-1"), "not UTF-8"),
        (b"", "missing"),
    ],
)
def test_a_file_that_cannot_be_understood_is_a_data_error(tmp_path, content, word):
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(DataError, match=word):
        load_settings(path)


def test_a_file_that_is_not_there_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.toml"):
        load_settings(tmp_path / "nowhere.toml")


def test_a_folder_stands_for_its_study_toml(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('\ufeff[study]\nid = "A"\ninfusion_day = 0\n', encoding="utf-8")
    settings, found = load_settings(tmp_path)
    assert settings.study.id == "A"
    assert found == path
