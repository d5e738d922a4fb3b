"""Tables of a hierarchical fit: what was estimated, and what the data told of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.bayes.mixing import mixing
from cellpk.fit.population.layout import SPREAD, Layout
from cellpk.fit.population.rows import FISHER, moved_by, units_of_spread
from cellpk.model.parameters import SCALES, Scale

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit

Array = NDArray[np.float64]

SHARES = (0.5, 0.025, 0.975)
"""Median, and ends of the equal-tailed 95 % interval."""

UNINFORMED, LITTLE = 0.3, 0.6
"""Contractions below which the data do not inform an estimate, and below which they
inform it little."""

MOVED = 0.5
"""Area in common below which the data moved an estimate: of two normal distributions of
one SD, where they stand 1.35 SDs apart."""

_THINNED = 2000  # draws of which densities are estimated: more change no digit
_PLACES = 400  # at which densities are compared, over the range of each


@dataclass(frozen=True, eq=False)
class Estimate:
    """Draws of one estimate, on the scale on which it is close to normal.

    Parameters
    ----------
    parameter, kind, unit, label : str
        As in the table; how a sentence calls it.
    scale : Scale
        The way from the natural unit to that scale, and back.
    posterior : ndarray, shape (chains, draws)
        On that scale.
    prior : ndarray, shape (n,)
        Draws of the prior on that scale.

    Examples
    --------
    >>> sorted(Estimate.__annotations__)[:3]
    ['kind', 'label', 'parameter']
    """

    parameter: str
    kind: str
    unit: str
    label: str
    scale: Scale
    posterior: Array
    prior: Array

    @property
    def row(self) -> dict[str, object]:
        """What the table says of it, but for the diagnostics of its chains."""
        contraction = contracted(self.posterior, self.prior)
        common = overlap(self.posterior.ravel(), self.prior)
        value, low, high = self._natural(self.posterior)
        middle, least, most = self._natural(self.prior)
        return {
            "parameter": self.parameter,
            "kind": self.kind,
            "value": value,
            "unit": self.unit,
            "low": low,
            "high": high,
            "prior_median": middle,
            "prior_low": least,
            "prior_high": most,
            "contraction": contraction,
            "overlap": common,
            "sentence": informed(self.label, contraction, common),
        }

    def _natural(self, drawn: Array) -> Array:
        return np.asarray(self.scale.back(np.quantile(drawn, SHARES)), float)


def contracted(posterior: Array, prior: Array) -> float:
    """Return which share of the prior's variance the data took away.

    0 where the data said nothing, close to 1 where they said nearly all; below 0 where
    they widened what was believed.

    References
    ----------
    Betancourt M. Towards a principled Bayesian workflow, 2020, section 1.3.

    Examples
    --------
    >>> contracted(np.array([-1.0, 1.0]), np.array([-2.0, 2.0]))
    0.75
    """
    return float(1 - posterior.var() / prior.var())


def overlap(posterior: Array, prior: Array) -> float:
    """Return the area that the densities of prior and posterior have in common.

    Densities by Gaussian kernels (Scott's rule).

    Parameters
    ----------
    posterior, prior : ndarray, shape (n,)
        Draws.

    Returns
    -------
    float
        1 where both are the same, 0 where they have nothing in common.

    References
    ----------
    Inman HF, Bradley EL. Commun Stat Theory Methods 1989;18:3851-3874.

    Examples
    --------
    >>> drawn = np.random.default_rng(1).standard_normal(1000)
    >>> round(overlap(drawn, drawn), 2), round(overlap(drawn, drawn + 20), 2)
    (1.0, 0.0)
    """
    from scipy.stats import gaussian_kde

    both = [_thinned(drawn) for drawn in (posterior, prior)]
    ends = [(drawn.min(), drawn.max(), drawn.std()) for drawn in both]
    places = np.unique(
        [np.linspace(low - sd, high + sd, _PLACES) for low, high, sd in ends]
    )
    densities = [gaussian_kde(drawn)(places) for drawn in both]
    return float(min(1.0, np.trapezoid(np.minimum(*densities), places)))


def _thinned(drawn: Array) -> Array:
    """Return so many draws, evenly among all."""
    kept = np.linspace(0, len(drawn) - 1, min(_THINNED, len(drawn)))
    return drawn[kept.round().astype(int)]


def informed(label: str, contraction: float, common: float) -> str:
    """Say where the data inform an estimate little or not at all; else nothing.

    Data that move an estimate but leave it as uncertain as before contradict the prior,
    which is another thing than to say nothing.

    Parameters
    ----------
    label : str
        What the estimate is called.
    contraction, common : float
        As from :func:`contracted` and :func:`overlap`.

    Examples
    --------
    >>> informed("beta", 0.1, 0.9), informed("beta", 0.5, 0.7)
    ('the data do not inform beta', 'the data inform beta little')
    >>> informed("beta", 0.1, 0.2)
    'the data move beta away from its prior, and do not tell it more surely'
    >>> informed("beta", 0.9, 0.2)
    ''
    """
    if contraction >= LITTLE:
        return ""
    if common < MOVED:
        return f"the data move {label} away from its prior, and do not tell it " + (
            "more surely" if contraction < UNINFORMED else "much more surely"
        )
    if contraction < UNINFORMED:
        return f"the data do not inform {label}"
    return f"the data inform {label} little"


def estimates_table(fit: "BayesFit") -> pd.DataFrame:
    """Return one row per estimate, with its prior beside it.

    Parameters
    ----------
    fit : BayesFit
        The fit.

    Returns
    -------
    DataFrame
        ``parameter``; ``kind`` (typical value, covariate effect, spread, correlation,
        residual error, share, spread between lots); ``value``, the median of the
        posterior, in ``unit``, with ``low`` and ``high`` of its equal-tailed 95 %
        interval; the same of the prior: ``prior_median, prior_low, prior_high``;
        ``contraction``, see :func:`contracted`, and ``overlap``, see :func:`overlap`,
        on the parameter's own scale, of SDs and residual errors on the log scale, of
        correlations on Fisher's, of the share on the logit scale; ``r_hat, ess_bulk,
        ess_tail``, see :func:`.mixing.mixing`; ``sentence``, where the data say little
        or nothing of it, or contradict its prior, see :func:`informed`.

    Examples
    --------
    >>> callable(estimates_table)            # see BayesFit.table
    True
    """
    every = list(estimates_of(fit))
    table = pd.DataFrame([one.row for one in every])
    found = mixing(np.stack([one.posterior for one in every], axis=-1))
    sentences = table.pop("sentence")
    return table.assign(**found._asdict(), sentence=sentences)


def estimates_of(fit: "BayesFit") -> Iterator[Estimate]:
    """Return the draws of every estimate, in the order of the table.

    Parameters
    ----------
    fit : BayesFit
        The fit.

    Examples
    --------
    >>> callable(estimates_of)            # see BayesFit.table
    True
    """
    yield from _coefficients(fit)
    yield from _spread(fit)
    yield from _correlations(fit)
    yield from _errors(fit)
    if fit.shape.never:
        own = _drawn(fit, "never_expanded", SCALES["logit"])
        label = "the share of patients who never expanded"
        yield Estimate("never_expanded", "share", "1", label, SCALES["logit"], *own)
    yield from _between_lots(fit)


def _drawn(
    fit: "BayesFit", name: str, scale: Scale, place: tuple[int, ...] = ()
) -> tuple[Array, Array]:
    """Return draws of posterior and prior on a scale."""
    after, before = (
        np.asarray(fit.tree[f"{group}/{name}"])[:, :, *place]
        for group in ("posterior", "prior")
    )
    return scale.forward(after), scale.forward(before).ravel()


def _coefficients(fit: "BayesFit") -> Iterator[Estimate]:
    structure, size = fit.structure, len(fit.model.free)
    units, plain = units_of_spread(fit), SCALES["identity"]
    for i, name in enumerate(structure.coefficients):
        after, before = _drawn(fit, "location", plain, (i,))
        if i < size:
            scale, unit = SCALES[fit.model.parameters[name].scale], fit.units[name]
            kind = "typical value"
        else:
            scale, unit = plain, units[moved_by(structure, i)]
            kind = "covariate effect"
        yield Estimate(name, kind, unit, name, scale, after, before)


def _spread(fit: "BayesFit") -> Iterator[Estimate]:
    names = np.array(fit.model.free)[fit.structure.varies]
    units, log = units_of_spread(fit), SCALES["log"]
    for i, name in enumerate(names.tolist()):
        own = _drawn(fit, "spread", log, (i,))
        yield Estimate(name, "spread", units[name], f"{SPREAD}{name}", log, *own)


def _correlations(fit: "BayesFit") -> Iterator[Estimate]:
    layout = Layout(fit.structure, fit.state)
    place = np.cumsum(fit.structure.varies) - 1
    names = layout.names[layout.parts()["correlation"]]
    for (a, b), name in zip(layout.pairs, names, strict=True):
        own = _drawn(fit, "correlation", FISHER, (int(place[a]), int(place[b])))
        yield Estimate(name, "correlation", "1", f"the {name}", FISHER, *own)


def _errors(fit: "BayesFit") -> Iterator[Estimate]:
    errors, log = fit.shape.errors, SCALES["log"]
    units = errors.units([one.unit for one in fit.data.series])
    for i, (name, unit) in enumerate(zip(errors.names, units, strict=True)):
        own = _drawn(fit, "error", log, (i,))
        yield Estimate(name, "residual error", unit, f"the {name}", log, *own)


def _between_lots(fit: "BayesFit") -> Iterator[Estimate]:
    lots, units, log = fit.structure.lots, units_of_spread(fit), SCALES["log"]
    for i, place in enumerate(lots.places if lots else ()):
        name = fit.model.free[place]
        own = _drawn(fit, "lot_spread", log, (i,))
        label = f"{SPREAD}{name} between lots"
        kind = "spread between lots"
        yield Estimate(f"{name} between lots", kind, units[name], label, log, *own)


def individuals_table(fit: "BayesFit") -> pd.DataFrame:
    """Return one row per patient: what is known of each parameter.

    Parameters
    ----------
    fit : BayesFit
        The fit.

    Returns
    -------
    DataFrame
        ``patient``; per parameter the median of its posterior in natural units
        (``NAME``) and the ends of the equal-tailed 95 % interval (``NAME_low,
        NAME_high``); ``expanded``, the chance that her cells expanded at all.

    Examples
    --------
    >>> callable(individuals_table)            # see BayesFit.individuals
    True
    """
    ends = np.quantile(fit.theta, SHARES, axis=0)
    natural = fit.model.natural(ends)
    columns: dict[str, object] = {"patient": list(fit.patients)}
    for name in fit.model.free:
        middle, low, high = natural[name]
        columns |= {name: middle, f"{name}_low": low, f"{name}_high": high}
    return pd.DataFrame(columns).assign(expanded=fit.posteriors.expanded)
