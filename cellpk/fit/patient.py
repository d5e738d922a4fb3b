"""One patient's fit: from many starts to lmfit's door, with draws for the intervals."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.cases import Case
from cellpk.fit.objective import SD_RANGE, WORST, Objective
from cellpk.fit.optimise import Optimum, is_stationary, search
from cellpk.fit.posterior import FEW, Component, sample
from cellpk.fit.prior import Prior
from cellpk.model.model import Model

if TYPE_CHECKING:
    from lmfit import Parameters
    from lmfit.minimizer import MinimizerResult

Array = NDArray[np.float64]

SPARE, BEFORE, AFTER = 4, 2, 4
"""What a fit without prior needs: quantified samples beyond the number of parameters,
of which the residual SD is estimated; two for the slope of the rise; four for two
slopes of the fall. With fewer before the highest, fold expansion came out too high by a
factor of a hundred in simulated patients."""

TURNS = 20
"""Most turns between the curve and the residual SD of a fit without prior."""

RESIDUAL_SD = "residual_sd"


@dataclass(frozen=True, eq=False)
class Question:
    """What all patients of a study are asked alike.

    Parameters
    ----------
    model : Model
        The model.
    observed : str
        Which of its observed levels stands for the assay.
    prior : Prior
        Distribution between patients.
    batch : ndarray, shape (b, p)
        Points from which the starts are chosen.
    starts : int
        How many starts.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.prior import prior_of
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> prior = prior_of(stein, [], observed="qpcr", unit="copies/ug")
    >>> Question(stein, "qpcr", prior, prior.draws(64, seed=1), starts=8).sd
    0.56
    """

    model: Model
    observed: str
    prior: Prior
    batch: Array
    starts: int

    @property
    def sd(self) -> float:
        """The model's residual SD of the log level."""
        return residual_sd(self.model, self.observed)


def residual_sd(model: Model, observed: str) -> float:
    """Return the model's residual SD of the log level of an assay.

    Raises
    ------
    FitError
        Where the residual error has another form, or is not published.

    Examples
    --------
    >>> import cellpk as ck
    >>> residual_sd(ck.load_model("stein_2019_tisagenlecleucel"), "qpcr")
    0.56
    """
    row = model.observed[observed]
    if row.error != "lognormal" or row.sd is None:
        raise FitError(
            f"the residual error of {observed!r} is {row.error!r}",
            where=model.name,
            todo="Fits know the lognormal residual error only: state error = "
            '"lognormal" and its sd in a variant of the model.',
        )
    return row.sd


@dataclass(frozen=True, eq=False)
class PatientFit:
    """What came of one patient's samples.

    Parameters
    ----------
    method : {"ml", "map"}
        Whether the prior had a part in it.
    result : lmfit MinimizerResult
        Parameters on the transformed scale.
    objective : Objective
        What was minimised, with the residual SD.
    draws : ndarray, shape (n, p)
        What else the parameters may be, on the transformed scale.
    doubts : tuple of str
        Why the fit cannot be taken for converged; empty where it can.
    no_ml : str
        Why the prior was needed; empty for ``method="ml"``.

    Examples
    --------
    >>> sorted(PatientFit.__annotations__)[:3]     # see fit_patient
    ['doubts', 'draws', 'method']
    """

    method: str
    result: "MinimizerResult"
    objective: Objective
    draws: Array
    doubts: tuple[str, ...]
    no_ml: str = ""

    @property
    def theta(self) -> Array:
        """The estimate on the transformed scale, shape (p,)."""
        return _theta(self.result, self.objective.model.free)


def fit_patient(case: Case, question: Question, rng: np.random.Generator) -> PatientFit:
    """Fit the model to one patient.

    First with the prior (MAP). Then, where the patient's own samples may do without it,
    once more without (ML), with the patient's own residual SD. They may if there are
    enough of them (``SPARE``, ``BEFORE``, ``AFTER``) and if, at the MAP estimate, they
    alone determine every parameter better than the spread between patients does. ML
    stands if it converged off its bounds; else MAP stands and says why. The choice
    rests on the model's residual SD: resting it on the patient's own picked those in
    whom that came out too small by chance, and their intervals then covered too little.

    Parameters
    ----------
    case : Case
        An expanded patient.
    question : Question
        Model, prior and starts.
    rng : numpy Generator
        Chance of the draws.

    Returns
    -------
    PatientFit

    Raises
    ------
    FitError
        If the curve cannot be calculated from any start.

    Examples
    --------
    >>> import cellpk as ck, pandas as pd
    >>> from cellpk.fit.cases import classify
    >>> from cellpk.fit.prior import prior_of
    >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
    >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
    >>> (case,) = classify(ck.Study.from_frames(samples), "qpcr")
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> prior = prior_of(stein, [], observed="qpcr", unit="copies/ug")
    >>> question = Question(stein, "qpcr", prior, prior.draws(64, seed=1), starts=4)
    >>> fit_patient(case, question, np.random.default_rng(1)).no_ml
    '3 quantified samples are fewer than 10'
    """
    objective = Objective(
        question.model,
        question.observed,
        case.times,
        case.said,
        question.prior,
        sd=question.sd,
        penalised=True,
    )
    optimum = search(objective, question.batch, question.starts)
    _check_calculated(objective, optimum)
    no_ml = _sparse(objective, optimum.theta)
    if not no_ml:
        alone = _without_prior(objective, question, optimum.theta)
        fit = _concluded("ml", *alone, rng)
        if not fit.doubts:
            return fit
        no_ml = f"without it there is no sure fit: {'; '.join(fit.doubts)}"
    return replace(_concluded("map", objective, optimum, rng), no_ml=no_ml)


def _check_calculated(objective: Objective, optimum: Optimum) -> None:
    """Raise where even the best end has no curve."""
    if optimum.value >= WORST**2:
        (reason,) = objective.levels(optimum.theta).reasons
        raise FitError(
            f"no curve can be calculated from any of {len(optimum.ends)} starts "
            f"({reason})",
            where=objective.model.name,
            todo="Look at its parameters and their spread, or try more starts.",
        )


def _sparse(objective: Objective, theta: Array) -> str:
    """Say why the patient's own samples do not do without the prior; else empty."""
    said, times = objective.said, objective.times
    seen, level = times[said.quantified], said.low[said.quantified]
    peak = seen[level.argmax()]
    for number, needed, what in (
        (seen.size, theta.size + SPARE, "quantified samples"),
        ((seen < peak).sum(), BEFORE, "of them before the highest"),
        ((seen > peak).sum(), AFTER, "of them after the highest"),
    ):
        if number < needed:
            return f"{number} {what} are fewer than {needed}"
    errors = np.sqrt(np.diag(_covariance(replace(objective, penalised=False), theta)))
    spread, names = objective.prior.sd, objective.model.free
    worst = int((errors / spread).argmax())
    if errors[worst] < spread[worst]:
        return ""
    return (
        f"the samples alone leave {names[worst]} less certain than the spread between "
        f"patients does (SE {errors[worst]:.2g} against {spread[worst]:.2g})"
    )


def _without_prior(
    objective: Objective, question: Question, theta: Array
) -> tuple[Objective, Optimum]:
    """Maximum likelihood with the patient's own residual SD, found by turns."""
    quantified = objective.said.quantified
    spare = quantified.sum() - theta.size
    objective = replace(objective, penalised=False)
    batch = np.concatenate([question.batch, theta[None]])
    optimum = search(objective, batch, question.starts)
    for _ in range(TURNS):
        r, _ = objective.residuals(optimum.theta)
        ratio = np.sqrt(np.square(r[quantified]).sum() / spare)
        sd = float(np.clip(objective.sd * ratio, *SD_RANGE))
        change = abs(sd / objective.sd - 1)
        objective = replace(objective, sd=sd)
        optimum = search(objective, optimum.ends, question.starts)
        if change < 1e-3:
            break
    return objective, optimum


def _concluded(
    method: str, objective: Objective, optimum: Optimum, rng: np.random.Generator
) -> PatientFit:
    result = _polished(objective, optimum.theta)
    theta = _theta(result, objective.model.free)
    draws = sample(objective.log_density, _proposal(objective, optimum), rng)
    doubts = _doubts(objective, optimum, theta)
    if draws.effective < FEW:
        doubts += (f"its intervals rest on {draws.effective:.0f} effective draws",)
    points = draws.points[:, : theta.size]
    return PatientFit(method, result, objective, points, doubts)


def _theta(result: "MinimizerResult", names: tuple[str, ...]) -> Array:
    parameters: Parameters = vars(result)["params"]
    return np.array([parameters[name].value for name in names])


def _polished(objective: Objective, theta: Array) -> "MinimizerResult":
    """Hand the best point to lmfit, which checks, improves and reports it."""
    import lmfit

    names, prior = objective.model.free, objective.prior
    parameters = lmfit.Parameters()
    for i, name in enumerate(names):
        parameters.add(name, theta[i], min=prior.low[i], max=prior.high[i])
    parameters.add(RESIDUAL_SD, objective.sd, vary=False)

    def at(parameters: "Parameters") -> Array:
        return np.array([parameters[name].value for name in names])

    return lmfit.minimize(
        lambda parameters: objective.residuals(at(parameters))[0],
        parameters,
        method="leastsq",
        scale_covar=False,
        Dfun=lambda parameters: objective.residuals(at(parameters))[1],
    )


def _doubts(objective: Objective, optimum: Optimum, theta: Array) -> tuple[str, ...]:
    """Reasons not to call a fit converged."""
    prior, names = objective.prior, objective.model.free
    margin = 1e-3 * prior.sd
    stuck = (theta < prior.low + margin) | (theta > prior.high - margin)
    found = []
    if optimum.reached < 2:
        found.append(
            f"the best fit was reached from {optimum.reached} of "
            f"{len(optimum.values)} starts"
        )
    if not is_stationary(objective, theta):
        found.append("a small step still improves it")
    found += [
        f"{name} stands at its bound"
        for name, at_bound in zip(names, stuck, strict=True)
        if at_bound
    ]
    return tuple(found)


def _covariance(objective: Objective, theta: Array) -> Array:
    """Inverse of the Gauss-Newton curvature; at most 100 SDs where nothing is known."""
    _, jacobian = objective.residuals(theta)
    return np.linalg.inv(jacobian.T @ jacobian + np.diag(1e-4 / objective.prior.sd**2))


def _proposal(objective: Objective, optimum: Optimum) -> list[Component]:
    """Heavy-tailed components about the distinct ends, and a wide one about all."""
    prior, best = objective.prior, optimum.value
    modes: list[tuple[float, Array]] = []
    for value, end in zip(optimum.values, optimum.ends, strict=True):
        apart = [np.abs((end - mode) / prior.sd).max() > 0.05 for _, mode in modes]
        if value < best + 9 and all(apart) and len(modes) < 5:
            modes.append((value, end))
    components = [
        Component(np.exp((best - value) / 4), mode, 1.3 * _covariance(objective, mode))
        for value, mode in modes
    ]
    total = sum(component.share for component in components)
    if objective.penalised:
        wide = Component(total / 4, prior.centre, np.diag(prior.sd**2), dof=30.0)
        return [*components, wide]
    wide = replace(
        components[0], share=total / 4, covariance=9 * components[0].covariance
    )
    spare = int(objective.said.quantified.sum()) - prior.centre.size
    return [
        _with_sd(component, objective.sd, spare) for component in (*components, wide)
    ]


def _with_sd(component: Component, sd: float, spare: int) -> Component:
    """Add the log residual SD, of which ``spare`` samples tell, to a component."""
    size = component.mean.size
    covariance = np.zeros((size + 1, size + 1))
    covariance[:size, :size] = component.covariance
    covariance[size, size] = 1 / spare
    mean = np.append(component.mean, np.log(sd))
    return replace(component, mean=mean, covariance=covariance)
