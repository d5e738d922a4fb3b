"""What comes of a population fit: tables of estimates, of patients, of criteria."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.data import FitData
from cellpk.fit.population.conditional import Modes, modes_at
from cellpk.fit.population.derived import derived_quantities
from cellpk.fit.population.draws import PopulationDraws
from cellpk.fit.population.estimates import Estimates
from cellpk.fit.population.joint import JointData
from cellpk.fit.population.laplace import approximated
from cellpk.fit.population.lots import FEW
from cellpk.fit.population.places import places_at
from cellpk.fit.population.posteriors import Posteriors
from cellpk.fit.population.rows import estimated_rows
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.population.structure import Structure
from cellpk.fit.store import Saveable
from cellpk.model.model import Model
from cellpk.study.study import Study

Array = NDArray[np.float64]

Method = Literal["saem", "laplace"]
"""How a population is fitted."""

METHODS: Mapping[Method, str] = {"saem": "SAEM", "laplace": "Laplace"}
"""How methods are called in sentences."""

_STARTS = 8


@dataclass(frozen=True, eq=False, repr=False)
class PopulationFit(Saveable):
    """A model fitted to all patients together; made by :func:`fit_population`.

    Parameters
    ----------
    model : Model
        What was fitted.
    study : Study
        To which study.
    data : FitData
        To which samples; whom they are of, and what was assumed of units.
    asked : mapping of str
        The other arguments of the fit: ``assays``, ``covariates``, ``correlations``,
        ``without_spread``, ``lots``, and ``steps`` as a mapping.
    method : {"saem", "laplace"}
        How.
    seed : int
        With which chance.
    units : mapping of str to str
        Unit of each parameter.
    estimates : Estimates
        What was estimated, and how surely.
    posteriors : Posteriors
        What is known of each patient.
    trace : DataFrame
        What the search went through: ``run``, ``iteration``, and a column for each
        estimate.

    Examples
    --------
    >>> "table" in dir(PopulationFit)      # see fit_population
    True
    """

    model: Model
    study: Study
    data: FitData
    asked: Mapping[str, Any]
    method: Method
    seed: int
    units: Mapping[str, str]
    estimates: Estimates
    posteriors: Posteriors
    trace: pd.DataFrame

    kind: ClassVar[str] = "population fit"
    trials: ClassVar[str] = "the fit"
    doubted: ClassVar[str] = "The fit has NOT converged"

    @property
    def structure(self) -> Structure:
        """How parameters differ between patients."""
        return self.estimates.layout.structure

    @property
    def state(self) -> State:
        """The estimates of the population."""
        return self.estimates.state

    def population(self, number: int, rng: np.random.Generator) -> PopulationDraws:
        """Return the estimates so many times; ``rng`` is not used."""
        return PopulationDraws.of(self.state, number)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per estimate.

        ``parameter``; ``kind`` (typical value, covariate effect, correlation, residual
        error, share, spread between lots); ``value`` in ``unit``, with ``low`` and
        ``high`` of its 95% Wald interval (Student's t), symmetric on the parameter's
        own scale, of a correlation on Fisher's;
        ``rse`` (%). Of typical values: ``iiv_sd`` (SD between patients on that scale),
        ``iiv_var``, ``iiv_cv`` (%; of a log-normal parameter, else NaN), ``iiv_rse``
        (%) and ``shrinkage`` (%: of the SD of the means of patients who expanded). Of
        one without spread these are 0, the last two NaN; all are NaN of a spread at its
        bound, and a typical value is NaN where the samples do not tell it.
        """
        rows = estimated_rows(self)
        return pd.DataFrame(rows)

    @cached_property
    def individuals(self) -> pd.DataFrame:
        """One row per patient: what is known of each parameter.

        ``patient``; per parameter its mean, given her samples, carried back to the
        natural scale (``NAME``), its SD on the parameter's own scale (``NAME_sd``) and
        its most probable value together with the others, the conditional mode, given
        what her lot adds (``NAME_mode``); ``expanded``, the chance that her cells
        expanded at all.
        """
        known = self.posteriors
        mean, covariance = known.mean, known.covariance
        natural, modes = self.model.natural(mean), self.model.natural(self.modes.theta)
        sd = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
        columns: dict[str, Array | list[str]] = {"patient": list(self.patients)}
        for i, name in enumerate(self.model.free):
            columns |= {
                name: np.asarray(natural[name]),
                f"{name}_sd": sd[:, i],
                f"{name}_mode": np.asarray(modes[name]),
            }
        return pd.DataFrame(columns | {"expanded": known.expanded})

    @cached_property
    def modes(self) -> Modes:
        """Conditional modes of the patients (EBEs), on the transformed scale.

        Sought from their means and some of their draws.
        """
        known = self.posteriors
        starts = np.concatenate([known.mean[None], known.draws[:_STARTS]])
        return modes_at(self._sampled, self.state, starts, mean=self.expected)

    @property
    def laplace_deviance(self) -> float:
        """-2 log L by Laplace's approximation (FOCE), at these estimates.

        Raises
        ------
        FitError
            Where two parameters or more move switches of the model, one has no spread
            between patients, or lots differ.
        """
        state = self.state
        rng = np.random.default_rng([self.seed, 3])
        places = places_at(self._sampled, state, rng=rng)
        found = approximated(self._sampled, state, places)
        return -2 * float(found.log_likelihood.sum())

    @property
    def _sampled(self) -> Sampled:
        return Sampled(JointData(self.data), self.structure)

    @cached_property
    def derived(self) -> pd.DataFrame:
        """One row per derived quantity of the typical patient.

        ``quantity``; ``value`` in ``unit``, with ``low`` and ``high`` of its 95%
        interval, by the delta method on the log scale. The typical patient's area is
        no mean over patients.
        """
        return derived_quantities(self.data, self.estimates)

    @cached_property
    def lots(self) -> pd.DataFrame:
        """One row per donor lot and parameter in which lots differ.

        ``lot``, ``patients`` (how many were given it), ``parameter``; ``effect``, what
        the lot adds on the parameter's own scale, given all samples, with its ``sd``;
        ``shrinkage`` (%): of the SD of the effects, one number per parameter.
        """
        lots, known = self.structure.lots, self.posteriors
        rows: list[tuple[object, ...]] = []
        for k, place in enumerate(lots.places if lots else ()):
            assert lots is not None
            name, between = self.model.free[place], self.state.lot_sd[k]
            effects, errors = known.lot_mean[:, k], known.lot_sd[:, k]
            shrinkage = 100 * (1 - effects.std() / between)
            rows += [
                (lot, count, name, effect, error, shrinkage)
                for lot, count, effect, error in zip(
                    lots.names, lots.counts, effects, errors, strict=True
                )
            ]
        columns = ["lot", "patients", "parameter", "effect", "sd", "shrinkage"]
        return pd.DataFrame(rows, columns=columns)

    @property
    def expected(self) -> Array:
        """What is expected of each patient's parameters, shape (N, p).

        On the transformed scale: the typical values, moved by her covariates and by
        what her donor lot adds, given all samples.
        """
        structure, state = self.structure, self.state
        means, lots = structure.means(state.beta), structure.lots
        if lots is None:
            return means
        return means + lots.shift(self.posteriors.lot_mean, means.shape[-1])

    def deviations(self, number: int) -> tuple[Array, Array]:
        """Return draws of what patients deviate by, and the SDs between patients.

        Parameters
        ----------
        number : int
            How many draws; at most as many as the fit keeps.

        Returns
        -------
        deviations : ndarray, shape (number, N, p)
            From what is expected of each patient, on the transformed scale.
        spread : ndarray, shape (number, p)
            The SDs to which each draw belongs: here the estimates.
        """
        drawn = self.posteriors.draws[:number] - self.expected
        spread = np.sqrt(np.diag(self.state.omega))
        return drawn, np.tile(spread, (len(drawn), 1))

    @property
    def log_likelihood(self) -> float:
        """Log likelihood, by importance sampling."""
        return float(self.posteriors.log_likelihood.sum())

    @property
    def shrinkage(self) -> pd.Series:
        """Shrinkage (%) of each parameter that differs between patients."""
        names = np.array(self.model.free)[self.structure.varies]
        return self.table.set_index("parameter")["shrinkage"][list(names)]

    @property
    def criteria(self) -> pd.Series:
        """-2 log L with its Monte Carlo error, AIC, BIC and the corrected BIC.

        The corrected BIC (Delattre et al. 2014) counts what varies between patients by
        the number of patients, the rest by the number of samples. Parameters without
        spread are of the rest.
        """
        layout = self.estimates.layout
        parts = {name: w.stop - w.start for name, w in layout.parts().items()}
        number, deviance = sum(parts.values()), -2 * self.log_likelihood
        patients = np.log(len(self.patients))
        fixed = parts["error"] + int(layout.structure.shared.sum())
        random = number - fixed
        return pd.Series(
            {
                "deviance": deviance,
                "deviance_error": self.estimates.deviance_error,
                "parameters": number,
                "aic": deviance + 2 * number,
                "bic": deviance + patients * number,
                "bicc": deviance + patients * random + np.log(self.n_samples) * fixed,
            }
        )

    @property
    def estimate_correlations(self) -> pd.DataFrame:
        """Correlations of the estimates; of those at a bound there are none."""
        stuck = self.estimates.at_bound
        every = zip(self.estimates.layout.names, stuck, strict=True)
        names = [name for name, at_bound in every if not at_bound]
        return pd.DataFrame(self.estimates.correlation, index=names, columns=names)

    @property
    def correlations(self) -> pd.DataFrame:
        """Correlations between the patients' parameters, on the transformed scales."""
        omega = self.state.omega
        sd = np.sqrt(np.where(np.diag(omega) > 0, np.diag(omega), np.nan))
        names = list(self.model.free)
        return pd.DataFrame(omega / np.outer(sd, sd), index=names, columns=names)

    @property
    def left_out(self) -> pd.DataFrame:
        """``patient``, ``reason`` of those who have no sample that says something."""
        rows = []
        for patient in self.data.without:
            own = self.data.samples[self.data.samples["patient"] == patient]
            reasons = sorted(set(own["left_out"]) - {""})
            rows.append((patient, "; ".join(reasons) or "no sample of this assay"))
        return pd.DataFrame(rows, columns=["patient", "reason"])

    @property
    def patients(self) -> tuple[str, ...]:
        """Who has a sample that says something."""
        return self.data.patients

    @property
    def n_samples(self) -> int:
        """How many samples were used."""
        return sum(int(one.known.sum()) for one in self.data.series)

    @property
    def n_below(self) -> int:
        """How many of them only limits bound."""
        exact = (int(one.said.quantified.sum()) for one in self.data.series)
        return self.n_samples - sum(exact)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the fit cannot be taken for converged; empty where it can."""
        return self.estimates.doubts

    @property
    def cautions(self) -> tuple[str, ...]:
        """What to bear in mind, though nothing speaks against the fit."""
        lots = self.structure.lots
        if lots is None or len(lots.names) > FEW:
            return ()
        differ = " and ".join(self.model.free[place] for place in lots.places)
        return (
            f"the spread between lots and the typical value of {differ} rest on "
            f"{len(lots.names)} lots: their intervals are rough",
        )

    @property
    def converged(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.doubts

    def __repr__(self) -> str:
        said = "converged" if self.converged else f"NOT converged: {self.doubts[0]}"
        assays = [one.assay for one in self.data.series]
        below = f"{self.n_below} of them by limits only"
        return (
            f"Population fit of {self.model.name} to "
            f"{self.study.settings.study.id} {' and '.join(assays)} "
            f"({METHODS[self.method]}): {len(self.patients)} "
            f"patients, {self.n_samples} samples ({below}), -2 log L "
            f"{-2 * self.log_likelihood:.1f}, {said}"
        )

    def _repr_html_(self) -> str:
        table = self.table.to_html(
            index=False, border=0, na_rep="", float_format="{:.3g}".format
        )
        return f"<p>{html.escape(repr(self))}</p>{table}"
