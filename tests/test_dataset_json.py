import gzip
import json
import zlib
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

from cellpk import DataError
from cellpk.study import parsing
from cellpk.study.containers import read_grid, write_dataset
from cellpk.study.dataset import Dataset, Variable

SHARED = Path(__file__).parents[1] / "../shared/data/sdtm_pilot"

COLUMNS = [
    {
        "itemOID": "IT.PC.USUBJID",
        "name": "USUBJID",
        "label": "Patient",
        "dataType": "string",
    },
    {"itemOID": "IT.PC.DV", "name": "DV", "label": "", "dataType": "double"},
]
HEAD = {
    "datasetJSONCreationDateTime": "2024-12-05T12:00:00",
    "datasetJSONVersion": "1.1.0",
    "itemGroupOID": "IG.PC",
    "records": 2,
    "name": "PC",
    "label": "Levels",
    "columns": COLUMNS,
}
ROWS = [["01", 0.1], ["02", None]]


def dataset():
    frame = pd.DataFrame(
        {
            "USUBJID": ["01", '张三 "a"\\', ""],
            "NFRLT": [0.1, 1e-300, np.nan],
            "EVID": [0, 1, 2**60],
            "WHOLE": [7.0, np.nan, -3.0],
            "NOTHING": [np.nan] * 3,
        }
    )
    variables = [Variable(name, f"About {name}") for name in frame]
    return Dataset("pc", "Levels", frame, variables)


def json_file(folder, head=None, rows=ROWS, **more):
    content = {**(HEAD if head is None else head), **more}
    text = json.dumps(content if rows is None else content | {"rows": rows})
    (folder / "a.json").write_text(text, encoding="utf-8")
    return "a.json"


def problems_of(file, folder):
    with pytest.raises(DataError) as caught:
        read_grid(file, folder)
    return caught.value.problems


def column(folder, values, **said):
    """The cells of a column of which a file says something."""
    about = {"itemOID": "IT.A", "name": "A", "label": "", **said}
    rows = [[value] for value in values]
    file = json_file(folder, columns=[about], records=len(values), rows=rows)
    return read_grid(file, folder).cells["A"].tolist()


def test_what_is_written_says_what_the_standard_asks(tmp_path):
    content = json.loads(write_dataset(dataset(), tmp_path, ".json").read_text("utf-8"))
    assert list(content) == [*HEAD, "rows"]
    assert content["records"] == 3
    assert content["itemGroupOID"] == "IG.PC"
    types = {column["name"]: column["dataType"] for column in content["columns"]}
    assert types == {
        "USUBJID": "string",
        "NFRLT": "double",
        "EVID": "integer",
        "WHOLE": "integer",
        "NOTHING": "double",
    }
    assert content["columns"][0]["length"] == 7
    assert content["rows"] == [
        ["01", 0.1, 0, 7, None],
        ['张三 "a"\\', 1e-300, 1, None, None],
        ["", None, 2**60, -3, None],
    ]


def test_what_is_written_is_valid_by_the_schema_of_cdisc(tmp_path):
    if not SHARED.is_dir():
        pytest.skip("the schema stands beside the repository, not in it")
    schema = json.loads((SHARED / "dataset-json-1.1.schema.json").read_text("utf-8"))
    # The schema says nothing of the rows that an array cannot hold.
    content = json.loads(write_dataset(dataset(), tmp_path, ".json").read_text("utf-8"))
    jsonschema.validate(content, schema)
    lines = write_dataset(dataset(), tmp_path, ".ndjson").read_text("utf-8").split("\n")
    jsonschema.validate(json.loads(lines[0]), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"more": 1}, schema)


@pytest.mark.parametrize("ending", [".json", ".ndjson", ".dsjc"])
def test_what_is_read_is_what_was_written(tmp_path, ending):
    data = dataset()
    grid = read_grid(write_dataset(data, tmp_path, ending).name, tmp_path)
    expected = parsing.as_text(data.frame)
    pd.testing.assert_frame_equal(grid.cells, expected)
    assert grid.cells["EVID"].tolist()[2] == str(2**60)
    assert grid.labels == data.labels
    assert grid.rows.tolist() == [2, 3, 4]


def test_the_three_kinds_hold_the_same(tmp_path):
    whole, lines, packed = (
        write_dataset(dataset(), tmp_path, ending).read_bytes()
        for ending in (".json", ".ndjson", ".dsjc")
    )
    content = json.loads(whole)
    rows = content.pop("rows")
    assert [json.loads(line) for line in lines.splitlines()] == [content, *rows]
    # The standard says zlib: 78 is its first byte.
    assert packed[0] == 0x78
    assert zlib.decompress(packed) == lines


def test_gzip_is_read_too_as_the_examples_of_cdisc_are_packed(tmp_path):
    lines = write_dataset(dataset(), tmp_path, ".ndjson").read_bytes()
    (tmp_path / "a.dsjc").write_bytes(gzip.compress(lines))
    one = read_grid("a.dsjc", tmp_path)
    pd.testing.assert_frame_equal(one.cells, read_grid("pc.ndjson", tmp_path).cells)


def test_numbers_come_with_all_their_digits(tmp_path):
    told = column(tmp_path, [2**63 + 1, None, -1], dataType="integer")
    assert told == ["9223372036854775809", "", "-1"]
    assert column(tmp_path, [0.1, 1e300, None]) == ["0.1", "1e+300", ""]
    assert column(tmp_path, [1, 2.0, None]) == ["1", "2", ""]
    decimals = column(tmp_path, ["30.8983333232059", "1,234.50"], dataType="decimal")
    assert decimals == ["30.8983333232059", "1234.50"]
    assert column(tmp_path, ["1,5"], dataType="string") == ["1,5"]
    assert column(tmp_path, [True, None, False]) == ["True", "", "False"]
    assert column(tmp_path, [1.5, "<5", None]) == ["1.5", "<5", ""]


def test_dates_are_text_and_numbers_only_with_a_sas_format(tmp_path):
    said = {"dataType": "date", "targetDataType": "integer"}
    assert column(tmp_path, ["2014-01-02", None], **said) == ["2014-01-02", ""]
    # As CDISC's example ADSL has them: 19725 is its 2014-01-02.
    shown = {"dataType": "datetime", "displayFormat": "DATE9."}
    assert column(tmp_path, [19725, None], **shown) == ["2014-01-02", ""]
    with pytest.raises(DataError) as caught:
        column(tmp_path, [None, 19725], **said)
    (problem,) = caught.value.problems
    assert (problem.row, problem.column, problem.value) == (3, "A", "19725")
    assert "a date is given as a number" in problem.what


def test_labels_and_lines_of_a_file_of_lines(tmp_path):
    lines = [json.dumps(HEAD), *map(json.dumps, ROWS)]
    (tmp_path / "a.ndjson").write_text("\ufeff" + "\r\n\n".join(lines), "utf-8")
    grid = read_grid("a.ndjson", tmp_path)
    assert grid.rows.tolist() == [3, 5]
    assert grid.labels == {"USUBJID": "Patient"}
    assert grid.cells.to_numpy().tolist() == [["01", "0.1"], ["02", ""]]


def test_a_data_set_may_hold_no_rows(tmp_path):
    for rows in (None, []):
        file = json_file(tmp_path, records=0, rows=rows)
        assert read_grid(file, tmp_path).cells.shape == (0, 2)
    (tmp_path / "a.ndjson").write_text(json.dumps(HEAD | {"records": 0}))
    assert read_grid("a.ndjson", tmp_path).cells.shape == (0, 2)


def test_another_number_of_records_than_said_is_an_error(tmp_path):
    (problem,) = problems_of(json_file(tmp_path, records=3), tmp_path)
    assert "holds 3 records, not 2" in problem.what
    lines = "\n".join([json.dumps(HEAD), json.dumps(ROWS[0])])
    (tmp_path / "a.ndjson").write_text(lines)
    assert "cut short" in problems_of("a.ndjson", tmp_path)[0].todo


def test_every_row_that_is_odd_is_told(tmp_path):
    rows = [["01", 1], ["02"], {"DV": 1}, ["03", 1, 2], None, ["04"]]
    told = problems_of(json_file(tmp_path, rows=rows, records=6), tmp_path)
    assert sorted(problem.row for problem in told) == [3, 4, 5, 6, 7]
    rows = [["01", [1]], ["02", 1], [{"a": 1}, 2]]
    told = problems_of(json_file(tmp_path, rows=rows, records=3), tmp_path)
    assert [(p.row, p.column) for p in told] == [(4, "USUBJID"), (2, "DV")]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"datasetJSONVersion": "1.0.0"}, "Dataset-JSON '1.0.0', which is not read"),
        ({"datasetJSONVersion": 1.1}, None),
        ({"records": "2"}, "'records' is no number"),
        ({"records": True}, "'records' is no number"),
        ({"columns": []}, "'columns' is no list"),
        ({"columns": [{"label": "x"}, "y"]}, "'columns' is no list"),
        ({"columns": COLUMNS[:1] * 2}, "two columns have the same name"),
        ({"rows": {"a": 1}}, "'rows' is no list but dict"),
    ],
)
def test_what_a_file_says_wrong_of_itself_is_told(tmp_path, change, word):
    content = HEAD | {"rows": ROWS} | change
    file = json_file(tmp_path, head=content, rows=None)
    if word is None:
        assert len(read_grid(file, tmp_path).cells) == 2
    else:
        assert word in problems_of(file, tmp_path)[0].what


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "is not JSON"),
        ("[]", "begins with list"),
        ("{}", "lacks datasetJSONVersion, records, columns"),
        ('{"clinicalData": {}}', "no Dataset-JSON 1.1"),
        (json.dumps(HEAD) + "\n[1, 2]", "'.ndjson'"),
        (json.dumps(HEAD | {"rows": [["a", np.nan], ["b", 1]]}), "NaN is no value"),
        (json.dumps(HEAD | {"rows": [["\ud800", 1], ["b", 1]]}), "one half of a sign"),
        ("[" * 100_000, "is not JSON"),
        ("9" * 10_000, "is not JSON"),
    ],
)
def test_what_is_no_dataset_json_is_told(tmp_path, text, word):
    (tmp_path / "a.json").write_text(text)
    (problem,) = problems_of("a.json", tmp_path)
    assert word in str(problem)


def test_broken_lines_and_broken_packing_are_told(tmp_path):
    lines = [json.dumps(HEAD), "[1, 2", "", "[NaN, 1]"]
    (tmp_path / "a.ndjson").write_text("\n".join(lines))
    assert [p.row for p in problems_of("a.ndjson", tmp_path)] == [2, 4]
    (tmp_path / "a.ndjson").write_text("\n \n")
    assert problems_of("a.ndjson", tmp_path)[0].what == "the file is empty"
    (tmp_path / "a.ndjson").write_bytes("é".encode("cp1252"))
    assert "is not UTF-8" in problems_of("a.ndjson", tmp_path)[0].what
    packed = write_dataset(dataset(), tmp_path, ".dsjc").read_bytes()
    for data in (b"{}", packed[:-7], packed + b"x", packed[:9] + b"x" + packed[10:]):
        (tmp_path / "a.dsjc").write_bytes(data)
        (problem,) = problems_of("a.dsjc", tmp_path)
        assert "no zlib or gzip stream" in problem.what
