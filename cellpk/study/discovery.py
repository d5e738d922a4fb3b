"""Finding what a folder holds, so that nothing has to be listed anywhere."""

import importlib
import pkgutil


def import_all(package: str) -> None:
    """Import every file of a package, whose decorators then register what it holds.

    Parameters
    ----------
    package : str
        Full name of the package.

    Examples
    --------
    >>> import cellpk.reporting.tables as folder
    >>> import_all(folder.__name__)
    >>> "kinetics" in dir(folder)
    True
    """
    path = importlib.import_module(package).__path__
    for file in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{file.name}")
