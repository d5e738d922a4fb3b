import io
import re

import pandas as pd
import pytest
from conftest import make_small_study

import cellpk as ck
from cellpk.errors import DataError
from cellpk.reporting.analysis import analyse
from cellpk.reporting.html import page as html_page
from cellpk.reporting.phrases import say
from cellpk.reporting.section import report


@pytest.fixture(scope="module")
def page(report_folder):
    return (report_folder / "report.html").read_text(encoding="utf-8")


def test_page_needs_nothing_but_itself(page):
    targets = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert targets
    assert all(target.startswith(("data:image/", "#")) for target in targets)
    assert "url(" not in page
    assert "<script" not in page
    assert "@import" not in page


def test_page_has_its_sections_in_order(page):
    titles = re.findall(r"<h2[^>]*>\d+\. ([^<]+)</h2>", page)
    assert titles == [
        "Data and problems",
        "Samples",
        "Kinetics",
        "Individual fits",
        "Population fit",
        "Exposure-response",
        "IL-6 and exposure",
        "Methods and rules",
        "Reproducibility",
    ]


def test_every_link_has_its_place_and_every_place_is_one(page):
    places = re.findall(r'<(?:figure|h2) id="([^"]+)"', page)
    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(places)


def test_tables_and_figures_are_numbered_in_order(made_report):
    numbers = [table.number for table in made_report.tables]
    assert numbers == [f"Table {n + 1}" for n in range(len(numbers))]
    assert made_report.figures[0].number == "Figure 1"


def test_key_facts_are_numbers_in_fixed_sentences(made_report):
    assert made_report.facts[:4] == (
        "8 patients; 8 have a usable sample after the infusion "
        "(CAR transgene by qPCR).",
        "31 samples (CAR transgene by qPCR) from day 7 to day 28: 22 quantified, 9 "
        "below the limit of quantification (29.0%).",
        "In 1 of 8 sampled patients no level was quantified.",
        "Cmax: geometric mean 2,810 copies/µg (geometric CV 1,159.4%), over the 7 "
        "patients with a quantified level of 8 evaluable.",
    )
    assert (
        "Response (PR or better) against Cmax (CAR transgene by qPCR): odds ratio 7.39 "
        "(95% credible interval 1.85 to 29.6) per 10-fold and 1.83 (0.458 to 7.32) per "
        "2-fold exposure; Pr(slope > 0) 0.980; 4 events in 6 patients."
        in made_report.facts
    )


@pytest.fixture(scope="module")
def again(made_report, tmp_path_factory):
    """The same report made anew: its folder, and the progress that was told."""
    study, old, steps = make_small_study(), made_report.material, []
    results = (*old.responses, *old.cytokines)
    new = report(study, ck.nca(study), old.fits, *results)
    folder = tmp_path_factory.mktemp("again")
    new.write(folder, progress=lambda *step: steps.append(step))
    return folder, steps


def test_same_inputs_give_the_same_bytes(report_folder, again):
    folder, _ = again
    names = {path.relative_to(folder) for path in folder.rglob("*.*")}
    assert names == {
        path.relative_to(report_folder) for path in report_folder.rglob("*.*")
    }
    for name in sorted(names):
        if name.name != "manifest.json":
            assert (folder / name).read_bytes() == (report_folder / name).read_bytes()


def test_progress_names_what_is_drawn(made_report, again):
    _, steps = again
    total = len(made_report.tables) + len(made_report.figures)
    assert steps[0] == (0, total, "Drawing: Table 1")
    assert steps[-1] == (1, 1, "Writing the tables")


def test_csv_of_a_table_is_its_frame(report_folder, made_report):
    for table in made_report.tables:
        text = (report_folder / "tables" / f"{table.name}.csv").read_text(
            encoding="utf-8"
        )
        assert text == table.to_csv()
    frame = pd.read_csv(io.StringIO(text))
    assert len(frame) == len(made_report.tables[-1].frame)


def test_every_figure_has_its_data_beside_it(report_folder, made_report):
    names = sorted(path.stem for path in (report_folder / "figures").iterdir())
    assert names == sorted(drawing.name for drawing in made_report.figures)


def test_rules_are_printed_once(page, small_metrics):
    assert page.count("Areas to a fixed day end exactly there") == 1
    assert page.count("Persistence is Turnbull&#39;s (1976)") == 1
    assert "Rules: see Methods and rules." in page


def test_simulated_data_are_named_on_top_and_in_every_heading():
    samples = pd.DataFrame({"patient": "A", "time": [7.0, 14.0], "level": [9.0, 900.0]})
    about = {"study": {"id": "A", "infusion_day": 0, "simulated": True}}
    study = ck.Study.from_frames(samples.assign(assay="flow"), settings=about)
    text = html_page(report(study, ck.nca(study)))
    assert '<div class="banner">SIMULATED DATA</div>' in text
    captions = re.findall(r"<figcaption>([^<]+)</figcaption>", text)
    assert len(captions) > 3
    assert all("(SIMULATED DATA)" in caption for caption in captions)


def test_real_data_are_not_called_simulated(page):
    assert "SIMULATED" not in page


def test_unknown_format_is_refused(made_report, tmp_path):
    with pytest.raises(DataError, match="'dox'"):
        made_report.write(tmp_path, formats=["dox"])


def test_result_without_a_section_is_refused(small_study, small_metrics):
    with pytest.raises(DataError, match="no section"):
        report(small_study, small_metrics, None, small_metrics)


def test_empty_slot_stops_the_sentence():
    with pytest.raises(DataError, match="'never' of the report lacks sampled"):
        say("never", never=3, sampled="NC")


def test_what_cannot_be_done_is_said_in_the_report():
    samples = pd.DataFrame(
        {"patient": "A", "time": [7.0, 14.0, 21.0], "level": [9.0, 900.0, 300.0]}
    )
    study = ck.Study.from_frames(samples.assign(assay="flow"))
    steps = []
    made = analyse(study, progress=lambda *step: steps.append(step))
    assert made.material.fits is not None
    assert made.material.responses == ()
    responses = made.material.omitted["responses"]
    assert responses[0].startswith("Not done: Response (PR or better) against Cmax.")
    (together,) = made.material.omitted["population"]
    assert "1 patient with a sample that says something" in together
    cytokines = made.material.omitted["cytokines"]
    assert cytokines[0].startswith("Not done: IL-6 against Cmax")
    text = {section.name: section.text for section in made.sections}
    assert text["exposure-response"] == responses
    assert "Metrics" in {words for *_, words in steps}
    assert made.elapsed > 0


def test_study_without_cells_is_reported_all_the_same():
    samples = pd.DataFrame({"patient": "A", "time": [1.0, 2.0], "level": [9.0, 90.0]})
    made = analyse(ck.Study.from_frames(samples.assign(assay="il6")))
    assert made.facts == (say("no_assay"),)
    assert made.sections[3].text[0].startswith("Not done: individual fits")


@pytest.mark.slow
def test_whole_way_on_the_simulated_trial_is_reproducible(tmp_path):
    for name in ("one", "two"):
        analyse(ck.simulate_study(seed=1)).write(tmp_path / name)
    for path in (tmp_path / "one").rglob("*.*"):
        if path.name != "manifest.json":
            other = tmp_path / "two" / path.relative_to(tmp_path / "one")
            assert path.read_bytes() == other.read_bytes(), path.name
