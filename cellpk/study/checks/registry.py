"""The rules that there are, and running them over a study."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from cellpk.errors import Problem
from cellpk.study.checks.draft import Draft
from cellpk.study.columns import COLUMNS
from cellpk.study.discovery import import_all

Check = Callable[[Draft], Iterator[Problem]]

MOST = 1000
"""Up to so many findings of a rule are told."""

_FOLDER = __name__.rpartition(".")[0]
_SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Rule:
    """One rule: what it is called, and what it finds.

    Parameters
    ----------
    name : str
        The name of its function; ``study.problems`` says it of each finding.
    subject : str
        What it looks at: the name of the file that it stands in.
    sentence : str
        What it finds, in one sentence.
    find : callable
        Yields what it finds doubtful in a draft.

    Examples
    --------
    >>> rules()["before_infusion"].sentence
    'Find samples that were taken before the infusion.'
    """

    name: str
    subject: str
    sentence: str
    find: Check


RULES: dict[str, Rule] = {}
"""Every rule by its name, as far as its file is imported: ask :func:`rules`."""


def check(function: Check) -> Check:
    """Register a function that yields what it finds doubtful.

    Its name is the name of the rule, the first line of its docstring says what it
    finds.

    Examples
    --------
    >>> @check
    ... def nobody(draft):
    ...     "Find that there are no patients."
    ...     if draft.patients.empty:
    ...         yield Problem("there are no patients", "Look for them.")
    >>> RULES.pop("nobody").find is nobody
    True
    """
    name = getattr(function, "__name__", "")
    assert name not in RULES, name
    sentence = (inspect.getdoc(function) or "").partition("\n")[0]
    subject = function.__module__.rpartition(".")[2]
    RULES[name] = Rule(name, subject, sentence, function)
    return function


def rules() -> Mapping[str, Rule]:
    """Return every rule by its name, in the order in which they are run.

    Examples
    --------
    >>> rules()["before_infusion"].subject
    'times'
    """
    import_all(_FOLDER)
    return {rule.name: rule for rule in sorted(RULES.values(), key=_order)}


def _order(rule: Rule) -> tuple[str, int]:
    return rule.subject, rule.find.__code__.co_firstlineno


def _some(rule: Rule, draft: Draft) -> list[Problem]:
    """Return what a rule finds; of very much, the first of it and how much more."""
    found = list(rule.find(draft))
    more = len(found) - MOST
    if more <= 0:
        return found
    what = f"there are {more} more findings of this rule"
    todo = "Correct these, and read the study again."
    return [*found[:MOST], Problem(what, todo, found[MOST].severity)]


def doubts(draft: Draft, known: Sequence[Problem] = ()) -> pd.DataFrame:
    """Return everything doubtful, warnings before notes.

    Parameters
    ----------
    draft : Draft
        The tables of a study, without problems, and its settings.
    known : sequence of Problem
        What was doubtful while the files were read.

    Returns
    -------
    DataFrame
        One row per doubt, as ``COLUMNS["problems"]`` says; ``rule`` is the name of the
        rule that found it, "" where it was found while the files were read.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": [1, 2], "time": [-1, 7], "level": ["ND", 3]}
    >>> frame = pd.DataFrame(samples).assign(assay="flow", lloq=1)
    >>> ck.Study.from_frames(samples=frame).problems["what"].tolist()
    ['1 sample of flow stands before the infusion']
    """
    found = [*known]
    for name, rule in rules().items():
        table = getattr(draft, rule.subject, None)
        # Rules for infusions, drugs or outcomes have nothing to find where none are.
        if table is None or len(table):
            found += [replace(problem, rule=name) for problem in _some(rule, draft)]
    found.sort(key=lambda problem: _SEVERITIES.index(problem.severity))
    rows = {
        name: [getattr(problem, name) for problem in found]
        for name in COLUMNS["problems"]
    }
    return pd.DataFrame(rows).astype(dict(COLUMNS["problems"]))
