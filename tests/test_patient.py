"""Fits take the model's residual error, where it is one that they know."""

import pandas as pd
import pytest
from model_text import CLOSED, load

import cellpk as ck
from cellpk.errors import FitError, ModelError
from cellpk.fit.patient import residual_sd

SAMPLES = pd.DataFrame({"patient": "A", "time": [7, 14, 28], "level": [900, 400, 80]})
STUDY = ck.Study.from_frames(SAMPLES.assign(assay="qpcr", lloq=50))


@pytest.mark.parametrize(
    "error", ['error = "proportional", sd = 0.3', 'error = "unpublished"']
)
def test_another_residual_error_than_lognormal_is_refused_by_name(tmp_path, error):
    model = load(tmp_path, CLOSED, ('error = "lognormal", sd = 0.4', error))
    form = error.split('"')[1]
    message = f"the residual error of 'qpcr' is '{form}'.*lognormal residual error only"
    with pytest.raises(FitError, match=message):
        residual_sd(model, "qpcr")
    with pytest.raises(FitError, match=message):
        ck.fit_individuals(model, STUDY)


def test_a_spread_that_is_not_published_stops_a_fit_until_it_is_given(tmp_path):
    model = load(tmp_path, CLOSED, ("iiv_sd = 0.3", 'iiv = "unpublished"'))
    with pytest.raises(ModelError, match=r"model.with_spread\(c0=0.5\)"):
        ck.fit_individuals(model, STUDY)
    fits = ck.fit_individuals(model.with_spread(c0=1.0), STUDY, starts=4)
    assert fits.table["converged"].all()
