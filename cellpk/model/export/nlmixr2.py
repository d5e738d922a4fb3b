"""A model as an R function for nlmixr2 and rxode2.

Syntax: the rxode2 manual (model syntax, residual errors, ``mtime``, ``locf``) and the
models of nlmixr2lib.
"""

from collections.abc import Sequence

from cellpk.model.export import remarks
from cellpk.model.export.code import Code, Syntax
from cellpk.model.export.content import Content, per_cell
from cellpk.model.export.naming import Names, words
from cellpk.model.export.targets import target
from cellpk.model.export.writing import (
    HELD,
    LARGEST,
    ONE,
    Lowering,
    Printer,
    comment,
)
from cellpk.model.expression import Number
from cellpk.model.parameters import Parameter
from cellpk.model.rows import Observed

RESERVED = words(
    """
    t time tlast tlast0 tad tad0 tafd tafd0 tfirst tfirst0 dosenum podo podo0 dose dose0
    id ID cmt CMT dvid DVID addl ADDL ss SS amt AMT dur rate RATE evid EVID ii II dv DV
    mdv MDV cens CENS limit LIMIT newind NEWIND rxFlag M_E M_PI pi
    if else while for repeat break next function in TRUE FALSE T F NULL Inf NaN NA c log
    exp sqrt abs min max sum prod sign floor ceil round expit logit probit probitInv phi
    choose factorial lag lead first last diff f alag mtime matexp
    add prop pow lnorm logitNorm probitNorm boxCox yeoJohnson norm dnorm dt t dcauchy
    locf nocb linear midpoint param cmt state print label fix fixed var sd cor cov chol
    linCmt is_na ifelse erf transit
    """
)
TOOL = "nlmixr2"
GUARDED = (
    "exp(min(x, 700)) in a branch is exp(x): both branches are evaluated and one is "
    "multiplied by 0, which an overflow would turn into NaN."
)

SYNTAX = Syntax("{} <- {}", "if ({} {} {}) {{", "} else {", "}", {})

TYPICAL = {"log": ("l", "log({})"), "logit": ("logit.", "logit({})")}
"""What the typical value is called, and how it is written on its scale."""

BACK = {"log": "exp({})", "logit": "expit({})", "identity": "{}"}

ERRORS = {
    "lognormal": "lnorm({sd})",
    "student": "lnorm({sd}) + dt({df})",
    "normal": "add({sd})",
    "proportional": "prop({sd})",
    "combined": "add({additive}) + prop({proportional}) + combined2()",
    "unpublished": "lnorm({sd})",
}


@target("nlmixr2")
def write(content: Content) -> str:
    """Return a model as an R function.

    Parameters
    ----------
    content : Content
        A model, sorted.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.model.export.content import sort
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> text = write(sort(stein, form="closed"))
    >>> [line.strip() for line in text.splitlines() if "tmax" in line][:2]
    ['ltmax <- log(9.3); label("Time of peak (day)")',
    'eta.tmax ~ 0.1444 # SD 0.38']
    """
    code = _code(content)
    model = _model(content, code)
    ini = _ini(content, code.names)
    name = Names(frozenset()).add(content.model.name)
    guarded = any(f", {LARGEST:g}))" in line for line in model)
    notes = comment(_notes(content, code.names, guarded=guarded), sign="# ")
    body = [
        *notes,
        "ini({",
        *(f"  {line}" for line in ini),
        "})",
        "model({",
        *(f"  {line}" for line in model),
        "})",
    ]
    return "\n".join([f"{name} <- function() {{", *(f"  {x}" for x in body), "}", ""])


def _code(content: Content) -> Code:
    names = Names(RESERVED, pattern=r"(rx|nlmixr).*|THETA\d*|ETA\d*")
    model = content.model
    names.point("t", "t")
    for name in (*model.parameters, *model.covariates, *content.states):
        names.add(name)
    for name in {**content.steady, **content.moving, **content.levels}:
        names.add(name)
    for name, row in model.parameters.items():
        if not row.fixed:
            prefix, _ = TYPICAL.get(row.scale, ("typical.", ""))
            names.add(f"typical {name}", f"{prefix}{names.of(name)}")
            names.add(f"eta {name}", f"eta.{names.of(name)}")
    for name, row in model.observed.items():
        names.add(f"assay {name}", name if _is_free(name, content) else f"{name}.level")
        for size in row.sizes:
            names.add(f"{size} {name}", f"{name}.{size}")
        if row.error == "student":
            names.add(f"df {name}", f"{name}.df")
    lowering = Lowering(fresh=names.fresh, rules=HELD, guard=LARGEST)
    return Code(names, Printer(names=names.of), lowering, SYNTAX)


def _is_free(name: str, content: Content) -> bool:
    """Whether an assay can keep its name: nothing in the equations has it."""
    model = content.model
    lines = {**content.steady, **content.moving, **content.levels}
    return name not in {*model.parameters, *model.covariates, *content.states, *lines}


def _ini(content: Content, names: Names) -> list[str]:
    rows = content.model.parameters
    lines = ["# typical values, on the scale on which patients spread normally"]
    lines += [_typical(rows[name], names) for name in content.effects]
    if content.fixed:
        lines.append("# the same for all patients, not estimated")
    lines += [_fixed(rows[name], names) for name in content.fixed]
    lines.append("# between-patient spread: VARIANCES and covariances, not SDs")
    for block in content.blocks:
        lines += _effects(content, block, names)
    lines.append("# residual errors: standard deviations")
    for row in content.model.observed.values():
        lines += _residual(row, names)
    return lines


def _number(value: float | None, *parts: str) -> str:
    return remarks.gap(*parts) if value is None else f"{value:.15g}"


def _label(row: Parameter) -> str:
    text = row.label or row.name
    unit = "" if row.unit == "1" else f" ({row.unit})"
    quoted = f"{text}{unit}".replace("\\", "/").replace('"', "'")
    return f'label("{quoted}")'


def _typical(row: Parameter, names: Names) -> str:
    _, form = TYPICAL.get(row.scale, ("", "{}"))
    value = form.format(_number(row.value, names.of(row.name)))
    return f"{names.of(f'typical {row.name}')} <- {value}; {_label(row)}"


def _fixed(row: Parameter, names: Names) -> str:
    value = _number(row.value, names.of(row.name))
    value = f"fix({value})" if row.held else value
    return f"{names.of(row.name)} <- {value}; {_label(row)}"


def _effects(content: Content, block: Sequence[str], names: Names) -> list[str]:
    rows = content.model.parameters
    left = " + ".join(names.of(f"eta {name}") for name in block)
    numbers = [
        _number(content.variance(one, two), "variance", names.of(one))
        if one == two
        else _number(
            content.variance(one, two), "covariance", names.of(one), names.of(two)
        )
        for i, one in enumerate(block)
        for two in block[: i + 1]
    ]
    spreads = [rows[name].iiv_sd for name in block]
    said = ", ".join("not published" if sd is None else f"{sd:g}" for sd in spreads)
    right = numbers[0] if len(block) == 1 else f"c({', '.join(numbers)})"
    return [f"{left} ~ {right} # SD {said}"]


def _residual(row: Observed, names: Names) -> list[str]:
    lines = [
        f"{names.of(f'{size} {row.name}')} <- c(0, {_number(value, size, row.name)}) "
        f"# {remarks.assay(row)}"
        for size, value in row.sizes.items()
    ]
    if row.error == "student":
        lines.append(f"{names.of(f'df {row.name}')} <- fix({row.df:g})")
    return lines


def _model(content: Content, code: Code) -> list[str]:
    names, model = code.names, content.model
    lines = []
    for name in content.effects:
        inside = f"{names.of(f'typical {name}')} + {names.of(f'eta {name}')}"
        back = BACK[model.parameters[name].scale].format(inside)
        lines.append(f"{names.of(name)} <- {back}")
    stepped = [names.of(name) for name, row in model.covariates.items() if row.steps]
    if stepped:
        lines.append(f"locf({', '.join(stepped)})")
    lines += code.lines(content.steady)
    lines += _states(content, code) if content.states else code.lines(content.moving)
    lines += code.lines(
        {n: x for n, x in content.levels.items() if n not in content.moving}
    )
    for name, row in model.observed.items():
        lines += code.line(f"assay {name}", row.expression)
    for name, row in model.observed.items():
        parts = {size: names.of(f"{size} {name}") for size in row.sizes}
        if row.error == "student":
            parts["df"] = names.of(f"df {name}")
        lines.append(
            f"{names.of(f'assay {name}')} ~ {ERRORS[row.error].format(**parts)}"
        )
    return lines


def _states(content: Content, code: Code) -> list[str]:
    names, block = code.names, content.model.equations.rates
    lines = []
    for node in content.switches:
        switch = names.fresh("switch")
        lines += code.set(f"mtime({switch})", node, stem=switch)
    lines += code.lines(content.moving)
    for state, node in block.rates.items():
        lines += code.set(f"d/dt({names.of(state)})", node, stem=f"d{state}")
    for state, node in block.starts.items():
        if node != Number(0.0):
            lines += code.set(f"{names.of(state)}(0)", node, stem=f"{state}_start")
    return lines + _doses(content, code)


def _doses(content: Content, code: Code) -> list[str]:
    given = content.model.infusions
    if given is None:
        return []
    lines = []
    for state, node in given.adds.items():
        amount = per_cell(node)
        if amount is not None and amount != ONE:
            lines += code.set(f"f({code.names.of(state)})", amount, stem=f"f_{state}")
        if given.lag is not None:
            name = code.names.of(state)
            lines += code.set(f"alag({name})", given.lag, stem=f"alag_{state}")
    return lines


def _notes(content: Content, names: Names, *, guarded: bool) -> list[str]:
    return [
        *remarks.about(content),
        "",
        *remarks.gaps(content, TOOL),
        *remarks.renamings(names),
        "SCALES. eta ~ VARIANCE in nlmixr2 and NONMEM, omega = SD in Monolix: cellpk "
        "keeps SDs; the number here is the square.",
        *_switch_notes(content),
        *([GUARDED] if guarded else []),
        "DATA. Columns ID, TIME, DV, DVID, CENS, LIMIT"
        + (", AMT, EVID, CMT." if content.model.infusions else "."),
        *_assay_notes(content, names),
        "  Below the limit of quantification (M3): CENS = 1 and DV = the limit; above "
        "the upper limit: CENS = -1. LIMIT is the other end where known, else NA.",
        *_covariate_notes(content, names),
        *_dose_notes(content, names),
        "",
    ]


def _switch_notes(content: Content) -> list[str]:
    if not content.switches:
        return []
    return [
        "SWITCHES. The rates change at times that are parameters. mtime() stops the "
        "solver there. The gradients of FOCEi through such a time are not exact: "
        "prefer SAEM, or the closed form where there is one."
    ]


def _assay_notes(content: Content, names: Names) -> list[str]:
    return [
        f"  DVID {names.of(f'assay {row.name}')}: {remarks.assay(row)}"
        + (
            "; written as log-normal, its SD to be given"
            if row.error == "unpublished"
            else ""
        )
        for row in content.model.observed.values()
    ]


def _covariate_notes(content: Content, names: Names) -> list[str]:
    rows = content.model.covariates
    if not rows:
        return []
    notes = ["COVARIATES, as columns:"]
    notes += [remarks.covariate(row, names.of(name)) for name, row in rows.items()]
    if any(row.steps for row in rows.values()):
        notes.append(
            "  One that changes holds from its row on (locf): give a row with EVID = 2 "
            "on the day of the change."
        )
    return notes


def _dose_notes(content: Content, names: Names) -> list[str]:
    given = content.model.infusions
    if given is None:
        return []
    states = ", ".join(names.of(state) for state in given.adds)
    notes = [
        f"INFUSIONS. EVID = 1, AMT = number of infused cells ({given.unit}), CMT = the "
        f"state, one row for each of: {states}. f() turns cells into what is added. "
        + remarks.schedule(content),
        "  A sample on day 0 comes after the infusion, one on the day of a further "
        "infusion before it: order the rows so.",
    ]
    return notes + remarks.uneven(
        content,
        lambda _, state, node: (
            f"  What is added to {names.of(state)} is not in proportion to the cells: "
            f"put AMT = {node} there, and not the cells."
        ),
    )
