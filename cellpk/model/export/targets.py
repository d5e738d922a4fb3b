"""The tools that a model can be written for: found by themselves, one file each."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from cellpk.errors import ModelError, nearest
from cellpk.study.discovery import import_all

if TYPE_CHECKING:
    from cellpk.model.export.content import Content
    from cellpk.model.model import Model

Write = Callable[["Content"], str]
"""From a sorted model to the text of a tool."""

_TARGETS: dict[str, Write] = {}


def target(name: str) -> Callable[[Write], Write]:
    """Register a function that writes models for a tool.

    Parameters
    ----------
    name : str
        As given to ``model.export``.

    Examples
    --------
    >>> @target("shout")
    ... def write(content):
    ...     return content.model.title.upper()
    >>> _TARGETS.pop("shout") is write
    True
    """

    def register(write: Write) -> Write:
        _TARGETS[name] = write
        return write

    return register


@cache
def targets() -> tuple[str, ...]:
    """Return the names of the tools, in order.

    Examples
    --------
    >>> targets()
    ('monolix', 'nlmixr2', 'nonmem')
    """
    import_all("cellpk.model.export")
    return tuple(sorted(_TARGETS))


def export(model: "Model", target: str, *, form: str = "closed") -> str:
    """Return a model as the text of another tool.

    Parameters
    ----------
    model : Model
        What is exported.
    target : {"nlmixr2", "monolix", "nonmem"}
        For which tool.
    form : {"closed", "ode"}
        The closed form where the model has one that the tool can write, else the
        differential equations; or these in any case.

    Returns
    -------
    str
        With comments that say how the data set has to look, which names were changed
        and which numbers are not published.

    Raises
    ------
    ModelError
        Where there is no such target or form.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> print(export(stein, "nlmixr2").splitlines()[0])
    stein_2019_tisagenlecleucel <- function() {
    >>> export(stein, "nonmen")
    Traceback (most recent call last):
        ...
    cellpk.errors.ModelError: stein_2019_tisagenlecleucel: there is no export to
    'nonmen'. Did you mean 'nonmem'?
    """
    from cellpk.model.export.content import sort

    if target not in targets():
        raise ModelError(
            f"there is no export to {target!r}",
            where=model.name,
            todo=nearest(target, targets()),
        )
    return _TARGETS[target](sort(model, form=form))
