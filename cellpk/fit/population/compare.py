"""Population fits of the same samples, side by side."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pandas as pd

from cellpk.fit.population.nested import Nesting, nesting
from cellpk.fit.population.result import METHODS, PopulationFit
from cellpk.fit.population.rows import units_of_spread
from cellpk.fit.side_by_side import what_was_asked

CRITERIA = ("aic", "bic", "bicc")

_Z = 1.959963984540054


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Population fits of the same samples, side by side; see :func:`cellpk.compare`.

    Parameters
    ----------
    table : DataFrame
        One row per fit: ``fit``, ``model``, ``covariates``, ``correlations``,
        ``without_spread``, ``lots``, ``method``; ``parameters`` (how many);
        ``deviance`` (-2 log L) with its Monte Carlo standard error ``deviance_error``;
        ``aic``, ``bic``, ``bicc``, each with what it is above the lowest
        (``aic_difference``) and its weight (``aic_weight``); ``converged``, ``doubts``.
    parameters : DataFrame
        One row per estimate: ``parameter, kind, unit``, then for each fit its value
        (by the name of the fit) and its relative standard error in percent
        (``NAME_rse``). The kind "spread between patients" holds SDs.
    tests : DataFrame
        Likelihood-ratio tests, one row for each fit that is a special case of another:
        ``smaller, larger, drop`` (of -2 log L) with its Monte Carlo standard error
        ``error``, ``df``, ``p``, and ``p_low`` and ``p_high``, between which that error
        leaves it; ``note``.
    fits : mapping of str to PopulationFit
        What was compared.

    Examples
    --------
    >>> "tests" in Comparison.__annotations__     # see compare
    True
    """

    table: pd.DataFrame
    parameters: pd.DataFrame
    tests: pd.DataFrame
    fits: Mapping[str, PopulationFit]

    def __repr__(self) -> str:
        best = ", ".join(
            f"{name} by {kind.upper()}"
            for kind in CRITERIA
            for name in self.table.loc[self.table[f"{kind}_difference"] == 0, "fit"]
        )
        first = next(iter(self.fits.values()))
        where = f"{len(self.fits)} fits to {first.n_samples} samples"
        doubted = int((~self.table["converged"]).sum())
        said = f"; {doubted} not converged" if doubted else ""
        who = f"{len(first.patients)} patients"
        return f"Comparison of {where} of {who}: best {best}{said}"

    def _repr_html_(self) -> str:
        tables = [self.table, self.tests, self.parameters]
        shown = "".join(
            table.to_html(
                index=False, border=0, na_rep="", float_format="{:.4g}".format
            )
            for table in tables
        )
        return f"<p>{html.escape(repr(self))}</p>{shown}"


def compare_populations(named: Mapping[str, PopulationFit]) -> Comparison:
    """Compare population fits of the same samples, each by its name.

    Parameters
    ----------
    named : mapping of str to PopulationFit
        Two or more.

    Returns
    -------
    Comparison
        ``.table`` (criteria), ``.parameters``, ``.tests`` (likelihood ratios).

    Notes
    -----
    The weight of a fit is ``exp(-difference/2)``, divided by the sum over all fits
    (Burnham KP, Anderson DR. Model selection and multimodel inference. 2nd ed. Springer
    2002, page 75). The corrected BIC is that of Delattre et al. 2014. Where the smaller
    fit of a test is the larger one with a variance of 0, this stands at its bound and
    the chi-square distribution gives too large a p; the note says so, and what the
    mixture of Stram and Lee (1994) gives.

    Examples
    --------
    >>> callable(compare_populations)              # see cellpk.compare
    True
    """
    rows = [_row(name, fit) for name, fit in named.items()]
    table = pd.DataFrame(rows)
    return Comparison(
        table=_weighed(table),
        parameters=_parameters(named),
        tests=_tests(named),
        fits=named,
    )


def _row(name: str, fit: PopulationFit) -> dict[str, object]:
    criteria = fit.criteria
    return {
        "fit": name,
        **what_was_asked(fit),
        "method": METHODS[fit.method],
        "parameters": int(criteria["parameters"]),
        "deviance": criteria["deviance"],
        "deviance_error": criteria["deviance_error"],
        **{kind: criteria[kind] for kind in CRITERIA},
        "converged": fit.converged,
        "doubts": "; ".join(fit.doubts),
    }


def _weighed(table: pd.DataFrame) -> pd.DataFrame:
    """Add to each criterion what it is above the lowest, and the weight."""
    added = {}
    for kind in CRITERIA:
        above = table[kind] - table[kind].min()
        weight = np.exp(-above / 2)
        added |= {f"{kind}_difference": above, f"{kind}_weight": weight / weight.sum()}
    columns = list(table.columns)
    for kind in reversed(CRITERIA):
        after = columns.index(kind) + 1
        columns[after:after] = [f"{kind}_difference", f"{kind}_weight"]
    return table.assign(**added)[columns]


def _parameters(named: Mapping[str, PopulationFit]) -> pd.DataFrame:
    """Return estimates side by side, in the order in which they first stand."""
    keys = ["parameter", "kind", "unit"]
    joined: pd.DataFrame | None = None
    for name, fit in named.items():
        long = _long(fit).rename(columns={"value": name, "rse": f"{name}_rse"})
        joined = long if joined is None else joined.merge(long, how="outer", on=keys)
    assert joined is not None
    order = dict.fromkeys(
        key for fit in named.values() for key in _keys(_long(fit)[keys])
    )
    places = {key: place for place, key in enumerate(order)}
    where = [places[key] for key in _keys(joined[keys])]
    return joined.iloc[np.argsort(where, kind="stable")].reset_index(drop=True)


def _keys(table: pd.DataFrame) -> list[tuple[object, ...]]:
    return [tuple(row) for row in table.to_numpy()]


def _long(fit: PopulationFit) -> pd.DataFrame:
    """Return one row per estimate: typical values, spreads, and the others."""
    table = fit.table
    spread = table.loc[table["iiv_sd"].notna(), ["parameter", "iiv_sd", "iiv_rse"]]
    spread = spread.rename(columns={"iiv_sd": "value", "iiv_rse": "rse"})
    units = spread["parameter"].map(units_of_spread(fit))
    spread = spread.assign(kind="spread between patients", unit=units)
    rows = pd.concat([table, spread], ignore_index=True)
    kinds = ["typical value", "spread between patients"]
    rank = (
        rows["kind"].map({kind: i for i, kind in enumerate(kinds)}).fillna(len(kinds))
    )
    rows = rows.iloc[np.argsort(rank.to_numpy(), kind="stable")]
    return rows[["parameter", "kind", "unit", "value", "rse"]]


def _tests(named: Mapping[str, PopulationFit]) -> pd.DataFrame:
    """Return the likelihood-ratio tests of all fits of which one is in another."""
    rows = []
    for (one, smaller), (other, larger) in permutations(named.items(), 2):
        found = nesting(smaller, larger)
        if found is not None:
            rows.append(
                {"smaller": one, "larger": other} | _test(smaller, larger, found)
            )
    columns = [
        "smaller",
        "larger",
        "drop",
        "error",
        "df",
        "p",
        "p_low",
        "p_high",
        "note",
    ]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def _test(
    smaller: PopulationFit, larger: PopulationFit, found: Nesting
) -> dict[str, object]:
    drop = 2 * (larger.log_likelihood - smaller.log_likelihood)
    error = float(
        np.hypot(smaller.estimates.deviance_error, larger.estimates.deviance_error)
    )
    p, low, high = (found.chi_square(drop + away * error) for away in (0.0, _Z, -_Z))
    notes = []
    if found.bounds:
        text = f"{' and '.join(found.bounds)} is at its bound, 0, in the smaller fit"
        notes.append(f"{text}: the chi-square distribution is conservative")
        if len(found.bounds) == 1:
            notes[-1] += f" (mixture: p = {found.mixture(drop):.2g})"
    if drop < -_Z * error:
        notes.append("the larger fit ended lower: it is not at its maximum")
    if high > 2 * low:
        notes.append(
            f"the Monte Carlo error leaves p between {low:.2g} and {high:.2g}: fit "
            "both with more draws"
        )
    if smaller.method != larger.method:
        notes.append("the Laplace fit does not stand at the maximum of this likelihood")
    said = {"drop": drop, "error": error, "df": found.df, "p": p}
    return said | {"p_low": low, "p_high": high, "note": "; ".join(notes)}
