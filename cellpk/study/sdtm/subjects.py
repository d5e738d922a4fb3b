"""Whose records are read, and when each patient's time 0 was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem
from cellpk.study.dates import Dates, read_dates
from cellpk.study.delivery import Delivery
from cellpk.study.sdtm.domains import Domain, Mask
from cellpk.study.sdtm.exposure import Exposure
from cellpk.study.sdtm.section import SdtmFiles

NEVER = "a patient who was never infused"


@dataclass(frozen=True)
class Subjects:
    """The patients whom DM or the infusions name.

    Parameters
    ----------
    names : Index of str
        USUBJID of each.
    patients : ndarray of str
        What the study calls them.
    start : Dates
        Time 0 of each: the start of the first infusion, or the reference of
        study.toml; no date for those who were never infused.
    reference : Dates
        What the days of SDTM (--DY) count from: RFSTDTC.
    variable : str
        The variable that says what the study calls them.
    again : Index of str
        USUBJID of those who were infused on several days.

    Examples
    --------
    >>> subjects = Subjects.of({"S-1": "2014-01-02T09:00", "S-2": ""})
    >>> subjects.start.known.tolist()
    [True, False]
    """

    names: pd.Index
    patients: NDArray[np.object_]
    start: Dates
    reference: Dates
    variable: str = "USUBJID"
    again: pd.Index = field(default_factory=lambda: pd.Index([], dtype="str"))

    @classmethod
    def of(cls, starts: Mapping[str, str]) -> "Subjects":
        """Make subjects of their names and their times 0, "" for none.

        Examples
        --------
        >>> Subjects.of({"S-1": "2014-01-02"}).patients.tolist()
        ['S-1']
        """
        dates = read_dates(pd.Series(list(starts.values()), dtype="str"))
        names = pd.Index(list(starts), dtype="str")
        return cls(names, names.to_numpy(object), dates, dates)

    def places(self, part: Domain) -> NDArray[np.intp]:
        """Return the place of the patient of each record; -1 where none is named."""
        return np.asarray(self.names.get_indexer(pd.Index(part.subjects)))

    def patient(self, part: Domain) -> pd.Series:
        """Return what the study calls the patient of each record."""
        places = self.places(part)
        named = np.append(self.patients, "")[places]
        return pd.Series(named, dtype="str")

    def known(self, part: Domain) -> tuple[Mask, Mask]:
        """Tell which records are of patients with a time 0, and which of nobody."""
        places = self.places(part)
        return self.start.at(places).known, places < 0


def usable(part: Domain, subjects: Subjects, delivery: Delivery, *, rows: Mask) -> Mask:
    """Return which of some records are of patients of the study.

    Records of patients who were never infused are put aside; those of patients whom
    neither DM nor the infusions name are problems.

    Examples
    --------
    >>> subjects = Subjects.of({"1": "2014-01-02", "2": ""})
    >>> cm, delivery = Domain.of("CM", USUBJID=["1", "2"]), Delivery()
    >>> usable(cm, subjects, delivery, rows=np.array([True, True])).tolist()
    [True, False]
    >>> delivery.aside[0].reason
    'of a patient who was never infused'
    """
    known, nobody = subjects.known(part)
    what = "neither DM nor the infusions name this patient"
    todo = "Add the patient to DM, or correct USUBJID."
    part.complain(
        nobody & rows, what, todo, column="USUBJID", to=delivery, rule="unknown_patient"
    )
    delivery.put_aside(part.grid, rows & ~known & ~nobody, f"of {NEVER}")
    return rows & known


def subjects_of(
    domains: Sequence[Domain],
    exposures: Sequence[Exposure],
    section: SdtmFiles,
    *,
    delivery: Delivery,
) -> Subjects:
    """Find each patient's time 0.

    Parameters
    ----------
    domains : sequence of Domain
        All of them, of which DM is read.
    exposures : sequence of Exposure
        The infusions of the product.
    section : SdtmFiles
        ``reference`` and ``infusion_clock``.
    delivery : Delivery
        Where contradictions are told.

    Examples
    --------
    >>> dm = Domain.of("DM", USUBJID=["1", "2"], RFXSTDTC=["2014-01-02", ""])
    >>> section = SdtmFiles(format="sdtm", files=("sdtm",), infusion_clock="08:00")
    >>> subjects = subjects_of([dm], [], section, delivery=Delivery())
    >>> subjects.start.known.tolist()
    [True, False]
    """
    people = [part for part in domains if part.name == "DM"]
    infused = [part.domain.subjects[part.product] for part in exposures]
    named = pd.concat([*(part.subjects for part in people), *infused, pd.Series()])
    names = pd.Index(named[named != ""].unique(), dtype="str")
    exposed, again = _first_infusion(names, exposures, section, delivery=delivery)
    treated = _of_people(people, names, "RFXSTDTC", delivery)
    study = _of_people(people, names, "RFSTDTC", delivery)
    if section.reference == "infusion":
        other = _of_others(names, exposures, treated)
        _contradictions(people, names, exposed, treated, (other, exposures, delivery))
        start = exposed.with_clock(treated)
        start = _or_else(start, treated.at(np.where(other, -1, np.arange(len(names)))))
    else:
        start = treated if section.reference == "RFXSTDTC" else study
    start = start.with_clock(section.infusion_clock)
    _infused_at_no_time(names, infused, start, (section, exposures, delivery))
    called = _called(people, names, section, delivery)
    return Subjects(names, called, start, study, section.subject, names[again])


def _first_infusion(
    names: pd.Index,
    exposures: Sequence[Exposure],
    section: SdtmFiles,
    *,
    delivery: Delivery,
) -> tuple[Dates, Mask]:
    """Return when each patient's first infusion began, and who had another later."""
    parts = [
        pd.DataFrame({"place": pd.Series(dtype=int), "text": pd.Series(dtype="str")})
    ]
    for exposure in exposures:
        part, rows = exposure.domain, exposure.product
        text = part.own("STDTC")
        dates = read_dates(text)
        what, todo = "the start of the infusion is no date", "Write it as ISO 8601."
        column = f"{part.name}STDTC"
        part.complain(dates.wrong & rows, what, todo, column=column, to=delivery)
        places = np.asarray(names.get_indexer(pd.Index(part.subjects)))
        full = rows & dates.known
        parts.append(pd.DataFrame({"place": places[full], "text": text[full]}))
    every = pd.concat(parts, ignore_index=True)
    dates = read_dates(every["text"].astype("str"))
    # Of records of one day, one that tells the clock time knows more.
    order = np.lexsort([dates.clock, dates.day, every["place"].to_numpy(int)])
    firsts = every.iloc[order].drop_duplicates("place").set_index("place")["text"]
    text = firsts.reindex(range(len(names))).fillna("").astype("str")
    first = read_dates(text)
    places = every["place"].to_numpy(int)
    again = np.zeros(len(names), dtype=bool)
    again[places[dates.day > first.day[places]]] = True
    return first, again


def _of_others(names: pd.Index, exposures: Sequence[Exposure], treated: Dates) -> Mask:
    """Tell for whom RFXSTDTC is the day of another treatment than the product.

    Lymphodepletion is an exposure too: its first day is no infusion.
    """
    found = np.zeros(len(names), dtype=bool)
    for exposure in exposures:
        part, rows = exposure.domain, exposure.other
        places = np.asarray(names.get_indexer(pd.Index(part.subjects)))
        same = read_dates(part.own("STDTC")).day == treated.at(places).day
        found[places[rows & same & (places >= 0)]] = True
    return found


def _of_people(
    people: Sequence[Domain], names: pd.Index, variable: str, delivery: Delivery
) -> Dates:
    """Return a date of DM for each patient."""
    text = pd.Series([""] * len(names), dtype="str")
    for part in people:
        said = part.text(variable)
        wrong = read_dates(said).wrong
        what, todo = f"{variable} is no date", "Write it as ISO 8601."
        part.complain(wrong, what, todo, column=variable, to=delivery)
        places = np.asarray(names.get_indexer(pd.Index(part.subjects)))
        text.iloc[places[places >= 0]] = said[places >= 0].to_numpy(object)
    return read_dates(text)


def _or_else(dates: Dates, other: Dates) -> Dates:
    """Return dates, or other ones where they are not known."""
    known = dates.known
    return Dates(
        np.where(known, dates.day, other.day),
        np.where(known, dates.clock, other.clock),
        np.where(known, dates.partial, other.partial),
        np.where(known, dates.wrong, other.wrong),
    )


def _contradictions(
    people: Sequence[Domain],
    names: pd.Index,
    exposed: Dates,
    treated: Dates,
    more: tuple[Mask, Sequence[Exposure], Delivery],
) -> None:
    """Tell where EX and RFXSTDTC name different days, or only one names any."""
    other, exposures, delivery = more
    for part in people:
        places = np.asarray(names.get_indexer(pd.Index(part.subjects)))
        one, two = exposed.at(places), treated.at(places)
        told = other[places] & (places >= 0)
        differ = one.known & two.known & (one.day != two.day) & ~told
        what = "{n} in which RFXSTDTC is another day than the first infusion"
        todo = "Time 0 is the infusion; say reference = 'RFXSTDTC' to take the other."
        part.doubt(
            differ, what, todo, column="RFXSTDTC", to=delivery, rule="reference_differs"
        )
        alone = two.known & ~one.known & ~told & bool(exposures)
        what = "{n} of patients with RFXSTDTC and without a dated infusion"
        todo = "Time 0 is RFXSTDTC for them; complete the infusions."
        part.doubt(
            alone, what, todo, column="RFXSTDTC", to=delivery, rule="reference_differs"
        )


def _infused_at_no_time(
    names: pd.Index,
    infused: Sequence[pd.Series],
    start: Dates,
    more: tuple[SdtmFiles, Sequence[Exposure], Delivery],
) -> None:
    """Complain of patients who were infused and whose time 0 is not known."""
    section, exposures, delivery = more
    where = "infusion has a full date, nor tells RFXSTDTC its day"
    if section.reference != "infusion":
        where = f"{section.reference} is a full date"
    for exposure, subjects in zip(exposures, infused, strict=True):
        lost = names[~start.known]
        for name in dict.fromkeys(subjects[subjects.isin(lost)]):
            what = f"the patient was infused, but no {where}"
            todo = "Give the date: all times count from it."
            file = exposure.domain.grid.file
            delivery.problems.append(Problem(what, todo, file=file, patient=name))


def _called(
    people: Sequence[Domain], names: pd.Index, section: SdtmFiles, delivery: Delivery
) -> NDArray[np.object_]:
    """Return what the study calls each patient."""
    called = pd.Series(names, index=names, dtype="str")
    if section.subject == "USUBJID":
        return called.to_numpy(object)
    for part in people:
        short = part.text("SUBJID")
        again = short.duplicated(keep=False).to_numpy(bool) | (short == "").to_numpy(
            bool
        )
        what = "SUBJID does not tell the patients apart"
        part.complain(
            again, what, "Say subject = 'USUBJID'.", column="SUBJID", to=delivery
        )
        called.loc[part.subjects.to_numpy(object)] = short.to_numpy(object)
    return called.to_numpy(object)
