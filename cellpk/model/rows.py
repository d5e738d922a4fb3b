"""Rows of a model file besides the parameters: levels, results, covariates, doses."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cellpk.model.expression import Node

ERRORS = (
    "lognormal",
    "normal",
    "proportional",
    "combined",
    "student",
    "unpublished",
)
"""Forms of the residual error: what the numbers of an assay mean."""

WHAT = (
    "peak",
    "peak_time",
    "nadir",
    "nadir_time",
    "area",
    "level",
    "first_above",
    "last_above",
)
"""What a row of ``[printed]`` can be about."""


@dataclass(frozen=True)
class Observed:
    """What an assay measures.

    Parameters
    ----------
    name : str
        The assay.
    expression : Node
        The level in terms of states, named lines, parameters and covariates.
    unit : str
        Unit of the level.
    error : str
        Form of the residual error, one of :data:`ERRORS`; "student" is Student's t on
        the log level; "combined" adds to the level f with the standard deviation
        ``sqrt(additive**2 + (proportional*f)**2)``.
    sd : float or None
        Residual standard deviation: of the log level for "lognormal" and "student", in
        ``unit`` for "normal", relative for "proportional"; None where unpublished.
    df : float or None
        Degrees of freedom of "student".
    additive, proportional : float or None
        Standard deviations of "combined": in ``unit``, and relative to the level.
    label : str
        What it is called in tables.
    source : str
        Where they come from.
    """

    name: str
    expression: Node
    unit: str
    error: str
    sd: float | None = None
    df: float | None = None
    additive: float | None = None
    proportional: float | None = None
    label: str = ""
    source: str = ""

    @property
    def sizes(self) -> dict[str, float | None]:
        """Standard deviations by the key of the model file; None where unpublished."""
        if self.error == "combined":
            return {"additive": self.additive, "proportional": self.proportional}
        return {"sd": self.sd}


@dataclass(frozen=True)
class Derived:
    """A formula of parameters with a name that models share.

    Parameters
    ----------
    name : str
        For example ``doubling_time``.
    expression : Node
        Formula of parameters, covariates fixed in time and lines free of time.
    unit, label : str
        Unit and what it is called in tables.
    printed : str or None
        The number as it stands in the paper: its last digit says how exact it is.
    source : str
        Where ``printed`` stands.
    """

    name: str
    expression: Node
    unit: str = "1"
    label: str = ""
    printed: str | None = None
    source: str = ""


@dataclass(frozen=True)
class Covariate:
    """What is known of a patient and not estimated.

    Parameters
    ----------
    name : str
        As the equations name it.
    value : float
        Reference value: that of the typical patient, and of one who was not asked.
        Infinite for a day that never comes.
    unit, label : str
        Unit and what it is called in tables.
    steps : bool
        Whether it changes with time, in steps.
    levels : tuple of float
        Values that it can have; empty where any.
    probability : float or None
        Chance of 1 where ``levels`` are 0 and 1.
    source : str
        Where the numbers come from.
    """

    name: str
    value: float
    unit: str = "1"
    label: str = ""
    steps: bool = False
    levels: tuple[float, ...] = ()
    probability: float | None = None
    source: str = ""


@dataclass(frozen=True)
class Infusions:
    """What an infusion adds, and the schedule of the typical patient.

    Parameters
    ----------
    adds : dict of str to Node
        By state: amount added, a formula of ``cells``, parameters, covariates fixed in
        time and lines free of time.
    days, cells : tuple of float
        Schedule: days after the first infusion, and how many cells, in ``unit``.
    lag : Node or None
        How many days later an infusion acts.
    unit, label : str
        Unit of ``cells`` and what they are called in tables.
    source : str
        Where the schedule comes from.
    """

    adds: Mapping[str, Node]
    days: tuple[float, ...]
    cells: tuple[float, ...]
    lag: Node | None = None
    unit: str = "cells"
    label: str = ""
    source: str = ""


@dataclass(frozen=True)
class Printed:
    """A number of the course of the typical patient that was printed.

    Parameters
    ----------
    name : str
        Name of the row.
    what : str
        One of :data:`WHAT`.
    of : Node
        Formula of observed levels, states, lines, parameters, covariates and ``t``.
    printed : str
        The number as it stands in the source: its last digit says how exact it is.
    start, until : float
        Days between which the course is looked at.
    at : float or None
        Day of a "level".
    above : float or None
        What "first_above" and "last_above" ask for, in the unit of ``of``.
    unit, label : str
        Unit of ``printed`` and what it is called in tables.
    given : dict
        Other values of parameters and covariates than the typical patient's; ``cells``
        is a number (one infusion, at the first day of the schedule) or a tuple (those
        of the whole schedule).
    source : str
        Where the number stands.
    """

    name: str
    what: str
    of: Node
    printed: str
    start: float = 0.0
    until: float = 28.0
    at: float | None = None
    above: float | None = None
    unit: str = "1"
    label: str = ""
    given: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)
    source: str = ""
