"""Patients of a model that is solved step by step: log levels, gradients, states."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike

from cellpk.errors import ModelError
from cellpk.model.compile import esdirk, integrate, linear, modes, timeline
from cellpk.model.compile.cache import Notify, is_compiled, load, tell_terminal
from cellpk.model.compile.kernel import Kernel, observed_number
from cellpk.model.compile.ode import System, ode_text
from cellpk.model.compile.vectors import Patients, fixed_covariates, read_patients
from cellpk.model.description import Description
from cellpk.model.inputs import Inputs, read_inputs
from cellpk.model.levels import LARGEST, SMALLEST, Levels
from cellpk.model.parallel import over_chunks
from cellpk.model.parameters import Array

SOLVER = (linear, esdirk, modes, timeline, integrate)
"""Modules that are compiled into every model."""

STATES_PER_CHUNK = 1000
"""States of all patients of a chunk: tens of milliseconds of work, since it takes ten
to set threads to work."""

SECONDS, SECONDS_PER_STATE = 8, 0.5
"""Time that numba takes, rough: 9 s for 2 states, 20 s for 23, on a machine of 2025."""

REASONS: Mapping[int, str] = {
    integrate.STEP_TOO_SMALL: f"the step fell below {timeline.SMALLEST_STEP:g} day",
    integrate.NEGATIVE: "{state} turned negative",
    integrate.TOO_MANY_STEPS: f"{integrate.MOST_STEPS} steps were not enough",
    integrate.NOT_FINITE: "{state} or its rate was not finite",
}
"""Why a course was not followed to its end."""


@dataclass(frozen=True, eq=False, repr=False)
class OdeKernel(Kernel):
    """A compiled model that is solved step by step.

    Parameters
    ----------
    model : Model
        What was compiled.
    module : module
        As :func:`cellpk.model.compile.ode.ode_text` writes it.
    switches : int
        Number of times at which the model changes its course.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> kernel = ode_kernel(stein)  # compiled when first used: about 9 s, once
    >>> kernel.solve(stein.typical, [0, 9.3]).log_level.round(4)
    array([ 1.8171, 10.0858])
    """

    model: Description
    module: ModuleType
    switches: int

    def solve(
        self,
        theta: ArrayLike,
        times: ArrayLike,
        *,
        observed: str | None = None,
        inputs: Inputs | None = None,
        gradient: bool = False,
        tolerance: float = 1e-8,
        threads: int | None = None,
    ) -> Levels:
        """Return log levels of patients, and their gradients where asked for.

        Parameters
        ----------
        theta, times, observed, inputs
            As for ``Model.solve``.
        gradient : bool
            Whether to work out the gradient by theta. Levels are the same, bit by bit.
        tolerance : float
            Of the logs of states, per step.
        threads : int, optional
            All processors where not given. The numbers do not depend on it.

        Returns
        -------
        Levels
            ``log_level`` (..., n), ``gradient`` (..., n, p) or None, ``reasons``.

        Raises
        ------
        ModelError
            Where the model has no such assay.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> theta = stein.theta({"tmax": [7, 12]})
        >>> kernel = ode_kernel(stein)
        >>> kernel.solve(theta, [7, 14], gradient=True).gradient.shape
        (2, 2, 6)
        """
        which = observed_number(self.model, observed)
        inputs = inputs or read_inputs(self.model)
        patients = read_patients(self.model, theta, times, inputs=inputs)
        done = self._run(
            patients, inputs, (which, tolerance), gradient=gradient, threads=threads
        )
        return _levels(patients, done, self._reasons(done))

    def states(
        self,
        theta: ArrayLike,
        times: ArrayLike,
        *,
        inputs: Inputs | None = None,
        tolerance: float = 1e-8,
        threads: int | None = None,
    ) -> Array:
        """Return the states themselves.

        Parameters
        ----------
        theta, times, inputs, tolerance, threads
            As for :meth:`solve`.

        Returns
        -------
        ndarray, shape (..., n, states)
            In the order of ``model.equations.states``.

        Raises
        ------
        ModelError
            Where a patient cannot be calculated: why, and on which day.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> kernel = ode_kernel(stein)
        >>> kernel.states(stein.typical, [7, 9.3]).round(1)
        array([[ 3105.3,     0. ],
               [24000. ,     0. ]])
        """
        inputs = inputs or read_inputs(self.model)
        patients = read_patients(self.model, theta, times, inputs=inputs)
        done = self._run(patients, inputs, (0, tolerance), threads=threads)
        for patient, reason in enumerate(self._reasons(done, levels=False)):
            if reason is not None:
                raise ModelError(
                    f"patient {patient + 1} cannot be calculated: {reason}",
                    where=self.model.name,
                    todo="Try less extreme parameters.",
                )
        return done.states.reshape((*patients.shape, *done.states.shape[1:]))

    def compile(self, *, notify: Notify | None = None) -> None:
        """Compile now what would be compiled when first used."""
        nobody = np.empty((0, len(self.model.free)))
        inputs = read_inputs(self.model)
        patients = read_patients(self.model, nobody, [0.0], inputs=inputs)
        self._announce(notify)
        self.module.solve(self._task(patients, inputs, (0, 1e-8)))

    def _announce(self, notify: Notify | None = None) -> None:
        if not is_compiled(self.module.solve):
            seconds = round(SECONDS + SECONDS_PER_STATE * self.module.SIZES[0])
            sentence = f"compiling {self.model.name}, once, about {seconds} s"
            (notify or tell_terminal)(sentence)

    def _task(
        self,
        patients: Patients,
        inputs: Inputs,
        settings: tuple[int, float],
        *,
        gradient: bool = False,
    ) -> integrate.Task:
        """Arrays for the solver: assay and tolerance are the settings."""
        states, free, known = self.module.SIZES
        steps = [
            inputs.steps[n] for n, row in self.model.covariates.items() if row.steps
        ]
        changed = np.repeat(np.arange(len(steps)), [len(days) for days, _ in steps])
        change_days, changes = (
            np.concatenate([np.empty(0), *(pair[i] for pair in steps)]) for i in (0, 1)
        )
        nominal = (self.switches, change_days, patients.times[0], inputs.days)
        n, m = len(patients.values), patients.times.shape[1]
        return integrate.Task(
            work=np.zeros(1, esdirk.layout(states, free, known)),
            stops=timeline.make_stops(free, nominal),
            p=patients.values,
            times=patients.times,
            cells=np.array(inputs.cells, dtype=float),
            references=np.array(
                [row.value for row in self.model.covariates.values() if row.steps],
                dtype=float,
            ),
            changed=changed.astype(np.int64),
            changes=changes,
            which=settings[0],
            tolerance=float(settings[1]),
            levels=np.zeros((n, m)),
            gradient=np.zeros((n if gradient else 0, m, free)),
            states=np.zeros((n, m, states)),
            codes=np.zeros(n, np.int64),
            days=np.zeros(n),
            culprits=np.zeros(n, np.int64),
            tried=np.zeros(n, np.int64),
        )

    def _run(
        self,
        patients: Patients,
        inputs: Inputs,
        settings: tuple[int, float],
        *,
        gradient: bool = False,
        threads: int | None = None,
    ) -> integrate.Task:
        """Solve all patients, chunk by chunk; each chunk has memory of its own."""
        task = self._task(patients, inputs, settings, gradient=gradient)
        own = (
            "p",
            "levels",
            "gradient",
            "states",
            "codes",
            "days",
            "culprits",
            "tried",
        )
        wide = (*own, "times") if len(task.times) > 1 else own

        def work(chunk: slice) -> None:
            rows = {name: getattr(task, name)[chunk] for name in wide}
            memory = {"work": task.work.copy(), "stops": task.stops.copy()}
            self.module.solve(task._replace(**rows, **memory))

        self._announce()
        size = max(1, STATES_PER_CHUNK // self.module.SIZES[0])
        over_chunks(work, len(task.p), size=size, threads=threads)
        return task

    def _reasons(
        self, done: integrate.Task, *, levels: bool = True
    ) -> tuple[str | None, ...]:
        """Why each patient cannot be calculated, in a sentence."""
        rows = zip(done.codes, done.culprits, done.days, strict=True)
        found = [self._reason(*row) for row in rows]
        for i in np.flatnonzero(~np.isfinite(done.levels).all(axis=1)):
            if levels:
                found[i] = found[i] or "the level is not a finite number"
        return tuple(found)

    def _reason(self, code: int, culprit: int, day: float) -> str | None:
        if code == integrate.DONE:
            return None
        state = repr(self.model.equations.states[culprit])
        return f"{REASONS[code].format(state=state)} on day {day:.4g}"


def _levels(
    patients: Patients, done: integrate.Task, reasons: tuple[str | None, ...]
) -> Levels:
    """Log levels and gradients by theta; nothing of a patient who has a reason."""
    whole = np.array([reason is None for reason in reasons], dtype=bool)[:, None]
    level = np.where(whole, done.levels, 0.0)
    shape = (*patients.shape, level.shape[1])
    value = np.log(np.clip(level, SMALLEST, LARGEST)).reshape(shape)
    if done.gradient.shape[0] != len(level):
        return Levels(value, None, reasons)
    inside = (level > SMALLEST) & (level < LARGEST)
    inverse = np.where(inside, 1 / np.where(inside, level, 1.0), 0.0)[..., None]
    plain = np.where(whole[..., None], done.gradient, 0.0)
    gradient = inverse * plain * patients.slopes[:, None, :]
    return Levels(value, gradient.reshape((*shape, gradient.shape[-1])), reasons)


def ode_kernel(model: Description) -> OdeKernel:
    """Return the compiled model, solved step by step even where it has a closed form.

    Parameters
    ----------
    model : Model
        It is compiled when first used, once per machine.

    Raises
    ------
    ModelError
        Where the cache cannot be written.

    Examples
    --------
    >>> import cellpk as ck
    >>> ode_kernel(ck.load_model("stein_2019_tisagenlecleucel")).switches
    1
    """
    infusions = model.infusions
    system = System(
        equations=model.equations,
        levels=tuple(row.expression for row in model.observed.values()),
        known=(*model.parameters, *fixed_covariates(model)),
        free=model.free,
        steps=tuple(name for name, row in model.covariates.items() if row.steps),
        adds=infusions.adds if infusions else {},
        lag=infusions.lag if infusions else None,
    )
    module = load(ode_text(system), parts=SOLVER)
    return OdeKernel(model, module, len(system.switches))
