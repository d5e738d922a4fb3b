"""What the two sides of an association are called, with units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellpk.study.assays import ASSAYS, Assay
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from cellpk.outcomes.cytokines import CytokineAssociation
    from cellpk.outcomes.exposure_response import ExposureResponse

    Result = ExposureResponse | CytokineAssociation


@dataclass(frozen=True)
class Labels:
    """What an association is called.

    Parameters
    ----------
    outcome : str
        Endpoint or cytokine.
    exposure, unit : str
        Exposure, and its unit as printed.
    assay : str
        Assay of the exposure.

    Examples
    --------
    >>> Labels("Response", "Cmax", "cells/µL", "CAR-T cells by flow").axis
    'Cmax (cells/µL), CAR-T cells by flow'
    """

    outcome: str
    exposure: str
    unit: str
    assay: str

    @property
    def axis(self) -> str:
        """What the axis of the exposure says."""
        return f"{self.exposure} ({self.unit}), {self.assay}"


def labels_of(result: "Result") -> Labels:
    """Return what an association is called.

    Parameters
    ----------
    result : ExposureResponse or CytokineAssociation
        The association.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> labels_of(ck.cytokine_association(ck.nca(study), study)).outcome
    'IL-6'
    """
    row = result.table.iloc[0]
    assays = {assay.name: assay for assay in result.assays}
    name = str(row["endpoint" if "endpoint" in row else "cytokine"])
    unit = pretty(result.units["exposure"])
    assay = assays[str(row["assay"])].label
    return Labels(spoken(name, assays), spoken(str(row["exposure"])), unit, assay)


def spoken(name: str, assays: Mapping[str, Assay] = ASSAYS) -> str:
    """Return what a metric, an endpoint or an assay is called; else its own name.

    Parameters
    ----------
    name : str
        As it stands in a column or in study.toml.
    assays : mapping of Assay
        The assays there are, by name; cellpk's own without.

    Examples
    --------
    >>> [spoken(name) for name in ("cmax", "il6", "crs_grade_2", "alpha")]
    ['Cmax', 'IL-6', 'CRS of grade 2 or higher', 'alpha']
    """
    from cellpk.kinetics.metrics import METRICS
    from cellpk.outcomes.endpoints import ENDPOINTS

    if name in assays:
        return assays[name].axis
    known = METRICS.get(name) or ENDPOINTS.get(name)
    return known.label if known else name
