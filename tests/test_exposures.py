import numpy as np
import pandas as pd
import pytest
from scipy.stats import truncnorm

from cellpk.outcomes.exposures import Exposures


def exposures(rows, **changes):
    columns = ["exposure", "low", "high", "below", "sd", "doubtful"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(0, "patient", [str(n) for n in range(1, len(rows) + 1)])
    known = {"name": "cmax", "assay": "flow", "unit": "cells/uL"}
    return Exposures(table, table.loc[[], ["patient"]], **known | changes)


def exact(value, *, doubtful=False):
    return (value, value, value, False, 0.0, doubtful)


def below(limit):
    return (np.nan, 0.0, limit, True, 0.0, False)


def fitted(value, sd):
    factor = 10 ** (1.96 * sd)
    return (value, value / factor, value * factor, False, sd, False)


def test_the_reference_is_the_geometric_mean_to_the_nearest_half_decade():
    assert exposures([exact(90.0), exact(110.0)]).reference == pytest.approx(100.0)
    assert exposures([exact(250.0), exact(260.0)]).reference == pytest.approx(10**2.5)


def test_one_patient_more_does_not_move_the_reference():
    rows = [exact(v) for v in (80.0, 100.0, 130.0, 150.0)]
    one_more = exposures([*rows, exact(500.0)])
    assert exposures(rows).reference == one_more.reference


def test_patients_below_the_limit_pull_the_reference_down():
    rows = [exact(v) for v in (100.0, 200.0, 400.0)]
    censored = exposures([*rows, *[below(50.0)] * 3])
    assert censored.reference < exposures(rows).reference


def test_known_exposures_have_one_node_that_is_the_exposure():
    some = exposures([exact(100.0), exact(1000.0)])
    x, weight = some.nodes(["2", "1"])
    assert x.shape == (2, 1)
    assert (x[:, 0] + np.log10(some.reference)).tolist() == pytest.approx([3.0, 2.0])
    assert weight.tolist() == [[1.0], [1.0]]


def test_a_patient_below_the_limit_is_spread_over_the_tail_and_others_stay():
    some = exposures([exact(100.0), exact(1000.0), exact(5000.0), below(20.0)])
    x, weight = some.nodes(["1", "4"])
    x = x + np.log10(some.reference)
    assert np.allclose(x[0], 2.0)
    assert (x[1] < np.log10(20)).all()
    mean, sd = some.population
    tail = truncnorm(-np.inf, (np.log10(20) - mean) / sd, loc=mean, scale=sd)
    assert x[1] @ weight[1] == pytest.approx(tail.mean(), abs=1e-3)


def test_a_detected_level_bounds_the_tail_from_below():
    row = (np.nan, 5.0, 20.0, True, 0.0, False)
    some = exposures([exact(100.0), exact(1000.0), row])
    x, _ = some.nodes(["3"])
    levels = 10 ** (x + np.log10(some.reference))
    assert levels.min() > 5.0
    assert levels.max() < 20.0


def test_the_uncertainty_of_a_fit_is_the_spread_of_its_nodes():
    some = exposures([fitted(100.0, 0.3), fitted(1000.0, 0.1)], fitted=True)
    x, weight = some.nodes(["1", "2"])
    centre = (x * weight).sum(axis=1)
    sd = np.sqrt(((x - centre[:, None]) ** 2 * weight).sum(axis=1))
    assert centre + np.log10(some.reference) == pytest.approx([2.0, 3.0])
    assert sd == pytest.approx([0.3, 0.1], rel=1e-3)


def test_sentences_say_how_exposures_enter():
    rows = [exact(100.0), exact(1000.0, doubtful=True), below(20.0)]
    said = " ".join(exposures(rows).sentences(["1", "2", "3"]))
    assert "without their own error" in said
    assert "1 patient below the limit" in said
    assert "1 of 3 patients cmax does not meet the sampling rule" in said
    assert "below" not in " ".join(exposures(rows).sentences(["1"]))


def test_a_patient_above_the_upper_limit_is_spread_over_the_other_tail():
    above = (np.nan, 2000.0, np.inf, False, 0.0, False)
    some = exposures([exact(100.0), exact(1000.0), above])
    x, _ = some.nodes(["3"])
    assert (10 ** (x + np.log10(some.reference)) > 2000.0).all()
    assert "1 patient above the upper limit" in " ".join(some.sentences(["3"]))


def test_sentences_say_that_uncertainty_of_fits_is_integrated():
    some = exposures([fitted(100.0, 0.3), fitted(1000.0, 0.1)], fitted=True)
    assert (
        "inside the likelihood (median SD 0.2 decades)" in some.sentences(["1", "2"])[0]
    )


def test_the_scale_is_said_with_its_reference_and_unit():
    said = exposures([exact(90.0), exact(110.0)]).scale
    assert "0 at the reference of 100 cells/uL" in said
    assert "without regard to outcomes" in said
