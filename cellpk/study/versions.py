"""The versions of what a number rests on."""

from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "arviz",
    "great_tables",
    "lmfit",
    "matplotlib",
    "numba",
    "numpy",
    "nutpie",
    "pandas",
    "pydantic",
    "pymc",
    "pytensor",
    "scipy",
    "sympy",
)
"""Packages whose versions can change a number or a picture."""


def versions() -> dict[str, str]:
    """Return the installed versions, from the packages' own metadata.

    Examples
    --------
    >>> "numpy" in versions()
    True
    """
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
