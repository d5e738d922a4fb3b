"""What the samples of all patients say of a model: what every fit rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cellpk.fit.histories import Group, joined, read_histories
from cellpk.fit.residual_error import ResidualError, error_of, gradients, log_likelihood
from cellpk.fit.series import Found, Series, read_series
from cellpk.model.levels import Levels
from cellpk.model.model import Model
from cellpk.study.study import Study

Array = NDArray[np.float64]
Errors = Sequence[ResidualError]

TOLERANCE = 1e-5
"""Error per step of a model without closed form: far below any residual SD."""


@dataclass(frozen=True, eq=False, repr=False)
class FitData:
    """The samples of all patients, and what a model needs to know of the patients.

    Parameters
    ----------
    model : Model
        Gives the curves.
    patients : tuple of str
        Who has a sample that says something: N of them, in the order of their names.
    series : tuple of Series
        The samples of each assay.
    all_below : ndarray of bool, shape (N,)
        In whom no sample was quantified, detected or above the upper limit.
    groups : tuple of Group
        Patients with the same infusions and steps of covariates.
    samples : DataFrame
        Every sample of the study, as in ``study.samples``; ``left_out`` says why one
        is not used, and is empty where it is.
    without : tuple of str
        Patients of the study without a sample that says something.
    notes : tuple of str
        What was assumed of units and covariates.

    Examples
    --------
    >>> import cellpk as ck
    >>> data = fit_data(ck.load_model("stein_2019_tisagenlecleucel"),
    ...                 ck.simulate_study(seed=1), assays="qpcr")
    >>> data
    Data of stein_2019_tisagenlecleucel: 18 patients (3 all below), qpcr as qpcr: 213
    samples
    >>> theta = np.tile(data.model.typical, (18, 1))
    >>> levels = data.levels(theta, gradient=True)
    >>> data.log_likelihood(levels, data.errors).shape
    (18,)
    >>> data.score(levels, data.errors).shape
    (18, 6)
    """

    model: Model
    patients: tuple[str, ...]
    series: tuple[Series, ...]
    all_below: NDArray[np.bool_]
    groups: tuple[Group, ...]
    samples: pd.DataFrame
    without: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def errors(self) -> tuple[ResidualError, ...]:
        """The residual errors that the model states, one per series.

        Raises
        ------
        FitError
            Where the model publishes none.
        """
        return tuple(error_of(self.model.observed[x.observed]) for x in self.series)

    @property
    def quantity_units(self) -> dict[str, str]:
        """Units of derived quantities by name, levels in those of the first assay."""
        one, units = self.series[0], self.model.quantity_units
        own = self.model.observed[one.observed].unit
        return {name: unit.replace(own, one.unit) for name, unit in units.items()}

    def levels(
        self, theta: Array, *, gradient: bool = False, tolerance: float = TOLERANCE
    ) -> list[Levels]:
        """Return log levels at the samples, one entry per series.

        The model is solved once per group and series.

        Parameters
        ----------
        theta : ndarray, shape (..., N, p)
            Free parameters on the transformed scale.
        gradient : bool
            Whether to work out the gradient by theta.
        tolerance : float
            Error per step of a model without closed form.

        Returns
        -------
        list of Levels
            ``log_level`` (..., N, n), in the unit of the series; ``gradient``
            (..., N, n, p) or None; ``failed`` (..., N). Where a row is padded, the
            level of the patient's last sample.
        """
        return [
            self._solved(theta, one.times, one, gradient=gradient, tolerance=tolerance)
            for one in self.series
        ]

    def curves(
        self, theta: Array, times: ArrayLike, *, series: int = 0, gradient: bool = False
    ) -> Levels:
        """Return log levels of all patients at days of choice.

        Parameters
        ----------
        theta : ndarray, shape (..., N, p)
            Free parameters on the transformed scale.
        times : array_like, shape (m,)
            Days after infusion, in order.
        series : int
            Which assay.
        gradient : bool
            Whether to work out the gradient by theta.

        Returns
        -------
        Levels
            ``log_level`` of shape (..., N, m).
        """
        return self._solved(
            theta,
            np.asarray(times, float),
            self.series[series],
            gradient=gradient,
            tolerance=TOLERANCE,
        )

    def log_likelihood(self, levels: Sequence[Levels], errors: Errors) -> Array:
        """Return the log likelihood of each patient's samples, of all series together.

        Parameters
        ----------
        levels : sequence of Levels
            As from :meth:`levels`.
        errors : sequence of ResidualError
            One per series.

        Returns
        -------
        ndarray, shape (..., N)
            Minus infinity where a curve cannot be calculated.
        """
        each = [
            log_likelihood(found.log_level, one.said, error).sum(-1)
            for found, one, error in zip(levels, self.series, errors, strict=True)
        ]
        total = sum(each[1:], start=each[0])
        for found in levels:
            if any(found.reasons):
                total = np.where(found.failed, -np.inf, total)
        return total

    def score(self, levels: Sequence[Levels], errors: Errors) -> Array:
        """Return the gradient of each patient's log likelihood by theta.

        Parameters
        ----------
        levels, errors
            As in :meth:`log_likelihood`; levels with their gradients.

        Returns
        -------
        ndarray, shape (..., N, p)
            0 where a curve cannot be calculated.
        """
        each = []
        for found, one, error in zip(levels, self.series, errors, strict=True):
            assert found.gradient is not None
            by_level, _ = gradients(found.log_level, one.said, error)
            each.append(np.matmul(by_level[..., None, :], found.gradient)[..., 0, :])
        return sum(each[1:], start=each[0])

    def error_gradient(self, levels: Sequence[Levels], errors: Errors) -> Array:
        """Return the gradient of each patient's log likelihood by the errors.

        Parameters
        ----------
        levels, errors
            As in :meth:`log_likelihood`.

        Returns
        -------
        ndarray, shape (..., N, k)
            By the natural logs of the parameters, in the order of the series and of
            ``error.names``; 0 where a curve cannot be calculated.
        """
        each = []
        for found, one, error in zip(levels, self.series, errors, strict=True):
            _, by_error = gradients(found.log_level, one.said, error)
            total = by_error.sum(-2)
            if any(found.reasons):
                total = np.where(found.failed[..., None], 0.0, total)
            each.append(total)
        return np.concatenate(each, axis=-1)

    def no_cells(self, errors: Errors) -> tuple[Array, Array]:
        """Return what a level of zero makes of each patient's samples.

        An error of the log level reads it below any limit; one that adds to the level
        may read it above.

        Parameters
        ----------
        errors : sequence of ResidualError
            One per series.

        Returns
        -------
        log_likelihood : ndarray, shape (N,)
            Minus infinity where a sample shows cells.
        slopes : ndarray, shape (N, k)
            As from :meth:`error_gradient`; 0 where a sample shows cells.
        """
        zero = [Levels(np.full(x.times.shape, -np.inf), None, ()) for x in self.series]
        # An error in proportion to zero is none: what is divided by it is held finite.
        with np.errstate(divide="ignore", invalid="ignore"):
            value = self.log_likelihood(zero, errors)
            slopes = self.error_gradient(zero, errors)
        below = self.all_below
        return np.where(below, value, -np.inf), np.where(below[:, None], slopes, 0.0)

    def of(self, rows: NDArray[np.intp]) -> "FitData":
        """Return the samples of some of the patients.

        Parameters
        ----------
        rows : ndarray of int, shape (m,)
            Which; the same patient may be among them more than once.

        Returns
        -------
        FitData
            The table of samples stays that of all patients.
        """
        return replace(
            self,
            patients=tuple(self.patients[row] for row in rows),
            series=tuple(one.of(rows) for one in self.series),
            all_below=self.all_below[rows],
            groups=tuple(part for g in self.groups if (part := g.of(rows)) is not None),
        )

    def _solved(
        self,
        theta: Array,
        times: Array,
        series: Series,
        *,
        gradient: bool,
        tolerance: float,
    ) -> Levels:
        """Solve group by group, and put the groups together."""
        found = [
            self.model.kernel.solve(
                theta if len(self.groups) == 1 else theta[..., group.rows, :],
                times[group.rows] if times.ndim > 1 else times,
                observed=series.observed,
                inputs=group.inputs,
                gradient=gradient,
                tolerance=tolerance,
            )
            for group in self.groups
        ]
        return found[0] if len(found) == 1 else joined(found, self.groups)

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{one.assay} as {one.observed}: {int(one.known.sum())} samples"
            for one in self.series
        )
        below = int(self.all_below.sum())
        who = f"{len(self.patients)} patients" + (f" ({below} all below)" * (below > 0))
        return f"Data of {self.model.name}: {who}, {counts}"


def fit_data(
    model: Model,
    study: Study,
    *,
    assays: str | Sequence[str] | Mapping[str, str] | None = None,
    specimen: str | None = None,
    comedication: Mapping[str, str | Sequence[str]] | None = None,
) -> FitData:
    """Return the samples of a study as a fit of a model needs them.

    Every sample is used, or left out with a reason. Samples at or before time 0 are
    taken before the cells are in; after a second infusion they are used only where the
    model takes infusions. Levels are converted to the unit of the model where a number
    does it. Where none does, the samples of a single assay stay in the study's unit,
    which is noted: the parameters that scale the level then are in that unit, too. An
    additive error is not, and is refused.

    Parameters
    ----------
    model : Model
        What is to be fitted.
    study : Study
        To whom.
    assays : str, sequence of str, or mapping of str to str, optional
        One assay: it is taken for the observed level of its name, or for the first of
        the model where there is none. Several: each for the level of its name. Or
        observed levels by assay. The study's main assay where not given.
    specimen : str, optional
        Which samples; those of the most frequent specimen of each assay where not
        given.
    comedication : mapping of str to str or sequence of str, optional
        Drugs by covariate of the model, where its name and label do not tell.

    Returns
    -------
    FitData

    Raises
    ------
    DataError
        Where the study has no such assay or no usable sample, the model does not
        observe one, or covariates or doses are missing: all patients at once.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="flow")
    >>> data.series[0].unit, data.notes
    ('cells/uL', ('flow: copies/ug of the model say nothing of cells/uL: parameters that
    scale the level are in cells/uL',))
    """
    found = read_series(model, study, assays, specimen=specimen)
    return gathered(model, study, found, comedication=comedication)


def gathered(
    model: Model,
    study: Study,
    found: Found,
    *,
    comedication: Mapping[str, str | Sequence[str]] | None = None,
) -> FitData:
    """Return samples that were read, with what the model asks of the patients.

    Parameters
    ----------
    model, study, comedication
        As for :func:`fit_data`.
    found : Found
        The samples.

    Raises
    ------
    DataError
        Where covariates or doses are missing.
    """
    patients = found.patients
    histories = read_histories(model, study, patients, comedication=comedication)
    groups = [Group(rows, inputs) for rows, inputs in histories.groups(model)]
    everybody = {*study.patients["patient"], *study.samples["patient"]}
    return FitData(
        model=model,
        patients=patients,
        series=found.series,
        all_below=found.all_below,
        groups=tuple(groups),
        samples=found.samples,
        without=tuple(sorted(everybody - {*patients})),
        notes=(*found.notes, *histories.notes),
    )
