"""Draws as members of a file, their hash, and as netCDF or zarr for others."""

from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpk.errors import FitError
from cellpk.fit.archive import Members
from cellpk.fit.contents import array_bytes, array_of, json_bytes, json_of

if TYPE_CHECKING:
    import xarray as xr

_NAMES = "names.json"
"""The member that holds dimensions, coordinates and attributes."""


def tree_members(tree: "xr.DataTree") -> dict[str, bytes]:
    """Return ArviZ data as arrays, and what their dimensions are called.

    Parameters
    ----------
    tree : xarray.DataTree
        Groups of named arrays of numbers.

    Returns
    -------
    dict of str to bytes
        ``names.json``, and ``group/variable.npy`` of each variable.

    Examples
    --------
    >>> import xarray as xr
    >>> mean = xr.Dataset({"typical": ("chain", [0.1, 0.3])}, {"chain": [0, 1]})
    >>> tree = xr.DataTree.from_dict({"/posterior": mean})
    >>> list(tree_members(tree)), tree_from(tree_members(tree)).identical(tree)
    (['names.json', 'posterior/typical.npy'], True)
    """
    groups = {_place(node): node.to_dataset(inherit=False) for node in tree.subtree}
    said = {place: _said(group) for place, group in groups.items()}
    return {_NAMES: json_bytes(said)} | {
        f"{place}/{name}.npy": array_bytes(np.asarray(values))
        for place, group in groups.items()
        for name, values in group.data_vars.items()
    }


def tree_from(members: Members) -> "xr.DataTree":
    """Return the ArviZ data of :func:`tree_members`.

    Examples
    --------
    >>> import xarray as xr
    >>> tree_from(tree_members(xr.DataTree())).children
    Frozen({})
    """
    import xarray as xr

    said = json_of(members[_NAMES])
    groups = {}
    for place, own in said.items():
        found = {
            name: (dims, array_of(members[f"{place}/{name}.npy"]))
            for name, dims in own["variables"].items()
        }
        names = {
            name: (each["dims"], np.array(each["values"], each["dtype"]))
            for name, each in own["coordinates"].items()
        }
        groups[f"/{place}"] = xr.Dataset(found, names, _listed(own["attributes"]))
    return xr.DataTree.from_dict(groups)


def draws_hash(tree: "xr.DataTree") -> str:
    """Return the SHA-256 of all arrays of ArviZ data, whatever wrote them and when.

    Examples
    --------
    >>> import xarray as xr
    >>> mean = xr.Dataset({"typical": ("chain", [0.1, 0.3])})
    >>> one, other = (mean, mean.assign_attrs(created_at="today"))
    >>> trees = [xr.DataTree.from_dict({"/posterior": each}) for each in (one, other)]
    >>> draws_hash(trees[0]) == draws_hash(trees[1])
    True
    """
    digest = sha256()
    for name, data in sorted(tree_members(tree).items()):
        if name != _NAMES:
            digest.update(f"{name} {len(data)} ".encode() + data)
    return digest.hexdigest()


def read_draws(path: str | Path) -> "xr.DataTree":
    """Read draws that ``to_netcdf`` or ``to_zarr`` of a fit wrote.

    Parameters
    ----------
    path : str or Path
        A netCDF file, or a folder of zarr.

    Returns
    -------
    xarray.DataTree
        ArviZ data, in memory: every function of ArviZ takes them.

    Raises
    ------
    FitError
        Where there is nothing at the path, or no draws.

    Examples
    --------
    >>> read_draws("none.nc")
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: none.nc: there are no draws. Give the path ...
    """
    import xarray as xr

    path = Path(path)
    engine = "zarr" if path.is_dir() else "h5netcdf"
    try:
        with xr.open_datatree(path, engine=engine) as tree:
            return tree.load()
    except (OSError, ValueError, KeyError):
        raise FitError(
            "there are no draws",
            where=str(path),
            todo="Give the path of a file that to_netcdf or to_zarr wrote.",
        ) from None


class Kept:
    """A result with draws: their hash, and the way to netCDF and zarr.

    Examples
    --------
    >>> import tempfile
    >>> import xarray as xr
    >>> one = Kept()
    >>> one.tree = xr.DataTree(xr.Dataset({"typical": ("chain", [0.1, 0.3])}))
    >>> path = one.to_netcdf(Path(tempfile.mkdtemp()) / "post.nc")
    >>> read_draws(path).identical(one.tree)
    True
    """

    tree: "xr.DataTree"

    @cached_property
    def draws_sha256(self) -> str:
        """Hash of all draws: equal for equal draws, whenever they were sampled."""
        return draws_hash(self.tree)

    def to_netcdf(self, path: str | Path) -> Path:
        """Write all draws as a netCDF file, which :func:`cellpk.read_draws` reads.

        Parameters
        ----------
        path : str or Path
            Where to; ``.nc`` is the usual ending.

        Returns
        -------
        Path
            The file.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.tree.to_netcdf(path, engine="h5netcdf")
        return path

    def to_zarr(self, path: str | Path) -> Path:
        """Write all draws as a folder of zarr, which :func:`cellpk.read_draws` reads.

        Parameters
        ----------
        path : str or Path
            Where to; ``.zarr`` is the usual ending. What is there is replaced.

        Returns
        -------
        Path
            The folder.
        """
        path = Path(path)
        self.tree.to_zarr(path, mode="w", zarr_format=2)
        return path


def _place(node: "xr.DataTree") -> str:
    return node.path.strip("/")


def _said(group: "xr.Dataset") -> dict[str, Any]:
    """Return dimensions, coordinates and attributes of a group."""
    coordinates = {
        name: {"dims": each.dims, "dtype": each.dtype.str, "values": each.data.tolist()}
        for name, each in group.coords.items()
    }
    variables = {name: each.dims for name, each in group.data_vars.items()}
    return {
        "attributes": group.attrs,
        "coordinates": coordinates,
        "variables": variables,
    }


def _listed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with lists, as ArviZ writes them."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in attributes.items()
    }
