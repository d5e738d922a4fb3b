"""A key that is not known, or of another kind, is named with its line."""

import pytest
from model_text import CLOSED, FULL, load

from cellpk import ModelError
from cellpk.model.sections import FLAG, NUMBER, NUMBERS, Kind


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title =", "tittle =", "m.toml, tittle, line 1: 'tittle' is not known"),
        ("[covariates]", "[covariate]", "covariate, line .*Did you mean 'covariates'"),
        ("prior_sd =", "priorsd =", "td, line 16: 'priorsd' .*Did you mean 'prior_sd'"),
        ("steps = true", "step = true", "toci, line 35: 'step' .*Did you mean 'steps'"),
        (
            "steps = true",
            'steps = "yes"',
            "toci, line 35: steps = 'yes' is not true or",
        ),
        ("levels = [0, 1]", "levels = 1", "toci, line 35: levels = 1 is not a list of"),
        ("levels = [0, 1]", "levels = ['a']", r"levels = \['a'\] is not a list of num"),
        ("levels = [0, 1]", "levels = [true]", r"levels = \[True\] is not a list"),
        (
            "weight = {",
            "weight = 70 # {",
            "weight, line 34: weight = 70 is not a table",
        ),
        ("tmax.td = 0.3", "tmax.td = true", "tmax.td, line 30: value = True is not a"),
        ("tmax.td = 0.3", "tmax = 0.3", "tmax, line 30: tmax = 0.3 is not a pair"),
        ("value = -0.2,", "vale = -0.2,", "kill.td, line 31: 'vale' .*mean 'value'"),
        ("value = -0.2,", "", r"\[correlations\] kill.td, line 31: 'value' is missing"),
        (
            "kill.td",
            "td.tmax",
            "td.tmax, line 31: the correlation of td and tmax is st",
        ),
        (
            "adds = {",
            "add = {",
            "add, line 38: 'add' is not known.*Did you mean 'adds'",
        ),
        (
            'adds = { E = "cells/volume" }',
            "adds = { E = 1 }",
            "adds = .* is not a table",
        ),
        (
            'adds = { E = "cells/volume" }',
            "",
            r"infusions\], line 37: 'adds' is missing",
        ),
        ("days = [0, 30]", 'days = "0"', "days, line 39: days = '0' is not a list of"),
        ("df = 4", 'df = "4"', "qpcr, line 46: df = '4' is not a number"),
        ("at = 28", "day = 28", r"\[printed\] late, line 58: 'day' is not known"),
        ('of = "qpcr"', 'off = "qpcr"', "late, line 57: 'off' .*Did you mean 'of'"),
        ('of = "qpcr"', "", r"\[printed\] late, line 55: 'of' is missing"),
        (
            "printed = 0.5\n",
            "printed = [1]\n",
            r"late, line 59: printed = \[1\] is not",
        ),
        (
            "given = {",
            "given = 3 # {",
            "late, line 61: given = 3 is not a table of num",
        ),
        (
            "cells = 4.5e8,",
            "cells = '1',",
            "late, line 61: given = .* is not a table of",
        ),
        ('doubts = "', "doubts = 3 # ", "doubts, line 3: doubts = 3 is not text"),
        ('title = "Rise and fall"', "", "^m.toml: 'title' is missing"),
        ('unit = "kg", label', "label", "weight, line 34: 'unit' is missing"),
        ('error = "unpublished"', 'label = "x"', "mtv, line 47: 'error' is missing"),
    ],
)
def test_a_wrong_key_is_refused(tmp_path, old, new, message):
    with pytest.raises(ModelError, match=message):
        load(tmp_path, FULL, (old, new))


def test_only_a_variant_can_drop(tmp_path):
    with pytest.raises(ModelError, match=r"drop, line 1: drop = .* varies no other"):
        load(tmp_path, 'drop = ["parameters.c0"]\n' + CLOSED)
    with pytest.raises(ModelError, match="drop, line 1: drop = 'x' is not a list"):
        load(tmp_path, 'drop = "x"\n' + CLOSED)


def test_true_is_no_number():
    assert not NUMBER.fits(value=True)
    assert not NUMBERS.fits([1, False])
    assert FLAG.fits(value=True)
    assert Kind("a table of numbers", (dict,), (int,)).fits({"a": 1})
