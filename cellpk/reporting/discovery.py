"""Finding what a folder holds, so that nothing has to be listed anywhere."""

import importlib
import pkgutil
from collections.abc import Iterable


def import_all(package: str, path: Iterable[str]) -> None:
    """Import every file of a package, whose decorators then register what it holds.

    Parameters
    ----------
    package : str
        Full name of the package.
    path : iterable of str
        Its ``__path__``.

    Examples
    --------
    >>> import cellpk.reporting.tables as folder
    >>> import_all(folder.__name__, folder.__path__)
    >>> "kinetics" in dir(folder)
    True
    """
    for file in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{file.name}")
