"""What can be measured in a sample: one row per assay."""

from dataclasses import dataclass

from cellpk.study.units import factor

_GENE, _CAR_T, _BLOOD = "CAR transgene", "CAR-T cells", "cells/uL"


@dataclass(frozen=True)
class Assay:
    """One kind of measurement; series of different assays are never pooled.

    Parameters
    ----------
    name : str
        What the ``assay`` column of the samples says.
    label : str
        What it is called in tables and titles; of ours, at most 40 characters, so that
        it fits into a label of a CDISC data set.
    unit : str
        The unit, in ASCII, in which cellpk keeps every level of the assay.
    axis : str
        What the axis of a figure says, without the unit.
    kinetics : bool
        Whether the level is one of CAR-T cells or of their transgene.
    codes : tuple of str
        CDISC test codes that mean this assay and no other in any domain (codelists
        LBTESTCD and CPTESTCD of the SDTM controlled terminology of 28 March 2025).
    derived : bool
        Whether levels are worked out from those of another assay; such an assay is
        never the main one of a study unless study.toml says so.

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
    derived: bool = False


def derived_from(source: Assay) -> dict[str, Assay]:
    """Return the assays that can be worked out from one of copies, by their unit.

    Parameters
    ----------
    source : Assay
        The assay that was measured.

    Returns
    -------
    dict of Assay
        From copies in DNA: copies per cell, copies in blood, cells in blood. From
        copies in blood: cells in blood. From anything else: none.

    Examples
    --------
    >>> {unit: assay.name for unit, assay in derived_from(ASSAYS["ddpcr"]).items()}
    {'copies/cell': 'copies_per_cell_from_ddpcr', 'copies/uL': 'copies_from_ddpcr',
    'cells/uL': 'cells_from_ddpcr'}
    >>> derived_from(ASSAYS["flow"])
    {}
    """
    said = {
        "copies/cell": ("copies_per_cell", f"{_GENE} per cell"),
        "copies/uL": ("copies", f"{_GENE} in blood"),
        "cells/uL": ("cells", _CAR_T),
    }
    if source.derived or not source.kinetics:
        units: tuple[str, ...] = ()
    elif factor(source.unit, "copies/ug") is not None:
        units = tuple(said)
    else:
        units = ("cells/uL",) if factor(source.unit, "copies/uL") is not None else ()
    by = source.label.removeprefix(_GENE)
    by = by if by != source.label else f": {source.label}"
    return {
        unit: Assay(
            f"{said[unit][0]}_from_{source.name}",
            f"Derived {said[unit][1]}{by}",
            unit,
            f"Derived {said[unit][1]}",
            kinetics=True,
            derived=True,
        )
        for unit in units
    }


def _cells(name: str, label: str, unit: str, axis: str) -> Assay:
    """Return an assay of CAR-T cells or of their transgene."""
    return Assay(name, label, unit, axis, kinetics=True)


def _other(name: str, label: str, unit: str, axis: str, *codes: str) -> Assay:
    return Assay(name, label, unit, axis or label, codes=codes)


_KINETIC = (
    _cells("qpcr", f"{_GENE} by qPCR", "copies/ug", _GENE),
    _cells("ddpcr", f"{_GENE} by ddPCR", "copies/ug", _GENE),
    _cells("flow", f"{_CAR_T} by flow cytometry", _BLOOD, _CAR_T),
    _cells("qpcr_per_volume", f"{_GENE} in blood by qPCR", "copies/uL", _GENE),
    _cells("ddpcr_per_volume", f"{_GENE} in blood by ddPCR", "copies/uL", _GENE),
    _cells("flow_percent", "CAR-T share of T cells", "%", "CAR-T of T cells"),
    _cells(
        "flow_percent_of_lymphocytes",
        "CAR-T share of lymphocytes",
        "%",
        "CAR-T of lymphocytes",
    ),
    _cells(
        "flow_percent_of_wbc",
        "CAR-T share of white blood cells",
        "%",
        "CAR-T of white blood cells",
    ),
)

_OTHERS = (
    _other("il1b", "Interleukin 1 beta", "pg/mL", "IL-1 beta", "INTLK1B"),
    _other("il2", "Interleukin 2", "pg/mL", "IL-2", "INTLK2"),
    _other("il6", "Interleukin 6", "pg/mL", "IL-6", "INTLK6"),
    _other("il7", "Interleukin 7", "pg/mL", "IL-7", "INTLK7"),
    _other("il8", "Interleukin 8", "pg/mL", "IL-8", "INTLK8"),
    _other("il10", "Interleukin 10", "pg/mL", "IL-10", "INTLK10"),
    _other("il15", "Interleukin 15", "pg/mL", "IL-15", "INTLK15"),
    _other("ifn_gamma", "Interferon gamma", "pg/mL", "IFN-gamma", "IFNG"),
    _other("tnf_alpha", "Tumour necrosis factor alpha", "pg/mL", "TNF-alpha", "TNF"),
    _other("gm_csf", "GM-CSF", "pg/mL", "", "GMCSF"),
    _other("mcp1", "Monocyte chemotactic protein 1", "pg/mL", "MCP-1", "MCP1"),
    _other("cxcl10", "CXCL10 (IP-10)", "pg/mL", "CXCL10", "CXCL10"),
    _other("granzyme_b", "Granzyme B", "pg/mL", "", "GZMB"),
    # Kits calibrate the soluble receptor in mass or in units: no factor joins them.
    _other("sil2r", "Soluble interleukin 2 receptor", "pg/mL", "sIL-2R", "IL2SR"),
    _other(
        "sil2r_activity", "Soluble interleukin 2 receptor (units)", "U/mL", "sIL-2R"
    ),
    _other("crp", "C-reactive protein", "mg/L", "CRP", "CRP"),
    _other("ferritin", "Ferritin", "ug/L", "", "FERRITIN"),
    _other("ldh", "Lactate dehydrogenase", "U/L", "LDH", "LDH"),
    _other("fibrinogen", "Fibrinogen", "g/L", "", "FIBRINO"),
    _other("wbc", "White blood cells", _BLOOD, "", "WBC"),
    _other("alc", "Lymphocytes", _BLOOD, "", "LYM"),
    _other("anc", "Neutrophils", _BLOOD, "", "NEUT"),
    _other("monocytes", "Monocytes", _BLOOD, "", "MONO"),
    _other("pbmc", "Mononuclear cells in blood", _BLOOD, "Mononuclear cells"),
    _other("platelets", "Platelets", _BLOOD, "", "PLAT"),
    _other("haemoglobin", "Haemoglobin", "g/L", "", "HGB"),
    _other("cd3", "CD3+ T cells", _BLOOD, "T cells", "TLYCE"),
    _other("cd4", "CD4+ T cells", _BLOOD, "CD4+ T cells", "TLYH"),
    _other("cd8", "CD8+ T cells", _BLOOD, "CD8+ T cells"),
    _other("cd19", "CD19+ B cells", _BLOOD, "B cells", "BLYCE"),
    _other("nk", "Natural killer cells", _BLOOD, "NK cells", "NKCE"),
    # A concentration in serum or urine (the specimen says), and what urine excretes.
    _other("m_protein", "M-protein", "g/L", "", "MCPROT"),
    _other("m_protein_urine", "M-protein excreted in urine", "g/day", "", "MPROTEXR"),
    _other("flc_kappa", "Free light chains kappa", "mg/L", "Free kappa", "KLCFR"),
    _other("flc_lambda", "Free light chains lambda", "mg/L", "Free lambda", "LLCFR"),
    _other("flc_ratio", "Free light chains kappa/lambda", "1", "", "KLCLLCFR"),
    _other("sbcma", "Soluble BCMA", "ng/mL", "sBCMA", "BCMAS"),
    _other("plasma_cells", "Plasma cells of all cells", "%", "", "PLSTCECE"),
    _other(
        "circulating_plasma_cells", "Plasma cells of leukocytes", "%", "", "PLSTCELE"
    ),
    _other("donor_chimerism", "Donor chimerism", "%", ""),
    _other("temperature", "Body temperature", "degC", "Temperature"),
)

_DERIVED = tuple(row for source in _KINETIC for row in derived_from(source).values())

ASSAYS: dict[str, Assay] = {row.name: row for row in (*_KINETIC, *_OTHERS, *_DERIVED)}
"""Every assay by its name; the first of them that a study holds is its main one."""
