"""What comes of individual fits: tables, curves, and lmfit's results."""

import html
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cellpk.errors import FitError, nearest
from cellpk.fit.individual.door import minimizer
from cellpk.fit.individual.drawing import chance_of
from cellpk.fit.individual.frames import Made, frames_of
from cellpk.fit.individual.identifiability import identified
from cellpk.fit.individual.influence import influence_frame
from cellpk.fit.individual.lmfit_results import Results
from cellpk.fit.individual.numbers import quantity_names
from cellpk.fit.individual.profile import profiled
from cellpk.fit.modes import Aim
from cellpk.fit.store import Saveable
from cellpk.model.model import Model
from cellpk.study.study import Study

if TYPE_CHECKING:
    from lmfit import Minimizer

Array = NDArray[np.float64]

_BAND_DRAWS = 200
_GAIN = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class IndividualFits(Saveable):
    """The fits of all patients, each alone; made by :func:`fit_individuals`.

    Parameters
    ----------
    table : DataFrame
        One row per patient: ``patient, assay, status, method, n_samples,
        n_quantified, n_below, converged``; per parameter and derived quantity its
        estimate and the ends of its interval (``NAME, NAME_low, NAME_high``; NaN where
        there is no fit); ``sentence``: what the data cannot tell, or why no curve was
        fitted. ``status`` is ``expanded``, ``never_expanded`` or ``too_few_samples``;
        ``method`` is ``ml`` (without prior), ``map`` (with it) or ``none``.
    long : DataFrame
        The same numbers, one row each: ``patient, quantity, kind, value, low, high,
        delta_low, delta_high, unit, se, information``. ``low`` and ``high`` are
        quantiles of draws, the next two are of the delta method; ``se``: on the scale
        of a parameter, on the log scale of a derived quantity; ``information``: share
        of the prior's variance that the data took away (NaN for ``ml``).
    failed : DataFrame
        ``patient, status, reason`` of those without a curve.
    prior : DataFrame
        ``parameter, centre, sd, unit, source``.
    samples : DataFrame
        The assays' samples with ``left_out`` (why not used, else empty), ``predicted``
        (in the study's unit) and ``residual`` (signed root of the sample's share of -2
        log L; of a quantified one, in residual SDs; positive where the curve is above).
    units : dict of str to str
        Unit of each column of ``table`` that has one.
    model : Model
        What was fitted.
    study : Study
        To which study.
    assay, unit : str
        To which levels; of several assays the first.
    level : float
        Probability that the intervals hold.
    asked : mapping of str
        The other arguments of the fit: ``assays, starts, draws, seed``, and
        ``parameters`` as plain numbers.
    made : Made
        What the tables are made of: samples, estimates on their scales, draws.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
    >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
    >>> fits.table[["patient", "status", "method", "converged"]].to_numpy().tolist()
    [['A', 'expanded', 'map', True]]
    """

    table: pd.DataFrame
    long: pd.DataFrame
    failed: pd.DataFrame
    prior: pd.DataFrame
    samples: pd.DataFrame
    units: Mapping[str, str]
    model: Model
    study: Study
    assay: str
    unit: str
    level: float
    asked: Mapping[str, Any]
    made: Made

    @property
    def study_id(self) -> str:
        """Name of the study."""
        return self.study.settings.study.id

    @cached_property
    def results(self) -> "Results":
        """Lmfit's result per fitted patient, worked out when it is asked for.

        Lmfit goes on from the estimate with its own least squares. Each estimated
        parameter stands twice: on its scale (``log_cmax``, which varies) and in natural
        units (``cmax``). Residual errors are held.
        """
        return Results(self.made.data.patients, self.minimizer)

    def minimizer(self, patient: str) -> "Minimizer":
        """Return lmfit's minimizer of one patient at the estimate.

        Examples
        --------
        >>> import cellpk as ck
        >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
        >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
        >>> fits.minimizer("A").params["qpcr_sd"].value
        0.56
        """
        i = self._place(patient)
        return minimizer(self._aim(i), self.made.asked, self.made.solution.theta[i])

    def curve(
        self, patient: str, times: ArrayLike, *, assay: str | None = None
    ) -> pd.DataFrame:
        """Return the fitted curve of one patient with its pointwise interval.

        Parameters
        ----------
        patient : str
            A patient with a fit.
        times : array_like, shape (n,)
            Days after infusion, not negative.
        assay : str, optional
            Whose level, of those that were fitted; the first where not given.

        Returns
        -------
        DataFrame
            ``time, level, low, high`` in days and the study's unit: the estimate and
            where the true curve lies with probability ``level``. Measured levels
            scatter about the curve besides.

        Raises
        ------
        FitError
            If the patient has no fit, with the reason, or is not of the study; if the
            assay was not fitted, the times make no sense or the model cannot be
            calculated for them.

        Examples
        --------
        >>> import cellpk as ck
        >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
        >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
        >>> fits.curve("A", [14, 90])[["time", "level"]].shape
        (2, 2)
        """
        i, times = self._place(patient), np.asarray(times, float)
        if not ((times >= 0) & (times < np.inf)).all():
            raise FitError(f"times are {times}", todo="Give days after infusion.")
        assays = [one.assay for one in self.made.data.series]
        if assay is not None and assay not in assays:
            raise FitError(f"{assay!r} was not fitted", todo=nearest(assay, assays))
        series = assays.index(assay or self.assay)
        data = self.made.data.of(np.array([i]))
        theta = self.made.solution.theta[i]
        points = np.concatenate([theta[None], self._points(i)])
        full = self.made.asked.ties.full(points)[:, None, :]
        order = np.argsort(times, kind="stable")
        found = data.curves(full, times[order], series=series)
        if found.reasons[0] is not None:
            reason = found.reasons[0]
            raise FitError(f"the curve of {patient!r} cannot go on: {reason}")
        log_level = np.empty((len(points), times.size))
        log_level[:, order] = found.log_level[:, 0]
        drawn = log_level[1:][~found.failed[1:, 0]]
        tails = [(1 - self.level) / 2, (1 + self.level) / 2]
        ends = np.exp(np.quantile(drawn, tails, axis=0))
        shown = self.made.scales[series] * np.stack([np.exp(log_level[0]), *ends])
        level, low, high = shown
        return pd.DataFrame({"time": times, "level": level, "low": low, "high": high})

    def profile(
        self, patient: str, names: str | list[str] | None = None
    ) -> pd.DataFrame:
        """Return profile-likelihood intervals of one patient.

        Of parameters they are those of ``lmfit.conf_interval``. Lmfit goes along the
        profile from place to place; where the model has a switch, the objective has
        corners in which that got stuck in 1 of 12 simulated patients. There, and of
        derived quantities, they are those of a profile of ours, which searches each
        place from many starts. The loss of -2 log L (with the prior's share, MAP) is
        held to chi-square; where the residual error was estimated (ML), to F.

        Parameters
        ----------
        patient : str
            A patient with a fit.
        names : str or list of str, optional
            Which quantities; all where not given.

        Returns
        -------
        DataFrame
            ``quantity, kind, value, low, high, unit``; infinite where the profile does
            not rise enough before a parameter reaches its bound.

        Raises
        ------
        FitError
            If the patient has no fit, or there is no such quantity.

        Examples
        --------
        >>> import cellpk as ck
        >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
        >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
        >>> found = fits.profile("A", "cmax")
        >>> bool((found["low"] < found["value"]).all())
        True
        """
        i = self._place(patient)
        wanted = [names] if isinstance(names, str) else names
        aim, row = self._aim(i), self.made.solution.of(np.array([i]))
        found = profiled(
            aim,
            self.made.asked,
            row,
            names=wanted,
            points=self._points(i),
            level=self.level,
        )
        units = {name: self.units[name] for name in found["quantity"]}
        return found.assign(unit=found["quantity"].map(units))

    @cached_property
    def identifiability(self) -> pd.DataFrame:
        """What the samples alone tell of each parameter of each fitted patient.

        ``patient, parameter, information`` (share of the prior's variance that the data
        took away; NaN for ML), ``lower, upper`` (whether the samples alone set a limit
        on that side: the parameter is held at its bound, and the loss of -2 log L, all
        others free, is held to chi-square or F as in :meth:`profile`), ``sentence``.

        References
        ----------
        Raue A, et al. Structural and practical identifiability analysis of partially
        observed dynamical models by exploiting the profile likelihood. Bioinformatics
        2009;25:1923-1929.
        """
        made = self.made
        information = self.long.set_index(["patient", "quantity"])["information"]
        return identified(
            made.data,
            made.asked,
            made.solution,
            information=information,
            level=self.level,
        )

    @cached_property
    def influence(self) -> pd.DataFrame:
        """How far each estimate moves if one sample is left out and the fit made again.

        One row per used sample: ``patient, assay, time, level, state`` and for each
        parameter and derived quantity by how many standard errors (``long["se"]``) it
        moves; ``most``, the name of the one that moves farthest.
        """
        made = self.made
        shape = len(made.data.patients), len(quantity_names(self.model))
        errors = self.long["se"].to_numpy(float).reshape(shape)
        theta = made.solution.theta
        return influence_frame(
            made.data, made.asked, theta, left=made.left, errors=errors
        )

    def with_level(self, level: float) -> "IndividualFits":
        """Return the same fits with intervals that hold with another probability.

        Examples
        --------
        >>> import cellpk as ck
        >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
        >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
        >>> bool(fits.with_level(0.5).table["cmax_low"][0] > fits.table["cmax_low"][0])
        True
        """
        check_level(level, f"study {self.study_id!r}")
        frames = frames_of(self.made, level=level)
        return replace(self, **frames._asdict(), level=level)

    def polished(self) -> "IndividualFits":
        """Return the same fits, each where lmfit's own least squares end, if better.

        They end where the fits stand, to about 1e-6 of -2 log L, or no fit has
        converged: this is a check by another hand, and takes some 10 ms per patient.

        Examples
        --------
        >>> import cellpk as ck
        >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
        >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
        >>> moved = fits.polished().table["cmax"] / fits.table["cmax"] - 1
        >>> bool(moved.abs().max() < 1e-3)
        True
        """
        theta = self.made.solution.theta.copy()
        for i, patient in enumerate(self.made.data.patients):
            aim = self._aim(i)
            there = self.results.theta(patient)
            if aim.values(there[None])[0] < aim.values(theta[i][None])[0] - _GAIN:
                theta[i] = there
        made = self.made._replace(solution=replace(self.made.solution, theta=theta))
        return replace(self, **frames_of(made, level=self.level)._asdict(), made=made)

    def _place(self, patient: str) -> int:
        """Return where a fitted patient stands."""
        patients = self.made.data.patients
        if patient not in patients:
            reasons = dict(self.failed[["patient", "reason"]].to_numpy())
            todo = reasons.get(patient) or nearest(patient, patients)
            found = f"patient {patient!r} has no fit"
            raise FitError(found, where=f"study {self.study_id!r}", todo=todo)
        return patients.index(patient)

    def _aim(self, i: int) -> Aim:
        """Return what was sought of one patient."""
        made = self.made
        return made.asked.aim(
            made.data.of(np.array([i])),
            with_prior=made.solution.with_prior[[i]],
            sizes=made.solution.sizes[[i]],
        )

    def _points(self, i: int) -> Array:
        """Return draws of one patient; normal ones by the curvature where none are."""
        solution = self.made.solution
        if solution.draws.shape[1]:
            return solution.draws[i]
        rng = chance_of(self.made.asked, self.made.data.patients[i])
        standard = rng.standard_normal((_BAND_DRAWS, solution.theta.shape[1]))
        root = np.linalg.cholesky(solution.covariance[i])
        points = solution.theta[i] + standard @ root.T
        return np.clip(points, self.made.asked.low, self.made.asked.high)

    def __repr__(self) -> str:
        methods, states = Counter(self.table["method"]), Counter(self.table["status"])
        counts = [
            f"{methods['ml']} by ML",
            f"{methods['map']} by MAP",
            f"{states['never_expanded']} never expanded",
            f"{states['too_few_samples']} with too few samples",
        ]
        failed = states["expanded"] - methods["ml"] - methods["map"]
        if failed:
            counts.append(f"{failed} failed")
        assays = " and ".join(one.assay for one in self.made.data.series)
        head = f"Individual fits of {self.model.name} to {self.study_id} {assays}"
        return f"{head}: {len(self.table)} patients, {', '.join(counts)}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>{self.table.to_html(index=False)}"


def check_level(level: float, where: str) -> None:
    """Raise where a probability is none.

    Examples
    --------
    >>> check_level(95, "study 'T'")
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: study 'T': level = 95. Use a probability ...
    """
    if not 0 < level < 1:
        todo = "Use a probability between 0 and 1, such as 0.95."
        raise FitError(f"level = {level}", where=where, todo=todo)
