"""What a hierarchical fit asks: of which samples, with which priors."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

from cellpk.fit.bayes.joint_model import blocks
from cellpk.fit.bayes.prior_choice import Priors, priors_of
from cellpk.fit.bayes.prior_numbers import PriorNumbers, prior_numbers
from cellpk.fit.bayes.tree import Shape
from cellpk.fit.contents import json_bytes, model_members, study_members
from cellpk.fit.population.fit import prepared
from cellpk.fit.population.joint import JointData, JointErrors
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.prior import prior_for
from cellpk.model.model import Model
from cellpk.study.study import Study

NOTHING: Mapping[str, Any] = {
    "covariates": None,
    "correlations": "none",
    "without_spread": (),
    "lots": (),
    "assays": None,
}
"""What is asked where nothing is."""


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of which samples, with which priors.

    Parameters
    ----------
    given : Model
        What is to be fitted.
    study : Study
        To whom.
    asked : mapping of str
        The other arguments of the fit.
    choice : Priors
        How the priors are made.
    sampled : Sampled
        Samples and structure.
    first : State
        The model's own numbers.
    priors : PriorNumbers
        Of everything that is estimated.

    Examples
    --------
    >>> sorted(Question.__annotations__)[:2]
    ['asked', 'choice']
    """

    given: Model
    study: Study
    asked: Mapping[str, Any]
    choice: Priors
    sampled: Sampled
    first: State
    priors: PriorNumbers

    @property
    def shape(self) -> Shape:
        """What is sampled of whom."""
        assert isinstance(self.sampled.data, JointData)
        assert isinstance(self.first.errors, JointErrors)
        return Shape(
            self.sampled.data.data,
            self.sampled.structure,
            self.first.errors,
            bool(self.first.never),
        )

    @property
    def units(self) -> dict[str, str]:
        """Unit of each parameter."""
        table = prior_for(self.shape.data).table
        return dict(zip(table["parameter"], table["unit"], strict=True))

    @cached_property
    def sha256(self) -> str:
        """Hash of all that the draws depend on, but for their seed and number."""
        digest = sha256(json_bytes(self.asked))
        digest.update(json_bytes(asdict(self.choice)))
        for members in (model_members(self.given), study_members(self.study)):
            for name, content in members.items():
                digest.update(name.encode() + content)
        return digest.hexdigest()


def question_of(
    model: Model,
    study: Study,
    *,
    asked: Mapping[str, Any] = NOTHING,
    choice: Priors | None = None,
) -> Question:
    """Return what is asked, once it can be.

    Parameters
    ----------
    model, study
        What is fitted to whom.
    asked : mapping of str
        The other arguments of :func:`.fit.fit_bayes` that shape the model; what is not
        named is not asked.
    choice : Priors, optional
        How the priors are made.

    Raises
    ------
    FitError, DataError
        As :func:`.fit.fit_bayes`.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> question_of(stein, ck.simulate_study(seed=1)).shape.never
    True
    """
    asked, choice = {**NOTHING, **asked}, priors_of(choice)
    sampled, first = prepared(with_tails(model, choice), study, **asked)
    blocks(sampled.structure)
    assert isinstance(sampled.data, JointData)
    numbers = prior_numbers(
        sampled.data.data, sampled.structure, choice, never=bool(first.never)
    )
    return Question(model, study, asked, choice, sampled, first, numbers)


def with_tails(model: Model, choice: Priors) -> Model:
    """Return the model with robust residuals where these are asked for.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> with_tails(stein, Priors(tails=4)).observed["qpcr"].error
    'student'
    """
    if choice.tails is None:
        return model
    rows = {
        name: replace(row, error="student", df=choice.tails)
        if row.error in ("lognormal", "student")
        else row
        for name, row in model.observed.items()
    }
    return replace(model, observed=rows)
