"""The steps of an analysis: done where the data allow, stated where they do not."""

from collections.abc import Callable, Mapping

from cellpk.errors import DataError, FitError
from cellpk.reporting.phrases import say

type Progress = Callable[[int, int, str], object]


def silent(done: int, total: int, text: str) -> None:
    """Show no progress.

    Examples
    --------
    >>> silent(1, 2, "Metrics")
    """


class Steps:
    """Does steps one by one and keeps what could not be done, with the reason.

    Parameters
    ----------
    tell : callable
        Called with steps done, steps in all and what is done now.

    Examples
    --------
    >>> steps = Steps(silent)
    >>> steps.do("fits", "the sum", lambda: 1 + 1)
    2
    """

    def __init__(self, tell: Progress) -> None:
        self.tell = tell
        self._omitted: dict[str, tuple[str, ...]] = {}

    @property
    def omitted(self) -> Mapping[str, tuple[str, ...]]:
        """What could not be done: sentences by section of the report."""
        return dict(self._omitted)

    def do[T](self, section: str, what: str, step: Callable[[], T]) -> T | None:
        """Return what a step gives; ``None`` where the data do not allow it.

        Parameters
        ----------
        section : str
            Section of the report that then says so.
        what : str
            What is done, in words.
        step : callable
            The step.

        Examples
        --------
        >>> def refuse():
        ...     raise FitError("there is no sample")
        >>> steps = Steps(silent)
        >>> steps.do("fits", "individual fits", refuse)
        >>> steps.omitted
        {'fits': ('Not done: individual fits. There is no sample.',)}
        """
        self.tell(0, 1, what[:1].upper() + what[1:])
        try:
            return step()
        except (DataError, FitError) as error:
            text = str(error).rstrip(".")
            reason = f"{text[:1].upper()}{text[1:]}."
            line = say("omitted", what=what, reason=reason)
            self._omitted[section] = (*self._omitted.get(section, ()), line)
            return None
        finally:
            self.tell(1, 1, what[:1].upper() + what[1:])
