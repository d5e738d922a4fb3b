"""``cellpk check``: what it prints, what it writes, and how it ends."""

import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from typer.testing import CliRunner

import cellpk as ck
from cellpk import cli
from cellpk.errors import Problem
from cellpk.reporting.check_page import check_study
from cellpk.reporting.findings import grouped, told
from cellpk.study.checks import rules


def run(*words):
    return CliRunner().invoke(cli.app, ["check", *map(str, words)])


def changed(folder, **cells):
    """Write a simulated study whose first quantified samples have other cells."""
    path = ck.write_study(ck.simulate_study(seed=1), folder)
    samples = pd.read_csv(folder / "samples.csv", dtype=str, keep_default_na=False)
    quantified = samples.index[samples["state"] == "quantified"]
    for name, values in cells.items():
        for row, value in zip(quantified, values, strict=False):
            samples.loc[row, name] = value
    samples.to_csv(folder / "samples.csv", index=False)
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    path = changed(folder, excluded=["1", "1"], reason=["<b>lost</b> & 'gone'"] * 2)
    done = run(path, "-o", folder / "out")
    return ck.read_study(path), done, folder / "out"


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    levels = ["-7", "1,234", *["<script>alert(1)</script>"] * 20]
    path = changed(folder, level=levels, time=["Monday"])
    done = run(path, "-o", folder / "out")
    with pytest.raises(ck.DataError) as error:
        ck.read_study(path)
    return error.value.problems, done, folder / "out"


def test_it_prints_the_study_its_counts_and_every_doubt(good):
    study, done, _ = good
    assert done.exit_code == 0
    assert repr(study) in done.stdout
    for name, count in study.counts.items():
        assert re.search(rf"\b{count}  {name}\b", done.stdout)
    for problem in study.problems.itertuples():
        assert problem.what in done.stdout
        assert f"[{problem.rule}]" in done.stdout
    assert done.stdout.count("warnings\n") == 1
    assert done.stdout.index("warnings\n") < done.stdout.index("notes\n")


def test_every_row_of_every_file_is_accounted_for(good):
    study, done, _ = good
    lines = re.findall(r"(\d+) rows = (.*)", done.stdout)
    assert len(lines) == 5
    for total, parts in lines:
        assert int(total) == sum(map(int, re.findall(r"(\d+) [a-z]", parts)))
    assert "2 excluded: <b>lost</b> & 'gone'" in done.stdout
    files = study.accounting.groupby("file")["rows"].sum()
    assert sorted(int(n) for n, _ in lines) == sorted(files)


def test_the_json_holds_everything(good):
    study, _, folder = good
    record = json.loads((folder / "check.json").read_text("utf-8"))
    assert record["read"] is True
    assert record["counts"] == study.counts
    assert sum(row["rows"] for row in record["accounting"]) == sum(
        study.accounting["rows"]
    )
    assert [p["what"] for p in record["problems"]] == study.problems["what"].tolist()
    assert [p["rule"] for p in record["problems"]] == study.problems["rule"].tolist()
    assert {source["file"] for source in record["sources"]} >= {"samples.csv"}
    assert all(len(source["sha256"]) == 64 for source in record["sources"])
    assert record["settings"] == study.settings.resolved()
    assert [row["rule"] for row in record["rules"]] == list(rules())


class Page(HTMLParser):
    """Collects what a page opens, and checks that it closes it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.loads = [], set(), []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.loads += [v for name, v in attrs if name in {"src", "href"}]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("which", ["good", "bad"])
def test_the_page_needs_nothing_but_itself_and_escapes_everything(which, request):
    folder = request.getfixturevalue(which)[2]
    text = (folder / "check.html").read_text("utf-8")
    page = Page(text)
    assert page.loads == []
    assert "url(" not in text
    assert not page.tags & {"script", "link", "img", "iframe"}
    assert "<b>lost" not in text
    assert "<script" not in text


def test_the_page_says_what_was_found_and_what_was_looked_for(good):
    study, _, folder = good
    text = (folder / "check.html").read_text("utf-8")
    assert "SIMULATED" in text
    assert "&lt;b&gt;lost&lt;/b&gt; &amp; &#39;gone&#39;" in text
    for name in rules():
        assert f"<code>{name}</code>" in text
    for row in study.accounting.itertuples():
        assert f'<td class="number">{row.rows}</td><td>{row.fate}</td>' in text


def test_page_and_json_are_the_same_twice(good, tmp_path):
    _, _, folder = good
    again = check_study(folder.parent).write(tmp_path)
    for path in again:
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_errors_are_grouped_written_and_end_in_1(bad):
    problems, done, folder = bad
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "cannot be read" in done.stderr
    for problem in problems:
        assert problem.todo in done.stderr
        assert repr(problem.value) in done.stderr
    assert done.stderr.count("a level cannot be negative") == 1
    record = json.loads((folder / "check.json").read_text("utf-8"))
    assert record["read"] is False
    assert [p["what"] for p in record["problems"]] == [p.what for p in problems]
    text = (folder / "check.html").read_text("utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "it has a thousands separator or a decimal comma" in text


def test_a_broken_study_toml_is_told_as_well(tmp_path):
    (tmp_path / "study.toml").write_text("[study]\nid = 'A'\ninfusion_day = 2\n")
    done = run(tmp_path, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "infusion_day" in (tmp_path / "out" / "check.html").read_text("utf-8")


def test_nothing_is_written_where_there_is_no_study(tmp_path):
    done = run(tmp_path / "nowhere.toml", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "nowhere.toml" in done.output
    assert not (tmp_path / "out").exists()


def test_long_groups_are_cut_with_a_count():
    found = [Problem("odd", "Look.", row=row) for row in range(2, 40)]
    (group,) = grouped(found)
    assert group.count == 38
    lines = list(told(found))
    assert sum("row " in line for line in lines) == 8
    assert "    ... and 30 more" in lines


def test_problems_without_a_rule_are_grouped_by_what_they_say():
    found = [
        Problem("odd", "Look.", row=2),
        Problem("odd (and in 29 more rows: 3, 4, ...)", "Look.", row=9),
        Problem("even", "Look.", "note"),
    ]
    groups = grouped(found)
    assert [(g.severity, g.count) for g in groups] == [("error", 2), ("note", 1)]
    assert groups[0].findings[0].what == "odd"
    assert groups[0].findings[0].places == (
        "row 2",
        "row 9 (and in 29 more rows: 3, 4, ...)",
    )


def test_a_study_without_doubts_says_so(tmp_path):
    frame = pd.DataFrame({"patient": ["1"], "time": [7], "level": 3, "assay": "flow"})
    ck.write_study(ck.Study.from_frames(frame), tmp_path)
    done = run(tmp_path, "-o", tmp_path / "out")
    assert "nothing doubtful was found" in done.stdout
    text = (tmp_path / "out" / "check.html").read_text("utf-8")
    assert "Nothing doubtful was found" in text
