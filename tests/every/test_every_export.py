"""Every model of the library, for every tool: what is read back is what it says."""

import pytest
from export_check import Exported, check, completed

import cellpk as ck
from cellpk.model.export import targets
from cellpk.model.library import folder

NAMES = sorted(path.stem for path in folder().glob("*.toml"))


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    return ck.load_model(request.param)


@pytest.mark.parametrize("form", ["closed", "ode"])
@pytest.mark.parametrize("target", targets())
def test_an_export_means_what_the_model_means(model, target, form):
    check(Exported(completed(model), target, form=form))


@pytest.mark.parametrize("target", targets())
def test_what_is_not_published_stays_to_be_given(model, target):
    text = Exported.text_of(model, target)
    missing = [row.name for row in model.parameters.values() if row.value is None]
    spreads = [row.name for row in model.parameters.values() if row.iiv_sd is None]
    errors = [row.name for row in model.observed.values() if row.sd is None]
    assert ("UNPUBLISHED" in text) == bool([*missing, *spreads, *errors])
    for name in missing:
        assert f"unpublished_{name}".lower() in text.lower()
