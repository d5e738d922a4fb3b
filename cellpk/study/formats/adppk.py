"""ADPPK alone: a data set of the population PK guide, one event a record."""

from collections.abc import Mapping
from typing import Literal

from cellpk.study.adam.options import AdamOptions
from cellpk.study.adam.reading import read_folder
from cellpk.study.adam.writing_population import write
from cellpk.study.config import Settings
from cellpk.study.delivery import Delivery
from cellpk.study.exchange import Format, register
from cellpk.study.grid import Grid

ENDINGS = (".csv", ".xpt", ".json", ".ndjson", ".dsjc", ".parquet")


class AdppkFiles(AdamOptions):
    """ADPPK data sets; other ADaM files beside them are read as in ``adam``."""

    format: Literal["adppk"]


def read(
    section: AdppkFiles, grids: Mapping[str, Grid], settings: Settings
) -> Delivery:
    """Read ADPPK: samples, infusions and the covariates of patients."""
    return read_folder(section, grids, settings)


register(Format("adppk", "ADPPK data sets", write, read, ENDINGS))
