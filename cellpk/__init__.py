"""CAR-T cellular kinetics: from study files to metrics, fits and the report.

The public names stand in ``__init__.pyi``. They are imported on first use, so that
``import cellpk`` stays fast.
"""

from importlib.metadata import version

import lazy_loader

__version__ = version("cellpk")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
