"""Figures: every function under ``@figure`` in a file of this folder.

``cellpk.figures.profiles(study)`` returns a drawing with the data that it draws.
"""

from collections.abc import Callable

from cellpk.errors import nearest
from cellpk.reporting.figures.drawing import FIGURES, Drawing
from cellpk.study.discovery import import_all

import_all(__name__)


def __getattr__(name: str) -> Callable[..., Drawing]:
    if name not in FIGURES:
        message = f"there is no figure {name!r}. {nearest(name, FIGURES)}"
        raise AttributeError(message)
    return FIGURES[name]


def __dir__() -> list[str]:
    return sorted(FIGURES)
