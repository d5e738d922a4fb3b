"""The combined residual error in model files, exports and virtual patients."""

from dataclasses import replace

import numpy as np
import pytest
from model_text import FULL, load
from scipy import stats

import cellpk as ck
from cellpk.model.export import export
from cellpk.model.residual import read_levels, with_residual

LOGNORMAL = 'error = "lognormal", sd = 0.4'
COMBINED = 'error = "combined", additive = 5, proportional = 0.2'


@pytest.fixture
def model(tmp_path):
    return load(tmp_path, FULL, (LOGNORMAL, COMBINED))


def test_a_model_states_both_parts(model):
    flow = model.observed["flow"]
    assert (flow.error, flow.sd) == ("combined", None)
    assert flow.sizes == {"additive": 5, "proportional": 0.2}
    assert "combined residual error, additive 5, proportional 0.2" in repr(model)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ('error = "combined", additive = 5', "'proportional' is missing"),
        (f"{COMBINED}, sd = 1", "sd = 1 has no meaning in the error 'combined'"),
        (f"{LOGNORMAL}, additive = 1", 'Leave it out, or write error = "combined"'),
        (COMBINED.replace("5", "-5"), "additive is -5"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(tmp_path, stated, said):
    with pytest.raises(ck.ModelError, match=said):
        load(tmp_path, FULL, (LOGNORMAL, stated))


def test_variances_add_in_what_is_read(model):
    flow = replace(model.observed["flow"], additive=30.0, proportional=0.4)
    levels = np.tile([0.0, 100.0, 1e4], (50_000, 1))
    read = read_levels(levels, flow, np.array([1.0, 2, 3]), seed=1)
    for i, sd in enumerate([30.0, 50.0, np.hypot(30.0, 4000.0)]):
        z = (read[:, i] - levels[:, i]) / sd
        assert stats.kstest(z, "norm").pvalue > 1e-4


def test_both_parts_are_given_or_none(model):
    flow = model.observed["flow"]
    given = with_residual(
        flow, {"flow": {"additive": 1, "proportional": 0.1}}, model=model
    )
    assert given.sizes == {"additive": 1.0, "proportional": 0.1}
    none = with_residual(flow, {"flow": 0.0}, model=model)
    days = np.array([7.0])
    np.testing.assert_array_equal(
        read_levels(np.array([[9.0]]), none, days, seed=1), [[9.0]]
    )
    for wrong in (0.3, {"additive": 1.0}, {"additive": 1.0, "proportional": -1.0}):
        with pytest.raises(ck.ModelError, match="Give additive and proportional"):
            with_residual(flow, {"flow": wrong}, model=model)


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        (
            "nlmixr2",
            [
                "flow ~ add(flow.additive) + prop(flow.proportional) + combined2()",
                "flow.additive <- c(0, 5)",
                "flow.proportional <- c(0, 0.2)",
            ],
        ),
        (
            "monolix",
            ["errorModel=combined2(a_flow, b_flow)", "a_flow = {value=5", "b_flow = "],
        ),
        ("nonmem", ["(0, 5) ;", "(0, 0.2) ;"]),
    ],
)
def test_other_tools_get_both_parts(model, target, lines):
    text = export(model, target)
    for line in lines:
        assert line in text


def test_nonmem_counts_both_parts_among_its_thetas(model):
    text = export(model, "nonmem")
    thetas = text.partition("$THETA")[2].partition("$OMEGA")[0].strip().splitlines()
    number = {
        word: next(i for i, row in enumerate(thetas, 1) if f"; {i} {word}, flow" in row)
        for word in ("additive", "proportional")
    }
    one, two = number.values()
    assert f"W = SQRT(THETA({one})**2 + (THETA({two})*IPRED)**2)" in text
    # the next assay has the THETA after them
    assert two == one + 1
    assert f"W = THETA({two + 1})" in text
