"""The study: checked, frozen tables of what was infused, sampled and observed."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.study.assays import Assay
from cellpk.study.building import build
from cellpk.study.columns import COLUMNS, STATES, empty
from cellpk.study.config import Settings, settings_of
from cellpk.study.delivery import TABLES, Delivery
from cellpk.study.file_sections import (
    ComedicationFile,
    InfusionsFile,
    OutcomesFile,
    PatientsFile,
    SamplesFile,
)
from cellpk.study.sheet import Sheet
from cellpk.study.specimens import specimen as ours

__all__ = ["COLUMNS", "STATES", "Study", "empty"]

_PLACE = ["file", "row"]
_SECTIONS = {
    "samples": SamplesFile,
    "patients": PatientsFile,
    "infusions": InfusionsFile,
    "comedication": ComedicationFile,
    "outcomes": OutcomesFile,
}


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """Checked tables of one study; nothing changes them.

    Each table is handed out as a copy. Times are days after the first infusion
    (time 0); ``COLUMNS`` names every column. Made by
    :func:`cellpk.study.reading.read_study` and :meth:`from_frames`.

    Parameters
    ----------
    tables : mapping of DataFrame
        The checked tables by name.
    settings : Settings
        The resolved study.toml (see :mod:`cellpk.study.config`).
    sources : tuple of mapping
        ``file``, ``sha256``, ``rows`` and ``columns`` of every file that was read.

    Examples
    --------
    >>> samples = pd.DataFrame(
    ...     {"patient": ["1", "1", "2"], "time": [7, 14, 7], "level": ["<50", 2e4, 310]}
    ... )
    >>> study = Study.from_frames(samples=samples.assign(assay="qpcr"))
    >>> study
    Study study: 2 patients, 3 qpcr samples (1 below), days 7 to 14
    >>> study.samples["state"].tolist()
    ['below', 'quantified', 'quantified']
    """

    _tables: Mapping[str, pd.DataFrame]
    settings: Settings
    sources: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def from_frames(
        cls,
        samples: pd.DataFrame,
        *,
        patients: pd.DataFrame | None = None,
        infusions: pd.DataFrame | None = None,
        comedication: pd.DataFrame | None = None,
        outcomes: pd.DataFrame | None = None,
        settings: Settings | Mapping[str, Any] | None = None,
    ) -> "Study":
        """Make a study of frames in memory, checked as files are.

        Parameters
        ----------
        samples : DataFrame
            At least patient, time, level and assay; any column of ``COLUMNS``.
            Without a unit, levels are in the unit of their assay.
        patients, infusions, comedication, outcomes : DataFrame, optional
            As ``COLUMNS`` says; ``patients`` carries any covariates.
        settings : Settings or mapping, optional
            What study.toml would say. Times count as its ``infusion_day`` says; by
            default the infusion is at time 0.

        Returns
        -------
        Study
            The checked study; ``row`` is the row of the frame, counted from 2.

        Raises
        ------
        DataError
            Listing everything impossible in all frames.

        Examples
        --------
        >>> samples = {"patient": ["1"], "time": [0.5], "level": [-3], "assay": ["il6"]}
        >>> Study.from_frames(samples=pd.DataFrame(samples))
        Traceback (most recent call last):
            ...
        cellpk.errors.DataError: samples, row 2, patient 1, column level, value '-3':
          a level cannot be negative. Correct it; a level below its limit is written...
        """
        if settings is None:
            settings = {"study": {"id": "study", "infusion_day": 0}}
        if not isinstance(settings, Settings):
            settings = settings_of(settings)
        frames = {
            "samples": samples,
            "patients": patients,
            "infusions": infusions,
            "comedication": comedication,
            "outcomes": outcomes,
        }
        delivery = Delivery()
        for name, frame in frames.items():
            if frame is not None:
                sheet = Sheet.of_frame(frame, _SECTIONS[name](file=name))
                delivery.add(name, sheet)
                delivery.delivered[name] = sheet.rows
        return cls(build(delivery, settings), settings)

    @property
    def samples(self) -> pd.DataFrame:
        """One row per sample and assay: level, limits, state."""
        return self._tables["samples"].copy()

    @property
    def infusions(self) -> pd.DataFrame:
        """One row per infusion: time, dose, unit, lot."""
        return self._tables["infusions"].copy()

    @property
    def patients(self) -> pd.DataFrame:
        """One row per patient of the study: baseline covariates."""
        return self._tables["patients"].copy()

    @property
    def comedication(self) -> pd.DataFrame:
        """One row per drug and time; the time is NaN where not known."""
        return self._tables["comedication"].copy()

    @property
    def outcomes(self) -> pd.DataFrame:
        """One row per assessment: endpoint, value, time."""
        return self._tables["outcomes"].copy()

    @property
    def problems(self) -> pd.DataFrame:
        """Everything doubtful: where it stands, what it is, what to do."""
        return self._tables["problems"].copy()

    @property
    def accounting(self) -> pd.DataFrame:
        """What became of every delivered row: rows in = used + not used, with why."""
        return self._tables["accounting"].copy()

    @property
    def assays(self) -> tuple[str, ...]:
        """The assays of which there are samples, those of cellpk's own table first."""
        there = set(self._tables["samples"]["assay"].unique())
        return tuple(name for name in self.settings.known_assays if name in there)

    @property
    def kinetic_assays(self) -> tuple[str, ...]:
        """Those that measure CAR-T cells or their transgene."""
        known = self.settings.known_assays
        return tuple(name for name in self.assays if known[name].kinetics)

    @property
    def main_assay(self) -> str:
        """The CAR-T assay to analyse; "" where the study has none.

        Unless study.toml names one, the first that was measured, not derived.
        """
        measured = (n for n in self.kinetic_assays if not self.assay(n).derived)
        return self.settings.analysis.assay or next(measured, "")

    def assay(self, name: str) -> Assay:
        """Return an assay that is known here: cellpk's or the study's own.

        Raises
        ------
        DataError
            If there is no such assay.

        Examples
        --------
        >>> import cellpk as ck
        >>> ck.simulate_study(seed=1).assay("flow").label
        'CAR-T cells by flow cytometry'
        """
        known = self.settings.known_assays
        if name not in known:
            what = f"there is no assay {name!r}"
            raise DataError(Problem(what, nearest(name, known), value=name))
        return known[name]

    def unit(self, assay: str) -> str:
        """Return the unit of an assay's levels, or of a covariate where it is stated.

        Raises
        ------
        DataError
            If the study has no samples of the assay.

        Examples
        --------
        >>> import cellpk as ck
        >>> samples = {"patient": ["1"], "time": [7], "level": [3], "assay": ["flow"]}
        >>> ck.Study.from_frames(samples=pd.DataFrame(samples)).unit("flow")
        'cells/uL'
        """
        if assay in self.settings.units:
            return self.settings.units[assay]
        if assay not in self.assays:
            what = f"study {self.settings.study.id!r} has no samples of {assay!r}"
            raise DataError(Problem(what, nearest(assay, self.assays)))
        return self.assay(assay).unit

    def select(self, assay: str, *, specimen: str | None = None) -> pd.DataFrame:
        """Return the usable samples of one assay, sorted.

        Parameters
        ----------
        assay : str
            One of ``study.assays``.
        specimen : str, optional
            Only samples of this specimen, such as ``"blood"``.

        Returns
        -------
        DataFrame
            As ``study.samples``, without what is excluded or missing.

        Raises
        ------
        DataError
            If the study has no samples of the assay.

        Examples
        --------
        >>> import cellpk as ck
        >>> samples = {"patient": [1, 1], "time": [7, 8], "level": [3, None]}
        >>> frame = pd.DataFrame(samples).assign(assay="flow")
        >>> len(ck.Study.from_frames(samples=frame).select("flow"))
        1
        """
        self.unit(assay)
        samples = self._tables["samples"]
        chosen = (samples["assay"] == assay) & _usable(samples)
        if specimen is not None:
            chosen &= samples["specimen"] == ours(specimen)
        return samples.loc[chosen].reset_index(drop=True)

    @property
    def counts(self) -> dict[str, int]:
        """How many patients and samples there are, and what became of the samples.

        ``samples`` are the delivered rows; each is used, missing (without a result) or
        excluded (with a reason). The other states count the used ones.
        """
        samples = self._tables["samples"]
        states = samples.loc[_usable(samples), "state"]
        excluded = int(samples["excluded"].sum())
        return {
            "patients": len(self._tables["patients"]),
            "samples": len(samples),
            "used": len(states),
            "missing": len(samples) - len(states) - excluded,
            "excluded": excluded,
            **{state: int((states == state).sum()) for state in STATES[:-1]},
        }

    def _of_assay(self, assay: str) -> str:
        samples = self.select(assay)
        below = int((samples["state"] == "below").sum())
        return f"{len(samples)} {assay} samples" + (
            f" ({below} below)" if below else ""
        )

    def __repr__(self) -> str:
        times = self._tables["samples"]["time"]
        n = len(self._tables["patients"])
        parts = [
            "1 patient" if n == 1 else f"{n} patients",
            *map(self._of_assay, self.assays),
            f"days {times.min():g} to {times.max():g}",
        ]
        simulated = " (simulated)" if self.settings.study.simulated else ""
        return f"Study {self.settings.study.id}{simulated}: {', '.join(parts)}"

    def _repr_html_(self) -> str:
        n = len(self._tables["problems"])
        title = self.settings.study.title or self.settings.study.id
        counted = f"{n} doubtful things: see <code>study.problems</code>" if n else ""
        return (
            f"<p><b>{html.escape(title)}</b><br>{html.escape(repr(self))}"
            f"<br>{counted or 'nothing doubtful was found'}</p>"
        )

    def __eq__(self, other: object) -> bool:
        """Compare what was infused, sampled and observed, wherever the files stood."""
        if not isinstance(other, Study):
            return NotImplemented
        return all(self._data(name).equals(other._data(name)) for name in TABLES)

    def _data(self, name: str) -> pd.DataFrame:
        """Return a table without where its rows stood, which samples alone tell."""
        table = self._tables[name]
        return table.drop(columns=_PLACE) if name == "samples" else table

    def __hash__(self) -> int:
        return hash(tuple(len(self._tables[name]) for name in TABLES))


def _usable(samples: pd.DataFrame) -> pd.Series:
    return ~samples["excluded"] & (samples["state"] != "missing")
