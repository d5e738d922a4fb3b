"""What can be measured in a sample: one row per assay."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Assay:
    """One kind of measurement; series of different assays are never pooled.

    Parameters
    ----------
    name : str
        What the ``assay`` column of the samples says.
    label : str
        What it is called in tables and titles.
    unit : str
        The unit, in ASCII, in which cellpk keeps every level of the assay.
    axis : str
        What the axis of a figure says, without the unit.
    kinetics : bool
        Whether the level is one of CAR-T cells or of their transgene.
    codes : tuple of str
        CDISC test codes that mean this assay and no other.

    Examples
    --------
    >>> ASSAYS["flow"].unit
    'cells/uL'
    """

    name: str
    label: str
    unit: str
    axis: str
    kinetics: bool = False
    codes: tuple[str, ...] = ()


_ROWS = (
    Assay("qpcr", "CAR transgene by qPCR", "copies/ug", "CAR transgene", kinetics=True),
    Assay(
        "ddpcr", "CAR transgene by ddPCR", "copies/ug", "CAR transgene", kinetics=True
    ),
    Assay(
        "flow",
        "CAR-T cells by flow cytometry",
        "cells/uL",
        "CAR-T cells",
        kinetics=True,
    ),
    Assay(
        "flow_percent", "CAR-T share of T cells", "%", "CAR-T of T cells", kinetics=True
    ),
    Assay("il6", "Interleukin 6", "pg/mL", "IL-6"),
    Assay("il10", "Interleukin 10", "pg/mL", "IL-10"),
    Assay("ifn_gamma", "Interferon gamma", "pg/mL", "IFN-gamma"),
    Assay("crp", "C-reactive protein", "mg/L", "CRP"),
    Assay("ferritin", "Ferritin", "ug/L", "Ferritin"),
    Assay("ldh", "Lactate dehydrogenase", "U/L", "LDH"),
    Assay("wbc", "White blood cells", "cells/uL", "White blood cells"),
    Assay("alc", "Lymphocytes", "cells/uL", "Lymphocytes"),
    Assay("cd3", "CD3+ T cells", "cells/uL", "T cells"),
    Assay("cd19", "CD19+ B cells", "cells/uL", "B cells"),
)

ASSAYS: dict[str, Assay] = {row.name: row for row in _ROWS}
"""Every assay by its name; the first of them that a study holds is its main one."""
