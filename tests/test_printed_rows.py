"""What was printed of the course says what of, where, and for whom."""

import pytest
from model_text import CLOSED, FULL, load

from cellpk import ModelError

GIVEN = "cells = 4.5e8, toci = 1, alpha = 0.2"
WHEN = "at = 28"


def test_rows_are_read(tmp_path):
    peak, late = load(tmp_path, FULL).printed.values()
    assert (peak.what, str(peak.of), peak.printed) == ("peak", "flow", "2.2e2")
    assert (peak.start, peak.until, peak.at, peak.above) == (0, 60, None, None)
    assert (peak.unit, peak.source) == ("cells/uL", "Somebody 2020")
    assert (late.at, late.printed, late.source) == (28, "0.5", "Fifth 2024")
    assert late.given == {"cells": 4.5e8, "toci": 1, "alpha": 0.2}


def test_a_whole_schedule_can_be_given(tmp_path):
    model = load(tmp_path, FULL, (GIVEN, "cells = [1e8, 2e8]"))
    assert model.printed["late"].given == {"cells": (1e8, 2e8)}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('"level"', '"peek"', "what 'peek' is not known"),
        (WHEN, "", "'at' is missing of 'level'"),
        (WHEN, "at = 28\nfrom = 3", "from = 3 has no meaning in 'level'"),
        (WHEN, "at = 28\nabove = 3", "above = 3 has no meaning in 'level'"),
        (WHEN, "at = inf", "at is inf"),
        ('"level"\n', '"last_above"\n', "'above' is missing of 'last_above'"),
        ('"level"\n', '"peak"\n', "at = 28 has no meaning in 'peak'"),
        ('of = "qpcr"', 'of = "qpc"', "'qpc' is not known at this place"),
        ('of = "qpcr"', 'of = "qpcr*cells"', "'cells' is not known at this place: it"),
        ("printed = 0.5\n", 'printed = "half"\n', "printed = 'half' is not a decimal"),
        (GIVEN, "cels = 1", "'cels' is neither parameter nor covariate"),
        (GIVEN, "cells = -1", "cells is -1"),
        (GIVEN, "cells = [1e8]", "cells = [100000000.0], and the schedule has 2"),
        (GIVEN, "td = 0", "td = 0 is not possible"),
        (GIVEN, "td = [1, 2]", "td = [1, 2] is not a number"),
        (GIVEN, "toci = 2", "toci = 2 is not possible"),
        (GIVEN, "weight = nan", "weight = nan is not possible"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path, old, new, found):
    with pytest.raises(ModelError) as caught:
        load(tmp_path, FULL, (old, new))
    assert found in caught.value.found
    assert caught.value.where == "m.toml, [printed] late, line 55"


def test_a_course_is_looked_at_forwards_in_time(tmp_path):
    for days, found in (
        ("from = 70, until = 60", "from = 70 is not before until = 60"),
        ("from = -1, until = 60", "from is -1"),
        ("until = inf", "until is inf"),
    ):
        with pytest.raises(ModelError, match=f"peak, line 53: {found}"):
            load(tmp_path, FULL, ("until = 60", days))


def test_cells_are_given_only_where_cells_are_infused(tmp_path):
    row = "[printed]\nc = { what = 'peak', of = 'E', printed = 9, unit = 'copies/ug', "
    wrong = CLOSED + row + "given = { cells = 1 } }\n"
    with pytest.raises(ModelError, match=r"cells = 1 are given, .* no \[infusions\]"):
        load(tmp_path, wrong)
