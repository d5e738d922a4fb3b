"""Drawing into axes of the user's own figure, which stays as it is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cellpk.errors import DataError, Problem
from cellpk.reporting.exhibit import SIMULATED
from cellpk.reporting.figures.style import legend_below, sheet, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@contextmanager
def styled_unless(ax: "Axes | None") -> Iterator[None]:
    """Draw in the report's style, but in the user's where the axes are the user's.

    Examples
    --------
    >>> import matplotlib
    >>> with styled_unless(None):
    ...     matplotlib.rcParams["axes.spines.top"]
    False
    """
    if ax is not None:
        yield
        return
    with styled():
        yield


def one_panel(
    ax: "Axes | None", width: float, height: float, *, simulated: bool
) -> "tuple[Figure, Axes]":
    """Return the axes to draw in, and their figure: the user's, or a new one.

    Parameters
    ----------
    ax : Axes or None
        The user's axes.
    width, height : float
        Size of a new figure in inches.
    simulated : bool
        Whether the data are simulated, which the figure, or the user's axes, then say.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> theirs = Figure()
    >>> page, panel = one_panel(theirs.subplots(), 4, 3, simulated=True)
    >>> page is theirs, panel.texts[0].get_text()
    (True, 'SIMULATED DATA')
    """
    if ax is None:
        page, axes = sheet(width, height, simulated=simulated)
        return page, axes[0, 0]
    if simulated:
        place = {"x": 0.99, "y": 0.99, "ha": "right", "va": "top"}
        look = {"color": "#B00020", "weight": "bold", "transform": ax.transAxes}
        ax.text(s=SIMULATED, **place, **look)
    page = ax.get_figure(root=True)
    if page is None:
        what = "'ax' stands in no figure"
        raise DataError(Problem(what, "Give axes of a figure.", value=repr(ax)))
    return page, ax


def explain(
    page: "Figure", panel: "Axes", handles: Sequence[Any], *, given: bool
) -> None:
    """Set the legend: below our own figure, inside axes that the user gave.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> page = Figure()
    >>> panel = page.subplots()
    >>> explain(page, panel, panel.plot([1, 2], label="A"), given=True)
    >>> len(page.legends), panel.get_legend() is not None
    (0, True)
    """
    if given:
        panel.legend(handles=handles)
    else:
        legend_below(page, handles)


def only_one(ax: "Axes | None", panels: int, *, todo: str) -> None:
    """Refuse the user's axes where the figure needs more than one panel.

    Raises
    ------
    DataError
        Where ``ax`` is given and there is not exactly one panel.

    Examples
    --------
    >>> only_one(None, 3, todo="Leave 'by' out.")
    """
    if ax is not None and panels != 1:
        what = f"this figure has {panels} panels, 'ax' is one"
        raise DataError(Problem(what, todo, value="ax"))
