"""ADaM data sets: one subject, level, dose, response, event or drug a record."""

from collections.abc import Mapping
from typing import Literal

from cellpk.study.adam.options import AdamOptions
from cellpk.study.adam.reading import read_folder, recognise
from cellpk.study.adam.writing import write
from cellpk.study.config import Settings
from cellpk.study.delivery import Delivery
from cellpk.study.exchange import Format, register
from cellpk.study.grid import Grid

ENDINGS = (".csv", ".xpt", ".json", ".ndjson", ".dsjc", ".parquet")


class AdamFiles(AdamOptions):
    """ADaM data sets (ADSL, ADPC, ADLB, ADRS, ADTTE, ADAE, ADCM, ADEX, ADPPK)."""

    format: Literal["adam"]


def read(section: AdamFiles, grids: Mapping[str, Grid], settings: Settings) -> Delivery:
    """Read ADaM data sets, as :func:`cellpk.study.adam.reading.read_folder` says."""
    return read_folder(section, grids, settings)


register(Format("adam", "ADaM data sets", write, read, ENDINGS, recognise))
