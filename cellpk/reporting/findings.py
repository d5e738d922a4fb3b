"""What was found on reading a study, alike things together, and as text for a shell."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import pandas as pd

from cellpk.errors import Problem
from cellpk.study.checks import rules

if TYPE_CHECKING:
    from cellpk.study.study import Study

PLACES = 8
"""Up to so many places of one thing are printed in a shell."""

SEVERITIES = {"error": "errors", "warning": "warnings", "note": "notes"}

_MORE = re.compile(r" \(and in \d+ more rows: .*\)$")


@dataclass(frozen=True)
class Finding:
    """One thing that was found, at one place or at many.

    Parameters
    ----------
    what, todo : str
        What was found, and what to do about it.
    problems : tuple of Problem
        One for each place.

    Examples
    --------
    >>> Finding("odd", "Look.", (Problem("odd", "Look.", row=7),)).places
    ('row 7',)
    """

    what: str
    todo: str
    problems: tuple[Problem, ...]

    @property
    def places(self) -> tuple[str, ...]:
        """Where it was found; what one sentence says of more rows stands behind.

        A column alone, without a file, is no place.
        """
        return tuple(
            problem.where + "".join(_MORE.findall(problem.what))
            for problem in self.problems
            if problem.file or problem.patient or problem.row is not None
        )


@dataclass(frozen=True)
class Group:
    """What one rule found.

    Parameters
    ----------
    severity : str
        "error", "warning" or "note".
    rule : str
        The name of the rule, "" where it has none.
    headline : str
        What the rule finds; "" where it is what its only finding says.
    findings : tuple of Finding
        Alike things together, in the order in which they were found.

    Examples
    --------
    >>> grouped([Problem("odd", "Look.")])[0].count
    1
    """

    severity: str
    rule: str
    headline: str
    findings: tuple[Finding, ...]

    @property
    def count(self) -> int:
        """How many problems there are in it."""
        return sum(len(finding.problems) for finding in self.findings)


def headline(sentence: str) -> str:
    """Return what a rule finds as the heading of its findings.

    Examples
    --------
    >>> headline("Find that nobody measured it."), headline("Find odd levels.")
    ('Nobody measured it', 'Odd levels')
    """
    text = sentence.removeprefix("Find ").removeprefix("that ").rstrip(".")
    return text[:1].upper() + text[1:]


def grouped(problems: Sequence[Problem]) -> tuple[Group, ...]:
    """Put alike problems together: by severity, rule, what was found and what to do.

    Parameters
    ----------
    problems : sequence of Problem
        What was found.

    Returns
    -------
    tuple of Group
        Errors first, then warnings, then notes. Without a rule, what was found makes
        the group.

    Examples
    --------
    >>> found = [Problem("odd", "Look.", row=2), Problem("odd", "Look.", row=5)]
    >>> [(group.count, len(group.findings)) for group in grouped(found)]
    [(2, 1)]
    """
    known = rules()
    severities = list(SEVERITIES)
    alike: dict[tuple[int, str], list[Problem]] = {}
    for problem in problems:
        key = problem.rule or _MORE.sub("", problem.what)
        place = severities.index(problem.severity)
        alike.setdefault((place, key), []).append(problem)
    groups = []
    for (place, _), found in sorted(alike.items(), key=lambda item: item[0][0]):
        rule = known.get(found[0].rule)
        title = headline(rule.sentence) if rule else ""
        findings = tuple(_findings(found))
        name = found[0].rule
        groups.append(Group(severities[place], name, title, findings))
    return tuple(groups)


def _findings(problems: Sequence[Problem]) -> Iterator[Finding]:
    alike: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        key = (_MORE.sub("", problem.what), problem.todo)
        alike.setdefault(key, []).append(problem)
    for (what, todo), found in alike.items():
        yield Finding(what, todo, tuple(found))


def problems_of(study: "Study") -> tuple[Problem, ...]:
    """Return the doubtful things of a study, as they were found.

    Examples
    --------
    >>> import cellpk as ck
    >>> problems_of(ck.simulate_study(seed=1))[0].rule
    'missing_outcomes'
    """
    table = study.problems.astype(object)
    plain = table.where(table.notna(), None)
    rows = plain.to_dict(orient="records")
    return tuple(Problem(**{str(n): v for n, v in row.items()}) for row in rows)


def told(problems: Sequence[Problem]) -> Iterator[str]:
    r"""Yield the lines that tell a shell what was found, alike things together.

    Examples
    --------
    >>> print(*told([Problem("odd", "Look.", row=2)]), sep="\n")
    1 error
    <BLANKLINE>
      odd
        row 2
        -> Look.
    """
    by_severity = groupby(grouped(problems), key=lambda group: group.severity)
    for number, (severity, groups) in enumerate(by_severity):
        listed = list(groups)
        yield from [""] * (number > 0)
        yield counted(sum(group.count for group in listed), severity)
        for group in listed:
            yield ""
            yield from _of_group(group)


def counted(n: int, severity: str) -> str:
    """Return '1 error', '2 warnings'.

    Examples
    --------
    >>> counted(1, "error"), counted(2, "warning")
    ('1 error', '2 warnings')
    """
    return f"{n} {severity if n == 1 else SEVERITIES[severity]}"


def _of_group(group: Group) -> Iterator[str]:
    """Yield the lines of one group: the rule, what it found and where, what to do."""
    if group.headline:
        yield f"  {group.headline} [{group.rule}]"
    indent = "    " if group.headline else "  "
    for todo, findings in groupby(group.findings, key=lambda finding: finding.todo):
        same = list(findings)
        for finding in same[:PLACES]:
            yield from _of_finding(finding, indent)
        if len(same) > PLACES:
            more = sum(len(finding.problems) for finding in same[PLACES:])
            yield f"{indent}... and {more} more"
        yield f"{indent if group.headline else '    '}-> {todo}"


def _of_finding(finding: Finding, indent: str) -> Iterator[str]:
    places = finding.places
    if len(places) == 1 and indent == "    ":
        yield f"{indent}{places[0]}: {finding.what}"
        return
    yield f"{indent}{finding.what}"
    for place in places[:PLACES]:
        yield f"    {'  ' * (indent == '    ')}{place}"
    if len(places) > PLACES:
        yield f"    {'  ' * (indent == '    ')}... and {len(places) - PLACES} more"


def rows_told(accounting: pd.DataFrame) -> Iterator[str]:
    r"""Yield the lines that account for every row of every file.

    Parameters
    ----------
    accounting : DataFrame
        As ``study.accounting``.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.Study.from_frames(pd.DataFrame(
    ...     {"patient": [1, 1], "time": [7, 8], "level": [3, None], "assay": "flow"}))
    >>> print(*rows_told(study.accounting), sep="\n")
    samples: 2 rows = 1 used (samples) + 1 without a result
    """
    for file, rows in accounting.groupby("file", sort=False):
        parts = []
        for fate, group in rows.groupby("fate", sort=False):
            tables = [name for name in group["table"].unique() if name]
            where = f" ({'; '.join(tables)})" if fate == "used" else ""
            parts.append(f"{group['rows'].sum()} {fate}{where}")
        yield f"{file}: {rows['rows'].sum()} rows = {' + '.join(parts)}"
        for row in rows[rows["reason"] != ""].to_dict("records"):
            yield f"  {row['rows']} {row['fate']}: {row['reason']}"
