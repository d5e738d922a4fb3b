"""What can go wrong: each error says what was found, where, and what to do."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Problem:
    """One impossible (error), doubtful (warning) or noteworthy thing in the data.

    Parameters
    ----------
    what : str
        What was found, as a sentence.
    todo : str
        What to do about it, as a sentence.
    severity : {"error", "warning", "note"}
        Errors stop the reading; the rest stands in ``study.problems``.
    file, row, patient, column, value
        Where it was found; ``row`` is the line of the file, the header being line 1.
        Empty (``None`` for the row) where it concerns more than one place.
    rule : str
        Name of the rule that found it, by which alike problems are grouped; "" where
        it has none.

    Examples
    --------
    >>> print(Problem("a level cannot be negative", "Correct it.", file="trial.csv",
    ...               row=118, patient="007", column="level", value="-4.0"))
    trial.csv, row 118, patient 007, column level, value '-4.0':
      a level cannot be negative. Correct it.
    """

    what: str
    todo: str
    severity: Severity = "error"
    file: str = ""
    row: int | None = None
    patient: str = ""
    column: str = ""
    value: str = ""
    rule: str = ""

    @property
    def where(self) -> str:
        """The place, from the file down to the value."""
        parts = [
            self.file,
            f"row {self.row}" if self.row is not None else "",
            f"patient {self.patient}" if self.patient else "",
            f"column {self.column}" if self.column else "",
            f"value {self.value!r}" if self.value else "",
        ]
        return ", ".join(part for part in parts if part)

    def __str__(self) -> str:
        what = self.what.rstrip(".")
        sentence = f"{what}. {self.todo}".strip()
        return f"{self.where}:\n  {sentence}" if self.where else sentence


class CellpkError(Exception):
    """Base of all errors that cellpk raises on purpose.

    Examples
    --------
    >>> import cellpk as ck
    >>> try:
    ...     ck.load_model("stein")
    ... except ck.CellpkError as error:
    ...     print(type(error).__name__)
    ModelError
    """


class DataError(CellpkError):
    """The study files hold something impossible; all of it is listed at once.

    Parameters
    ----------
    problems : Problem or sequence of Problem
        Everything that was found, in the order of the files.

    Examples
    --------
    >>> raise DataError(Problem("the file is empty", "Export it again.", file="a.csv"))
    Traceback (most recent call last):
        ...
    cellpk.errors.DataError: a.csv:
      the file is empty. Export it again.
    """

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        lines = [str(problem) for problem in self.problems]
        if len(lines) > 1:
            lines.insert(0, f"{len(lines)} problems:")
        super().__init__("\n".join(lines))


class _LocatedError(CellpkError):
    def __init__(self, found: str, *, where: str = "", todo: str = "") -> None:
        self.found, self.where, self.todo = found, where, todo
        sentence = f"{found.rstrip('.')}. {todo}".strip()
        super().__init__(f"{where}: {sentence}" if where else sentence)


class ModelError(_LocatedError):
    """A model file, or what was asked of a model, cannot be understood.

    Examples
    --------
    >>> raise ModelError("'iiv' is not known here", where="m.toml", todo="Use iiv_sd.")
    Traceback (most recent call last):
        ...
    cellpk.errors.ModelError: m.toml: 'iiv' is not known here. Use iiv_sd.
    """


class FitError(_LocatedError):
    """What was asked of a fit cannot be answered from this study.

    Examples
    --------
    >>> raise FitError("no sample of assay 'qpcr'", todo="Use one of: 'flow'.")
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: no sample of assay 'qpcr'. Use one of: 'flow'.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Offer the known name that is most like ``name``, else all of them.

    Examples
    --------
    >>> nearest("iiv_sdd", ["value", "unit", "iiv_sd"])
    "Did you mean 'iiv_sd'?"
    >>> nearest("x", ["value", "unit"])
    "Use one of: 'unit', 'value'."
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Use one of: {', '.join(map(repr, names))}."
