"""What study.toml can say, with every default filled in."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from cellpk.errors import DataError, Problem, nearest
from cellpk.study.assays import ASSAYS
from cellpk.study.columns import COLUMNS

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
TimeUnit = Literal["minute", "hour", "day", "week"]


class _Section(BaseModel):
    """A part of study.toml: frozen, and without room for keys that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StudySection(_Section):
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


class AnalysisSection(_Section):
    """What is calculated and shown where nobody asks for anything else."""

    model: str = "stein_2019_tisagenlecleucel"
    assay: str = ""
    exposures: tuple[str, ...] = ("cmax",)
    endpoints: tuple[str, ...] = ("response", "crs_grade_2")
    by: str = "response"
    cytokine: str = "il6"
    seed: int = 1


class Limits(_Section):
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


class TableFile(_Section):
    """One CSV file: where it is, how it is written, which column is what.

    ``columns`` maps our names to the file's. Columns that already have our names need
    not be mapped.
    """

    file: Annotated[str, Field(min_length=1)]
    encoding: str = "utf-8"
    separator: Literal[",", ";", "\t", "|"] = ","
    decimal: Literal[".", ","] = "."
    time_unit: TimeUnit = "day"
    columns: dict[str, str] = {}

    table: ClassVar[str] = ""

    @field_validator("columns")
    @classmethod
    def _ours(cls, columns: dict[str, str]) -> dict[str, str]:
        known = set(COLUMNS[cls.table]) - {"file", "row"}
        unknown = [name for name in columns if name not in known]
        if unknown and cls.table != "patients":
            offers = [f"{name!r}: {nearest(name, known)}" for name in unknown]
            message = f"no column of ours has this name: {' '.join(offers)}"
            raise ValueError(message)
        return columns


class SamplesFile(TableFile):
    """A file of samples; what holds for all its rows can be said here once.

    ``assays`` and ``units`` map the file's words to ours.
    """

    table: ClassVar[str] = "samples"
    assay: str = ""
    unit: str = ""
    specimen: str = ""
    assays: dict[str, str] = {}
    units: dict[str, str] = {}


class PatientsFile(TableFile):
    """A file with one row per patient; any column can be a covariate."""

    table: ClassVar[str] = "patients"


class InfusionsFile(TableFile):
    """A file of infusions: patient, time, dose, unit and lot."""

    table: ClassVar[str] = "infusions"
    unit: str = ""


class ComedicationFile(TableFile):
    """A file of comedication: one row per dose, or columns of 0 and 1 per drug.

    ``given`` maps such a column to its drug, which was then given at unknown time.
    """

    table: ClassVar[str] = "comedication"
    given: dict[str, str] = {}


class EndpointColumns(_Section):
    """Which columns of a wide file hold one kind of outcome.

    ``values`` maps the file's words to ours; an empty word means not assessed.
    """

    column: str
    time: str = ""
    values: dict[str, str] = {}


class OutcomesFile(TableFile):
    """A file of outcomes: one row per assessment, or columns per kind of outcome.

    ``values`` maps the file's words to ours in a file with one row per assessment.
    """

    table: ClassVar[str] = "outcomes"
    endpoints: dict[str, EndpointColumns] = {}
    values: dict[str, str] = {}


class Settings(_Section):
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
    limits: dict[str, Limits] = {}
    units: dict[str, str] = {}
    samples: tuple[SamplesFile, ...] = ()
    patients: PatientsFile | None = None
    infusions: InfusionsFile | None = None
    comedication: tuple[ComedicationFile, ...] = ()
    outcomes: tuple[OutcomesFile, ...] = ()

    @field_validator("limits")
    @classmethod
    def _of_assays(cls, limits: dict[str, Limits]) -> dict[str, Limits]:
        for name in limits:
            if name not in ASSAYS:
                message = f"{name!r} is not an assay. {nearest(name, ASSAYS)}"
                raise ValueError(message)
        return limits

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
    try:
        return Settings.model_validate(dict(values))
    except ValidationError as error:
        problems = [_problem(detail, file) for detail in error.errors()]
        raise DataError(problems) from None


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
        todo = "Give the path of a study.toml."
        raise DataError(Problem(what, todo, file=str(path))) from None
    except UnicodeDecodeError as error:
        what = f"the file is not UTF-8 text ({error.reason} at byte {error.start})"
        raise DataError(Problem(what, "Save it as UTF-8.", file=path.name)) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what = f"the file is not TOML: {error}"
        raise DataError(Problem(what, "Correct that line.", file=path.name)) from None
    return settings_of(values, file=path.name), path


def _problem(detail: ErrorDetails, file: str) -> Problem:
    """Say in our words what pydantic found."""
    *parents, key = detail["loc"] or ("",)
    place = ".".join(str(p + 1 if isinstance(p, int) else p) for p in detail["loc"])
    value = detail["input"]
    text = "" if isinstance(value, dict | list) or value is None else str(value)
    if detail["type"] == "extra_forbidden":
        todo = nearest(str(key), _keys(parents))
        return Problem(
            "the key is not known", todo, file=file, column=place, value=text
        )
    if detail["type"] == "missing":
        todo = _MISSING.get(str(key), f"Add {key!r}.")
        return Problem("the key is missing", todo, file=file, column=place)
    what = detail["msg"].removeprefix("Value error, ")
    what = what[:1].lower() + what[1:]
    return Problem(what, "Correct it.", file=file, column=place, value=text)


_MISSING = {
    "infusion_day": "Say 0 or 1: what the files call the day of infusion.",
    "study": "Add a table [study] with id and infusion_day.",
}


def _keys(parents: list[int | str]) -> list[str]:
    """Return the keys that are known at a place in the settings."""
    model: type[BaseModel] = Settings
    for parent in parents:
        field = model.model_fields.get(str(parent))
        model = next(_models(field.annotation), model) if field else model
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
