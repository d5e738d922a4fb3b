import hashlib
import tomllib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellpk import DataError, Study, read_study
from cellpk.study.config import TableFile
from cellpk.study.formats import tidy

FULL = {
    "samples": pd.DataFrame(
        {
            "patient": ["1", "1", "1", "1", "2", "2", "2"],
            "time": [-0.25, 7, 1 / 3, 14, 7, 7, 21],
            "nominal_time": [0, 7, 0, 14, 7, 7, 35],
            "visit": ["screening", "D7", "D0", "D14", "D7", "D7", "M1, late"],
            "level": ["0", "31e2", "<50", "NA", "12", "12", "30"],
            "assay": ["qpcr", "qpcr", "qpcr", "qpcr", "il6", "il6", "qpcr"],
            "specimen": ["blood"] * 6 + ["marrow"],
            "llod": [None, 20, None, None, None, None, 20],
            "lloq": [None, 50, None, None, None, None, 50],
            "excluded": [0, 0, 0, 0, 0, 0, 1],
            "reason": ["", "", "", "", "", "", 'the tube "A"\nbroke'],
        }
    ),
    "patients": pd.DataFrame(
        {"patient": ["1", "2", "3"], "dose": [1, 2, 3], "burden": [0.1, None, 50]}
    ),
    "infusions": pd.DataFrame({"patient": ["1", "2"], "dose": 1e8, "unit": "cells"}),
    "comedication": pd.DataFrame(
        {"patient": ["1", "2"], "drug": "tocilizumab", "time": [3.5, None]}
    ),
    "outcomes": pd.DataFrame(
        {
            "patient": ["1", "2", "1"],
            "endpoint": ["best_response", "crs_grade", "crs_grade"],
            "value": ["CR", "2", "0"],
            "time": [28, 4.5, None],
        }
    ),
}
SETTINGS = {
    "study": {"id": "Ä-1\t\x7f", "title": 'a "title"\\', "infusion_day": 0},
    "analysis": {"exposures": ["cmax", "auc_0_28"], "seed": 7},
    "limits": {
        "qpcr": {"zero": "below", "assumed_lloq": 10.0, "why": "an old habit"},
    },
    "units": {"burden": "%"},
}


def test_a_study_that_is_written_and_read_is_the_same(tmp_path):
    study = Study.from_frames(**FULL, settings=SETTINGS)
    assert len(study.problems) > 8
    again = read_study(tidy.write(study, tmp_path / "new" / "folder"))
    pd.testing.assert_frame_equal(
        again.problems.drop(columns=["file", "row"]),
        study.problems.drop(columns=["file", "row"]),
    )
    assert again == study
    for name in ("study", "analysis", "limits", "units"):
        assert getattr(again.settings, name) == getattr(study.settings, name)


def test_writing_is_the_same_byte_for_byte(tmp_path):
    study = Study.from_frames(**FULL, settings=SETTINGS)
    tidy.write(study, tmp_path / "a")
    tidy.write(read_study(tmp_path / "a"), tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(names) == 6
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (
            tmp_path / "b" / name
        ).read_bytes()


def test_what_is_written_counts_from_the_infusion(tmp_path):
    frame = pd.DataFrame({"patient": ["1"], "time": [1], "level": 3, "assay": "flow"})
    day_1 = {"study": {"id": "A", "infusion_day": 1}}
    study = Study.from_frames(samples=frame, settings=day_1)
    path = tidy.write(study, tmp_path)
    assert tomllib.loads(path.read_text("utf-8"))["study"]["infusion_day"] == 0
    assert read_study(path) == study


@settings(max_examples=10, deadline=None)
@given(
    levels=st.lists(
        st.one_of(
            st.floats(0, 1e12),
            st.sampled_from(["BLQ", "ND", "<3", ">1e13", "", "detected"]),
        ),
        min_size=1,
        max_size=8,
    ),
    word=st.text(st.characters(codec="utf-8"), max_size=8),
    lloq=st.floats(1e-6, 1e6),
)
def test_any_study_survives_writing_and_reading(tmp_path_factory, levels, word, lloq):
    frame = pd.DataFrame(
        {
            "patient": "p" + word,
            "time": np.arange(len(levels)) / 7,
            "level": pd.Series(levels, dtype=object),
            "assay": "flow",
            "visit": word,
        }
    )
    limits = {"limits": {"flow": {"zero": "below", "uloq": 1e13}}}
    said = {"study": {"id": "A", "title": word, "infusion_day": 0}, **limits}
    number = frame["level"].map(lambda level: not isinstance(level, str))
    frame["lloq"] = pd.Series(lloq, index=frame.index).where(number)
    study = Study.from_frames(samples=frame, settings=said)
    folder = tmp_path_factory.mktemp("study")
    assert read_study(tidy.write(study, folder)) == study


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b\n", "has no rows"),
        (b"a,b\n1,2,3\n", "row has 3 cells, the header 2"),
        (b'a,b\n"1,2\n', "not CSV"),
        (b"a,b\n\xff,2\n", "not utf-8 text"),
    ],
)
def test_a_file_that_is_no_table_is_a_data_error(tmp_path, content, word):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=word):
        tidy.read_sheet(TableFile(file="a.csv"), tmp_path)


@pytest.mark.parametrize("name", ["nowhere.csv", ".", "a\0b"])
def test_a_file_that_cannot_be_opened_is_a_data_error(tmp_path, name):
    with pytest.raises(DataError, match="cannot be read"):
        tidy.read_sheet(TableFile(file=name), tmp_path)


def test_an_encoding_that_nobody_knows_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="'utf-9' is not known"):
        tidy.read_sheet(TableFile(file="a.csv", encoding="utf-9"), tmp_path)


@pytest.mark.parametrize(
    ("content", "how"),
    [
        ("patient;level\r\n1;2,5\r\n", {"separator": ";", "decimal": ","}),
        ("\ufeffpatient,level\n\n1,2.5\n", {}),
        ("patient\tlevel\n1\t2.5", {"separator": "\t"}),
        ('"patient", level \n1,"2.5"\n\n', {}),
    ],
)
def test_csv_files_are_read_as_they_were_saved(tmp_path, content, how):
    data = content.encode()
    (tmp_path / "a.csv").write_bytes(data)
    sheet, source = tidy.read_sheet(TableFile(file="a.csv", **how), tmp_path)
    assert sheet.cells["patient"].tolist() == ["1"]
    assert sheet.number("level").tolist() == [2.5]
    assert source == {
        "file": "a.csv",
        "sha256": hashlib.sha256(data).hexdigest(),
        "rows": 1,
        "columns": ["patient", "level"],
    }


def test_chinese_files_are_read_in_their_encoding(tmp_path):
    (tmp_path / "a.csv").write_bytes("姓名,level\n张,2\n".encode("gb18030"))
    section = TableFile(file="a.csv", encoding="gb18030")
    sheet, _ = tidy.read_sheet(section, tmp_path)
    assert sheet.text("姓名").tolist() == ["张"]


def test_rows_know_their_lines_beyond_empty_lines_and_line_breaks(tmp_path):
    (tmp_path / "a.csv").write_text('a,b\n1,2\n\n"x\ny",3\n,\n4,5\n')
    sheet, _ = tidy.read_sheet(TableFile(file="a.csv"), tmp_path)
    assert sheet.rows.tolist() == [2, 5, 7]
    assert sheet.text("a").tolist() == ["1", "x y", "4"]
