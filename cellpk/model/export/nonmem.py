"""A model as a NONMEM control stream: $PRED for a closed form, else ADVAN13 with $DES.

Syntax: the NONMEM help (abbreviated code, MTIME, F_FLAG) and user's guide VI, appendix
III, on model event times; M3 after Beal 2001 as babelmixr2 writes it.
"""

from collections.abc import Sequence

from cellpk.model.export import remarks
from cellpk.model.export.code import Code, Syntax
from cellpk.model.export.content import Content, per_cell
from cellpk.model.export.naming import Names, words
from cellpk.model.export.nonmem_records import (
    at_zero,
    data_notes,
    held,
    plain,
    records,
    said,
    set_aside,
)
from cellpk.model.export.targets import target
from cellpk.model.export.writing import (
    ONE,
    OPEN,
    Lowering,
    Printer,
    Test,
    comment,
    wrapped,
)
from cellpk.model.expression import Name, Node
from cellpk.model.rows import Observed
from cellpk.model.switches import ZERO, Clock, NotLinearError

RESERVED = words(
    """
    A P T DADT DA DP DT IR Y F G H HH THETA ETA EPS ERR OMEGA SIGMA MU ID L1 L2 DV MDV
    TIME DATE DAT1 DAT2 DAT3 EVID AMT RATE SS II ADDL CMT PCMT CALL CONT CENS DVID LLOQ
    RAW_ MRG_ RPT_ ICALL NEWIND NEWL2 IDEF IREV EVTREC NVNT INDXS IRGG GG NETAS DATREC
    CALLFL COMACT COMSAV COMRES COM PRED RES WRES IPRED W LEVEL IREP NPROB LIREC NIREC
    NDREC NINDR INDR1 INDR2 TSTATE DOSTIM DOSREC MTIME MNEXT MPAST MTDIFF MIXNUM MIXEST
    MIXP F_FLAG L_FLAG PRDFL IERPRD MSEC MFIRST IFIRSTEM TEMPLT OBJECT SC SO S0 FO F0
    XSCALE TSCALE EXP LOG LOG10 SQRT SIN COS TAN ASIN ACOS ATAN ABS INT MOD MIN MAX PHI
    GAMLN DEXP DLOG DSQRT PEXP PLOG IF THEN ELSE ELSEIF ENDIF DO DOWHILE WHILE ENDDO
    EXIT CALL WRITE PRINT RETURN OPEN CLOSE REWIND EQ NE LT LE GT GE AND OR NOT
    """
)
NUMBERED = r"(S|F|R|D|ALAG|MU_|THETA|ETA|EPS|ERR|A_0)\d+|A_0FLG"
"""PK parameters by compartment and other numbered names."""

LONGEST = 20
TOOL = "NONMEM"
SMALLEST = "1.0D-300"

FUNCTIONS = {"exp": "EXP", "log": "LOG", "sqrt": "SQRT"}
SIGNS = {"<": ".LT.", "<=": ".LE.", ">": ".GT.", ">=": ".GE.", "==": ".EQ."}
SYNTAX = Syntax("{} = {}", "IF ({}{}{}) THEN", "ELSE", "ENDIF", SIGNS)

BACK = {
    "log": "EXP({})",
    "logit": "1.0/(1.0 + EXP(-({})))",
    "identity": "{}",
}


@target("nonmem")
def write(content: Content) -> str:
    """Return a model as a control stream.

    Parameters
    ----------
    content : Content
        A model, sorted.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.model.export.content import sort
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> text = write(sort(stein, form="ode"))
    >>> [line.strip() for line in text.splitlines() if "(1)" in line][:4]
    ['MU_1 = THETA(1)', 'FOLDX = EXP(MU_1 + ETA(1))', 'A_0(1) = CMAX/FOLDX',
    'MTIME(1) = TMAX']
    """
    names = _names(content)
    equations = _pred(content, names) if content.closed else _pk_des(content, names)
    model = content.model
    title = model.title.encode("ascii", "replace").decode()[:70].strip()
    columns = [names.of(name) for name in model.covariates]
    notes = [
        *remarks.about(content),
        "",
        *remarks.gaps(content, TOOL),
        *remarks.renamings(names),
        "SCALES. $OMEGA holds VARIANCES; cellpk and Monolix keep standard deviations.",
        *_switch_notes(content),
        *data_notes(content, names),
    ]
    lines = [
        f"$PROBLEM {title}",
        *comment(notes, sign="; "),
        *_input(content, columns),
        "$DATA data.csv IGNORE=@",
        *_shorter(equations),
        *records(content),
    ]
    return "\n".join([*lines, ""])


def number(value: float) -> str:
    """Return a number as Fortran's double precision reads it: never an integer.

    Examples
    --------
    >>> number(2), number(1e-14), number(0.16), number(6.023e23)
    ('2.0', '1.D-14', '0.16', '6.023D+23')
    """
    digits, _, power = plain(value).partition("E")
    digits = digits if "." in digits else f"{digits}.0"
    return f"{digits}D{power}" if power else digits


def _names(content: Content) -> Names:
    names = Names(RESERVED, pattern=NUMBERED, longest=LONGEST, upper=True)
    model = content.model
    names.point("t", "T")
    for i, state in enumerate(content.states, 1):
        names.point(state, f"A({i})")
    for i in range(1, len(content.switches) + 1):
        names.point(f"past {i}", f"MPAST({i})")
    lines = {**content.steady, **content.moving, **content.levels}
    for name in (*model.covariates, *model.parameters, *lines):
        names.add(name)
    for name in model.observed:
        names.add(f"assay {name}", f"{name}_LEVEL", said=False)
    return names


def _code(names: Names, clock: Clock | None = None, times: Sequence[Node] = ()) -> Code:
    def decide(test: Test) -> Test | None:
        return None if clock is None else flag(test, clock, times)

    lowering = Lowering(fresh=names.fresh, rules=OPEN, decide=decide)
    printer = Printer(names=names.of, functions=FUNCTIONS, power="**", number=number)
    return Code(names, printer, lowering, SYNTAX)


def flag(test: Test, clock: Clock, times: Sequence[Node]) -> Test | None:
    """Return a test of the flag that PREDPP sets at a switch, for a test of the time.

    The solver goes beyond a switch and comes back by interpolation; the flag stays as
    it is on that way, the time does not.

    Parameters
    ----------
    test : Test
        Of straight lines in t.
    clock : Clock
        What its names mean.
    times : sequence of Node
        Switches, in the order of MTIME.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> clock, tmax = Clock({}, frozenset({"tmax"})), parse("tmax")
    >>> found = flag(Test(parse("t"), "<", tmax), clock, [tmax])
    >>> print(found.left, found.sign, found.right)
    past 1 == 0
    """
    try:
        slopes = [clock.line(side)[0] for side in (test.left, test.right)]
        crossing = clock.crossing(test.left, test.right)
    except NotLinearError:
        return None
    rising = {(True, False): 1.0, (False, True): -1.0}.get(
        (slopes[0] == ONE, slopes[1] == ONE), 0.0
    )
    if sorted(map(str, slopes)) != [str(ZERO), str(ONE)] or crossing not in times:
        return None
    before = (rising > 0) == test.sign.startswith("<")
    place = Name(f"past {list(times).index(crossing) + 1}")
    return Test(place, "==", ZERO if before else ONE)


def _parameters(content: Content, names: Names) -> list[str]:
    rows, lines = content.model.parameters, []
    for i, name in enumerate(content.effects, 1):
        inside = f"MU_{i} + ETA({i})"
        lines.append(f"MU_{i} = THETA({i}){' - 1.0' * at_zero(rows[name])}")
        lines.append(f"{names.of(name)} = {BACK[rows[name].scale].format(inside)}")
    for i, name in enumerate(held(content), len(content.effects) + 1):
        lines.append(f"{names.of(name)} = THETA({i})")
    for name in set_aside(content):
        lines += comment(
            [f"{said(rows[name])}; fixed, too large for a THETA"], sign="; "
        )
        lines.append(f"{names.of(name)} = {number(rows[name].value or 0.0)}")
    return lines


def _pred(content: Content, names: Names) -> list[str]:
    names.point("t", "TIME")
    code = _code(names)
    lines = [*_parameters(content, names), *code.lines(content.steady)]
    lines += [*code.lines(content.moving), *_residuals(content, code)]
    return ["$PRED", *(f"  {line}" for line in lines)]


def _pk_des(content: Content, names: Names) -> list[str]:
    states = content.states
    places = Names(RESERVED, longest=LONGEST, upper=True)
    model = [
        f"  COMP=({places.add(state)}) ; {i} {state}"
        for i, state in enumerate(states, 1)
    ]
    rates = _code(names, content.clock, content.switches)
    des = rates.lines(content.moving)
    for i, (state, node) in enumerate(content.model.equations.rates.rates.items(), 1):
        des += rates.set(f"DADT({i})", node, stem=f"D{state}")
    return [
        "$SUBROUTINES ADVAN13 TOL=9",
        f"$MODEL NCOMPARTMENTS={len(states)}",
        *model,
        "$PK",
        *(f"  {line}" for line in _pk(content, names)),
        "$DES",
        *(f"  {line}" for line in des),
        "$ERROR",
        *(f"  {line}" for line in _error(content, names)),
    ]


def _pk(content: Content, names: Names) -> list[str]:
    code = _code(names)
    lines = [*_parameters(content, names), *code.lines(content.steady)]
    starts = content.model.equations.rates.starts
    for i, state in enumerate(content.states, 1):
        if starts[state] != ZERO:
            lines += code.set(f"A_0({i})", starts[state], stem=f"{state}_START")
    given = content.model.infusions
    for state, node in given.adds.items() if given else ():
        i = content.states.index(state) + 1
        amount = per_cell(node)
        if amount is not None and amount != ONE:
            lines += code.set(f"F{i}", amount, stem=f"F_{state}")
        if given and given.lag is not None:
            lines += code.set(f"ALAG{i}", given.lag, stem=f"LAG_{state}")
    for i, node in enumerate(content.switches, 1):
        lines += code.set(f"MTIME({i})", node, stem=f"SWITCH_{i}")
    return lines


def _error(content: Content, names: Names) -> list[str]:
    names.point("t", "TIME")
    for name in content.levels:
        # NM-TRAN does not let two blocks assign one name
        names.add(name, f"{names.of(name)}_E", said=False)
    code = _code(names)
    return [*code.lines(content.levels), *_residuals(content, code)]


def _residuals(content: Content, code: Code) -> list[str]:
    rows = content.model.observed
    lines: list[str] = []
    for name, row in rows.items():
        lines += code.line(f"assay {name}", row.expression)
    lines += ["IPRED = 0.0", "W = 1.0"]
    first = len(content.effects) + len(held(content)) + 1
    for i, row in enumerate(rows.values()):
        inside = _residual(row, code.names, theta=first)
        first += len(row.sizes)
        if len(rows) == 1:
            lines += inside
        else:
            inside = [f"  {line}" for line in inside]
            lines += [f"IF (DVID.EQ.{i + 1}) THEN", *inside, "ENDIF"]
    return [
        *lines,
        "IF (CENS.EQ.1) THEN ; below the limit of quantification: M3",
        "  F_FLAG = 1",
        "  Y = PHI((DV - IPRED)/W)",
        "ELSE",
        "  F_FLAG = 0",
        "  Y = IPRED + W*EPS(1)",
        "ENDIF",
    ]


def _residual(row: Observed, names: Names, *, theta: int) -> list[str]:
    level = names.of(f"assay {row.name}")
    if row.error == "normal":
        return [f"IPRED = {level}", f"W = THETA({theta})"]
    if row.error == "proportional":
        return [f"IPRED = {level}", f"W = THETA({theta})*ABS(IPRED)"]
    if row.error == "combined":
        width = f"SQRT(THETA({theta})**2 + (THETA({theta + 1})*IPRED)**2)"
        return [f"IPRED = {level}", f"W = {width}"]
    return [
        f"LEVEL = {level}",
        f"IF (LEVEL.LT.{SMALLEST}) LEVEL = {SMALLEST}",
        "IPRED = LOG(LEVEL)",
        f"W = THETA({theta})",
    ]


def _input(content: Content, columns: Sequence[str]) -> list[str]:
    doses = "" if content.closed else " AMT EVID CMT"
    several = " DVID" if len(content.model.observed) > 1 else ""
    text = f"$INPUT ID TIME DV{doses}{several} CENS MDV {' '.join(columns)}".rstrip()
    return wrapped(text, width=78, ending="", indent="  ")


def _shorter(lines: Sequence[str]) -> list[str]:
    return [
        part
        for line in lines
        for part in wrapped(line, width=120, ending=" &", indent="      ")
    ]


def _switch_notes(content: Content) -> list[str]:
    if not content.switches:
        return []
    return [
        "SWITCHES. The rates change at times that are parameters: MTIME stops the "
        "solver there and MPAST tells before from after. A solver that is not told "
        "gives the right curve and a wrong gradient. At most 30 such times (PCT)."
    ]
