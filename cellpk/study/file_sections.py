"""What study.toml can say of delivered files: where they are, and what is what."""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cellpk.errors import nearest
from cellpk.study.columns import COLUMNS

TimeUnit = Literal["minute", "hour", "day", "week"]


class Section(BaseModel):
    """A part of study.toml: frozen, and without room for keys that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TableFile(Section):
    """One file that holds a table: where it is, how it is written, what is what.

    Its ending says what kind of file it is. ``columns`` maps our names to the file's.
    Columns that already have our names need not be mapped. ``infusion_day`` is that of
    the study where the file is not said to have another.
    """

    file: Annotated[str, Field(min_length=1)]
    encoding: str = "utf-8"
    separator: Literal[",", ";", "\t", "|"] = ","
    decimal: Literal[".", ","] = "."
    time_unit: TimeUnit = "day"
    infusion_day: Literal[0, 1] | None = None
    columns: dict[str, str] = {}

    table: ClassVar[str] = ""
    also: ClassVar[tuple[str, ...]] = ()

    @field_validator("columns")
    @classmethod
    def _ours(cls, columns: dict[str, str]) -> dict[str, str]:
        known = {*COLUMNS[cls.table], *cls.also} - {"file", "row"}
        unknown = [name for name in columns if name not in known]
        if unknown and cls.table != "patients":
            offers = [f"{name!r}: {nearest(name, known)}" for name in unknown]
            message = f"no column of ours has this name: {' '.join(offers)}"
            raise ValueError(message)
        return columns


class SamplesFile(TableFile):
    """A file of samples; what holds for all its rows can be said here once.

    ``assays`` and ``units`` map the file's words to ours; ``texts`` says what a text in
    place of a level means, as ``haemolysed = "NA"``. Columns of 1 and 0 may say that a
    sample is below or above its limits of quantification (``blq``, ``alq``), or whether
    anything was seen (``detected``).
    """

    table: ClassVar[str] = "samples"
    also: ClassVar[tuple[str, ...]] = ("blq", "alq", "detected")
    assay: str = ""
    unit: str = ""
    specimen: str = ""
    assays: dict[str, str] = {}
    units: dict[str, str] = {}
    texts: dict[str, str] = {}


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


class EndpointColumns(Section):
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


class DataFiles(Section):
    """Delivered files of one format, as ``[[data]]`` in study.toml names them.

    ``files`` are files or folders; of a folder, every file of a kind that cellpk reads
    is taken but those named by ``skip``. Where ``decimal`` is a comma, numbers are read
    as if they had a point. ``texts`` is that of ``SamplesFile``. Each format says in a
    class of its own what more there is to say.
    """

    format: Any
    files: Annotated[tuple[str, ...], Field(min_length=1)]
    skip: tuple[str, ...] = ()
    encoding: str = "utf-8"
    separator: Literal[",", ";", "\t", "|"] = ","
    decimal: Literal[".", ","] = "."
    texts: dict[str, str] = Field(default_factory=dict)

    kinds: ClassVar[dict[str, type["DataFiles"]]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        for name in get_args(cls.model_fields["format"].annotation):
            cls.kinds[name] = cls
