"""What samples are made of: one name per specimen, however the files spell it."""

import pandas as pd

SPECIMENS: dict[str, tuple[str, ...]] = {
    "blood": ("whole blood", "peripheral blood", "venous blood", "pb"),
    "pbmc": (
        "pbmcs",
        "peripheral blood mononuclear cell",
        "peripheral blood mononuclear cells",
    ),
    "marrow": ("bone marrow", "bone marrow aspirate", "bone marrow, liquid", "bm"),
    "csf": ("cerebrospinal fluid",),
    "serum": (),
    "plasma": (),
    "urine": (),
    "pleural fluid": ("pleural effusion",),
    "peritoneal fluid": ("ascites", "ascitic fluid"),
    "pericardial fluid": ("pericardial effusion",),
    "lymph node": ("lymph node tissue",),
    "tumour": ("tumor", "tumor tissue", "tumour tissue"),
}
"""By our name, other spellings, CDISC's among them; compared without case."""

_OURS = {name: name for name in SPECIMENS}
_OURS |= {word: name for name, words in SPECIMENS.items() for word in words}


def specimen(word: str) -> str:
    """Return our name of a specimen; a word that is in no list stays as it is.

    Examples
    --------
    >>> specimen("PERIPHERAL BLOOD"), specimen("CSF"), specimen("Skin biopsy")
    ('blood', 'csf', 'Skin biopsy')
    """
    return _OURS.get(word.casefold(), word)


def specimens(words: pd.Series) -> pd.Series:
    """Return our names of many specimens, each word looked up once.

    Examples
    --------
    >>> specimens(pd.Series(["Bone Marrow", "", "serum"], dtype="str")).tolist()
    ['marrow', '', 'serum']
    """
    ours = {word: specimen(word) for word in words.unique()}
    return words.map(ours).astype("str")
