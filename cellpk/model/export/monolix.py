"""A model as mlxtran text for Monolix and Simulx.

Syntax: the mlxtran documentation ([INDIVIDUAL], [LONGITUDINAL], if-else-end,
regressors, the depot macro) and what babelmixr2 and monolix2rx write and read.
"""

from collections.abc import Iterable, Mapping, Sequence

from cellpk.model.export import remarks
from cellpk.model.export.code import Code, Syntax
from cellpk.model.export.content import Content, per_cell
from cellpk.model.export.naming import Names, words
from cellpk.model.export.targets import target
from cellpk.model.export.writing import HELD, ONE, Lowering, Printer, comment
from cellpk.model.parameters import Parameter
from cellpk.model.rows import Observed

RESERVED = words(
    """
    t time tDose amtDose inftDose pi e if elseif else end for while and or not
    exp log log10 sqrt abs min max floor ceil rem factorial factln gammaln invlogit
    logit normcdf norminv probit sin cos tan delay bsmm wsmm pkmodel
    compartment peripheral effect transfer depot absorption oral iv elimination empty
    reset input output use type file odeType stiff nonStiff distribution prediction
    errorModel typical mean sd var min max correlation level id iov covariate
    coefficient constant proportional combined1 combined2 regressor target adm cmt p
    Tlag Tk0 ka Ktr Mtt table EQUATION PK DEFINITION OUTPUT INDIVIDUAL LONGITUDINAL
    COVARIATE POPULATION DESCRIPTION ID TIME DV AMT ADM YTYPE CENS LIMIT EVID
    """
)
TOOL = "Monolix"

SYNTAX = Syntax("{} = {}", "if {} {} {}", "else", "end", {})

DISTRIBUTIONS = {"log": "logNormal", "logit": "logitNormal", "identity": "normal"}

ERRORS = {
    "lognormal": "distribution=lognormal, prediction={}, errorModel=constant({})",
    "student": "distribution=lognormal, prediction={}, errorModel=constant({})",
    "unpublished": "distribution=lognormal, prediction={}, errorModel=constant({})",
    "normal": "distribution=normal, prediction={}, errorModel=constant({})",
    "proportional": "distribution=normal, prediction={}, errorModel=proportional({})",
    "combined": "distribution=normal, prediction={}, errorModel=combined2({}, {})",
}

SIZES = {"sd": "a", "additive": "a", "proportional": "b"}
"""What the standard deviations of a residual error are called."""


@target("monolix")
def write(content: Content) -> str:
    """Return a model as mlxtran text.

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
    >>> [line for line in text.splitlines() if "omega_tmax" in line][1:]
    ['tmax = {distribution=logNormal, typical=tmax_pop, sd=omega_tmax}',
    'omega_tmax = {value=0.38, method=MLE} ; standard deviation']
    """
    code = _code(content)
    names = code.names
    longitudinal = _longitudinal(content, code)
    body = [
        "<MODEL>",
        "",
        *_individual(content, names),
        "",
        *longitudinal,
        "",
        "<PARAMETER>",
        *_values(content, names),
    ]
    notes = comment(_notes(content, names), sign="; ")
    return "\n".join([*notes, "", *body, ""])


def _code(content: Content) -> Code:
    states = content.model.equations.states
    pattern = "|".join(["ddt_.*", "t_?0", *(f"{state}_0" for state in states)])
    names, model = Names(RESERVED, pattern=pattern), content.model
    names.point("t", "t")
    lines = {**content.steady, **content.moving, **content.levels}
    for name in (*model.parameters, *model.covariates, *content.states, *lines):
        names.add(name)
    for name in model.parameters:
        names.add(f"typical {name}", f"{names.of(name)}_pop", said=False)
        names.add(f"omega {name}", f"omega_{names.of(name)}", said=False)
    for one, two in _pairs(content):
        wanted = f"corr_{names.of(one)}_{names.of(two)}"
        names.add(f"correlation {one} {two}", wanted, said=False)
    for name, row in model.observed.items():
        taken = name in {*model.parameters, *model.covariates, *content.states, *lines}
        names.add(f"assay {name}", f"{name}_level" if taken else name, said=False)
        names.add(f"y {name}", f"y_{name}", said=False)
        for size in row.sizes:
            names.add(f"{size} {name}", f"{SIZES[size]}_{name}", said=False)
    lowering = Lowering(fresh=names.fresh, rules=HELD)
    return Code(names, Printer(names=names.of), lowering, SYNTAX)


def _pairs(content: Content) -> list[tuple[str, str]]:
    """Pairs of random effects within a block, all of which Monolix wants to know."""
    return [
        (one, two)
        for block in content.blocks
        for i, two in enumerate(block)
        for one in block[:i]
    ]


def _individual(content: Content, names: Names) -> list[str]:
    rows, pairs = content.model.parameters, _pairs(content)
    free = [[names.of(f"{x} {n}") for x in ("typical", "omega")] for n in content.free]
    inputs = [name for both in free for name in both]
    inputs += [names.of(f"typical {name}") for name in content.fixed]
    inputs += [names.of(f"correlation {one} {two}") for one, two in pairs]
    lines = ["[INDIVIDUAL]", _listed("input", inputs), "", "DEFINITION:"]
    lines += [_definition(row, names) for row in rows.values()]
    for block in content.blocks:
        inside = [(one, two) for one, two in pairs if one in block]
        if inside:
            said = ", ".join(
                f"r({names.of(one)}, {names.of(two)})="
                + names.of(f"correlation {one} {two}")
                for one, two in inside
            )
            lines.append(f"correlation = {{level=id, {said}}}")
    return lines


def _definition(row: Parameter, names: Names) -> str:
    spread = "no-variability" if row.fixed else f"sd={names.of(f'omega {row.name}')}"
    shape = DISTRIBUTIONS[row.scale]
    typical = names.of(f"typical {row.name}")
    name = names.of(row.name)
    return f"{name} = {{distribution={shape}, typical={typical}, {spread}}}"


def _listed(name: str, items: Sequence[str]) -> str:
    return f"{name} = {{{', '.join(items)}}}"


def _longitudinal(content: Content, code: Code) -> list[str]:
    names, model = code.names, content.model
    covariates = [names.of(name) for name in model.covariates]
    inputs = [names.of(name) for name in model.parameters]
    errors = [name for row in model.observed.values() for name in _sizes(row, names)]
    lines = ["[LONGITUDINAL]", _listed("input", [*inputs, *covariates, *errors])]
    lines += [f"{name} = {{use=regressor}}" for name in covariates]
    lines += ["", "EQUATION:", *code.lines(content.steady)]
    lines += _states(content, code) if content.states else code.lines(content.moving)
    later = {n: x for n, x in content.levels.items() if n not in content.moving}
    lines += code.lines(later)
    for name, row in model.observed.items():
        lines += code.line(f"assay {name}", row.expression)
    lines += ["", "DEFINITION:"]
    lines += [_residual(row, names) for row in model.observed.values()]
    levels = [names.of(f"assay {name}") for name in model.observed]
    return [*lines, "", "OUTPUT:", _listed("output", levels)]


def _residual(row: Observed, names: Names) -> str:
    parts = [names.of(f"assay {row.name}"), *_sizes(row, names)]
    return f"{names.of(f'y {row.name}')} = {{{ERRORS[row.error].format(*parts)}}}"


def _sizes(row: Observed, names: Names) -> list[str]:
    return [names.of(f"{size} {row.name}") for size in row.sizes]


def _states(content: Content, code: Code) -> list[str]:
    names, block = code.names, content.model.equations.rates
    lines = [*_doses(content, code), "odeType = stiff", "t_0 = 0"]
    for state, node in block.starts.items():
        lines += code.set(f"{names.of(state)}_0", node, stem=f"{state}_start")
    lines += code.lines(content.moving)
    for state, node in block.rates.items():
        lines += code.set(f"ddt_{names.of(state)}", node, stem=f"d{state}")
    return lines


def _doses(content: Content, code: Code) -> list[str]:
    """Macros of the infusions: their arguments are variables of equations before."""
    given, names = content.model.infusions, code.names
    if given is None:
        return []
    before, macros = [], []
    for state, node in given.adds.items():
        parts = ["adm=1", f"target={names.of(state)}"]
        amount = per_cell(node)
        if amount is not None and amount != ONE:
            names.add(f"share {state}", f"p_{names.of(state)}", said=False)
            before += code.line(f"share {state}", amount)
            parts.append(f"p={names.of(f'share {state}')}")
        if amount is None:
            parts[0] = f"adm={len(macros) + 2}"
        macros.append(parts)
    if given.lag is not None:
        names.add("dose lag", "dose_lag", said=False)
        before += code.line("dose lag", given.lag)
        macros = [[*parts, f"Tlag={names.of('dose lag')}"] for parts in macros]
    depots = [f"depot({', '.join(parts)})" for parts in macros]
    return [*before, "", "PK:", *depots, "", "EQUATION:"]


def _values(content: Content, names: Names) -> list[str]:
    rows = content.model.parameters
    lines = [_value(rows[name], names) for name in rows]
    for name in content.free:
        value = _number(rows[name].iiv_sd, "omega", names.of(name))
        left = names.of(f"omega {name}")
        lines.append(f"{left} = {{value={value}, method=MLE}} ; standard deviation")
    for one, two in _pairs(content):
        left = names.of(f"correlation {one} {two}")
        value = f"{content.correlation(one, two):.15g}"
        lines.append(f"{left} = {{value={value}, method=MLE}} ; correlation")
    for row in content.model.observed.values():
        for size, number in row.sizes.items():
            value, left = (
                _number(number, size, row.name),
                names.of(f"{size} {row.name}"),
            )
            said = remarks.assay(row)
            lines.append(f"{left} = {{value={value}, method=MLE}} ; {said}")
    return lines


def _value(row: Parameter, names: Names) -> str:
    value = _number(row.value, names.of(row.name))
    method = "FIXED" if row.held else "MLE"
    unit = "" if row.unit == "1" else f", in {row.unit}"
    left = names.of(f"typical {row.name}")
    label = (row.label or row.name).encode("ascii", "replace").decode()
    return f"{left} = {{value={value}, method={method}}} ; {label}{unit}"


def _number(value: float | None, *parts: str) -> str:
    return remarks.gap(*parts) if value is None else f"{value:.15g}"


def _notes(content: Content, names: Names) -> list[str]:
    rows = content.model.observed
    return [
        *remarks.about(content),
        "",
        *remarks.gaps(content, TOOL),
        *remarks.renamings(names),
        "USE. All parts of a mlxtran model are here. Monolix takes [LONGITUDINAL] as "
        "its structural model, without DEFINITION and without the standard deviations "
        "a_... and b_... among the inputs; [INDIVIDUAL], the residual errors and the "
        "values of <PARAMETER> are what its interface asks for.",
        "SCALES. omega is a STANDARD DEVIATION here, as Monolix has it; NONMEM and "
        "nlmixr2 state variances.",
        *_switch_notes(content),
        "DATA. Columns ID, TIME, DV, YTYPE, CENS, LIMIT"
        + (", AMT, ADM." if content.model.infusions else "."),
        *_assay_notes(rows, names),
        "  Below the limit of quantification (M3): CENS = 1 and DV = the limit; above "
        "the upper limit: CENS = -1. LIMIT is the other end where known.",
        *_covariate_notes(content, names),
        *_dose_notes(content, names),
    ]


def _switch_notes(content: Content) -> list[str]:
    if not content.switches:
        return []
    times = ", ".join(map(str, content.switches))
    return [
        f"SWITCHES. The rates change at times that are parameters ({times}). The "
        "solver is not told of them: it finds the change by shortening its steps. SAEM "
        "needs no gradients, so none is wrong; standard errors by linearisation are "
        "less reliable. Prefer the closed form where there is one."
    ]


def _assay_notes(rows: Mapping[str, Observed], names: Names) -> Iterable[str]:
    said = {
        "unpublished": "; written as log-normal, its SD to be given",
        "student": "; Monolix has no Student's t: written as normal on the log level, "
        "which gives far-off samples more weight",
    }
    for number, row in enumerate(rows.values(), 1):
        level = names.of(f"assay {row.name}")
        more = said.get(row.error, "")
        yield f"  YTYPE {number} ({level}): {remarks.assay(row)}{more}"


def _covariate_notes(content: Content, names: Names) -> list[str]:
    rows = content.model.covariates
    if not rows:
        return []
    notes = [
        "COVARIATES are regressors, as they stand in the equations: [COVARIATE] is for "
        "those that shift a typical value, and the equations cannot use it. Columns:"
    ]
    notes += [remarks.covariate(row, names.of(name)) for name, row in rows.items()]
    if any(row.steps for row in rows.values()):
        notes.append(
            "  A regressor keeps its value until the next row: give a row on the day "
            "of each change."
        )
    return notes


def _dose_notes(content: Content, names: Names) -> list[str]:
    given = content.model.infusions
    if given is None:
        return []
    notes = [
        f"INFUSIONS. AMT = number of infused cells ({given.unit}), ADM = 1: one row "
        "for each infusion, whatever the number of states that it adds to. p turns "
        f"cells into what is added. {remarks.schedule(content)}",
        "  A sample on day 0 comes after the infusion, one on the day of a further "
        "infusion before it.",
    ]
    return notes + remarks.uneven(
        content,
        lambda number, state, node: (
            f"  What is added to {names.of(state)} is not in proportion to the cells: "
            f"give it a row of its own, ADM = {number + 1}, AMT = {node}."
        ),
    )
