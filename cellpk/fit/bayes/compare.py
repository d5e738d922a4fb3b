"""Hierarchical fits of the same samples, side by side."""

import html
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.bayes.loo import LeaveOneOut, Per, leave_one_out, standard_error
from cellpk.fit.side_by_side import what_was_asked

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class BayesComparison:
    """Hierarchical fits of the same samples; made by :func:`cellpk.compare`.

    Parameters
    ----------
    per : {"patient", "sample"}
        Who or what was left out in turn.
    table : DataFrame
        One row per fit: ``fit``, ``model``, ``covariates``, ``correlations``,
        ``without_spread``, ``lots``; ``elpd`` with its standard error ``se``; the
        ``difference`` to the best, 0 or less, with its standard error
        ``difference_se``; the stacking ``weight``; ``p_loo``; ``bad_k``, how many
        Pareto k are above their limit, and the worst, ``worst_k``; ``doubts`` of the
        sampler; ``note``.
    each : DataFrame
        One row per patient or sample, by what :class:`.loo.LeaveOneOut` says who it is:
        its elpd under each fit, by the name of the fit.
    fits : mapping of str to BayesFit
        What was compared.

    Examples
    --------
    >>> "table" in BayesComparison.__annotations__     # see cellpk.compare
    True
    """

    per: Per
    table: pd.DataFrame
    each: pd.DataFrame
    fits: Mapping[str, "BayesFit"]

    def __repr__(self) -> str:
        best = self.table.loc[self.table["difference"] == 0].iloc[0]
        bad = int((self.table["bad_k"] > 0).sum())
        said = f"; {bad} with Pareto k above the limit" if bad else ""
        return (
            f"Comparison of {len(self.table)} hierarchical fits, {len(self.each)} "
            f"{self.per}s left out in turn: best {best['fit']} (elpd "
            f"{best['elpd']:.1f}, weight {best['weight']:.2f}){said}"
        )

    def _repr_html_(self) -> str:
        table = self.table.to_html(
            index=False, border=0, na_rep="", float_format="{:.4g}".format
        )
        return f"<p>{html.escape(repr(self))}</p>{table}"


def compare_bayes(named: Mapping[str, "BayesFit"], per: Per) -> BayesComparison:
    """Compare hierarchical fits of the same samples, each by its name.

    Parameters
    ----------
    named : mapping of str to BayesFit
        Two or more.
    per : {"patient", "sample"}
        Who or what is left out in turn.

    Returns
    -------
    BayesComparison

    References
    ----------
    Vehtari A, Gelman A, Gabry J. Stat Comput 2017;27:1413-1432 (differences and their
    standard errors). Yao Y, Vehtari A, Simpson D, Gelman A. Bayesian Anal
    2018;13:917-1007 (stacking).

    Examples
    --------
    >>> callable(compare_bayes)              # see cellpk.compare
    True
    """
    found = {name: leave_one_out(fit, per) for name, fit in named.items()}
    asked = pd.DataFrame(
        [
            {"fit": name} | what_was_asked(fit) | {"doubts": "; ".join(fit.doubts)}
            for name, fit in named.items()
        ]
    )
    table = asked.merge(compared(found), on="fit", sort=False)
    last = ["doubts", "note"]
    columns = [name for name in table.columns if name not in last]
    return BayesComparison(per, table[[*columns, *last]], _side_by_side(found), named)


def compared(found: Mapping[str, LeaveOneOut]) -> pd.DataFrame:
    """Return elpd, differences and weights, one row per fit.

    Parameters
    ----------
    found : mapping of str to LeaveOneOut
        Of each fit by its name; of the same patients or samples.

    Returns
    -------
    DataFrame
        ``fit, elpd, se, difference, difference_se, weight, p_loo, bad_k, worst_k,
        note``.

    Examples
    --------
    >>> from cellpk.fit.bayes.loo import summed
    >>> frame = pd.DataFrame({"patient": ["A", "B"]})
    >>> given = np.random.default_rng(1).normal(-1, 0.01, (2, 300, 2))
    >>> loos = {name: summed(given + more, frame, "patient")
    ...         for name, more in (("worse", -1), ("better", 0))}
    >>> compared(loos)[["fit", "difference", "weight"]].round(2)
          fit  difference  weight
    0   worse        -2.0     0.0
    1  better         0.0     1.0
    """
    elpd = np.stack([one.each["elpd"].to_numpy(float) for one in found.values()])
    best = int(np.argmax(elpd.sum(1)))
    away = elpd - elpd[best]
    errors = np.array([standard_error(own) for own in away])
    rows = pd.concat([one.table for one in found.values()], ignore_index=True)
    bad = rows["bad_k"].to_numpy(int)
    notes = [
        _note(float(own.sum()), float(error), int(number))
        for own, error, number in zip(away, errors, bad, strict=True)
    ]
    return pd.DataFrame(
        {
            "fit": list(found),
            "elpd": rows["elpd"],
            "se": rows["se"],
            "difference": away.sum(1),
            "difference_se": errors,
            "weight": stacking(elpd),
            "p_loo": rows["p_loo"],
            "bad_k": bad,
            "worst_k": rows["worst_k"],
            "note": notes,
        }
    )


def stacking(elpd: Array) -> Array:
    """Return the weights of fits whose mixture predicts best.

    Parameters
    ----------
    elpd : ndarray, shape (fits, n)
        Log density of each that was left out.

    Returns
    -------
    ndarray, shape (fits,)
        They add up to 1.

    References
    ----------
    Yao Y, Vehtari A, Simpson D, Gelman A. Bayesian Anal 2018;13:917-1007.

    Examples
    --------
    >>> each = np.log([[0.9, 0.9, 0.2], [0.1, 0.1, 0.8]])
    >>> stacking(each).round(3)           # p maximises 2 log(.1+.8p) + log(.8-.6p)
    array([0.847, 0.153])
    """
    import xarray as xr
    from arviz_stats.loo.compare import compare
    from arviz_stats.utils import ELPDDataLOO

    # What all fits find of one who is left out is taken off: it moves no weight, and
    # densities would be too small for a computer's numbers.
    alike = elpd - elpd.max(0)
    fits: dict[str, Any] = {
        str(i): ELPDDataLOO(
            elpd=own.sum(),
            se=0.0,
            p=0.0,
            n_samples=1,
            n_data_points=own.size,
            scale="log",
            warning=False,
            good_k=1.0,
            elpd_i=xr.DataArray(own),
        )
        for i, own in enumerate(alike)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of differences: only weights are taken
        table = compare(fits, method="stacking", round_to="none")
    weights = np.array([table.loc[name, "weight"] for name in fits], float)
    weights = np.clip(weights, 0.0, None)
    return weights / weights.sum()


def _note(difference: float, error: float, bad: int) -> str:
    notes = []
    if difference and not abs(difference) > 2 * error:
        notes.append("not told apart from the best: the difference is within 2 SE")
    if bad:
        notes.append(f"elpd is not reliable: {bad} Pareto k are above the limit")
    return "; ".join(notes)


def _side_by_side(found: Mapping[str, LeaveOneOut]) -> pd.DataFrame:
    """Return the elpd of each that was left out under each fit."""
    first = next(iter(found.values())).each
    who = [name for name in ("patient", "assay", "time") if name in first]
    own = {name: one.each["elpd"] for name, one in found.items()}
    return first[who].assign(**own)
