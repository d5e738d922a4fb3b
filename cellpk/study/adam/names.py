"""Names of at most eight signs, as CDISC and SAS transport files want them."""

from collections import Counter
from collections.abc import Iterable, Mapping

from cellpk.study.assays import Assay
from cellpk.study.sdtm.writing_findings import codes_of as test_codes

LONGEST = 8
LABEL = 40
DOSE = "DOSE"
"""The parameter code of doses."""


def short_name(name: str, taken: Iterable[str] = ()) -> str:
    """Return a name of capitals and digits, at most eight, that is not taken yet.

    Vowels go first, from the end; what is still too long is cut.

    Parameters
    ----------
    name : str
        A name of letters, digits and '_'.
    taken : iterable of str
        Names that are in use.

    Examples
    --------
    >>> short_name("tumour_burden"), short_name("age"), short_name("age", ["AGE"])
    ('TUMRBRDN', 'AGE', 'AGE2')
    """
    signs = [sign for sign in name.upper() if sign.isascii() and sign.isalnum()]
    for place in range(len(signs) - 1, 0, -1):
        if len(signs) > LONGEST and signs[place] in "AEIOU":
            del signs[place]
    word = "".join(signs) or "X"
    word = (f"X{word}" if word[0].isdigit() else word)[:LONGEST]
    used, again, number = set(taken), word, 1
    while again in used:
        number += 1
        again = f"{word[: LONGEST - len(str(number))]}{number}"
    return again


def codes_of(assays: Iterable[str], known: Mapping[str, Assay]) -> dict[str, str]:
    """Return the parameter code by which each assay is written.

    It is the test code of our SDTM data sets, unless that is the code of doses.

    Parameters
    ----------
    assays : iterable of str
        Names of assays.
    known : mapping
        Every assay of the study.

    Examples
    --------
    >>> from cellpk.study.assays import ASSAYS
    >>> codes_of(["qpcr", "il6"], ASSAYS)
    {'qpcr': 'QPCR', 'il6': 'INTLK6'}
    """
    found = test_codes({name: known[name] for name in assays})
    other = short_name(DOSE, found.values())
    return {name: other if word == DOSE else word for name, word in found.items()}


def labels_of(found: Mapping[str, str], known: Mapping[str, Assay]) -> dict[str, str]:
    """Return the PARAM of each assay; equal ones are told apart by their codes.

    Parameters
    ----------
    found : mapping
        By assay, its code.
    known : mapping
        Every assay of the study.

    Examples
    --------
    >>> from cellpk.study.assays import ASSAYS
    >>> labels_of({"il6": "INTLK6"}, ASSAYS)
    {'il6': 'Interleukin 6'}
    """
    labels = {name: label_of(known[name].label) for name in found}
    often = Counter(labels.values())
    return {
        name: label if often[label] == 1 else f"{label[:28].strip()} ({found[name]})"
        for name, label in labels.items()
    }


def label_of(text: str) -> str:
    """Return a label, cut to 40 characters.

    Examples
    --------
    >>> len(label_of("x" * 50))
    40
    """
    return text[:LABEL].strip()
