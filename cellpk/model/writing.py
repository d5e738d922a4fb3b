"""A model as the text of its files, and what was changed by hand since."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

from cellpk.errors import ModelError
from cellpk.model.model import Model
from cellpk.model.model_file import read_model
from cellpk.model.parameters import BY_HAND

VARIED = "varied"
"""Folder of what a file varies, beside that file."""


@dataclass(frozen=True)
class WrittenModel:
    """A model as text.

    Parameters
    ----------
    files : dict of str to str
        By path, the text of the model's own file, then of what it varies.
    typical, spread : dict of str to float
        Typical values and spreads between patients that were given by hand.

    Examples
    --------
    >>> import cellpk as ck
    >>> lag = ck.load_model("stein_2019_lag").with_values(tmax=8.0)
    >>> written = written_model(lag)
    >>> list(written.files), written.typical
    (['stein_2019_lag.toml', 'varied/stein_2019_tisagenlecleucel.toml'], {'tmax': 8.0})
    >>> written.model().curve([28]) == lag.curve([28])
    array([ True])
    """

    files: Mapping[str, str]
    typical: Mapping[str, float]
    spread: Mapping[str, float]

    def model(self) -> Model:
        """Return the model that was written.

        Raises
        ------
        ModelError
            As :func:`cellpk.load_model`.
        """
        with TemporaryDirectory() as folder:
            for name, text in self.files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="\n")
            found = read_model(Path(folder) / next(iter(self.files)), find=_varied)
        return found.with_values(**self.typical).with_spread(**self.spread)


def written_model(model: Model) -> WrittenModel:
    """Return a model as text that reads back equal.

    Parameters
    ----------
    model : Model
        Of the library or of a file of one's own; values and spreads may have been
        given by hand.

    Raises
    ------
    ModelError
        Where it holds what no file says.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel").with_spread(cmax=0.5)
    >>> written_model(stein).spread
    {'cmax': 0.5}
    """
    rows = model.parameters
    typical = {name: row.value for name, row in rows.items() if row.source == BY_HAND}
    spread = {n: row.iiv_sd for n, row in rows.items() if row.iiv_source == BY_HAND}
    written = WrittenModel(
        {f"{VARIED}/" * i + file.name: file.text for i, file in enumerate(model.files)},
        {name: value for name, value in typical.items() if value is not None},
        {name: value for name, value in spread.items() if value is not None},
    )
    other = differing(model, written.model()) if model.files else ["files"]
    if other:
        raise ModelError(
            f"the model holds what no file says: {', '.join(other)}",
            where=model.name,
            todo="Write it into a model file, and load that.",
        )
    return written


def differing(one: Model, other: Model) -> list[str]:
    """Return in which of their parts two models differ.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> differing(stein, ck.load_model("stein_2019_tisagenlecleucel"))
    []
    >>> differing(stein, stein.with_spread(cmax=0.5))
    ['parameters']
    """
    parts = [field.name for field in fields(one)]
    return [name for name in parts if getattr(one, name) != getattr(other, name)]


def _varied(name: str, beside: Path) -> Path:
    """Return where the file stands that another one varies."""
    return beside / VARIED / f"{Path(name).name}.toml"
