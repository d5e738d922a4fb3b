"""Supplemental qualifiers as they are written, and texts that are too long for one."""

import re
from collections.abc import Collection, Iterable

import pandas as pd

from cellpk.errors import DataError, Problem
from cellpk.study.dataset import Dataset, Variable, is_number
from cellpk.study.sdtm.supplements import GLUED, LONG
from cellpk.study.sdtm.variables import LABELS

MOST = 200
"""Bytes that a text of SDTM has at most."""

_KEYS = ("STUDYID", "DOMAIN", "USUBJID")
_COLUMNS = [
    *("STUDYID", "RDOMAIN", "USUBJID", "IDVAR", "IDVARVAL"),
    *("QNAM", "QLABEL", "QVAL", "QORIG", "QEVAL"),
]


def qualifiers(
    records: pd.DataFrame, name: str, label: str, *, values: pd.Series
) -> pd.DataFrame:
    """Return one qualifier of some records, where it says anything.

    Parameters
    ----------
    records : DataFrame
        ``USUBJID``, ``IDVAR`` and ``IDVARVAL`` of the records.
    name, label : str
        Of the qualifier.
    values : Series of str
        One per record, "" for none.

    Returns
    -------
    DataFrame
        The columns of ``records``, ``QNAM``, ``QLABEL`` and ``QVAL``.

    Examples
    --------
    >>> records = pd.DataFrame({"USUBJID": ["1"], "IDVAR": "", "IDVARVAL": ""})
    >>> values = pd.Series(["50"])
    >>> qualifiers(records, "BURDEN", "Tumour burden", values=values).shape
    (1, 6)
    """
    said = (values != "").to_numpy(bool)
    rows = records.loc[said].reset_index(drop=True)
    text = values[said].reset_index(drop=True)
    return rows.assign(QNAM=name, QLABEL=label[:40], QVAL=text)


def pieces(text: str) -> list[tuple[str, str]]:
    """Cut a text into pieces of at most 200 bytes, between words where it can be.

    Returns
    -------
    list of tuple
        Each piece, and what stood between it and the one before: " " or "".

    Examples
    --------
    >>> [(len(piece), between) for piece, between in pieces("word " * 50 + "word")]
    [(199, ''), (54, ' ')]
    >>> [len(piece.encode()) for piece, _ in pieces("\N{GREEK SMALL LETTER MU}" * 150)]
    [200, 100]
    """
    cut, between = [], ""
    while len(text.encode()) > MOST:
        begin = text.encode()[:MOST].decode(errors="ignore")
        space = len(begin) if text[len(begin)] == " " else begin.rfind(" ")
        words = space > 0 and len(begin[:space].encode()) >= LONG
        cut.append((begin[:space] if words else begin, between))
        text = text[space + 1 :] if words else text[len(begin) :]
        between = " " if words else ""
    return [*cut, (text, between)]


def continued(name: str, number: int) -> str:
    """Return what a variable is called whose text goes on in the supplement.

    Examples
    --------
    >>> continued("PCNOTE", 1), continued("PCREASND", 2)
    ('PCNOTE1', 'PCREASN2')
    """
    return f"{name[:7]}{number}"


def shortened(dataset: Dataset, records: pd.DataFrame) -> tuple[Dataset, pd.DataFrame]:
    """Move what is beyond 200 bytes of the texts of a data set to its supplement.

    Parameters
    ----------
    dataset : Dataset
        A domain.
    records : DataFrame
        ``USUBJID``, ``IDVAR`` and ``IDVARVAL`` of its records.

    Returns
    -------
    dataset : Dataset
        The same with short texts; keys stay as they are.
    more : DataFrame
        The qualifiers that continue them, as :func:`qualifiers`.

    Examples
    --------
    >>> records = pd.DataFrame({"USUBJID": ["1"], "IDVAR": "CMSEQ", "IDVARVAL": "1"})
    >>> frame = pd.DataFrame({"CMTRT": ["word " * 50 + "word"]})
    >>> data = Dataset("cm", "", frame, [Variable("CMTRT", "Name of Treatment")])
    >>> shortened(data, records)[1]["QNAM"].tolist()
    ['CMTRT1']
    """
    frame, parts = dataset.frame.copy(), []
    for name, label in dataset.labels.items():
        column = frame[name]
        if name in _KEYS or is_number(column) or not _any_long(column):
            continue
        cut = _cut(records.assign(QNAM=name, QLABEL=label, QVAL=column))
        first = cut[cut["QNAM"] == name]
        frame[name] = first["QVAL"].to_numpy(object)
        parts.append(cut[cut["QNAM"] != name])
    short = Dataset(dataset.name, dataset.label, frame, dataset.variables)
    return short, pd.concat(parts) if parts else records.iloc[:0]


def _any_long(texts: pd.Series) -> bool:
    return any(len(text) * 4 > MOST < len(text.encode()) for text in texts.unique())


def _cut(rows: pd.DataFrame) -> pd.DataFrame:
    """Put each piece of a long value in a row of its own."""
    if not _any_long(rows["QVAL"]):
        return rows
    cut = []
    for row in rows.to_dict("records"):
        parts = pieces(str(row["QVAL"]))
        if len(parts) > 10:
            what = f"a text of {len(row['QVAL'].encode())} bytes is too long for SDTM"
            todo = "Shorten it: SDTM has room for 2000 bytes."
            patient, name = str(row["USUBJID"]), str(row["QNAM"])
            raise DataError(Problem(what, todo, patient=patient, column=name))
        for number, (piece, between) in enumerate(parts):
            name = continued(row["QNAM"], number) if number else row["QNAM"]
            label = row["QLABEL"]
            if number and not between:
                label = label[: 40 - len(GLUED)] + GLUED
            cut.append({**row, "QNAM": name, "QLABEL": label, "QVAL": piece})
    return pd.DataFrame(cut)


def supplement(study: str, domain: str, parts: Iterable[pd.DataFrame]) -> list[Dataset]:
    """Return the supplement of a domain, or nothing where it says nothing.

    Examples
    --------
    >>> supplement("A", "DM", [])
    []
    """
    there = [part for part in parts if len(part)]
    if not there:
        return []
    rows = _cut(pd.concat(there, ignore_index=True))
    rows = rows.assign(STUDYID=study, RDOMAIN=domain, QORIG="Assigned", QEVAL="")
    variables = [Variable(name, LABELS[name]) for name in _COLUMNS]
    frame = rows[_COLUMNS].reset_index(drop=True)
    name = f"supp{domain.lower()}"
    return [Dataset(name, f"Supplemental Qualifiers for {domain}", frame, variables)]


def code(word: str, taken: Collection[str]) -> str:
    """Return a name for a qualifier or a test: at most 8 capitals and digits.

    It does not end in a digit, which would say that it continues another.

    Examples
    --------
    >>> code("flow_percent", []), code("burden_2", ["BURDEN"]), code("7th", [])
    ('FLOWPERC', 'BURDENB', 'X7TH')
    """
    plain = re.sub(r"[^A-Z0-9]", "", word.upper()) or "X"
    stem = (f"X{plain}" if plain[0].isdigit() else plain)[:8]
    stem = stem.rstrip("0123456789") or "X"
    if stem not in taken:
        return stem
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ends = [*letters[1:], *(one + other for one in letters for other in letters)]
    tried = (stem[: 8 - len(end)] + end for end in ends)
    return next(name for name in tried if name not in taken)
