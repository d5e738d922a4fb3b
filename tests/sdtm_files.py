"""Small SDTM folders for tests: domains as rows, read as a study."""

import csv

import pytest

from cellpk import DataError, read_study

DM = {"DOMAIN": "DM", "USUBJID": "S-1", "SUBJID": "1", "RFSTDTC": "2020-03-01"}
EX = {"DOMAIN": "EX", "USUBJID": "S-1", "EXSEQ": "1", "EXTRT": "CART"}
EX |= {"EXDOSE": "1e8", "EXDOSU": "cells", "EXSTDTC": "2020-03-01T10:00"}
PC = {"DOMAIN": "PC", "USUBJID": "S-1", "PCSEQ": "1", "PCTESTCD": "CAR"}
PC |= {"PCORRES": "300", "PCSTRESC": "300", "PCSTRESN": "300"}
PC |= {"PCSTRESU": "copies/ug", "PCDTC": "2020-03-08T10:00"}
BASE = {"dm": [DM], "ex": [EX], "pc": [PC]}
SECTION = 'assays = { CAR = "qpcr" }'


def rows(row, *changes):
    """Return copies of a row, each with its changes."""
    return [row | change for change in changes]


def write(folder, section=SECTION, **domains):
    """Write a study of the base domains and those given; return its study.toml."""
    for name, records in (BASE | domains).items():
        if records:
            write_csv(folder / "sdtm" / f"{name}.csv", records)
    text = '[study]\nid = "S"\ninfusion_day = 1\n[[data]]\nformat = "sdtm"\n'
    path = folder / "study.toml"
    path.write_text(f'{text}files = ["sdtm"]\n{section}\n', encoding="utf-8")
    return path


def write_csv(path, records):
    path.parent.mkdir(exist_ok=True)
    names = list(dict.fromkeys(name for row in records for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(records)


def study(folder, section=SECTION, **domains):
    return read_study(write(folder, section, **domains))


def problems(folder, section=SECTION, **domains):
    with pytest.raises(DataError) as caught:
        study(folder, section, **domains)
    # What is doubtful is told along with what is impossible.
    return [p for p in caught.value.problems if p.severity == "error"]


def told(read, word):
    """Return what is doubtful in a study with a word in its sentence."""
    return [text for text in read.problems["what"] if word in text]


def aside(read):
    """Return what was set aside: number of rows by file and reason."""
    table = read.accounting.query("fate == 'set aside'")
    return {(row.file, row.reason): row.rows for row in table.itertuples()}


def columns(read, table, *names):
    """Return columns of a table as rows, NaN as None."""
    frame = getattr(read, table)[list(names)].astype(object)
    return frame.where(frame.notna(), None).to_numpy().tolist()
