"""Agreement with WinNonlin and PKNCA on Theoph and Indometh.

Sources of every number: ``published/nca/README.md``. Hours stand where ``cellpk`` says
days: no rule depends on the unit, once Cmax is sought everywhere.
"""

from pathlib import Path

import nca_reference as reference
import numpy as np
import pandas as pd
import pytest

import cellpk as ck

PUBLISHED = Path(__file__).parent / "published" / "nca"
DATA = {name: pd.read_csv(PUBLISHED / f"{name}.csv") for name in ("theoph", "indometh")}
WINNONLIN = pd.read_csv(PUBLISHED / "winnonlin.csv")
PKNCA = pd.read_csv(PUBLISHED / "pknca.csv")
BOLUS = {"at_zero": "extrapolated", "lambda_z_peak": True}
CASES = {
    "theoph_linear": {},
    "theoph_log": {"auc_rule": "linear_up_log_down"},
    "indometh_bolus_linear": BOLUS,
    "indometh_bolus_log": BOLUS | {"auc_rule": "linear_up_log_down"},
    "indometh_infusion_linear": {},
    "indometh_extravascular_log": {"auc_rule": "linear_up_log_down"},
}
NAMES = {
    "Cmax": "cmax",
    "Tmax": "tmax",
    "Clast": "c_last",
    "Tlast": "t_last",
    "AUClast": "auc_last",
    "AUCall": "auc_all",
    "AUCINF_obs": "auc_inf_obs",
    "AUCINF_pred": "auc_inf_pred",
    "AUC_Extrap_obs": "auc_extrapolated_obs",
    "AUC_Extrap_pred": "auc_extrapolated_pred",
    "Lambda_z": "lambda_z",
    "HL_Lambda_z": "half_life",
    "No_points_lambda_z": "lambda_z_points",
    "Lambda_z_lower": "lambda_z_start",
    "Lambda_z_upper": "lambda_z_end",
    "Rsq_adjusted": "lambda_z_r2adj",
    "AUMClast": "aumc_last",
    "AUMCINF_obs": "aumc_inf_obs",
    "MRTlast": "mrt_last",
    "MRTINF_obs": "mrt_inf_obs",
}
PKNCA_NAMES = {
    "cmax": "cmax",
    "tmax": "tmax",
    "clast.obs": "c_last",
    "tlast": "t_last",
    "auclast": "auc_last",
    "aucinf.obs": "auc_inf_obs",
    "aucpext.obs": "auc_extrapolated_obs",
    "aumclast": "aumc_last",
    "aumcinf.obs": "aumc_inf_obs",
    "mrt.obs": "mrt_inf_obs",
    "lambda.z": "lambda_z",
    "half.life": "half_life",
    "lambda.z.n.points": "lambda_z_points",
    "adj.r.squared": "lambda_z_r2adj",
}
RULES = ("linear", "linear_up_log_down", "linear_log")
AREAS = ((0.5, 6), (0, 24), (2, 30), (0, 48))


def study(name):
    samples = DATA[name].rename(columns={"subject": "patient"})
    samples = samples.assign(patient=samples["patient"].astype(str))
    return ck.Study.from_frames(samples.assign(assay="flow", lloq=0.01))


def metrics(name, **rules):
    table = ck.nca(study(name), infinity=True, **rules).table
    table = table.assign(subject=table["patient"].astype(int)).sort_values("subject")
    return table.set_index("subject").assign(
        aumc_last=table.set_index("subject").eval("mrt_last * auc_last"),
        aumc_inf_obs=table.set_index("subject").eval("mrt_inf_obs * auc_inf_obs"),
    )


@pytest.mark.parametrize("case", CASES)
def test_winnonlin_prints_the_same(case):
    found = metrics(case.split("_")[0], convention="winnonlin", **CASES[case])
    printed = WINNONLIN[WINNONLIN["case"] == case].set_index("subject")
    for theirs, ours in NAMES.items():
        known = printed[theirs].dropna()  # the MRT of an infusion is another one
        half_a_digit = 5.1e-8 + 5.1e-10 * known
        assert len(known) == len(found) or theirs.startswith("MRT")
        off = (found[ours] - known).abs()[known.index]
        assert (off <= half_a_digit).all(), (theirs, off.to_dict())


def test_winnonlin_extrapolates_c0_of_a_bolus_the_same():
    printed = WINNONLIN.set_index("case").loc["indometh_bolus_linear", "C0"]
    found = metrics("indometh", convention="winnonlin", areas=[(0, 0.25)], **BOLUS)
    c0 = 2 * found["auc_0_0p25"] / 0.25 - found["cmax"]  # first sample at 0.25 h
    assert (np.abs(c0.to_numpy() - printed.to_numpy()) <= 5.1e-8).all()


def test_pknca_gives_the_same_to_twelve_digits():
    found = metrics("theoph", convention="pknca")
    theirs = PKNCA.set_index("subject")
    for name, ours in PKNCA_NAMES.items():
        assert found[ours].to_numpy() == pytest.approx(
            theirs[name].to_numpy(), rel=1e-12
        ), name


def test_pkncas_default_is_its_rule_and_winnonlins_is_linear():
    log, linear = metrics("theoph", convention="pknca"), metrics("theoph")
    assert log["auc_last"].tolist() == linear["auc_last"].tolist()  # cellpk's too
    other = metrics("theoph", convention="winnonlin")
    assert (other["auc_last"] > log["auc_last"]).all()


def test_pknca_has_no_area_from_0_of_a_bolus_unless_c0_is_given():
    found = ck.nca(study("indometh"), convention="pknca", infinity=True)
    from_zero = ["auc_last", "auc_all", "auc_inf_obs", "mrt_last"]
    assert found.table[from_zero].isna().all(axis=None)
    assert (found.reasons[from_zero] == "no_start").all(axis=None)
    assert found.table["lambda_z"].notna().all()


def reference_table(name, rule, *, bolus):
    told = {}
    for subject, rows in DATA[name].groupby("subject"):
        times, levels = rows["time"].tolist(), rows["level"].tolist()
        at_zero = "extrapolated" if bolus else "zero"
        one = reference.areas(
            times,
            levels,
            rule=rule,
            below=reference.DROP,
            at_zero=at_zero,
            with_peak=bolus,
        )
        points = reference.prepared(times, levels, reference.DROP)
        curve = reference.from_infusion(points, at_zero)
        for start, end in AREAS:
            inside = min(end, one["t_last"])
            law = {"rule": rule, "tmax": one["log_from"]}
            area = reference.area(curve, start, inside, **law)
            if end > one["t_last"]:
                area += reference.area_beyond(one, end, predicted=True)
            one[f"auc_{start:g}_{end:g}".replace(".", "p")] = area
        told[subject] = one
    return pd.DataFrame(told).T


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("bolus", [False, True])
@pytest.mark.parametrize("name", DATA)
def test_a_plain_loop_gives_the_same(name, bolus, rule):
    rules = (BOLUS if bolus else {}) | {"auc_rule": rule, "beyond": "infinity_pred"}
    found = metrics(name, convention="winnonlin", areas=AREAS, **rules)
    expected = reference_table(name, rule, bolus=bolus).rename(
        columns={
            "extrapolated_obs": "auc_extrapolated_obs",
            "extrapolated_pred": "auc_extrapolated_pred",
            "points": "lambda_z_points",
            "start": "lambda_z_start",
            "end": "lambda_z_end",
            "r2adj": "lambda_z_r2adj",
            "span": "lambda_z_span",
        }
    )
    shared = [column for column in expected if column in found]
    assert len(shared) >= 21, set(expected) - set(found)
    for column in shared:
        assert found[column].to_numpy() == pytest.approx(
            expected[column].to_numpy(float), rel=1e-12
        ), column


def test_cellpk_asks_more_of_a_terminal_slope_than_the_others():
    default = ck.nca(study("indometh"), lambda_z_peak=True)
    theirs = metrics("indometh", convention="winnonlin", **BOLUS)
    too_short = theirs["lambda_z_span"] < 2
    assert too_short.tolist() == [True, False, False, False, False, False]
    assert (default.table["lambda_z"].isna().to_numpy() == too_short.to_numpy()).all()
    assert default.reasons["lambda_z"].tolist() == ["short_span"] + [""] * 5


def test_pkncas_own_tests_of_levels_below_the_limit():
    """Expected values as PKNCA states them, tests/testthat/test-auc.R."""
    times, levels = np.arange(8.0), [0, 2, 0, 1, 2, 1, 0, 0]
    ln2 = np.log(2)
    kept, dropped = "zero", "pknca"
    expected = {
        (kept, "linear"): (5.5, 6.0),
        (dropped, "linear"): (7.0, 7.5),
        (kept, "linear_up_log_down"): (4 + 1 / ln2, 4.5 + 1 / ln2),
        (dropped, "linear_up_log_down"): (2.5 + 3 / ln2, 3.0 + 3 / ln2),
    }
    for (below, rule), areas in expected.items():
        rules = {"below": below, "auc_rule": rule, "at_zero": "missing"}
        last = ck.kinetics.metrics.auc_last(times, levels, **rules)
        whole = ck.kinetics.metrics.auc_all(times, levels, **rules)
        assert (last, whole) == pytest.approx(areas, rel=1e-14), (below, rule)


@pytest.mark.parametrize(
    ("levels", "rule", "expected"),
    [
        ([5, 6, 5], "linear", 2),
        ([4, 4], "linear", 0),
        ([5, 4, 5], "linear", 0),
        ([6, 4, 5], "linear", 0.5),
        ([6, None, 5], "linear", 2),
        ([6, 4, 5], "linear_up_log_down", np.log(6 / 5) / np.log(6 / 4)),
        ([6, 4, 6], "linear_up_log_down", np.log(6 / 5) / np.log(6 / 4) + 0.5),
        (
            [6, 4, 6, 0],
            "linear_up_log_down",
            np.log(6 / 5) / np.log(6 / 4) + 0.5 + 1 / 6,
        ),
        ([6, 0, 6, 0], "linear_up_log_down", 0.5),
    ],
)
def test_pkncas_own_tests_of_the_time_above_a_level(levels, rule, expected):
    """Expected values as PKNCA states them, tests/testthat/test-time.above.R."""
    found = ck.kinetics.metrics.time_above(
        np.arange(float(len(levels))),
        np.array(levels, float),
        auc_rule=rule,
        above=5,
    )
    assert found == pytest.approx(expected, rel=1e-14)
