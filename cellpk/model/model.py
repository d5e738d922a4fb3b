"""A model: equations, parameters, and the levels that follow from them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cellpk.model.equations import TIME
from cellpk.model.expression import Name, Node
from cellpk.model.inputs import Inputs, step_values
from cellpk.model.parameters import Array
from cellpk.model.quantities import Quantified
from cellpk.model.sensitivity import Scope, constant

if TYPE_CHECKING:
    from cellpk.model.compile.ode_kernel import OdeKernel
    from cellpk.model.design import Design
    from cellpk.model.residual import Residual
    from cellpk.model.virtual import Simulated


@dataclass(frozen=True, eq=False, repr=False)
class Model(Quantified):
    """A published or own model of levels after infusion.

    Made by :func:`cellpk.load_model`. Nothing changes it.

    Parameters
    ----------
    name : str
        Name of its file, without ending.
    parameters : dict of str to Parameter
        In the order of the file.
    title, source, note : str
        What it describes, where it comes from, what to know before use.
    time : str
        Unit of time.
    observed : dict of str to Observed
        What assays measure; the first is meant where none is named.
    derived : dict of str to Derived
        Formulas of parameters with shared names.
    equations : Equations
        Rates and closed form, read from text.
    switches : tuple of Node
        Times at which the course changes, as expressions of the parameters.
    gates : tuple of Gate
        Smooth switches: centre and width, as expressions of the parameters.
    covariates : dict of str to Covariate
        What is known of a patient and not estimated.
    infusions : Infusions or None
        What an infusion adds, and the schedule of the typical patient.
    correlations : dict
        Of the random effects, by pairs of parameters.
    printed : dict of str to Printed
        Numbers of the typical patient's course that were printed.
    status, doubts : str
        "published" or "unpublished"; known doubts about the transcription.
    files : tuple of File
        What it was read from: a variant first, then what it varies.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> stein.curve([28, 90], cmax=24000).round(2)
    array([1373.56,  146.51])
    """

    def curve(
        self,
        times: ArrayLike,
        *,
        observed: str | None = None,
        covariates: Mapping[str, Any] | None = None,
        infusions: Iterable[tuple[float, float]] | None = None,
        **changes: float,
    ) -> Array:
        """Return the level of the typical patient, with changed parameters.

        Parameters
        ----------
        times : array, shape (n,)
            Days after the first infusion, not negative.
        observed : str, optional
            Assay; the first of the model where not given.
        covariates, infusions
            As for :meth:`inputs`.
        **changes : float
            Parameters by name, in the units of the file.

        Returns
        -------
        ndarray, shape (n,)
            Level in the unit of the assay.

        Raises
        ------
        ModelError
            Where a name is not a parameter of the model, or a value is impossible.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> stein.curve([9.3, 28], cmax=5e4).round(1)
        array([50000. ,  2861.6])
        """
        model = self.with_values(**changes) if changes else self
        inputs = model.inputs(covariates=covariates, infusions=infusions)
        typical = model.typical
        return np.exp(model.log_level(typical, times, observed=observed, inputs=inputs))

    def course(
        self,
        times: ArrayLike,
        *,
        covariates: Mapping[str, Any] | None = None,
        infusions: Iterable[tuple[float, float]] | None = None,
        **changes: float,
    ) -> pd.DataFrame:
        """Return every state and every observed level of the typical patient.

        Parameters
        ----------
        times : array, shape (n,)
            Days after the first infusion, not negative and in order.
        covariates, infusions, **changes
            As for :meth:`curve`.

        Returns
        -------
        DataFrame
            ``time``, then one column per state and per assay, in their units.

        Raises
        ------
        ModelError
            As :meth:`curve`.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> stein.course([9.3, 28]).round(1)
           time        E      M     qpcr
        0   9.3  24000.0    0.0  24000.0
        1  28.0   1204.5  169.1   1373.6
        """
        model = self.with_values(**changes) if changes else self
        inputs = model.inputs(covariates=covariates, infusions=infusions)
        wanted: dict[str, Node] = {name: Name(name) for name in self.equations.states}
        wanted |= {name: row.expression for name, row in self.observed.items()}
        found = model.along(wanted, times, inputs=inputs)
        return pd.DataFrame({"time": np.asarray(times, dtype=float), **found})

    def along(
        self, wanted: Mapping[str, Node], times: ArrayLike, *, inputs: Inputs
    ) -> dict[str, Array]:
        """Return expressions along the course of the typical patient.

        Parameters
        ----------
        wanted : mapping of str to Node
            Expressions of assays, states, lines, parameters, covariates and ``t``.
        times : array, shape (n,)
            Days after the first infusion.
        inputs : Inputs
            Covariates and infusions.

        Returns
        -------
        dict of str to ndarray, shape (n,)

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> from cellpk.model.expression import parse
        >>> stein.along({"twice": parse("2*E")}, [9.3], inputs=stein.inputs())
        {'twice': array([48000.])}
        """
        days = self._times(times)
        given = self._given(self.typical, inputs) | {TIME: constant(days)}
        assays = {name: row.expression for name, row in self.observed.items()}
        lines = {**assays, **self.equations.lines}
        if not self.equations.closed:
            kernel = cast("OdeKernel", self.kernel)
            states = kernel.states(self.typical, days, inputs=inputs)
            given |= {
                name: constant(states[:, i])
                for i, name in enumerate(self.equations.states)
            }
            given |= {
                name: constant(step_values(self.covariates[name], steps, days))
                for name, steps in inputs.steps.items()
            }
        scope = Scope(given, lines)
        with np.errstate(all="ignore"):
            found = {name: scope.evaluate(node).value for name, node in wanted.items()}
        return {name: np.broadcast_to(x, days.shape) + 0.0 for name, x in found.items()}

    def reproduce(self) -> pd.DataFrame:
        """Return printed numbers beside what the file gives.

        Returns
        -------
        DataFrame
            name, label, unit, printed (text), computed, agrees (to the last digit
            printed), source: derived quantities first, then numbers of the course.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> bool(stein.reproduce()["agrees"].all())
        True
        """
        from cellpk.model.reproduce import reproduce

        return reproduce(self)

    def simulate(
        self,
        n: int,
        *,
        design: "Design",
        seed: int,
        covariates: pd.DataFrame | Mapping[str, Any] | None = None,
        residual: "Residual | None" = None,
    ) -> "Simulated":
        """Return virtual patients: spread, residual error, limits, dropout.

        Parameters
        ----------
        n : int
            Number of patients.
        design : Design
            Days, assays, infusions, limits, dropout.
        seed : int
            Same seed, same bytes.
        covariates : DataFrame or mapping, optional
            One row per patient, or by name a number or n numbers.
        residual : mapping of str to float, optional
            Residual standard deviation by assay, in place of the model's; needed
            where it publishes none. A mapping of two for an error that is "combined".

        Raises
        ------
        ModelError
            Where the spread between patients or a residual error is not published and
            not given.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> design = ck.Design([7, 14, 28], lloq=50)
        >>> len(stein.simulate(5, design=design, seed=1).table)
        15
        """
        from cellpk.model.virtual import simulate

        return simulate(
            self,
            n,
            design=design,
            seed=seed,
            covariates=covariates,
            residual=residual,
        )

    def export(self, target: str, **options: Any) -> str:
        """Return the model as the text of another tool.

        Parameters
        ----------
        target : {"nlmixr2", "monolix", "nonmem"}
            Which tool.
        **options
            ``form="ode"`` writes the differential equations in place of the closed
            form.

        Raises
        ------
        ModelError
            Where the tool is not known.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> "$THETA" in stein.export("nonmem")
        True
        """
        from cellpk.model.export import export

        return export(self, target, **options)
