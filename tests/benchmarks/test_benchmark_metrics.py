"""The benchmark of metrics runs, and all its ways find the same numbers."""

import os

import numpy as np
import pytest
from metrics import contest, core, disagreement, loop, made, peer

import cellpk as ck
from cellpk.kinetics.metrics import METRICS

PEERS = os.environ.get("CELLPK_PEERS", "")
"""A Python that has pkpdutils, which is no dependency."""


def test_profiles_are_as_many_below_the_limit_and_missing_as_the_benchmark_says():
    cohort = made(300)
    assert np.isnan(cohort.levels).mean() == pytest.approx(0.05, abs=0.01)
    assert (cohort.levels < cohort.lloq).mean() == pytest.approx(0.3, abs=0.03)


def test_study_core_and_loop_find_the_same_metrics():
    cohort = made(40)
    table, flat, plain = ck.nca(cohort.study()).table, core(cohort), loop(cohort)
    for name in METRICS:
        np.testing.assert_allclose(flat[name], plain[name], rtol=1e-12, err_msg=name)
        if name in table:
            found = table[name].to_numpy(float)
            np.testing.assert_allclose(found, flat[name], rtol=1e-12, err_msg=name)


def test_every_way_is_timed():
    table = contest(patients=20, runs=1, subset=5)
    assert (table[["s", "cpu_s"]].to_numpy() > 0).all()
    assert table["ratio"][0] == 1


@pytest.mark.skipif(not PEERS, reason="CELLPK_PEERS names no Python with pkpdutils")
def test_pkpdutils_finds_the_same_numbers():
    cohort = made(400)
    found, told = peer(PEERS, cohort, runs=1)
    ours = ck.nca(cohort.study(), lambda_z_span=0.0).table
    assert max(disagreement(ours, found).values()) < 1e-9, told
