"""What study.toml can say, with every default filled in."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)

from cellpk.errors import DataError, Problem, nearest
from cellpk.study.assays import ASSAYS, Assay
from cellpk.study.discovery import import_all
from cellpk.study.file_sections import (
    ComedicationFile,
    DataFiles,
    InfusionsFile,
    OutcomesFile,
    PatientsFile,
    SamplesFile,
    Section,
)
from cellpk.study.metric_rules import Rules
from cellpk.study.validation import told

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class StudySection(Section):
    """What the study is, and what its protocol calls the day of infusion.

    ``infusion_day`` has no default. With 0, times in days are elapsed days. With 1
    the infusion day counts as day 1, there is no day 0, and day -1 is the day before:
    a time of 1 or more becomes time - 1, a negative one stays. Times in other units
    are always elapsed time.
    """

    id: Annotated[str, Field(min_length=1)]
    title: str = ""
    infusion_day: Literal[0, 1]
    simulated: bool = False
    cutoff: str = ""


class AnalysisSection(Section):
    """What is calculated and shown where nobody asks for anything else."""

    model: str = "stein_2019_tisagenlecleucel"
    assay: str = ""
    exposures: tuple[str, ...] = ("cmax",)
    endpoints: tuple[str, ...] = ("response", "crs_grade_2")
    by: str = "response"
    cytokine: str = "il6"
    seed: int = 1


class Limits(Section):
    """What is known of an assay's limits where the samples do not state them.

    ``zero`` says what a reported level of 0 means. ``assumed_lloq`` stands in for a
    limit that nobody knows, for samples below it only, and needs a ``why``.
    """

    lloq: Positive | None = None
    llod: Positive | None = None
    uloq: Positive | None = None
    zero: Literal["below"] | None = None
    assumed_lloq: Positive | None = None
    why: str = ""

    @model_validator(mode="after")
    def _assumption_has_a_reason(self) -> "Limits":
        if self.assumed_lloq is not None and not self.why.strip():
            message = (
                f"assumed_lloq = {self.assumed_lloq:g} needs a 'why': "
                "one sentence on what the assumption rests on"
            )
            raise ValueError(message)
        if self.assumed_lloq is not None and self.lloq is not None:
            message = (
                f"lloq = {self.lloq:g} is stated, so that assumed_lloq = "
                f"{self.assumed_lloq:g} has no place"
            )
            raise ValueError(message)
        return self


class AssaySection(Section):
    """An assay of the study's own: what it is called, its unit, what it measures.

    One that is ``derived`` was worked out from another and is never the main assay.
    """

    unit: Annotated[str, Field(min_length=1)]
    label: str = ""
    axis: str = ""
    kinetics: bool = False
    codes: tuple[str, ...] = ()
    derived: bool = False


class Settings(Section):
    """The resolved study.toml; ``units`` are those of covariates.

    Examples
    --------
    >>> settings = settings_of({"study": {"id": "A", "infusion_day": 1}})
    >>> settings.analysis.cytokine
    'il6'
    >>> settings.resolved()["study"]["infusion_day"]
    1
    """

    study: StudySection
    analysis: AnalysisSection = AnalysisSection()
    metrics: Rules = Rules()
    assays: dict[str, AssaySection] = Field(default_factory=dict)
    limits: dict[str, Limits] = Field(default_factory=dict)
    units: dict[str, str] = Field(default_factory=dict)
    samples: tuple[SamplesFile, ...] = ()
    patients: PatientsFile | None = None
    infusions: InfusionsFile | None = None
    comedication: tuple[ComedicationFile, ...] = ()
    outcomes: tuple[OutcomesFile, ...] = ()
    data: tuple[SerializeAsAny[DataFiles], ...] = ()

    @field_validator("assays")
    @classmethod
    def _of_their_own(cls, assays: dict[str, AssaySection]) -> dict[str, AssaySection]:
        for name in assays:
            if name in ASSAYS:
                message = f"{name!r} is an assay of cellpk's: choose another name"
                raise ValueError(message)
            if not (name.isidentifier() and name.isascii()):
                message = f"{name!r} has signs that are no ASCII letter, digit or '_'"
                raise ValueError(message)
        return assays

    @model_validator(mode="after")
    def _limits_of_assays(self) -> "Settings":
        for name in self.limits:
            if name not in self.known_assays:
                offer = nearest(name, self.known_assays)
                message = f"limits are given for {name!r}, which is no assay. {offer}"
                raise ValueError(message)
        return self

    @property
    def known_assays(self) -> dict[str, Assay]:
        """Every assay by its name: cellpk's, then the study's own."""
        own = {
            name: Assay(
                name,
                row.label or name.replace("_", " "),
                row.unit,
                row.axis or row.label or name.replace("_", " "),
                kinetics=row.kinetics,
                codes=row.codes,
                derived=row.derived,
            )
            for name, row in self.assays.items()
        }
        return {**ASSAYS, **own}

    def resolved(self) -> dict[str, Any]:
        """Return everything that was set, defaults included, as plain values.

        Paths stand as in the file, relative to it.
        """
        return self.model_dump(mode="json", exclude_none=True)


def settings_of(values: Mapping[str, Any], *, file: str = "settings") -> Settings:
    """Check the contents of a study.toml and fill in the defaults.

    Parameters
    ----------
    values : mapping
        What the TOML file says.
    file : str
        Its name, for errors.

    Returns
    -------
    Settings
        The frozen settings.

    Raises
    ------
    DataError
        Listing every unknown key (with the nearest known one), missing key and
        impossible value.

    Examples
    --------
    >>> settings_of({"study": {"id": "A", "infusion_dya": 0}})
    Traceback (most recent call last):
        ...
    cellpk.errors.DataError: 2 problems:
    settings, column study.infusion_day:
      the key is missing. Say 0 or 1: what the files call the day of infusion.
    settings, column study.infusion_dya, value '0':
      the key is not known. Did you mean 'infusion_day'?
    """
    values, problems = dict(values), []
    if "data" in values:
        values["data"], problems = _delivered(values["data"], file)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        found = told(error, Settings, file=file)
        raise DataError([*found, *problems]) from None
    if problems:
        raise DataError(problems)
    return settings


def _delivered(rows: Any, file: str) -> tuple[list[DataFiles], list[Problem]]:
    """Check each row of [[data]] by the class of its format."""
    import_all("cellpk.study.formats")
    read: list[DataFiles] = []
    problems: list[Problem] = []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        what, todo = "'data' is not a list of tables", "Begin each with [[data]]."
        return [], [Problem(what, todo, file=file, column="data", value=str(rows))]
    for number, row in enumerate(rows, 1):
        place, name = f"data.{number}", row.get("format")
        kind = DataFiles.kinds.get(str(name))
        if kind is None:
            what = "the format of the files is not known"
            todo = nearest(str(name), DataFiles.kinds)
            place, value = f"{place}.format", str(name or "")
            problems.append(Problem(what, todo, file=file, column=place, value=value))
            continue
        try:
            read.append(kind.model_validate(row))
        except ValidationError as error:
            found = told(error, kind, file=file)
            problems += [replace(p, column=f"{place}.{p.column}") for p in found]
    return read, problems


def load_settings(path: str | Path) -> tuple[Settings, Path]:
    """Read a study.toml.

    Parameters
    ----------
    path : str or Path
        The file, or the folder in which it is called ``study.toml``.

    Returns
    -------
    settings : Settings
        The frozen settings.
    path : Path
        The file that was read; the paths in it are relative to its folder.

    Raises
    ------
    DataError
        If there is no such file, or it is not TOML, or :func:`settings_of` objects.
    """
    path = Path(path)
    path = path / "study.toml" if path.is_dir() else path
    try:
        values = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        what = f"the file cannot be read ({error.strerror})"
        todo = "Give the path of a study.toml; 'cellpk init FOLDER' begins one."
        raise DataError(Problem(what, todo, file=str(path))) from None
    except UnicodeDecodeError as error:
        what = f"the file is not UTF-8 text ({error.reason} at byte {error.start})"
        raise DataError(Problem(what, "Save it as UTF-8.", file=path.name)) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what = f"the file is not TOML: {error}"
        raise DataError(Problem(what, "Correct that line.", file=path.name)) from None
    return settings_of(values, file=path.name), path
