"""Tables: every function under ``@table`` in a file of this folder.

``cellpk.tables.kinetics(metrics, study)`` returns a table: numbers and printed strings.
"""

from collections.abc import Callable

from cellpk.errors import nearest
from cellpk.reporting.table import TABLES, Table
from cellpk.study.discovery import import_all

import_all(__name__)


def __getattr__(name: str) -> Callable[..., Table]:
    if name not in TABLES:
        message = f"there is no table {name!r}. {nearest(name, TABLES)}"
        raise AttributeError(message)
    return TABLES[name]


def __dir__() -> list[str]:
    return sorted(TABLES)
