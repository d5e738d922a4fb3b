"""What reading a study found, as a page and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellpk.errors import DataError, Problem
from cellpk.reporting.exhibit import SIMULATED
from cellpk.reporting.findings import (
    SEVERITIES,
    Group,
    counted,
    grouped,
    headline,
    problems_of,
    rows_told,
    told,
)
from cellpk.reporting.manifest import dumped, records
from cellpk.reporting.templates import render, style
from cellpk.study.checks import rules

if TYPE_CHECKING:
    from cellpk.study.study import Study

PAGE, RECORD = "check.html", "check.json"

MOST = 60
"""Up to so many places of one thing stand in the page; all of them are in the JSON."""


@dataclass(frozen=True)
class Checked:
    """What became of reading a study: the study, or why it could not be read.

    Parameters
    ----------
    file : str
        The study.toml that was read.
    study : Study or None
        ``None`` where something is impossible.
    problems : tuple of Problem
        Errors where it could not be read, else what is doubtful.

    Examples
    --------
    >>> import tempfile
    >>> import cellpk as ck
    >>> path = ck.write_study(ck.simulate_study(seed=1), tempfile.mkdtemp())
    >>> checked = check_study(path)
    >>> checked.failed, len(checked.problems)
    (False, 6)
    """

    file: str
    study: "Study | None"
    problems: tuple[Problem, ...]

    @property
    def failed(self) -> bool:
        """Whether the study could not be read."""
        return self.study is None

    def lines(self) -> Iterator[str]:
        """Yield what a shell prints.

        Examples
        --------
        >>> list(Checked("a.toml", None, (Problem("odd", "Look."),)).lines())[0]
        'The study of a.toml cannot be read'
        """
        if self.study is None:
            yield f"The study of {self.file} cannot be read"
        else:
            yield repr(self.study)
            for name, count in self.study.counts.items():
                yield f"{count:>8}  {name}"
            yield "\nRows"
            yield from (f"  {line}" for line in rows_told(self.study.accounting))
        yield ""
        yield from told(self.problems)
        if not self.problems:
            yield "nothing doubtful was found"

    def record(self) -> dict[str, Any]:
        """Return everything in full, ready for JSON.

        Examples
        --------
        >>> Checked("a.toml", None, ()).record()["read"]
        False
        """
        study = self.study
        about = {} if study is None else _about(study)
        return {
            "file": self.file,
            "read": not self.failed,
            "cellpk": version("cellpk"),
            "found": self.found,
            "problems": [asdict(problem) for problem in self.problems],
            **about,
            "rules": [
                {"rule": name, "finds": rule.sentence, "subject": rule.subject}
                for name, rule in rules().items()
            ],
        }

    @property
    def found(self) -> dict[str, int]:
        """How many errors, warnings and notes there are."""
        severities = [problem.severity for problem in self.problems]
        return {words: severities.count(name) for name, words in SEVERITIES.items()}

    def page(self) -> str:
        """Return the page: HTML that needs nothing but itself.

        Examples
        --------
        >>> Checked("a.toml", None, ()).page()[:15]
        '<!DOCTYPE html>'
        """
        groups = grouped(self.problems)
        speaking = {group.rule for group in groups}
        silent = [
            (rule.subject.replace("_", " "), headline(rule.sentence), name)
            for name, rule in rules().items()
            if name not in speaking
        ]
        return render(
            "check.html.j2",
            checked=self,
            study=self.study,
            sections=[(words, *_section(groups, name)) for name, words in _HEADINGS],
            tiles=_tiles(self),
            rows=[] if self.study is None else _rows(self.study),
            silent=[] if self.failed else silent,
            settings="" if self.study is None else dumped(_settings(self.study)),
            most=MOST,
            record=RECORD,
            simulated=SIMULATED,
            style=style("gallery.css") + style("check.css"),
            version=version("cellpk"),
        )

    def write(self, folder: str | Path) -> list[Path]:
        """Write the page and the JSON, and return their paths.

        Raises
        ------
        OSError
            If the folder cannot be written to.

        Examples
        --------
        >>> import tempfile
        >>> files = Checked("a.toml", None, ()).write(tempfile.mkdtemp())
        >>> [file.name for file in files]
        ['check.html', 'check.json']
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        texts = {PAGE: self.page(), RECORD: dumped(self.record()) + "\n"}
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        return [folder / name for name in texts]


_HEADINGS = (
    ("error", "Errors: the study cannot be read"),
    ("warning", "Warnings: look at these"),
    ("note", "Notes: nothing to do if they are as meant"),
)


def check_study(path: str | Path) -> Checked:
    r"""Read a study, whatever comes of it.

    Parameters
    ----------
    path : str or Path
        The study.toml, or the folder in which it is.

    Returns
    -------
    Checked
        The study and what is doubtful, or everything that is impossible.

    Raises
    ------
    DataError
        If there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "study.toml"
    >>> _ = file.write_text("[study]\nid = 'A'\n")
    >>> check_study(file).problems[0].what
    'the key is missing'
    """
    from cellpk.study.reading import read_study

    file = Path(path)
    file = file / "study.toml" if file.is_dir() else file
    try:
        study = read_study(path)
    except DataError as error:
        if not file.is_file():
            raise
        return Checked(file.name, None, error.problems)
    return Checked(file.name, study, problems_of(study))


def _about(study: "Study") -> dict[str, Any]:
    return {
        "study": study.settings.study.id,
        "title": study.settings.study.title,
        "simulated": study.settings.study.simulated,
        "said": repr(study),
        "counts": study.counts,
        "accounting": records(study.accounting),
        "sources": [dict(source) for source in study.sources],
        "settings": _settings(study),
    }


def _settings(study: "Study") -> dict[str, Any]:
    return study.settings.resolved()


def _section(groups: Sequence[Group], severity: str) -> tuple[str, int, list[Group]]:
    here = [group for group in groups if group.severity == severity]
    return severity, sum(group.count for group in here), here


def _tiles(checked: Checked) -> list[tuple[str, str, str]]:
    """Return kind, number and words of what to know at a glance."""
    found = [
        (severity if count else "none", f"{count:,}", counted(count, severity)[1:])
        for severity, count in zip(SEVERITIES, checked.found.values(), strict=True)
        if count or severity != "error"
    ]
    tiles = [
        (kind, number, words.lstrip("0123456789 ")) for kind, number, words in found
    ]
    counts = checked.study.counts if checked.study is not None else {}
    return [*tiles, *(("", f"{count:,}", name) for name, count in counts.items())]


def _rows(study: "Study") -> list[dict[str, Any]]:
    """Return, by file, its rows and what became of them."""
    sources = {str(source["file"]): source for source in study.sources}
    return [
        {
            "file": file,
            "rows": int(rows["rows"].sum()),
            "fates": rows.to_dict("records"),
            "sha256": sources.get(str(file), {}).get("sha256", ""),
        }
        for file, rows in study.accounting.groupby("file", sort=False)
    ]
