"""What the readers of all ADaM data sets share: cells, rows left, problems, doubts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem, Severity
from cellpk.study import parsing
from cellpk.study.adam.options import AdamOptions
from cellpk.study.config import Settings
from cellpk.study.delivery import Delivery, sheet_of
from cellpk.study.file_sections import TableFile
from cellpk.study.grid import Grid

Mask = NDArray[np.bool_]
PATIENT = "USUBJID"
NEVER = "of a patient who was never treated"
NAMED = 6
"""Up to so many codes are named in a sentence."""

NAMES: Mapping[str, str] = {
    "ADNCA": "ADPC",
    "ADPOPPK": "ADPPK",
    "ADCMED": "ADCM",
    "ADEC": "ADEX",
    **{name: name for name in ("ADSL", "ADPC", "ADLB", "ADPPK", "ADEX", "ADRS")},
    **{name: name for name in ("ADTTE", "ADAE", "ADCE", "ADCM", "ADPP")},
}
"""Names of data sets by what they hold, as the others call it."""

_NOTHING = sorted(
    {spell(word) for word in parsing.BLANK for spell in (str.lower, str.upper)}
    | {"NaN", "Na"}
)
"""What says nothing, in the usual spellings: looked up faster than in any case."""

_RESPONSES = frozenset({"OVR", "BOR", "CBOR", "BESTRESP"})


@dataclass
class Source:
    """What is read from, and where all that is found goes.

    Parameters
    ----------
    options : AdamOptions
        What ``[[data]]`` says.
    settings : Settings
        The resolved study.toml.
    delivery : Delivery
        Collects sheets, rows put aside, problems and doubts.
    starts : dict
        By patient, the date (ISO 8601) of the first infusion, where it is known.
    untreated : set of str
        The patients of ADSL without a treatment, of whom there is no dose either.
    there : frozenset of str
        The data sets that were delivered.
    unknown : dict
        Codes of levels that are no assay, by file.

    Examples
    --------
    >>> from cellpk.study.config import settings_of
    >>> settings = settings_of({"study": {"id": "A", "infusion_day": 0}})
    >>> options = AdamOptions(format="adam", files=("adam",))
    >>> Source(options, settings).delivery.aside
    []
    """

    options: AdamOptions
    settings: Settings
    delivery: Delivery = field(default_factory=Delivery)
    starts: dict[str, str] = field(default_factory=dict)
    untreated: set[str] = field(default_factory=set)
    there: frozenset[str] = frozenset()
    unknown: dict[str, list[str]] = field(default_factory=dict)

    def complain(
        self,
        grid: Grid,
        wrong: Mask,
        *,
        column: str,
        what: str,
        todo: str,
        rule: str = "",
    ) -> None:
        """Note as impossible what stands in a column of some rows.

        Examples
        --------
        >>> from cellpk.study.config import settings_of
        >>> settings = settings_of({"study": {"id": "A", "infusion_day": 0}})
        >>> source = Source(AdamOptions(format="adam", files=("adam",)), settings)
        >>> grid = Grid.of_frame(pd.DataFrame({"AVAL": [1]}), file="adpc.csv")
        >>> wrong = np.array([True])
        >>> source.complain(grid, wrong, column="AVAL", what="odd", todo="Look.")
        >>> source.delivery.problems[0].row
        2
        """
        columns = {"patient": PATIENT}
        section = TableFile.model_construct(file=grid.file, columns=columns)
        sheet = sheet_of(grid, section)
        sheet.complain(wrong, what, todo, column=column, rule=rule)
        self.delivery.problems += sheet.problems

    def doubt(
        self,
        grid: Grid,
        what: str,
        todo: str,
        *,
        column: str = "",
        severity: Severity = "warning",
        rule: str = "",
    ) -> None:
        """Note something doubtful of a file.

        Examples
        --------
        >>> from cellpk.study.config import settings_of
        >>> settings = settings_of({"study": {"id": "A", "infusion_day": 0}})
        >>> source = Source(AdamOptions(format="adam", files=("adam",)), settings)
        >>> grid = Grid.of_frame(pd.DataFrame({"AVAL": [1]}), file="adpc.csv")
        >>> source.doubt(grid, "odd", "Look.")
        >>> source.delivery.doubts[0].severity
        'warning'
        """
        problem = Problem(
            what, todo, severity, file=grid.file, column=column, rule=rule
        )
        self.delivery.doubts.append(problem)


@dataclass
class Rest:
    """The rows of a grid that are not read yet; each is taken or put aside once.

    Those of patients who were never treated are put aside at once (``never``).

    Examples
    --------
    >>> from cellpk.study.config import settings_of
    >>> settings = settings_of({"study": {"id": "A", "infusion_day": 0}})
    >>> source = Source(AdamOptions(format="adam", files=("adam",)), settings)
    >>> rest = Rest(source, Grid.of_frame(pd.DataFrame({"a": [1, 2]}), file="f"))
    >>> rest.aside(np.array([True, False]), "a copy")
    >>> rest.take(np.array([True, True])).tolist()
    [False, True]
    """

    source: Source
    grid: Grid
    left: Mask = field(init=False)
    never: Mask = field(init=False)

    def __post_init__(self) -> None:
        self.left = np.ones(len(self.grid.cells), dtype=bool)
        patients = cells(self.grid, PATIENT)
        self.never = patients.isin(self.source.untreated).to_numpy(bool)
        self.aside(self.never, NEVER)

    def take(self, rows: Mask) -> Mask:
        """Return which of the rows were left; they are not any more."""
        taken = self.left & rows
        self.left = self.left & ~rows
        return taken

    def aside(self, rows: Mask, reason: str) -> None:
        """Put those of the rows that are left aside."""
        self.source.delivery.put_aside(self.grid, self.take(rows), reason)

    def aside_by(self, rows: Mask, words: pd.Series, reason: str) -> list[str]:
        """Put rows aside, with a reason that names the word of each ('{}').

        Returns
        -------
        list of str
            The words, each once.
        """
        found = sorted(words[self.left & rows].unique())
        for word in found:
            here = rows & (words == word).to_numpy(bool)
            self.aside(here, reason.format(word))
        return found


def cells(grid: Grid, *names: str) -> pd.Series:
    """Return of some columns, row by row, the first that says something.

    Examples
    --------
    >>> grid = Grid.of_frame(pd.DataFrame({"A": ["NA", "x"], "B": "b"}), file="f")
    >>> cells(grid, "A", "B", "C").tolist()
    ['b', 'x']
    """
    found = pd.Series("", index=grid.cells.index, dtype="str")
    for name in names:
        if name in grid.cells:
            found = found.where(found != "", grid.cells[name])
            found = found.mask(found.isin(_NOTHING), "")
    return found


def codes(grid: Grid, *names: str) -> pd.Series:
    """Return the first of some columns that says something, in capitals.

    Examples
    --------
    >>> codes(Grid.of_frame(pd.DataFrame({"A": ["x"]}), file="f"), "A").tolist()
    ['X']
    """
    return cells(grid, *names).str.upper()


def is_flagged(grid: Grid, *names: str) -> Mask:
    """Tell where a flag is Y (or 1); a blank is not.

    Examples
    --------
    >>> is_flagged(Grid.of_frame(pd.DataFrame({"A": ["Y", ""]}), file="f"), "A")
    array([ True, False])
    """
    if not first_there(grid, *names):
        return np.zeros(len(grid.cells), dtype=bool)
    return parsing.flags(cells(grid, *names)) == 1


def first_there(grid: Grid, *names: str) -> str:
    """Return the first of some columns that the file has, "" where it has none.

    Examples
    --------
    >>> first_there(Grid.of_frame(pd.DataFrame({"B": [1]}), file="f"), "A", "B")
    'B'
    """
    return next((name for name in names if name in grid.cells), "")


def literal(grid: Grid, column: str, *instead: str) -> pd.Series:
    """Return a column as it stands; where the file has none, another one.

    Examples
    --------
    >>> grid = Grid.of_frame(pd.DataFrame({"A": ["NA", ""], "B": "b"}), file="f")
    >>> literal(grid, "A", "B").tolist(), literal(grid, "C", "B").tolist()
    (['NA', ''], ['b', 'b'])
    """
    if column in grid.cells:
        return grid.cells[column]
    return cells(grid, *instead)


def in_words(values: Any) -> pd.Series:
    """Write numbers so that they read back equal; "" where there is none.

    Examples
    --------
    >>> in_words([0.1, 5.0, float("nan")]).tolist()
    ['0.1', '5', '']
    """
    array = np.asarray(values, dtype=float)
    known = np.isfinite(array)
    text = np.full(len(array), "", dtype=object)
    text[known] = [repr(value).removesuffix(".0") for value in array[known].tolist()]
    return pd.Series(text, dtype="str")


def dataset_of(grid: Grid) -> str:
    """Return which ADaM data set a file holds, "" where it holds none that is known.

    The name of the file says it (``adrs_onco.csv``; ADNCA is ADPC). A name that does
    not begin with AD says nothing: then the columns do.

    Examples
    --------
    >>> frame = pd.DataFrame({"USUBJID": ["1"], "PARAMCD": ["OS"], "CNSR": [1]})
    >>> dataset_of(Grid.of_frame(frame, file="survival.csv"))
    'ADTTE'
    >>> dataset_of(Grid.of_frame(frame, file="in/adnca.csv"))
    'ADPC'
    """
    stem = re.match(r"[A-Z]*", Path(grid.file).stem.upper())
    name = stem[0] if stem else ""
    if name in NAMES:
        return NAMES[name]
    odd = not name.startswith("AD") or name == "ADAM"
    return _by_columns(grid) if odd else ""


def is_adam(grid: Grid) -> bool:
    """Tell whether a file looks like a data set of ADaM, one that is read or not.

    Examples
    --------
    >>> frame = pd.DataFrame({"USUBJID": ["1"], "PARAMCD": ["SYSBP"]})
    >>> is_adam(Grid.of_frame(frame, file="advs.csv"))
    True
    """
    if PATIENT not in grid.cells:
        return False
    named = Path(grid.file).stem.upper().startswith("AD")
    return bool(dataset_of(grid)) or (named and "PARAMCD" in grid.cells)


def _by_columns(grid: Grid) -> str:
    """Tell a data set by the columns that only it has."""
    there = set(grid.cells.columns)
    if PATIENT not in there or ("DOMAIN" in there and "PARAMCD" not in there):
        return ""
    responses = set(codes(grid, "PARAMCD").unique()) & _RESPONSES
    once = not grid.cells[PATIENT].duplicated().any()
    signs: dict[str, bool] = {
        "ADPPK": {"EVID", "AMT", "DV"} <= there,
        "ADTTE": {"PARAMCD", "CNSR"} <= there,
        "ADPP": bool(there & {"PPTESTCD", "PPSTRESN"}),
        "ADPC": "PARAMCD" in there
        and bool(there & {"AFRLT", "NFRLT", "PCSPEC", "PCTESTCD"}),
        "ADLB": "PARAMCD" in there and bool(there & {"LBTESTCD", "LBSPEC", "LBSEQ"}),
        "ADRS": bool(responses),
        "ADAE": "AEDECOD" in there,
        "ADCM": bool(there & {"CMDECOD", "CMTRT"}),
        "ADEX": "EXTRT" in there,
        "ADSL": "PARAMCD" not in there
        and once
        and bool(there & {"TRT01A", "TRT01P", "TRTSDT", "TRTSDTM", "SAFFL"}),
    }
    return next((name for name, sign in signs.items() if sign), "")
