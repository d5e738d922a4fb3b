"""Stops come in the order of time, and of rank where times are equal."""

import numpy as np

from cellpk.model.compile.timeline import (
    CHANGE,
    INFUSION,
    SAMPLE,
    SWITCH,
    _sort,
    make_stops,
    middle,
)


def ordered(stops):
    _sort.py_func(stops)
    return [(float(stops[k]["day"]), int(stops[k]["kind"])) for k in stops["order"]]


def in_order(*, switches=(), changes=(), samples=(), infusions=()):
    days = tuple(np.array(x, float) for x in (changes, samples, infusions))
    stops = make_stops(1, (len(switches), *days)).view(np.recarray)
    stops["day"][: len(switches)] = switches
    return ordered(stops)


def test_stops_are_in_order_of_time():
    found = in_order(
        switches=[9.3, np.inf], changes=[3, 12], samples=[1, 7, 28], infusions=[0, 14]
    )
    assert [day for day, _ in found] == [0, 1, 3, 7, 9.3, 12, 14, 28, np.inf]


def test_a_sample_on_the_day_of_a_reinfusion_comes_before_it():
    found = in_order(switches=[14], changes=[14], samples=[14], infusions=[14])
    assert [kind for _, kind in found] == [SWITCH, CHANGE, SAMPLE, INFUSION]


def test_on_day_0_the_infusion_comes_first():
    found = in_order(samples=[0, 1], infusions=[0])
    assert [kind for _, kind in found] == [INFUSION, SAMPLE, SAMPLE]


def test_samples_in_any_order_are_sorted():
    found = in_order(samples=[28, 7, 14, 1])
    assert [day for day, _ in found] == [1, 7, 14, 28]


def test_the_middle_lies_inside_the_segment():
    stops = make_stops(1, (0, np.zeros(0), np.array([2.0, 2.0, 8.0]), np.zeros(0)))
    stops = stops.view(np.recarray)
    _sort.py_func(stops)
    assert middle.py_func(stops, 0, 0.0) == 1.0
    assert middle.py_func(stops, 0, 2.0) == 5.0
    assert middle.py_func(stops, 2, 8.0) == 9.0
