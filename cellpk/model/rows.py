"""Rows of a model file besides the parameters: what is observed, what is derived."""

from dataclasses import dataclass

from cellpk.model.expression import Node


@dataclass(frozen=True)
class Observed:
    """What an assay measures.

    Parameters
    ----------
    name : str
        The assay.
    expression : Node
        The level in terms of states, named lines and parameters.
    unit : str
        Unit of the level.
    error : {"lognormal"}
        Form of the residual error.
    sd : float
        Residual standard deviation; for "lognormal" that of the log level.
    source : str
        Where they come from.
    """

    name: str
    expression: Node
    unit: str
    error: str
    sd: float
    source: str = ""


@dataclass(frozen=True)
class Derived:
    """A formula of parameters with a name that models share.

    Parameters
    ----------
    name : str
        For example ``doubling_time``.
    expression : Node
        Formula of parameters and named lines that do not change with time.
    unit, label : str
        Unit and what it is called in tables.
    printed : float or None
        The number as it stands in the paper.
    within : float
        How far, relatively, the formula may be from ``printed``: rounding.
    source : str
        Where ``printed`` stands.
    """

    name: str
    expression: Node
    unit: str = "1"
    label: str = ""
    printed: float | None = None
    within: float = 0.02
    source: str = ""
