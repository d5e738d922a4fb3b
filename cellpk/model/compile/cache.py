"""Generated modules on disk: each under the hash of its text, compiled once a machine.

numba keeps what it compiles beside the file, and takes it up again in a later process
as long as the file is untouched.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from importlib import metadata
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from inspect import getsource
from math import ceil
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import CodeType, ModuleType
from typing import Any

from cellpk.errors import ModelError

Notify = Callable[[str], None]
"""Told what takes some seconds, in a sentence."""

SECONDS_PER_LINE = 0.002
"""Time that numba takes, rough: 1.1 s for 540 lines on a machine of 2025."""


def cache_folder() -> Path:
    """Return the folder of generated modules: ``$CELLPK_CACHE``, else the user's cache.

    Examples
    --------
    >>> cache_folder().name != ""
    True
    """
    named = os.environ.get("CELLPK_CACHE")
    if named:
        return Path(named)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("cellpk")) / "kernels"


def module_name(text: str, *, also: Iterable[str] = ()) -> str:
    """Return the name of the module that has this text.

    Parameters
    ----------
    text : str
        Of the module.
    also : iterable of str
        Texts of modules whose functions are compiled into it: numba does not see when
        they change.

    Examples
    --------
    >>> module_name("x = 1") == module_name("x = 1") != module_name("x = 2")
    True
    """
    parts = (text, *also, metadata.version("numba"))
    return f"kernel_{sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"


def load(text: str, *, parts: Sequence[ModuleType] = ()) -> ModuleType:
    r"""Return the module that has this text; its file is written where there is none.

    Parameters
    ----------
    text : str
        Of the module.
    parts : sequence of module
        Modules that it imports from and that are compiled into it, each before those
        that import it. It gets copies under names of its own: numba names what it
        compiles by module and by the number, in one process, of a record type, so that
        two models kept by two processes would be taken for each other in a third.

    Raises
    ------
    ModelError
        Where the folder cannot be written.

    Examples
    --------
    >>> load("two = 2\n").two
    2
    """
    sources = [getsource(part) for part in parts]
    name = module_name(text, also=sources)
    copies = {part.__name__: f"{name}_{_last(part)}" for part in parts}
    for part, source in zip(parts, sources, strict=True):
        _module(copies[part.__name__], _renamed(source, copies))
    return _module(name, _renamed(text, copies))


def _last(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _renamed(text: str, copies: Mapping[str, str]) -> str:
    """Text that imports from the copies of modules."""
    for name, copy in copies.items():
        text = text.replace(f"from {name} import", f"from {copy} import")
    return text


def _module(name: str, text: str) -> ModuleType:
    path = cache_folder() / f"{name}.py"
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(path):
        return loaded
    try:
        _keep(path, text)
    except OSError as error:
        raise ModelError(
            f"compiled models cannot be kept in {str(path.parent)!r}: {error.strerror}",
            todo="Name a folder of your own in the environment variable CELLPK_CACHE.",
        ) from error
    loader = _Loader(name, str(path), text)
    module = module_from_spec(ModuleSpec(name, loader, origin=str(path)))
    module.__file__ = str(path)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


class _Loader(SourceFileLoader):
    """Runs the text that was written here, not what the file may hold by then."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._text.encode(), self.path)


def _keep(path: Path, text: str) -> None:
    """Write the file at one stroke, unless it holds the text already."""
    try:
        if path.read_bytes() == text.encode():
            return
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "wb", dir=path.parent, suffix=".part", delete=False
    ) as part:
        part.write(text.encode())
    Path(part.name).replace(path)


def is_compiled(function: Any) -> bool:
    """Whether a function of a generated module was compiled on this machine before.

    Parameters
    ----------
    function : callable
        As numba made it.

    Examples
    --------
    >>> from cellpk.model.compile.module_text import function, module_text
    >>> unit = function("unit", "t", "", end="return 1.0")
    >>> compiled = load(module_text([unit])).unit
    >>> compiled(0.0), is_compiled(compiled)
    (1.0, True)
    """
    if function.nopython_signatures:
        return True
    kept = Path(function.stats.cache_path)
    return any(kept.glob(f"{function.__module__}.{function.__name__}-*.nbi"))


def announce(
    functions: Iterable[Any], what: str, *, notify: Notify | None = None
) -> None:
    """Say so where functions are about to be compiled for the first time.

    Parameters
    ----------
    functions : iterable of callable
        As numba made them.
    what : str
        The model they belong to.
    notify : callable, optional
        Told the sentence; :func:`tell_terminal` where not given.

    Examples
    --------
    >>> announce([], "stein_2019_tisagenlecleucel")
    """
    new = [function for function in functions if not is_compiled(function)]
    if not new:
        return
    lines = sum(len(getsource(function.py_func).splitlines()) for function in new)
    seconds = ceil(SECONDS_PER_LINE * lines)
    (notify or tell_terminal)(f"compiling {what}, once, about {seconds} s")


def tell_terminal(sentence: str) -> None:
    """Write a sentence to stderr where that is a terminal; logs stay clean.

    Examples
    --------
    >>> tell_terminal("compiling stein_2019_tisagenlecleucel, once, about 1 s")
    """
    if sys.stderr.isatty():
        sys.stderr.write(f"{sentence}\n")
