"""Tables of what was fitted to each patient."""

from typing import TYPE_CHECKING

import pandas as pd

from cellpk.fit.individual.words import LITTLE
from cellpk.fit.residual_error import error_of
from cellpk.reporting.printed import METHOD, NOTHING, STATUS, fixed, level
from cellpk.reporting.table import Table, table
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from cellpk.fit.individual.result import IndividualFits
    from cellpk.study.study import Study

_PRIOR_S = "†"
_DIGITS = ((5.0, 2), (100.0, 1), (float("inf"), 0))


@table
def individual_fits(fits: "IndividualFits", study: "Study") -> Table:
    """Return the parameters and derived quantities of each fitted patient.

    Parameters
    ----------
    fits : IndividualFits
        The fits.
    study : Study
        The study that they were made from.

    Returns
    -------
    Table
        A row for each fitted patient; ``frame`` is ``fits.table`` with all patients.

    Examples
    --------
    >>> import cellpk as ck
    >>> whole = ck.simulate_study(seed=1)
    >>> study = ck.Study.from_frames(whole.samples.query("patient == 'S02'"))
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> individual_fits(ck.fit_individuals(stein, study, starts=2), study).name
    'individual_fits_qpcr'
    """
    fitted = fits.table["method"] != "none"
    quantities = list(fits.long["quantity"].unique())
    cells = {name: _cells(fits, name) for name in quantities}
    shown = pd.DataFrame({**_who(fits.table), **cells})[fitted]
    unfitted = int((~fitted).sum())
    return Table(
        name=f"individual_fits_{fits.assay}",
        title=f"{study.assay(fits.assay).label}: individual fits of {fits.model.name}",
        frame=fits.table,
        shown=shown,
        labels={
            "patient": "Patient",
            "method": "Method",
            "samples": "n (below)",
            **{name: _heading(fits, name) for name in quantities},
        },
        prose=("method",),
        footnotes=(
            f"Estimate and {fits.level:.0%} interval.",
            *_METHODS,
            _residual(fits),
            f"{_PRIOR_S} Rests on the prior: the data hold less than {LITTLE:.0%} of "
            "the information.",
            f"{unfitted} patients without a fit stand in the next table.",
            *_not_converged(fits.table),
        ),
        source=f"study {fits.study_id}, individual fits",
        simulated=study.settings.study.simulated,
    )


@table
def fit_remarks(fits: "IndividualFits", study: "Study") -> Table:
    """Return what each patient's data cannot tell, or why there is no fit.

    Parameters
    ----------
    fits : IndividualFits
        The fits.
    study : Study
        The study that they were made from.

    Returns
    -------
    Table
        ``frame``: patient, status, method, n_samples, n_quantified, n_below, converged,
        sentence.

    Examples
    --------
    >>> import cellpk as ck
    >>> whole = ck.simulate_study(seed=1)
    >>> study = ck.Study.from_frames(whole.samples.query("patient == 'S02'"))
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> len(fit_remarks(ck.fit_individuals(stein, study, starts=2), study).frame)
    1
    """
    assay = study.assay(fits.assay)
    counts = ["n_samples", "n_quantified", "n_below"]
    frame = fits.table[
        ["patient", "status", "method", *counts, "converged", "sentence"]
    ]
    return Table(
        name=f"fit_remarks_{fits.assay}",
        title=f"{assay.label}: what the data of each patient cannot tell",
        frame=frame,
        shown=pd.DataFrame({**_who(frame), "sentence": frame["sentence"]}),
        labels={
            **_WHO,
            "sentence": "What the data cannot tell, or why there is no fit",
        },
        prose=("status", "sentence"),
        footnotes=(*_METHODS, _names(fits), *_not_converged(frame)),
        source=f"study {fits.study_id}, individual fits",
        simulated=study.settings.study.simulated,
    )


@table
def prior(fits: "IndividualFits", study: "Study") -> Table:
    """Return the between-patient distribution that stands behind the MAP fits.

    Parameters
    ----------
    fits : IndividualFits
        The fits.
    study : Study
        The study that they were made from.

    Returns
    -------
    Table
        A row for each parameter; ``frame`` is ``fits.prior``.

    Examples
    --------
    >>> import cellpk as ck
    >>> whole = ck.simulate_study(seed=1)
    >>> study = ck.Study.from_frames(whole.samples.query("patient == 'S02'"))
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> prior(ck.fit_individuals(stein, study, starts=2), study).frame["parameter"][0]
    'foldx'
    """
    frame = fits.prior
    shown = pd.DataFrame(
        {
            "parameter": [_label(fits, name) for name in frame["parameter"]],
            "centre": frame["centre"].map(level),
            "unit": [pretty(unit) or NOTHING for unit in frame["unit"]],
            "sd": [fixed(sd, 2) for sd in frame["sd"]],
            "source": frame["source"],
        }
    )
    return Table(
        name=f"prior_{fits.assay}",
        title=f"Between-patient distribution of {fits.model.name}, used as prior",
        frame=frame,
        shown=shown,
        labels={
            "parameter": "Parameter",
            "centre": "Typical value",
            "unit": "Unit",
            "sd": "Between-patient SD",
            "source": "Source",
        },
        prose=("unit", "source"),
        footnotes=(
            "SD on the scale on which the parameter is estimated (log, logit).",
        ),
        source=f"model {fits.model.name}",
        simulated=study.settings.study.simulated,
    )


def _residual(fits: "IndividualFits") -> str:
    """Say whose residual error the fits take."""
    observed = fits.model.stand_in(fits.assay)
    whose = "the model's" + (
        "" if observed.name == fits.assay else f" for {observed.name}"
    )
    error = error_of(observed)
    pairs = dict(error.values)
    sizes = ", ".join(f"{_SIZES[name]} {x:g}" for name, x in pairs.items())
    return (
        f"{_KINDS[error.kind]}: {sizes} in MAP fits, {whose}; the patient's own in ML "
        "fits."
    )


_KINDS = {
    "lognormal": "Residual error of the log level",
    "student": "Residual error of the log level (Student's t)",
    "normal": "Residual error of the level",
    "proportional": "Residual error in proportion to the level",
    "combined": "Residual error of the level",
}
_SIZES = {"sd": "SD", "additive": "additive", "proportional": "proportional"}
"""How kinds of residual error and their sizes are printed."""

_WHO = {"patient": "Patient", "status": "Status, method", "samples": "n (below)"}
_METHODS = (
    "ML: the patient's data alone (maximum likelihood). MAP: with the model's "
    "between-patient distribution as prior. Samples below a limit enter as censored.",
    "n: samples after infusion; below: those below the limit of quantification.",
)


def _who(frame: pd.DataFrame) -> dict[str, pd.Series | list[str]]:
    """Print patient, status, method and samples."""
    lines = frame["status"].map(STATUS) + ", " + frame["method"].map(METHOD)
    unsettled = (frame["method"] != "none") & ~frame["converged"].astype(bool)
    stars = unsettled.map({True: " *", False: ""})
    pairs = zip(frame["n_samples"], frame["n_below"], strict=True)
    return {
        "patient": frame["patient"],
        "status": lines + stars,
        "method": frame["method"].map(METHOD) + stars,
        "samples": [f"{n} ({below})" for n, below in pairs],
    }


def _cells(fits: "IndividualFits", name: str) -> list[str]:
    """Print estimate over interval, marked where it rests on the prior."""
    frame, unit = fits.table, fits.units[name]
    known = fits.long[fits.long["quantity"] == name].set_index("patient")["information"]
    marks = [
        _PRIOR_S if known.get(who, 1.0) < LITTLE else "" for who in frame["patient"]
    ]
    middle = frame[name].median()
    digits = next((n for most, n in _DIGITS if middle < most), 1)

    def show(value: float) -> str:
        return fixed(value, digits) if unit == "day" else level(value)

    numbers = [frame[column] for column in (name, f"{name}_low", f"{name}_high")]
    return [
        NOTHING
        if pd.isna(value)
        else f"{show(value)}{mark}\n({show(low)}, {show(high)})"
        for value, low, high, mark in zip(*numbers, marks, strict=True)
    ]


def _heading(fits: "IndividualFits", name: str) -> str:
    unit = pretty(fits.units[name])
    return f"{_label(fits, name)}\n({unit})" if unit else _label(fits, name)


def _label(fits: "IndividualFits", name: str) -> str:
    from cellpk.kinetics.metrics import METRICS

    rows = {**fits.model.parameters, **fits.model.derived}
    if name in rows:
        return rows[name].label or name
    return METRICS[name].label if name in METRICS else name


def _names(fits: "IndividualFits") -> str:
    """Say what the model's names in the sentences stand for."""
    names = fits.long["quantity"].unique()
    return f"Names: {'; '.join(f'{name}, {_label(fits, name)}' for name in names)}."


def _not_converged(frame: pd.DataFrame) -> tuple[str, ...]:
    fitted = frame[frame["method"] != "none"]
    failed = fitted.loc[~fitted["converged"].astype(bool), "patient"]
    if failed.empty:
        return ()
    return (f"* The fit did not converge: patients {', '.join(failed)}.",)
