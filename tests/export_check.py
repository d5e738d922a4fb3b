"""Compares what an exported text says with what the model says."""

import re
from itertools import pairwise

import numpy as np
from export_nmtran import read_nonmem
from export_readers import Meaning, read_monolix, read_nlmixr2
from scipy.integrate import solve_ivp

from cellpk.model.export import export
from cellpk.model.sensitivity import Scope, constant

READERS = {"nlmixr2": read_nlmixr2, "monolix": read_monolix, "nonmem": read_nonmem}
DAYS = np.array([0.0, 1, 3, 5, 7, 9, 10, 12, 14, 21, 28, 60, 90, 180, 365])


def completed(model, *, sd=0.3):
    """The model with numbers in the place of those that are not published."""
    rows = model.parameters.values()
    values = {
        r.name: 0.05 if r.scale == "logit" else 7.0 for r in rows if r.value is None
    }
    spreads = {r.name: sd for r in rows if r.iiv_sd is None}
    model = model.with_values(**values) if values else model
    return model.with_spread(**spreads) if spreads else model


def renamed(text):
    """From names of the model to those of the text, as its comments say."""
    return dict(re.findall(r"^[\s#;]*(\S+) is (\S+) here$", text, re.MULTILINE))


class Exported:
    """A model, its text for a tool, and what an independent reader makes of it."""

    def __init__(self, model, target, *, form="closed"):
        self.model, self.target = model, target
        self.text = export(model, target, form=form)
        self.meaning: Meaning = READERS[target](self.text)
        self.names = renamed(self.text)

    @staticmethod
    def text_of(model, target, *, form="closed"):
        return export(model, target, form=form)

    def called(self, name):
        name = self.names.get(name, name)
        return name.upper() if self.target == "nonmem" else name

    def assay(self, name):
        """The text's name of a level: there may be one more ending."""
        wanted = {name.lower(), f"{name}.level".lower(), f"{name}_level".lower()}
        keys = [
            k for k in self.meaning.assays if re.sub(r"_\d+$", "", k.lower()) in wanted
        ]
        keys = keys or [
            k for k in self.meaning.assays if k.lower().startswith(name.lower())
        ]
        assert len(keys) == 1, (name, list(self.meaning.assays))
        return keys[0]

    def state(self, name):
        """The reader's name of a state: that of the model in a control stream."""
        return name if self.target == "nonmem" else self.called(name)

    def settled(self, theta, covariates):
        shifts = theta - self.model.typical
        given = {
            f"effect {self.called(name)}": shift
            for name, shift in zip(self.model.free, shifts, strict=True)
        }
        columns = {self.called(name): value for name, value in covariates.items()}
        with np.errstate(all="ignore"):
            return self.meaning.settled({**given, **columns})


def reference(model, theta, covariates):
    """Everything constant in time by its name, for the model's own equations."""
    return {**model.natural(theta), **covariates}


def usual(model):
    """Covariates of the typical patient, as a data set holds them."""
    return {n: min(row.value, 1e6) for n, row in model.covariates.items()}


def own_levels(model, time, states, values):
    """Levels of all assays by the model's own trees."""
    now = dict(zip(model.equations.states, states, strict=True))
    given = {k: constant(v) for k, v in {**values, **now, "t": time}.items()}
    scope = Scope(given, model.equations.rates.lines)
    return {n: scope.evaluate(r.expression).value for n, r in model.observed.items()}


def own_doses(model, values):
    """What one cell adds to each state, by the model's own trees."""
    if model.infusions is None:
        return {}
    given = {k: constant(v) for k, v in {**values, "cells": 1.0}.items()}
    scope = Scope(given, model.equations.rates.lines)
    return {s: float(scope.evaluate(x).value) for s, x in model.infusions.adds.items()}


def check_numbers(exported):
    """Typical values, random effects and residual errors are those of the model."""
    model, meaning = exported.model, exported.meaning
    order = [meaning.effects.index(exported.called(name)) for name in model.free]
    typical = [meaning.typical[exported.called(name)] for name in model.free]
    if exported.target == "nlmixr2":
        assert len(meaning.typical) == len(model.free)
    np.testing.assert_allclose(meaning.omega[np.ix_(order, order)], model.covariance)
    np.testing.assert_allclose(typical, model.typical, rtol=1e-10, atol=1e-11)
    assert len(meaning.assays) == len(model.observed)
    for name, row in model.observed.items():
        found = meaning.sd[exported.assay(name)]
        assert np.isnan(found) if row.sd is None else found == row.sd


def check_rates(exported, thetas, *, seed=1):
    """Starts, slopes, levels and what cells add, at random states and times."""
    model, meaning = exported.model, exported.meaning
    rng = np.random.default_rng(seed)
    assert meaning.states == [exported.state(s) for s in model.equations.states]
    covariates = usual(model)
    for theta in thetas:
        settled = exported.settled(theta, covariates)
        values = reference(model, theta, covariates)
        starts = model.equations.starts(values)
        np.testing.assert_allclose(meaning.starts(settled), starts, rtol=1e-9)
        check_doses(exported, settled, values)
        for time in rng.uniform(0, 40, size=5):
            states = 10.0 ** rng.uniform(0, 6, size=len(starts))
            with np.errstate(all="ignore"):
                found = meaning.slopes(time, states, settled)
                expected = model.equations.slopes(time, states, values)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12 * scale)
            compare_levels(exported, time, states, settled, values=values)


def compare_levels(exported, time, states, settled, *, values):
    with np.errstate(all="ignore"):
        found = exported.meaning.log_levels(time, states, settled)
        expected = own_levels(exported.model, time, states, values)
    for name, level in expected.items():
        got = found[exported.assay(name)]
        assert np.isclose(got, np.log(level), rtol=1e-9, atol=1e-9), name


def check_doses(exported, settled, values):
    model, meaning = exported.model, exported.meaning
    expected = own_doses(model, values)
    found = meaning.shares(settled)
    assert set(found) <= {exported.state(s) for s in expected}
    for state, amount in expected.items():
        assert np.isclose(found.get(exported.state(state), 1.0), amount, rtol=1e-9)
    if exported.target == "monolix":
        assert set(found) == {exported.state(s) for s in expected}


def check_closed(exported, thetas, *, days=DAYS):
    """Levels of every assay on many days are those of the model."""
    model, meaning = exported.model, exported.meaning
    assert meaning.states == []
    for theta in thetas:
        settled = exported.settled(theta, usual(model))
        for name in model.observed:
            expected = model.log_level(theta, days, observed=name)
            with np.errstate(all="ignore"):
                found = [
                    meaning.log_levels(day, np.empty(0), settled)[exported.assay(name)]
                    for day in days
                ]
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def check(exported, *, draws=3, seed=1):
    """All that an export says."""
    model = exported.model
    rng = np.random.default_rng(seed)
    effects = rng.normal(size=(draws, len(model.free))) * np.minimum(model.spread, 1)
    thetas = np.vstack([model.typical, model.typical + effects])
    check_numbers(exported)
    if exported.meaning.states:
        check_rates(exported, thetas, seed=seed)
    else:
        check_closed(exported, thetas)


def integrated(exported, theta, days, *, covariates=None, doses=(), steps=()):
    """Log levels of the text's equations by SciPy, stopping at all that happens.

    ``steps``: (day, name, value) of covariates that change; ``doses``: (day, cells).
    """
    meaning, now = exported.meaning, {**usual(exported.model), **(covariates or {})}
    settled = exported.settled(theta, now)
    lag = max(meaning.lags(settled), default=0.0)
    given = {day + lag: cells for day, cells in doses}
    changes = {day: (name, value) for day, name, value in steps}
    switches = meaning.switch_times(settled) or list(exported.model.switch_times(theta))
    marks = {0.0, *given, *changes, *days}
    marks |= {x for x in switches if min(abs(x - mark) for mark in marks) > 1e-9}
    ends = sorted(mark for mark in marks if 0 <= mark <= max(days))
    states, found = meaning.starts(settled), {}
    for start, stop in pairwise([*ends, ends[-1] + 1e-9]):
        found[start] = meaning.log_levels(start, states, settled)
        if start in changes:
            name, value = changes[start]
            now[name] = value
            settled = exported.settled(theta, now)
        if start in given:
            states = states + given[start] * added(meaning, settled, exported)
            if start == 0:
                found[start] = meaning.log_levels(start, states, settled)

        def slopes(time, state, first=start, last=stop, values=settled):
            inside = np.clip(time, first, last - 1e-12 * max(last, 1))
            return meaning.slopes(inside, state, values)

        answer = solve_ivp(
            slopes, (start, stop), states, method="LSODA", rtol=1e-11, atol=1e-14
        )
        states = answer.y[:, -1]
    return {
        name: np.array([found[day][exported.assay(name)] for day in days])
        for name in exported.model.observed
    }


def added(meaning, settled, exported):
    """What one cell adds to each state: 1 where the text does not say otherwise."""
    dosed = {exported.state(state) for state in exported.model.infusions.adds}
    shares = meaning.shares(settled)
    return np.array([shares.get(s, 1.0) if s in dosed else 0.0 for s in meaning.states])


class Own:
    """The model itself, with the methods of what a reader makes of a text."""

    def __init__(self, model):
        self.model, self.target, self.meaning = model, "", self
        self.states = list(model.equations.states)

    def state(self, name):
        return name

    def assay(self, name):
        return name

    def settled(self, theta, covariates):
        return reference(self.model, theta, covariates)

    def starts(self, values):
        return self.model.equations.starts(values)

    def slopes(self, time, states, values):
        return self.model.equations.slopes(time, states, values)

    def log_levels(self, time, states, values):
        with np.errstate(all="ignore"):
            levels = own_levels(self.model, time, states, values)
            return {name: np.log(level) for name, level in levels.items()}

    def shares(self, values):
        return own_doses(self.model, values)

    def lags(self, values):
        if self.model.infusions is None or self.model.infusions.lag is None:
            return []
        given = {k: constant(v) for k, v in values.items()}
        scope = Scope(given, self.model.equations.rates.lines)
        return [float(scope.evaluate(self.model.infusions.lag).value)]

    def switch_times(self, values):
        return []
