"""What comes of a hierarchical fit: draws, and the tables that summarise them."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.bayes.kept import Kept
from cellpk.fit.bayes.loo import LeaveOneOut, Per, leave_one_out
from cellpk.fit.bayes.prior_choice import Priors
from cellpk.fit.bayes.prior_numbers import PriorNumbers
from cellpk.fit.bayes.sampling import Sampling
from cellpk.fit.bayes.tree import Shape, draws_of, expected_means
from cellpk.fit.data import FitData
from cellpk.fit.population.draws import PopulationDraws
from cellpk.fit.population.posteriors import Posteriors
from cellpk.fit.population.state import State
from cellpk.fit.population.structure import Structure
from cellpk.fit.store import Saveable
from cellpk.model.model import Model
from cellpk.study.study import Study

if TYPE_CHECKING:
    import xarray as xr

    from cellpk.fit.bayes.persistence import Visits
    from cellpk.fit.bayes.whose import Whose

Array = NDArray[np.float64]

KEPT = 400
"""Draws of each patient that diagnostics use."""


@dataclass(frozen=True, eq=False, repr=False)
class BayesFit(Saveable, Kept):
    """A model fitted by hierarchical Bayes; made by :func:`fit_bayes`.

    Parameters
    ----------
    given : Model
        What was to be fitted.
    study : Study
        To which study.
    shape : Shape
        To which samples, with which structure.
    asked : mapping of str
        The other arguments of the fit.
    choice : Priors
        How the priors were made.
    priors : PriorNumbers
        The priors: ``priors.table`` has a row and a sentence for each.
    sampling : Sampling
        How long was sampled.
    seed : int
        With which chance.
    units : mapping of str to str
        Unit of each parameter.
    tree : xarray.DataTree
        ArviZ data: ``posterior``, ``sample_stats``, ``log_likelihood``, ``log_prior``,
        ``prior``, ``observed_data``; dimensions chain, draw, patient, parameter, and a
        sample of each assay.

    Examples
    --------
    >>> "table" in dir(BayesFit)      # see fit_bayes
    True
    """

    given: Model
    study: Study
    shape: Shape
    asked: Mapping[str, Any]
    choice: Priors
    priors: PriorNumbers
    sampling: Sampling
    seed: int
    units: Mapping[str, str]
    tree: "xr.DataTree"

    kind: ClassVar[str] = "hierarchical Bayes fit"
    trials: ClassVar[str] = "the fit, each of another draw of the posterior"
    doubted: ClassVar[str] = "The draws are NOT reliable"

    @property
    def model(self) -> Model:
        """What was fitted: with robust residuals where these were asked for."""
        return self.data.model

    @property
    def data(self) -> FitData:
        """The samples."""
        return self.shape.data

    @property
    def structure(self) -> Structure:
        """How parameters differ between patients."""
        return self.shape.structure

    @property
    def patients(self) -> tuple[str, ...]:
        """Who has a sample that says something."""
        return self.data.patients

    def drawn(self, name: str, group: str = "posterior") -> Array:
        """Return a variable with its chains joined, shape (S, ...)."""
        values: Array = np.asarray(self.tree[f"{group}/{name}"])
        return values.reshape(-1, *values.shape[2:])

    @cached_property
    def draws(self) -> PopulationDraws:
        """All S draws of the population."""
        return self._draws("posterior")

    @cached_property
    def prior_draws(self) -> PopulationDraws:
        """Draws of the population from the prior."""
        return self._draws("prior")

    def _draws(self, group: str) -> PopulationDraws:
        found = self.tree[group]
        names = ("location", "spread", "correlation", "error")
        names += tuple(n for n in ("never_expanded", "lot_spread") if n in found)
        drawn = {name: np.asarray(self.tree[f"{group}/{name}"]) for name in names}
        return draws_of(self.shape, drawn)

    @cached_property
    def theta(self) -> Array:
        """All draws of the patients' parameters, transformed scale, (S, N, p)."""
        return self.drawn("theta")

    @cached_property
    def state(self) -> State:
        """The population at the posterior means."""
        return self.draws.middle()

    def population(self, number: int, rng: np.random.Generator) -> PopulationDraws:
        """Return so many draws of the population, by chance."""
        rows = rng.integers(len(self.draws), size=number)
        return self.draws.take(rows)

    @cached_property
    def expected(self) -> Array:
        """What is expected of each patient's parameters, shape (N, p): the mean."""
        return self._expected.mean(0)

    @cached_property
    def _expected(self) -> Array:
        """What each draw expects of each patient, shape (S, N, p)."""
        lots = self.drawn("lot_effect") if self.structure.lots else None
        return expected_means(self.shape, self.draws, lots)

    @cached_property
    def _kept(self) -> NDArray[np.intp]:
        """Which draws of the patients diagnostics use, of all chains, in no order."""
        order = np.random.default_rng([self.seed, 10]).permutation(len(self.theta))
        return order[:KEPT]

    def deviations(self, number: int) -> tuple[Array, Array]:
        """Return draws of what patients deviate by, and the SDs between patients.

        Parameters
        ----------
        number : int
            How many draws; at most as many as diagnostics use.

        Returns
        -------
        deviations : ndarray, shape (number, N, p)
            From what the same draw expects of each patient, on the transformed scale.
        spread : ndarray, shape (number, p)
            The SDs of the same draw.
        """
        rows = self._kept[:number]
        omega = self.draws.omega[rows]
        spread = np.sqrt(np.diagonal(omega, axis1=-2, axis2=-1))
        return self.theta[rows] - self._expected[rows], spread

    @cached_property
    def posteriors(self) -> Posteriors:
        """What is known of each patient, as the fit of a population states it."""
        theta, number = self.theta, len(self.theta)
        away = np.moveaxis(theta - theta.mean(0), 0, 1)
        ones = np.ones(len(self.patients))
        lots = self.structure.lots
        effects = self.drawn("lot_effect") if lots else np.zeros((1, 0, 0))
        return Posteriors(
            mean=theta.mean(0),
            covariance=np.swapaxes(away, -1, -2) @ away / number,
            draws=theta[self._kept],
            expanded=self.drawn("expanded").mean(0) if self.shape.never else ones,
            effective=ones * number,
            log_likelihood=self.drawn("patient_samples", "log_likelihood").mean(0),
            lot_mean=effects.mean(0),
            lot_sd=effects.std(0),
        )

    def with_predictions(self, draws: int | None = 200, *, seed: int = 1) -> "BayesFit":
        """Return the fit with predicted readings; see :func:`.with_predictions`."""
        from cellpk.fit.bayes.predictive import with_predictions

        return with_predictions(self, draws, seed=seed)

    @cached_property
    def posterior_check(self) -> pd.DataFrame:
        """One row per statistic of the data; see :func:`.posterior_check`."""
        from cellpk.fit.bayes.predictive_checks import posterior_check

        return posterior_check(self)

    @cached_property
    def prior_check(self) -> pd.DataFrame:
        """One row per statistic of the data; see :func:`.prior_check`."""
        from cellpk.fit.bayes.predictive_checks import prior_check

        return prior_check(self)

    @cached_property
    def shrinkage(self) -> pd.Series:
        """Shrinkage (%) of each parameter that differs between patients."""
        varies, spread = self.structure.varies, np.sqrt(np.diag(self.state.omega))
        found = self.posteriors.shrinkage(self.expected, spread)
        return pd.Series(found, index=list(self.model.free))[varies]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per estimate; see :func:`.summary.estimates_table`."""
        from cellpk.fit.bayes.summary import estimates_table

        return estimates_table(self)

    @cached_property
    def individuals(self) -> pd.DataFrame:
        """One row per patient; see :func:`.summary.individuals_table`."""
        from cellpk.fit.bayes.summary import individuals_table

        return individuals_table(self)

    def quantities(
        self,
        of: "Whose" = "patients",
        *,
        assay: str | None = None,
        limit: float | None = None,
        until: float | None = None,
        dose: float | None = None,
    ) -> pd.DataFrame:
        """Return the posterior of what matters: peak, exposure, half-lives.

        Parameters
        ----------
        of : {"patients", "typical", "new"}
            Each patient of the fit; the typical patient, whose cells expand; or a new
            patient, who may be anyone of the population. The latter two have the
            covariates and infusions of the model file and average covariates of the
            fit.
        assay : str, optional
            Of which levels; the first of the fit where not given.
        limit : float, optional
            Level that ``tlast`` asks for; the most frequent LLOQ where not given.
        until : float, optional
            Horizon of peak and ``tlast``, days; the last sample of the study, at least
            28, where not given.
        dose : float, optional
            A dose in place of the one given: that of every infusion, in the study's
            unit, where the model takes infusions; else of the fit's covariate.

        Returns
        -------
        DataFrame
            One row per patient and quantity: ``patient, quantity``; ``value``, the
            median, in ``unit``, with ``low`` and ``high`` of the 90 % interval;
            ``expanded``, in which share of the draws her cells expanded; ``r_hat,
            ess_bulk, ess_tail``; ``censored``, in which share ``tlast`` is beyond the
            horizon, and ``remark``, which says so, and how many draws give no number:
            ``r_hat`` is NaN then. In draws in which cells never
            expanded, ``cmax``, ``auc_0_28`` and ``tlast`` are 0 and count; the others
            are of the draws in which they did.

        Raises
        ------
        FitError
            Where an argument is not possible, or nothing knows the dose.
        """
        from cellpk.fit.bayes.quantities import quantity_draws

        asked = {"assay": assay, "limit": limit, "until": until, "dose": dose}
        return quantity_draws(self, of, **asked).table

    def persistence(
        self,
        visits: "Visits | None" = None,
        *,
        limit: float | None = None,
        assay: str | None = None,
        dose: float | None = None,
    ) -> pd.DataFrame:
        """Return how probable levels above a limit are at each visit.

        See :func:`.persistence.persistence_table`.
        """
        from cellpk.fit.bayes.persistence import persistence_table

        return persistence_table(self, visits, limit=limit, assay=assay, dose=dose)

    @cached_property
    def checks(self) -> pd.DataFrame:
        """One row per check of the sampler; see :func:`.checks.sampler_checks`."""
        from cellpk.fit.bayes.checks import sampler_checks

        return sampler_checks(self.tree)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the draws cannot be relied on; empty where they can."""
        failed = self.checks[~self.checks["passed"]]
        return tuple(failed["sentence"].str.removesuffix("."))

    @property
    def converged(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.doubts

    @cached_property
    def marginal(self) -> Array:
        """Log likelihoods of patients, parameters integrated out, (chains, draws, N).

        See :func:`.marginal.marginal_likelihood`: not of all draws.
        """
        from cellpk.fit.bayes.marginal import marginal_likelihood

        return marginal_likelihood(self)

    def sensitivity(self) -> pd.DataFrame:
        """Return how priors and samples move estimates: :func:`.sensitivity_table`."""
        from cellpk.fit.bayes.sensitivity import sensitivity_table

        return sensitivity_table(self)

    def loo(self, per: Per = "patient") -> LeaveOneOut:
        """Return how well each is predicted by all others; see :func:`leave_one_out`.

        Parameters
        ----------
        per : {"patient", "sample"}
            Who or what is left out.
        """
        return leave_one_out(self, per)

    @property
    def n_samples(self) -> int:
        """How many samples were used."""
        return sum(int(one.known.sum()) for one in self.data.series)

    @property
    def n_below(self) -> int:
        """How many of them only limits bound."""
        exact = (int(one.said.quantified.sum()) for one in self.data.series)
        return self.n_samples - sum(exact)

    def __repr__(self) -> str:
        said = "" if self.converged else f"NOT RELIABLE: {self.doubts[0]}. "
        assays = " and ".join(one.assay for one in self.data.series)
        chains = self.tree["posterior"].sizes
        return (
            f"{said}Hierarchical Bayes of {self.model.name} to "
            f"{self.study.settings.study.id} {assays}: {len(self.patients)} patients, "
            f"{self.n_samples} samples ({self.n_below} of them by limits only), "
            f"{chains['chain']} chains of {chains['draw']} draws"
        )

    def _repr_html_(self) -> str:
        table = self.table.to_html(
            index=False, border=0, na_rep="", float_format="{:.3g}".format
        )
        return f"<p>{html.escape(repr(self))}</p>{table}"
