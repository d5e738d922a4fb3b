"""Fits of the same samples, side by side: ``compare``."""

from collections.abc import Mapping
from typing import overload

from cellpk.errors import FitError
from cellpk.fit.bayes.compare import BayesComparison, compare_bayes
from cellpk.fit.bayes.loo import Per
from cellpk.fit.bayes.result import BayesFit
from cellpk.fit.population.compare import Comparison, compare_populations
from cellpk.fit.population.result import PopulationFit
from cellpk.fit.side_by_side import check_samples

Given = PopulationFit | BayesFit


@overload
def compare(*fits: PopulationFit | Mapping[str, PopulationFit]) -> Comparison: ...
@overload
def compare(
    *fits: BayesFit | Mapping[str, BayesFit], per: Per = "patient"
) -> BayesComparison: ...


def compare(
    *fits: Given | Mapping[str, PopulationFit] | Mapping[str, BayesFit],
    per: Per = "patient",
) -> Comparison | BayesComparison:
    """Compare population fits, or hierarchical ones, of the same samples.

    Parameters
    ----------
    *fits : PopulationFit or BayesFit, or mapping of str to these
        Two or more, best with names: ``compare({"plain": a, "by age": b})``.
    per : {"patient", "sample"}
        Who or what is left out in turn, where the fits are hierarchical.

    Returns
    -------
    Comparison
        Of population fits: ``.table`` (criteria), ``.parameters``, ``.tests``
        (likelihood ratios).
    BayesComparison
        Of hierarchical fits: ``.table`` (elpd, differences, stacking weights),
        ``.each``.

    Raises
    ------
    FitError
        Where the fits rest on different samples: their likelihoods then have nothing
        to do with each other. It says which samples. Where they are of both kinds.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=20, average=10, draws=100)
    >>> plain, pair = (
    ...     ck.fit_population(stein, study, steps=quick, correlations=asked)
    ...     for asked in ("none", [("cmax", "tmax")]))
    >>> compare({"plain": plain, "pair": pair}).tests[["smaller", "larger", "df"]]
      smaller larger  df
    0   plain   pair   1
    """
    named = _named(fits)
    populations = {n: x for n, x in named.items() if isinstance(x, PopulationFit)}
    sampled = {n: x for n, x in named.items() if isinstance(x, BayesFit)}
    if populations and sampled:
        found = (
            f"{next(iter(sampled))!r} is sampled, {next(iter(populations))!r} is not"
        )
        raise FitError(found, todo="Compare fits of one kind.")
    check_samples(named)
    return compare_bayes(sampled, per) if sampled else compare_populations(populations)


def _named(
    fits: tuple[Given | Mapping[str, PopulationFit] | Mapping[str, BayesFit], ...],
) -> dict[str, Given]:
    """Return fits by name."""
    named: dict[str, Given] = {}
    for i, one in enumerate(fits, 1):
        given = one if isinstance(one, Mapping) else {f"fit {i}": one}
        for name, fit in given.items():
            if not isinstance(fit, Given):
                found = f"{name!r} is a {type(fit).__name__}"
                raise FitError(
                    found, todo="Give what fit_population or fit_bayes returned."
                )
            named[name] = fit
    if len(named) < 2:
        raise FitError(f"{len(named)} fits to compare", todo="Give two or more.")
    return named
