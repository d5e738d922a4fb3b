"""A rate that branches on a covariate which changes in steps."""

import numpy as np
import pytest

import cellpk as ck

TEXT = """
title = "A loss that chemotherapy changes"
source = "ours"
time = "day"
equations = '''
r = slow if chemo > 0.5 else fast
dE/dt = -r*E
E(0) = 100
'''
[parameters]
slow = { value = 0.05, unit = "1/day", iiv_sd = 0.1 }
fast = { value = 0.2, unit = "1/day", iiv_sd = 0.1 }
[covariates]
chemo = { value = 0, unit = "1", steps = true }
[observed]
flow = { is = "E", unit = "1", error = "lognormal", sd = 0.3 }
"""


def test_it_is_solved_from_step_to_step(tmp_path):
    (tmp_path / "branch.toml").write_text(TEXT, encoding="utf-8")
    model = ck.load_model(tmp_path / "branch.toml")
    inputs = model.inputs(covariates={"chemo": {10: 1, 16: 0}})
    found = model.kernel.solve(model.typical, [5, 12, 30], inputs=inputs, gradient=True)
    fast, slow = np.array([5, 10, 10 + 14]), np.array([0, 2, 6])
    assert found.log_level == pytest.approx(np.log(100) - 0.2 * fast - 0.05 * slow)
    # By the logs of slow and fast.
    by_hand = np.stack([-0.05 * slow, -0.2 * fast], axis=-1)
    assert found.gradient == pytest.approx(by_hand, abs=1e-6)
