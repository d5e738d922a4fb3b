"""SAS files against pandas' own readers, which share no code with pyreadstat."""

import base64
import builtins
import datetime as dt
import re
import zlib

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cellpk import DataError
from cellpk.study import parsing
from cellpk.study.containers import read_grid, write_dataset
from cellpk.study.dataset import Dataset, Variable
from cellpk.study.files.sas_times import as_iso

# Made for this test by ReadStat's writer: three records of a patient, a DATE9., an
# E8601DT19., a TIME5. and a number; the last one holds ., .A, . and .B.
SAS7BDAT = (
    r"c-muNK!8K98WT2)2%g_NiGzXjxM7ckynvvw5`(cZBa<N`M2QFk12ZFvxG|%$F@uN*g90-n%$#7yU"
    r"<Ef%AJ+h91-yWP0B~^(aYRyg!0-GeM<f~*2tY6+ny{swfr){kuc=RFUTFoAxUrt0fu4b`p`n?9o}"
    r"r<hA-ZuD7H08gCMZG&eEjm4!Z5n}8N2TMLv!aS7zLwX6pVsVFbYP&C>RB!U=)mkQ7~x0OhmsG1>9"
    r"zZGMEGyc!AUn9tc;18CBf@sJH~0{tPY%9l?Yu{)7`kx4;CT9rguKaThdk6R3C&n)nwE2<?C-z6D("
    r"z3QBN@o8S=t!j4^h3juL7=RnjtUj`|!t4_TM85ekT*J0L75ZGxSV2BvuXaK7dK&S(PIi(C8Hc!m!"
    r"p6*$I7zw%fqaIA}gVHem-XHY=#>9-QjDk@x3P!;w7>eNE@Bd&xnyw56Rx<U+FtAZ%zYhZ!Mfx2mv"
    r">#g2Gr+3oe-Q2eb)b9|D9s8~!3Yl}kUAD{P0oxY1_FPe`XiuxSal0_B@3d#18!QdFfwqU@deQM5@"
    r">v60JZAB0bE1}>JJ+RNK?#%fd$gig7Q<Kd<6IlHKPC_B!WH{1Db0I4si|eNi9pwDP~{@4Gwkk@^o"
    r"PcNG!=r%`0JWbO`~?$GBSRF@V^<t`=qnhAtt7V19@%Lx`uZt0{;b=I8@913mcvpt=F(Ms^zI5gvB"
    r"bxMD<(Bc%2j8(J7KqPY*9{~t{qE1Ei1v^2(u=1+7!G$|8I%fE<J_wzqFd1L5;Z$N+??lABj2tf1)"
    r"D4!oqUeG`Z(w~9ynQ@qpZZ52>5QPZ{pvr5YrIY_7EIw$}A0-vQ@);8vp9hW4hsGB`<8#o=rySriM"
    r"Fm^}i6Gg-17^z*X)_DZrHsJR1hpJZg|nD(2Mrhi0RC+tzy"
)


def dataset(frame, name="pc", label="Levels", labels=()):
    labels = list(labels) or [f"About {column}" for column in frame]
    variables = [Variable(*pair) for pair in zip(frame, labels, strict=True)]
    return Dataset(name, label, frame, variables)


def written(folder, frame, **more):
    """An XPT file as somebody else would write it, with SAS formats."""
    how = {"file_format_version": 5, "table_name": "PC"} | more
    pyreadstat.write_xport(frame, str(folder / "pc.xpt"), **how)
    return folder / "pc.xpt"


def problems_of(function, *arguments, **how):
    with pytest.raises(DataError) as caught:
        function(*arguments, **how)
    return caught.value.problems


def test_an_xpt_file_is_what_pandas_reads_in_it(tmp_path):
    frame = pd.DataFrame(
        {
            "USUBJID": ["01", "张三", "😀", " x"],
            "NFRLT": [0.1, 1 / 3, np.nan, -1e-70],
            "EVID": [1, 2, 3, 4],  # not 0, which pandas reads as 5.4e-79
            "EMPTY": [""] * 4,
            "NOTHING": [np.nan] * 4,
        }
    )
    path = write_dataset(dataset(frame), tmp_path, ".xpt")
    independent = pd.read_sas(path, format="xport", encoding="utf-8")
    assert list(independent) == list(frame)
    assert independent["USUBJID"].tolist() == frame["USUBJID"].tolist()
    for name in ("NFRLT", "EVID", "NOTHING"):
        np.testing.assert_array_equal(independent[name], frame[name])
    grid = read_grid("pc.xpt", tmp_path)
    pd.testing.assert_frame_equal(grid.cells, parsing.as_text(frame))
    assert grid.labels == {name: f"About {name}" for name in frame}
    assert grid.rows.tolist() == [2, 3, 4, 5]


def test_an_xpt_file_says_what_the_standard_asks(tmp_path):
    frame = pd.DataFrame({"USUBJID": ["01"], "DV": [1.5]})
    data = write_dataset(dataset(frame), tmp_path, ".xpt").read_bytes()
    # TS-140: records of 80 bytes; 140 bytes for each variable; 1.5 is 41 18 00 ...
    assert len(data) % 80 == 0
    records = [data[i : i + 80] for i in range(0, len(data), 80)]
    assert records[0].startswith(b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!")
    assert records[5][8:16] == b"PC      "
    assert records[6][32:72].rstrip() == b"Levels"
    assert data[560 + 80 + 8 : 560 + 80 + 16] == b"USUBJID "
    assert data[560 + 80 + 16 : 560 + 80 + 56].rstrip() == b"About USUBJID"
    assert records[-1].rstrip(b" ") == b"01" + bytes.fromhex("4118000000000000")
    moments = re.findall(rb"\d\d[A-Z]{3}\d\d:\d\d:\d\d:\d\d", data)
    assert moments == [b"01JAN00:00:00:00"] * 4


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_infinity=False), min_size=1, max_size=30))
@example([2.0**-260, -(2.0**-260), np.nextafter(2.0**249, 0), 1 / 3, 0.0, np.nan])
@example([np.nextafter(2.0**-260, 0)])
@example([2.0**249])
@example([-5e-324, 1e300])
def test_every_double_is_refused_or_comes_back_bit_by_bit(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("xpt")
    frame = pd.DataFrame({"ID": "1", "DV": values})
    size = np.abs(frame["DV"])
    refused = ((size > 0) & (size < 2.0**-260)) | (size >= 2.0**249)
    if refused.any():
        problems = problems_of(write_dataset, dataset(frame), folder, ".xpt")
        lines = (np.flatnonzero(refused) + 2).tolist()
        assert [problem.row for problem in problems] == lines[: len(problems)]
        assert problems[0].value == str(values[lines[0] - 2])
        return
    write_dataset(dataset(frame), folder, ".xpt")
    cells = read_grid("pc.xpt", folder).cells["DV"]
    back = parsing.numbers(cells)
    # A negative zero is written as zero.
    expected = np.where(np.isnan(values), np.nan, np.array(values) + 0.0)
    np.testing.assert_array_equal(back.view(np.int64), expected.view(np.int64))


def test_whole_numbers_that_no_double_holds_are_refused(tmp_path):
    frame = pd.DataFrame({"N": [2**53, 2**53 + 1, -(2**60), 2**60 - 1]})
    problems = problems_of(write_dataset, dataset(frame), tmp_path, ".xpt")
    assert [problem.row for problem in problems] == [3, 5]


def test_all_that_is_beyond_the_standard_is_told_at_once(tmp_path):
    frame = pd.DataFrame(
        {
            "nominal_time": [1e300, 2],
            "1ST": ["x", "y"],
            "ÄGE": [1, 2],
            "dv": ["é" * 101, "a\0b"],
            "DV": ["z" * 200, "fits"],
            "_N_": [1, 2],
        }
    )
    labels = ["", "é" * 21, "x" * 40, "", "", ""]
    data = dataset(frame, name="long name", label="L" * 41, labels=labels)
    told = [
        (problem.what.partition(" (")[0], problem.row, problem.column)
        for problem in problems_of(write_dataset, data, tmp_path, ".xpt")
    ]
    called = "a variable cannot be called {!r} in an XPT file"
    assert told == [
        ("the data set cannot be called 'long name' in an XPT file", None, ""),
        ("the label of the data set has more than 40 bytes", None, ""),
        (called.format("nominal_time"), None, "nominal_time"),
        (called.format("1ST"), None, "1ST"),
        ("the label has more than 40 bytes", None, "1ST"),
        (called.format("ÄGE"), None, "ÄGE"),
        ("SAS cannot tell 'dv' from a variable of the same letters", None, "dv"),
        ("SAS cannot tell 'DV' from a variable of the same letters", None, "DV"),
        (called.format("_N_"), None, "_N_"),
        ("the number does not fit into the floats of an XPT file", 2, "nominal_time"),
        ("the text has more than 200 bytes", 2, "dv"),
        ("the text holds NUL, with which it would end in an XPT file", 3, "dv"),
    ]
    assert list(tmp_path.iterdir()) == []


DAY = dt.datetime(1960, 1, 1)
FORMATS = ["DATE9.", "YYMMDD10.", "E8601DA10.", "MMDDYY10.", "MONYY7.", "IS8601DA"]


@pytest.mark.parametrize("display", FORMATS)
def test_sas_dates_come_as_iso_dates(tmp_path, display):
    days = [0, -1, 19725, 59, 60, np.nan]
    frame = pd.DataFrame({"ADT": np.array(days, dtype=float), "AVAL": days})
    written(tmp_path, frame, variable_format={"ADT": display})
    grid = read_grid("pc.xpt", tmp_path)
    expected = [(DAY + dt.timedelta(days=day)).date().isoformat() for day in days[:-1]]
    assert grid.cells["ADT"].tolist() == [*expected, ""]
    assert expected[2] == "2014-01-02"
    assert grid.cells["AVAL"].tolist()[:3] == ["0", "-1", "19725"]


@pytest.mark.parametrize(
    "display", ["DATETIME20.", "E8601DT19.", "DTDATE9.", "B8601DN"]
)
def test_sas_moments_come_as_iso_moments(tmp_path, display):
    seconds = [0.0, 1704324600.0, -0.5, 1704324600.25, np.nan]
    frame = pd.DataFrame({"ADTM": seconds, "ID": "1"})
    written(tmp_path, frame, variable_format={"ADTM": display})
    told = read_grid("pc.xpt", tmp_path).cells["ADTM"].tolist()
    assert told == [
        "1960-01-01T00:00:00",
        "2014-01-02T23:30:00",
        "1959-12-31T23:59:59.5",
        "2014-01-02T23:30:00.25",
        "",
    ]


def test_sas_times_come_as_times_and_durations_as_sas_shows_them():
    seconds = np.array([30600, 86399.5, 0, 90000, -60, np.nan])
    told = ["08:30:00", "23:59:59.5", "00:00:00", "25:00:00", "-00:01:00", ""]
    assert as_iso(seconds, "TIME5.").tolist() == told
    assert as_iso(seconds, "E8601TM15.6").tolist() == told
    assert as_iso(seconds[[0, 3]], "TOD8.").tolist() == ["08:30:00", "01:00:00"]


@pytest.mark.parametrize(
    "display", ["", "8.2", "BEST12.", "F8", "$20.", "COMMA9", "Z4."]
)
def test_other_formats_are_of_plain_numbers(display):
    assert as_iso(np.array([19725.0]), display) is None


def test_a_number_that_is_no_date_that_sas_knows_stays_a_number():
    values = np.array([1e300, -1e9, 7e6, np.inf])
    assert as_iso(values, "DATE9.").tolist() == [
        "1e+300",
        "-1000000000.0",
        "7000000.0",
        "",
    ]


@given(st.datetimes(dt.datetime(1600, 1, 1), dt.datetime(9000, 1, 1)))
def test_any_moment_is_the_one_that_python_counts(moment):
    moment = moment.replace(microsecond=0)
    seconds = np.array([(moment - DAY).total_seconds()])
    assert as_iso(seconds, "DATETIME20.").tolist() == [moment.isoformat()]
    days = np.array([(moment.date() - DAY.date()).days], dtype=float)
    assert as_iso(days, "E8601DA.").tolist() == [moment.date().isoformat()]


def test_special_missing_values_are_empty_cells(tmp_path):
    frame = pd.DataFrame({"DV": [1.0, 2.0, 3.0], "ID": "x"})
    path = written(tmp_path, frame)
    data = path.read_bytes()
    one, two = bytes.fromhex("4110000000000000"), bytes.fromhex("4120000000000000")
    path.write_bytes(data.replace(one, b"A" + b"\0" * 7).replace(two, b"." + b"\0" * 7))
    assert read_grid("pc.xpt", tmp_path).cells["DV"].tolist() == ["", "", "3"]


def test_a_delivered_encoding_is_told_or_read(tmp_path):
    path = written(tmp_path, pd.DataFrame({"ID": ["é", "plain"]}))
    path.write_bytes(path.read_bytes().replace("é".encode(), "é ".encode("cp1252")))
    (problem,) = problems_of(read_grid, "pc.xpt", tmp_path)
    assert "'encoding'" in problem.todo
    grid = read_grid("pc.xpt", tmp_path, encoding="cp1252")
    assert grid.cells["ID"].tolist() == ["é", "plain"]
    (problem,) = problems_of(read_grid, "pc.xpt", tmp_path, encoding="utf-9")
    assert problem.file == "pc.xpt"


def test_version_8_is_read_with_its_long_names_and_labels(tmp_path):
    frame = pd.DataFrame({"A_VARIABLE_OF_VERSION_8": ["x", "", ""]})
    label = "A label of more than forty bytes, which is long"
    labels = {"A_VARIABLE_OF_VERSION_8": label}
    path = written(tmp_path, frame, file_format_version=8, column_labels=labels)
    grid = read_grid("pc.xpt", tmp_path)
    assert grid.labels == labels
    assert grid.cells[frame.columns[0]].tolist() == ["x", "", ""]
    more = path.read_bytes().replace(b"              3 ", b"             99 ")
    path.write_bytes(more)
    (problem,) = problems_of(read_grid, "pc.xpt", tmp_path)
    assert "cut short" in problem.todo


def test_a_data_set_without_rows_is_a_grid_without_rows(tmp_path):
    frame = pd.DataFrame({"ID": ["x"], "DV": [1.0]}).iloc[:0]
    write_dataset(dataset(frame), tmp_path, ".xpt")
    grid = read_grid("pc.xpt", tmp_path)
    assert grid.cells.shape == (0, 2)
    assert grid.source["rows"] == 0


@pytest.mark.parametrize("length", [0, 5, 79, 700, 1040, 1139, 1160, 1200, -80, -1])
def test_a_file_that_is_cut_short_is_told(tmp_path, length):
    frame = pd.DataFrame({"ID": ["p" * 50] * 9, "DV": np.arange(9.0)})
    path = written(tmp_path, frame)
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    if length == 1040:
        # Where no row has begun, nobody can tell.
        assert read_grid("pc.xpt", tmp_path).cells.shape == (0, 2)
    else:
        assert problems_of(read_grid, "pc.xpt", tmp_path)[0].file == "pc.xpt"


def test_a_file_of_two_data_sets_is_told(tmp_path):
    data = written(tmp_path, pd.DataFrame({"ID": ["x"]})).read_bytes()
    (tmp_path / "two.xpt").write_bytes(data + data[240:])
    (problem,) = problems_of(read_grid, "two.xpt", tmp_path)
    assert problem.what == "the file holds 2 data sets"


def test_a_sas_data_set_is_what_pandas_reads_in_it(tmp_path):
    path = tmp_path / "pc.sas7bdat"
    path.write_bytes(zlib.decompress(base64.b85decode(SAS7BDAT)))
    grid = read_grid("pc.sas7bdat", tmp_path)
    assert grid.cells.to_numpy().tolist() == [
        ["P1", "2014-01-02", "2014-01-02T23:30:00", "08:30:00", "0.1"],
        ["张", "2014-01-03", "2014-01-02T23:30:00.25", "00:00:00", "1e+300"],
        ["P3", "", "", "", ""],
    ]
    assert grid.labels == {"USUBJID": "Patient", "AVAL": "Level"}
    independent = pd.read_sas(path, encoding="utf-8")
    assert grid.cells["USUBJID"].tolist() == independent["USUBJID"].tolist()
    values = parsing.numbers(grid.cells["AVAL"])
    np.testing.assert_array_equal(values, independent["AVAL"])
    assert independent["ADT"].tolist()[:2] == [19725, 19726]
    path.write_bytes(path.read_bytes()[:3000])
    assert "cannot be read" in problems_of(read_grid, "pc.sas7bdat", tmp_path)[0].what


def test_without_pyreadstat_the_extra_is_named(tmp_path, monkeypatch):
    load = builtins.__import__

    def without(name, *arguments, **more):
        if name == "pyreadstat":
            raise ModuleNotFoundError(name)
        return load(name, *arguments, **more)

    frame = pd.DataFrame({"ID": ["x"]})
    write_dataset(dataset(frame), tmp_path, ".xpt")
    monkeypatch.setattr(builtins, "__import__", without)
    named = re.escape('python -m pip install "cellpk[cdisc]"')
    with pytest.raises(DataError, match=named):
        read_grid("pc.xpt", tmp_path)
    with pytest.raises(DataError, match=named):
        write_dataset(dataset(frame), tmp_path, ".xpt")
