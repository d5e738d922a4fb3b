"""Texts that stand in place of a level, as '<50' or 'BLQ', and what they say."""

import re
from typing import NamedTuple

BLANK = frozenset({"", "na", "n/a", "nan", "<na>", "."})
"""What stands in a cell where nothing is known (compared without case)."""

NOT_DETECTED = (
    *("nd", "notdetected", "undetected", "undetectable", "nondetectable"),
    *("targetnotdetected", "tnd", "neg", "negative"),
    *("未检出", "未检测到", "阴性"),
)
"""Texts that say that nothing was seen."""

WORDS: dict[str, tuple[str, ...]] = {
    "below": (
        "below",
        *("blq", "bql", "bloq", "blloq", "<loq", "<lloq", "<llq"),
        *("<blq", "<bql", "<bloq", "belowloq", "belowlloq"),
        *("belowlimitofquantification", "belowlowerlimitofquantification"),
        *("belowthelimitofquantification", "belowthelowerlimitofquantification"),
        *("nq", "notquantifiable", "unquantifiable"),
        *("bdl", "blod", "<lod", "<llod", "<lld", "belowlod", "belowllod"),
        *("belowdetectionlimit", "belowlimitofdetection", "belowthelimitofdetection"),
        *("低于定量下限", "低于定量限", "小于定量下限"),
        *("低于检测下限", "低于检测限", "低于检出限", "小于检测下限", "小于检出限"),
        *NOT_DETECTED,
    ),
    "detected": (
        *("detected", "dnq", "detectednotquantifiable", "detectednotquantified"),
        *("detected<lloq", "detected<loq", "detectedbelowlloq", "detectedblq"),
        *("detectablenotquantifiable", "pos", "positive", "positive<lloq"),
        *("positivenotquantifiable", "检出", "阳性"),
    ),
    "above": (
        *("above", "alq", "aloq", "aql", "auloq", ">uloq", ">hloq", ">ulq"),
        *("aboveuloq", "aboveupperlimitofquantification"),
        *("高于定量上限", "超出定量上限", "高于检测上限", "超出检测上限"),
    ),
    "missing": (
        *(*BLANK, "missing", "notdone", "nosample", "-", "nottested", "notcollected"),
        *("noresult", "notreported", "notavailable", "notapplicable"),
        *("qns", "quantitynotsufficient", "insufficientsample"),
        *("未做", "未采集", "未测", "无结果", "缺失", "样本量不足"),
    ),
}
"""The texts that stand in place of a level, by what they say of the sample.

They are compared without case, spaces and, where that makes a word of them, without
points, hyphens and brackets. ``ND`` is read as not detected, never as not done.
"""

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"

_STATE_OF = {word: state for state, words in WORDS.items() for word in words}
_SIDES = {"<": "below", "≤": "below", ">": "above", "≥": "above"}
# A unit has a stroke or a percent sign. Of a power of ten only a space tells the
# number: 0.3 10^9/L is not 0.310^9/L.
_UNIT = (
    r"(?:\s*(?=[^\d])|\s+)(?P<unit>(?:[a-zµμ*^\d.]*/[a-zµμ*^\d.]*[a-zµμ][a-zµμ*^\d.]*"
    r"|%|percent)(?: (?:cells?|g?dna))?)"
)
_WITH_LIMIT = re.compile(
    rf"(?P<before>[^<>≤≥=\d]*)(?P<side><=|>=|<|>|≤|≥)\s*(?P<number>{NUMBER})"
    rf"(?:{_UNIT})?(?P<after>\D*)"
)
_WITH_UNIT = re.compile(rf"(?P<number>{NUMBER}){_UNIT}")
_DECORATION = re.compile(r"[\s.,;:()\[\]_-]")
_SWAPPED = str.maketrans(".,", ",.")
# Forms of Latin signs as wide as Chinese ones, and other signs for the same.
_WIDE = {0xFF01 + i: 0x21 + i for i in range(94)}
_WIDE |= str.maketrans("≦≧⩽⩾", "≤≥≤≥")

_GROUPS = (r"\d{1,3}(?:,\d{3})+(?:\.\d*)?", r"\d{1,3}(?:\.\d{3})+(?:,\d*)?")
_SPACED = re.compile(r"\d{1,3}(?:[\s'’]\d{3})+(?:[.,]\d*)?")
_COMMA = re.compile(r"\d+,\d+")


class LevelText(NamedTuple):
    """What a text says of a level.

    Parameters
    ----------
    state : str
        One of ``STATES``, or "" where the text is not known.
    number : str
        The level or the limit that it states, with a decimal point; "" for none.
    unit : str
        The unit that it states, "" for none.

    Examples
    --------
    >>> read_text("<50 copies/ug")
    LevelText(state='below', number='50', unit='copies/ug')
    """

    state: str
    number: str = ""
    unit: str = ""


def read_text(text: str, *, decimal: str = ".") -> LevelText:
    """Say what a text in place of a level means.

    Parameters
    ----------
    text : str
        The cell, which is no plain number.
    decimal : {".", ","}
        The decimal sign of the file.

    Returns
    -------
    LevelText
        A text that says two different things, as ``>50 (BLQ)``, is not known.

    Examples
    --------
    >>> read_text("Detected (<50)"), read_text("n.d."), read_text("5.2 %")
    (LevelText(state='detected', number='50', unit=''),
     LevelText(state='below', number='', unit=''),
     LevelText(state='quantified', number='5.2', unit='%'))
    """
    plain = " ".join(text.translate(_WIDE).casefold().split())
    together = plain.replace(" ", "")
    if together in _STATE_OF:
        return LevelText(_STATE_OF[together])
    if decimal == ",":
        plain = plain.translate(_SWAPPED)
    limited = _WITH_LIMIT.fullmatch(plain)
    if limited:
        return _limited(limited)
    found = _WITH_UNIT.fullmatch(plain)
    if found:
        return LevelText("quantified", found["number"], found["unit"])
    bare = _bare(plain)
    return LevelText(_STATE_OF.get(bare, "") if bare else "")


def _bare(word: str) -> str:
    return _DECORATION.sub("", word)


def _limited(found: re.Match[str]) -> LevelText:
    """Read a text with a limit, and perhaps a word that says more of it."""
    side = _SIDES[found["side"][0]]
    word = _bare(found["before"] + found["after"])
    state = _STATE_OF.get(word, "") if word else side
    fits = state == side or (state, side) == ("detected", "below")
    if not fits:
        return LevelText("")
    return LevelText(state, found["number"], found["unit"] or "")


def why_not(text: str, *, decimal: str = ".") -> tuple[str, str]:
    """Say why a text is no level, and what to do about it.

    Parameters
    ----------
    text : str
        A cell that :func:`read_text` does not know.
    decimal : {".", ","}
        The decimal sign of the file.

    Returns
    -------
    what, todo : str
        Sentences.

    Examples
    --------
    >>> why_not("1,234")[0]
    'the level is neither a number nor a text that is known: it has a thousands
    separator or a decimal comma'
    """
    what = "the level is neither a number nor a text that is known"
    digits = text.translate(_WIDE).lstrip("<>≤≥=+- ")
    if decimal == "." and re.fullmatch(r"\d{1,3},\d{3}", digits):
        return (
            f"{what}: it has a thousands separator or a decimal comma",
            "Write it without (1234), or set decimal = ',' in study.toml (1.234).",
        )
    if re.fullmatch(_GROUPS[decimal == ","], digits) or _SPACED.fullmatch(digits):
        return f"{what}: it has a thousands separator", "Write it without: 1234."
    if decimal == "." and _COMMA.fullmatch(digits):
        return f"{what}: it has a decimal comma", "Set decimal = ',' in study.toml."
    return what, (
        "Write a number, or for instance '<50', 'BLQ', 'ND', '>ULOQ', 'NA', or say "
        "under 'texts' in study.toml which of these it means."
    )
