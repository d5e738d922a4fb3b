"""What study.toml says of files of event records, as NONMEM and Monolix read them."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from cellpk.errors import nearest
from cellpk.study.file_sections import DataFiles, TimeUnit

SHARED: Mapping[str, tuple[str, ...]] = {
    "patient": ("ID",),
    "time": ("TIME",),
    "nominal_time": ("NTIME",),
    "level": ("DV",),
    "log_level": ("LNDV", "LOGDV", "LDV"),
    "dose": ("AMT",),
    "dose_unit": ("DOSEUNIT",),
    "lot": ("LOT",),
    "evid": ("EVID",),
    "mdv": ("MDV",),
    "cmt": ("CMT",),
    "assay": ("DVID",),
    "lloq": ("LLOQ", "LOQ"),
    "llod": ("LLOD", "LOD"),
    "uloq": ("ULOQ",),
    "visit": ("VISIT",),
    "specimen": ("SPECIMEN",),
    "unit": ("UNIT",),
    "excluded": ("EXCL",),
    "reason": ("REASON",),
    "rate": ("RATE",),
    "duration": ("DUR", "TINF"),
    "addl": ("ADDL",),
    "ii": ("II",),
    "ss": ("SS",),
    "date": ("DATE", "DAT1", "DAT2", "DAT3"),
    "mark": ("C",),
    "record": (),
    "state": (),
    "detected": (),
    "limit_assumed": (),
    "reported": (),
    "reported_unit": (),
    "derived": (),
}
"""By our name of what a column holds, what such a column is usually called; case does
not matter. Those without a name are read only where ``columns`` names their column.

``mark`` holds the sign of rows that a run leaves out; ``record`` says what a row is
(sample, infusion or patient), ``detected`` the level where DV holds the limit.
"""

PASSED = frozenset(
    {
        *("id", "l1", "l2", "occ", "tad", "tafd", "num", "line", "row"),
        *("pcmt", "call", "cont", "mrg_", "raw_", "rpt_"),
        *("date", "dat1", "dat2", "dat3"),
    }
)
"""Columns that steer a run or count its rows, and say nothing of a patient."""


def named_like(name: str, there: Sequence[str]) -> str:
    """Return the column that has a name, else one that has it in another case.

    Examples
    --------
    >>> named_like("DV", ["dv", "ID"]), named_like("DV", ["Dv", "DV"])
    ('dv', 'DV')
    >>> named_like("DV", ["ID"])
    ''
    """
    same = [known for known in there if known.casefold() == name.casefold()]
    return name if name in there else next(iter(same), "")


class EventFiles(DataFiles):
    """Files of event records: one row per sample, dose or other event of a patient.

    ``time_unit`` is that of TIME and has no default, since the files do not say it.
    TIME is elapsed time, and time 0 is its 0, unless ``time_zero = "first_dose"`` says
    that it counts from anything else; planned times are never moved. ``assay`` is that
    of all samples, or ``assays`` maps the codes of DVID (else of CMT) to our names;
    ``unit`` and ``specimen`` hold for all samples or map these codes too. ``dv`` is
    "log" where DV is the natural logarithm of the level. ``censored_dv`` is "limit"
    where the DV of samples that are flagged as beyond a limit is that limit.

    ``ignore`` is the sign that IGNORE= of $DATA names: rows that begin with it are set
    aside; "@" means any letter or "@". ``covariates`` maps our names to the columns of
    covariates; without it, every column that has no other use is one. ``escaped`` says
    that texts are written as ``cellpk.study.events.rows`` writes them.
    """

    time_unit: TimeUnit
    time_zero: Literal["as_given", "first_dose"] = "as_given"
    assay: str = ""
    assays: dict[str, str] = Field(default_factory=dict)
    unit: str | dict[str, str] = ""
    units: dict[str, str] = Field(default_factory=dict)
    specimen: str | dict[str, str] = ""
    dose_unit: str = ""
    dv: Literal["level", "log"] = "level"
    censored_dv: Literal["unknown", "limit"] = "unknown"
    ignore: str = "#"
    columns: dict[str, str] = Field(default_factory=dict)
    covariates: dict[str, str] | None = None
    escaped: bool = False

    names: ClassVar[Mapping[str, tuple[str, ...]]] = SHARED

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: dict[str, str]) -> dict[str, str]:
        unknown = [name for name in columns if name not in cls.names]
        if unknown:
            offers = [f"{name!r}: {nearest(name, cls.names)}" for name in unknown]
            message = f"no column of ours has this name: {' '.join(offers)}"
            raise ValueError(message)
        named = list(columns.values())
        if twice := sorted({name for name in named if named.count(name) > 1}):
            message = f"two of our columns cannot be one of the file: {twice}"
            raise ValueError(message)
        return columns

    @field_validator("covariates")
    @classmethod
    def _names(cls, covariates: dict[str, str] | None) -> dict[str, str] | None:
        for name in covariates or ():
            if not (name.isidentifier() and name.isascii()) or name == "patient":
                message = f"{name!r} has signs that are no ASCII letter, digit or '_'"
                raise ValueError(message)
        return covariates

    @field_validator("ignore")
    @classmethod
    def _one_sign(cls, sign: str) -> str:
        if len(sign) > 1:
            message = f"{sign!r} is more than one sign; '@' stands for any letter"
            raise ValueError(message)
        return sign

    def headers(self, there: list[str]) -> dict[str, str]:
        """Return what a file calls each of our columns, those only that it has.

        Parameters
        ----------
        there : list of str
            The names of the file's columns.

        Examples
        --------
        >>> section = EventFiles(format="", files=("a",), time_unit="day")
        >>> section.headers(["id", "TIME", "DV", "WT"])
        {'patient': 'id', 'time': 'TIME', 'level': 'DV'}
        """
        taken = {name.casefold() for name in self.columns.values()}
        found: dict[str, str] = {}
        for role, usual in self.names.items():
            mapped = self.columns.get(role)
            free = [name for name in usual if name.casefold() not in taken]
            for name in free if mapped is None else [mapped]:
                here = named_like(name, there)
                if here:
                    found.setdefault(role, here)
        return found
