"""How well a hierarchical fit predicts a patient, or a sample, that it has not seen."""

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.bayes.psis import good_k, left_out

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit

Array = NDArray[np.float64]
Per = Literal["patient", "sample"]


@dataclass(frozen=True, eq=False, repr=False)
class LeaveOneOut:
    """Expected log predictive density, leaving out one at a time.

    Parameters
    ----------
    per : {"patient", "sample"}
        Who or what is left out.
    table : DataFrame
        One row: ``unit`` (patient or sample), ``number`` of them, ``elpd`` (sum) with
        its standard error ``se``, ``p_loo`` (effective parameters), ``draws``,
        ``limit_k``, ``bad_k`` (how many are above it), ``worst_k``, and where:
        ``patient``, and of samples ``assay`` and ``time``.
    each : DataFrame
        One row per patient or sample: ``patient``, of samples ``assay`` and ``time``
        (days), ``elpd``, ``p_loo``, ``k``, and a ``sentence`` where k is above its
        limit.

    Examples
    --------
    >>> "each" in LeaveOneOut.__annotations__      # see leave_one_out
    True
    """

    per: Per
    table: pd.DataFrame
    each: pd.DataFrame

    def __repr__(self) -> str:
        row = self.table.iloc[0]
        bad = int(row["bad_k"])
        said = f"NOT RELIABLE for {bad} of {row['number']}: " if bad else ""
        return (
            f"{said}elpd {row['elpd']:.1f} (SE {row['se']:.1f}) of {row['number']} "
            f"{self.per}s, each left out in turn; p_loo {row['p_loo']:.1f}; "
            f"worst Pareto k {row['worst_k']:.2f} ({_who(row)})"
        )

    def _repr_html_(self) -> str:
        table = self.each.to_html(
            index=False, border=0, na_rep="", float_format="{:.3g}".format
        )
        return f"<p>{html.escape(repr(self))}</p>{table}"


def leave_one_out(fit: "BayesFit", per: Per = "patient") -> LeaveOneOut:
    """Return how well each patient, or sample, is predicted by all others.

    Parameters
    ----------
    fit : BayesFit
        The fit.
    per : {"patient", "sample"}
        A patient of whom nothing is known, or a sample of a patient of whom the other
        samples are.

    Returns
    -------
    LeaveOneOut

    Raises
    ------
    FitError
        Where ``per`` is neither.

    Notes
    -----
    Of a patient the marginal likelihood counts: of her samples given a draw of the
    population, her own parameters integrated out. That of her samples given her own
    parameters would be useless: without her samples these parameters are drawn from the
    whole population, and the draws that her samples left of them are all in one corner
    of it. Few draws then carry all weight, and Pareto k says so in almost all patients
    (Merkle EC, Furr D, Rabe-Hesketh S. Psychometrika 2019;84:802-829). Of a sample the
    conditional likelihood is the right one: her other samples still tell who she is.

    Densities are those of log levels, so that elpd does not depend on units.

    Where lots differ, a patient is left out of a lot of which the others remain.

    References
    ----------
    Vehtari A, Gelman A, Gabry J. Stat Comput 2017;27:1413-1432.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(3, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> short = ck.Sampling(chains=1, draws=30, tune=50)
    >>> found = ck.fit_bayes(stein, study, sampling=short).loo("sample")
    >>> list(found.each.columns)
    ['patient', 'assay', 'time', 'elpd', 'p_loo', 'k', 'sentence']
    """
    if per == "patient":
        given = fit.marginal
        frame = pd.DataFrame({"patient": fit.patients})
    elif per == "sample":
        given, frame = _samples(fit)
    else:
        found = f"per = {per!r}"
        raise FitError(found, todo='Give "patient" or "sample".')
    return summed(given, frame, per)


def _samples(fit: "BayesFit") -> tuple[Array, pd.DataFrame]:
    """Return the log likelihood of each sample, and which it is."""
    given, frames = [], []
    patients = np.array(fit.patients)
    for one in fit.data.series:
        given.append(np.asarray(fit.tree[f"log_likelihood/{one.assay}"]))
        rows, _ = np.nonzero(one.known)
        own = {"patient": patients[rows], "assay": one.assay}
        frames.append(pd.DataFrame(own | {"time": one.times[one.known]}))
    return np.concatenate(given, axis=-1), pd.concat(frames, ignore_index=True)


def summed(log_likelihood: Array, frame: pd.DataFrame, per: Per) -> LeaveOneOut:
    """Return the sum over all that are left out, and each of them.

    Parameters
    ----------
    log_likelihood : ndarray, shape (chains, draws, n)
        Of each under draws of the posterior.
    frame : DataFrame
        Who or what each is, n rows.
    per : {"patient", "sample"}
        What they are.

    Examples
    --------
    >>> given = np.random.default_rng(1).normal(-1, 0.1, (2, 300, 2))
    >>> summed(given, pd.DataFrame({"patient": ["A", "B"]}), "patient")
    elpd -2.0 (SE 0.0) of 2 patients, each left out in turn; p_loo 0.0; worst ...
    """
    draws, number = int(np.prod(log_likelihood.shape[:2])), len(frame)
    found, limit = left_out(log_likelihood), good_k(draws)
    each = frame.assign(elpd=found.elpd, p_loo=found.p, k=found.k)
    bad = ~(each["k"] <= limit)
    said = [
        _sentence(row, limit) if is_bad else ""
        for (_, row), is_bad in zip(each.iterrows(), bad, strict=True)
    ]
    each["sentence"] = said
    worst = each.iloc[int(np.argmax(np.nan_to_num(found.k, nan=np.inf)))]
    row = {
        "unit": per,
        "number": number,
        "elpd": found.elpd.sum(),
        "se": standard_error(found.elpd),
        "p_loo": found.p.sum(),
        "draws": draws,
        "limit_k": limit,
        "bad_k": int(bad.sum()),
        "worst_k": worst["k"],
        **{name: worst[name] for name in frame.columns},
    }
    return LeaveOneOut(per, pd.DataFrame([row]), each)


def standard_error(each: Array) -> float:
    """Return the standard error of a sum, of which one number tells nothing.

    Examples
    --------
    >>> standard_error(np.array([1.0, 3.0])).__round__(6)
    2.0
    """
    if len(each) < 2:
        return float("nan")
    return float(np.sqrt(len(each)) * np.std(each, ddof=1))


def _sentence(row: "pd.Series[float]", limit: float) -> str:
    return (
        f"Pareto k of {_who(row)} is {row['k']:.2f}, above {limit:.2f}: the draws "
        "depend on it so much that its elpd is not known; fit without it."
    )


def _who(row: "pd.Series[float]") -> str:
    if "time" not in row:
        return str(row["patient"])
    return f"{row['assay']} of {row['patient']} on day {row['time']:g}"
