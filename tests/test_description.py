"""A model shows all it knows, and what is not published."""

from model_text import CLOSED, FULL, load


def test_the_text_of_a_model_holds_everything(tmp_path):
    text = repr(load(tmp_path, FULL, ("time =", 'status = "unpublished"\ntime =')))
    for line in (
        "m: Rise and fall",
        "Unpublished",
        "  alpha      not published               1/day               not published",
        "  td         0.78 (SD 0.1 on its scale)  day                 SD 0.3",
        "  td, kill: -0.2",
        "  weight = 70 kg, Body weight",
        "  toci = 0, changes with time, one of 0, 1",
        "  E gains cells/volume, lag days later; 1e+08 cells on day 0, 3e+08 cells on",
        "  qpcr = copy*E, copies/ug, student residual error, SD 0.5, 4 degrees of free",
        "  mtv = B, mL, residual error not published",
        "  peak of flow, days 0 to 60: 2.2e2 cells/uL",
        "  level of qpcr, day 28, with cells = 4.5e+08, toci = 1, alpha = 0.2: 0.5",
        "Doubts\n  The lag is read off a figure.",
    ):
        assert line in text


def test_html_holds_the_source_of_every_number(tmp_path):
    text = load(tmp_path, FULL)._repr_html_()
    for source in (
        "Somebody 2020; spread: Third 2022",
        "td, kill: -0.2 [Fourth 2023]",
        "0.5 copies/ug [Fifth 2024]",
        "Doubts</h5><p>The lag is read off a figure.",
    ):
        assert source in text


def test_what_a_model_does_not_have_is_not_mentioned(tmp_path):
    model = load(tmp_path, CLOSED)
    for title in ("Covariates", "Infusions", "Doubts", "Printed", "Correlations"):
        assert title not in repr(model)
        assert title not in model._repr_html_()


def test_a_chance_and_a_day_that_never_comes_are_said_in_words(tmp_path):
    rows = """[covariates]
    low = { value = 0, unit = "1", levels = [0, 1], probability = 0.2 }
    stop = { value = inf, unit = "day" }
    [observed]"""
    model = load(
        tmp_path,
        CLOSED,
        ("[observed]", rows),
        ("-alpha*E", "(low - 1)*alpha*E if t < stop else 0"),
        ("exp(-alpha*t)", "exp((low - 1)*alpha*min(t, stop))"),
    )
    assert "  low = 0, one of 0, 1, 1 in 20 % of patients" in repr(model)
    assert "  stop = never" in repr(model)
