"""Records of a control stream besides its equations, and what its data set holds."""

from collections.abc import Iterable

import numpy as np

from cellpk.model.export import remarks
from cellpk.model.export.content import Content
from cellpk.model.export.naming import Names
from cellpk.model.parameters import Parameter
from cellpk.model.rows import Observed

INFINITE = 1e6
"""NONMEM takes a bound of a THETA of this size for none."""


def records(content: Content) -> list[str]:
    """Return $THETA, $OMEGA, $SIGMA, $ESTIMATION and $TABLE.

    Parameters
    ----------
    content : Content
        A model, sorted.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.model.export.content import sort
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> [x for x in records(sort(stein, form="closed")) if "tmax" in x]
    ['  2.23001440016 ; 2 log of tmax, 9.3 day: Time of peak',
    '$OMEGA 0.1444 ; 2 tmax: SD 0.38']
    """
    model = content.model
    rows = model.parameters
    thetas = [_typical(rows[name]) for name in content.effects]
    thetas += [_fixed(rows[name]) for name in held(content)]
    thetas += [text for row in model.observed.values() for text in _sizes(row)]
    numbered = [text.format(number=i) for i, text in enumerate(thetas, 1)]
    several = " DVID" if len(model.observed) > 1 else ""
    return [
        "$THETA",
        *numbered,
        *_omega(content),
        "$SIGMA 1 FIX ; the standard deviations are among THETA",
        "$ESTIMATION METHOD=1 LAPLACIAN INTERACTION MAXEVAL=9999 NOABORT PRINT=5",
        "  NSIG=3 SIGL=9",
        f"$TABLE ID TIME{several} DV IPRED CENS NOPRINT ONEHEADER",
        f"  FILE={model.name}.tab",
    ]


def plain(value: float) -> str:
    """Return a number to the last digit, large and small ones by powers of ten.

    Examples
    --------
    >>> plain(2.5e11), plain(86400.0), plain(1e-12), plain(0.16)
    ('2.5E+11', '86400', '1.E-12', '0.16')
    """
    if value == 0 or 1e-4 <= abs(value) < 1e7:
        return np.format_float_positional(value, trim="-")
    return np.format_float_scientific(value, exp_digits=2).upper()


def at_zero(row: Parameter) -> bool:
    """Return whether a THETA would start at 0, which NONMEM refuses.

    Examples
    --------
    >>> at_zero(Parameter("power", 1.0)), at_zero(Parameter("power", 2.0))
    (True, False)
    """
    return row.value is not None and row.transformed == 0


def set_aside(content: Content) -> tuple[str, ...]:
    """Return the fixed parameters that cannot be a THETA: too large for one.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.model.export.content import sort
    >>> set_aside(sort(ck.load_model("kimmel_2021_axicel"), form="ode"))
    ('K_n',)
    """
    values = {name: content.model.parameters[name].value for name in content.fixed}
    return tuple(n for n, x in values.items() if x is not None and abs(x) >= INFINITE)


def held(content: Content) -> tuple[str, ...]:
    """Return the fixed parameters that are a THETA.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.model.export.content import sort
    >>> held(sort(ck.load_model("stein_2019_comedication"), form="ode"))
    ('ftoci', 'fster')
    """
    aside = set_aside(content)
    return tuple(name for name in content.fixed if name not in aside)


def said(row: Parameter) -> str:
    """Return what a parameter is, for a comment beside its number.

    Examples
    --------
    >>> said(Parameter("tmax", 9.3, unit="day", label="Time of peak"))
    'tmax, 9.3 day: Time of peak'
    """
    unit = "" if row.unit == "1" else f" {row.unit}"
    value = "not published" if row.value is None else f"{row.value:g}{unit}"
    label = (row.label or row.name).encode("ascii", "replace").decode()
    return f"{row.name}, {value}: {label}".replace("{", "(").replace("}", ")")


def _typical(row: Parameter) -> str:
    value = remarks.gap(row.name).upper()
    form = "" if row.scale == "identity" else f"{row.scale} of "
    if at_zero(row):
        value, form = "1", f"1 + {form}"
    elif row.value is not None:
        value = f"{row.transformed:.12g}"
    return f"  {value} ; {{number}} {form}{said(row)}"


def _fixed(row: Parameter) -> str:
    value = remarks.gap(row.name).upper()
    if row.value is not None:
        value = plain(row.value)
    held = " FIX" if row.held else ""
    return f"  {value}{held} ; {{number}} {said(row)}"


def _sizes(row: Observed) -> list[str]:
    return [
        f"  (0, {remarks.gap(size, row.name).upper() if x is None else f'{x:.15g}'}) "
        f"; {{number}} {'SD' if size == 'sd' else size}, {remarks.assay(row)}"
        for size, x in row.sizes.items()
    ]


def _omega(content: Content) -> list[str]:
    lines, number = [], 0
    for block in content.blocks:
        many = len(block) > 1
        lines += (
            [f"$OMEGA BLOCK({len(block)}) ; variances, covariances"] if many else []
        )
        for i, one in enumerate(block):
            number += 1
            numbers = [_variance(content, one, two) for two in block[: i + 1]]
            sd = content.model.parameters[one].iiv_sd
            said = "not published" if sd is None else f"{sd:g}"
            start = "  " if many else "$OMEGA "
            lines.append(f"{start}{' '.join(numbers)} ; {number} {one}: SD {said}")
    return lines


def _variance(content: Content, one: str, two: str) -> str:
    value = content.variance(one, two)
    if value is not None:
        return f"{value:.15g}"
    parts = ("variance", one) if one == two else ("covariance", one, two)
    return remarks.gap(*parts).upper()


def data_notes(content: Content, names: Names) -> list[str]:
    """Return how the data set has to look.

    Parameters
    ----------
    content : Content
        A model, sorted.
    names : Names
        What its covariates are called.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.model.export.content import sort
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> notes = data_notes(sort(stein, form="closed"), Names(frozenset()))
    >>> print(notes[2].strip()[:52])
    Below the limit of quantification (M3): CENS = 1 and
    """
    return [
        "DATA. TIME in days after the first infusion. DV on the scale of the residual "
        "error: the natural LOGARITHM of the level where that is normal on the log "
        "level, else the level. MDV = 1 on rows without a sample.",
        *_assays(content),
        "  Below the limit of quantification (M3): CENS = 1 and DV = the limit, on the "
        "same scale as DV (its logarithm); else CENS = 0.",
        *_covariates(content, names),
        *_doses(content),
    ]


def _assays(content: Content) -> Iterable[str]:
    rows = content.model.observed
    said = {
        "unpublished": "; written as log-normal, its SD to be given",
        "student": "; NONMEM has no Student's t: written as normal on the log level, "
        "which gives far-off samples more weight",
    }
    for i, row in enumerate(rows.values(), 1):
        start = f"DVID {i}: " if len(rows) > 1 else ""
        yield f"  {start}{remarks.assay(row)}{said.get(row.error, '')}"


def _covariates(content: Content, names: Names) -> list[str]:
    rows = content.model.covariates
    if not rows:
        return []
    notes = ["COVARIATES, as columns:"]
    notes += [remarks.covariate(row, names.of(name)) for name, row in rows.items()]
    if any(row.steps for row in rows.values()):
        notes.append(
            "  One that changes: NONMEM uses the value of a row from the row before "
            "it on. Give a row with EVID = 2 on the day of a change that still holds "
            "the old value; the rows after it hold the new one."
        )
    return notes


def _doses(content: Content) -> list[str]:
    given = content.model.infusions
    if given is None:
        return []
    numbers = ", ".join(
        f"{content.states.index(state) + 1} ({state})" for state in given.adds
    )
    notes = [
        f"INFUSIONS. EVID = 1, AMT = number of infused cells ({given.unit}), one row "
        f"for each CMT: {numbers}. F turns cells into what is added. "
        + remarks.schedule(content),
        "  A sample on day 0 comes after the infusion, one on the day of a further "
        "infusion before it: order the rows so.",
    ]
    return notes + remarks.uneven(
        content,
        lambda _, state, node: (
            f"  What is added to {state} is not in proportion to the cells: put "
            f"AMT = {node} there, and not the cells."
        ),
    )
