"""A study whose assays are its own goes the whole way to the report."""

import pandas as pd
import pytest

import cellpk as ck
from cellpk.reporting.labels import labels_of, spoken

ABOUT = {
    "study": {"id": "OWN", "infusion_day": 0},
    "assays": {
        "car_copies": {
            "unit": "copies/mL",
            "kinetics": True,
            "label": "CAR copies in whole blood",
            "axis": "CAR copies",
        },
        "marker": {"unit": "AU", "label": "Marker of inflammation", "axis": "Marker"},
    },
    "analysis": {"cytokine": "marker"},
}
WHO = ["S02", "S04", "S05", "S07", "S08", "S09", "S10", "S11"]


@pytest.fixture(scope="module")
def study():
    """The simulated trial, its assays renamed as if the laboratory had its own."""
    whole = ck.simulate_study(seed=1)
    samples = whole.samples.query("assay != 'flow' and patient in @WHO")
    names = {"qpcr": "car_copies", "il6": "marker"}
    units = {"qpcr": "copies/mL", "il6": "AU"}
    samples = samples.assign(
        unit=samples["assay"].map(units), assay=samples["assay"].map(names)
    )
    tables = {
        name: getattr(whole, name).query("patient in @WHO")
        for name in ("patients", "infusions", "outcomes")
    }
    return ck.Study.from_frames(samples=samples, **tables, settings=ABOUT)


@pytest.fixture(scope="module")
def metrics(study):
    return ck.nca(study)


@pytest.fixture(scope="module")
def results(study, metrics):
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    return (
        ck.fit_individuals(stein, study, starts=2),
        ck.exposure_response(metrics, study, draws=200, chains=2),
        ck.cytokine_association(metrics, study, cytokine="marker"),
    )


def test_it_is_read_and_written(study, tmp_path):
    assert study.main_assay == "car_copies"
    assert study.kinetic_assays == ("car_copies",)
    assert study.unit("car_copies") == "copies/mL"
    assert ck.read_study(ck.write_study(study, tmp_path)) == study


def test_tables_and_figures_of_metrics_and_levels_use_its_words(study, metrics):
    assert metrics.units("car_copies")["auc_0_28"] == "day*copies/mL"
    label = "CAR copies in whole blood"
    exhibits = [
        ck.tables.kinetics(metrics, study, by="dose_level"),
        ck.tables.samples_by_visit(study),
        ck.figures.profiles(study, by="dose_level"),
        ck.figures.metrics_by(metrics, study, by="dose_level"),
    ]
    assert all(each.title.startswith(f"{label}: ") for each in exhibits)
    sets = ck.tables.analysis_set(study, metrics)
    assert set(sets.shown["assay"]) == {"Study", label}
    axis = exhibits[2].figure.get_supylabel()
    assert axis == "CAR copies (copies/mL)"


def test_fits_and_associations_use_its_words(study, results):
    fits, response, association = results
    assert fits.assay == "car_copies"
    assert fits.unit == "copies/mL"
    assert fits.units["cmax"] == "copies/mL"
    assert ck.tables.individual_fits(fits, study).title.startswith("CAR copies in ")
    assert ck.figures.fits(fits, study).figure.get_supylabel().startswith("CAR copies")
    assert labels_of(response).axis == "Cmax (copies/mL), CAR copies in whole blood"
    assert labels_of(association).outcome == "Marker"
    assert "(AU)" in ck.figures.cytokine(association).figure.axes[0].get_ylabel()


def test_the_report_is_written(study, metrics, results, tmp_path):
    fits, *others = results
    files = ck.report(study, metrics, fits, *others).write(tmp_path)
    page = files[0].read_text("utf-8")
    for words in ("CAR copies in whole blood", "Marker and exposure", "copies/mL"):
        assert words in page
    names = {file.name for file in files}
    assert {"kinetics_car_copies_by_dose_level.csv", "samples_marker.csv"} <= names


def test_a_name_is_spoken_by_the_assays_there_are(study):
    assert spoken("marker") == "marker"
    assert spoken("marker", study.settings.known_assays) == "Marker"
    assert spoken("il6", study.settings.known_assays) == "IL-6"


def test_a_share_without_a_unit_has_no_empty_brackets():
    frame = pd.DataFrame({"patient": "1", "time": [1, 7], "level": [0.4, 3]})
    study = ck.Study.from_frames(samples=frame.assign(assay="flc_ratio"))
    drawing = ck.figures.profiles(study, assay="flc_ratio")
    assert drawing.figure.get_supylabel() == "Free light chains kappa/lambda"
