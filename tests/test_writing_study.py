import tomllib

import pandas as pd
import pytest

from cellpk import DataError, Study, read_study, write_study

SAMPLES = pd.DataFrame({"patient": ["1"], "time": [7.0], "level": [3], "assay": "flow"})


@pytest.fixture
def study():
    own = {"mine": {"unit": "spots", "kinetics": True}}
    settings = {"study": {"id": "A", "infusion_day": 0}, "assays": own}
    row = {"patient": "1", "time": 8, "level": "5", "assay": "mine"}
    samples = pd.concat([SAMPLES, pd.DataFrame([row])])
    return Study.from_frames(samples=samples, settings=settings)


def test_an_unknown_format_offers_the_nearest(study, tmp_path):
    with pytest.raises(DataError, match="Did you mean 'tidy'"):
        write_study(study, tmp_path, format="tidyy")


def test_a_format_says_to_which_files_it_is_written(study, tmp_path):
    with pytest.raises(DataError, match=r"not written to '\.xlsx' files"):
        write_study(study, tmp_path, ending=".xlsx")
    assert not (tmp_path / "study.toml").exists()


def test_assays_of_the_studys_own_are_written_too(study, tmp_path):
    path = write_study(study, tmp_path)
    assert tomllib.loads(path.read_text())["assays"]["mine"]["unit"] == "spots"
    again = read_study(path)
    assert again == study
    assert again.kinetic_assays == ("flow", "mine")


def test_the_dictionary_names_every_column_of_every_file(study, tmp_path):
    write_study(study, tmp_path)
    dictionary = pd.read_csv(tmp_path / "data_dictionary.csv", keep_default_na=False)
    for name, rows in dictionary.groupby("dataset"):
        columns = pd.read_csv(tmp_path / f"{name}.csv").columns
        assert rows["variable"].tolist() == columns.tolist()
    assert (dictionary["label"] != "").all()


def test_rules_of_the_metrics_are_written_too(tmp_path):
    metrics = {"convention": "pknca", "below": {"middle": 2.5}, "cmax_window": [0, 60]}
    metrics |= {"areas": [[7, 28]], "lambda_z_times": {"flow": {"A 1": [14, 21]}}}
    metrics |= {"visits": {"d28": [28, 3]}, "above": {"flow": 50}}
    settings = {"study": {"id": "A", "infusion_day": 0}, "metrics": metrics}
    study = Study.from_frames(samples=SAMPLES, settings=settings)
    again = read_study(write_study(study, tmp_path)).settings.metrics
    assert again == study.settings.metrics
    assert again.at_zero == "missing"
    assert again.lambda_z_times == {"flow": {"A 1": (14, 21)}}
