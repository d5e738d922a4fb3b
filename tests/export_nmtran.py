"""Reads a NONMEM control stream: its records, and the meaning of its code."""

import re

import numpy as np
from export_readers import NMTRAN, Meaning, _diagonal, _or_nan
from export_reading import Values

LONE_IF = r"(\s*)IF \((.+)\) ([A-Z]\w* = .+)"


def _records(text: str) -> list[tuple[str, list[str]]]:
    """Records in order: name, and lines that say something, continued ones joined."""
    found: list[tuple[str, list[str]]] = []
    text = re.sub(r" &\n\s*", " ", text)
    for line in text.splitlines():
        assert len(line) <= 160, "NM-TRAN reads 160 characters"
        match = re.match(r"\$([A-Z]+)\s*(.*)", line)
        if match:
            found.append((match[1], []))
        rest = match[2] if match else line
        if found and rest.split(";")[0].strip():
            found[-1][1].append(rest.rstrip())
    return found


def read_nonmem(text: str) -> Meaning:
    """Read a control stream of $PRED, or of $PK, $DES and $ERROR."""
    records = _records(text)
    by_name = dict(records)
    assert [name for name, _ in records][:3] == ["PROBLEM", "INPUT", "DATA"]
    closed = "PRED" in by_name
    blocks = ("PRED",) if closed else ("PK", "DES", "ERROR")
    code = {name: _code(by_name[name]) for name in blocks}
    _check_names(by_name["INPUT"][0].split(), code)
    states = _states(by_name.get("MODEL", []))
    thetas = [_theta(line) for line in by_name["THETA"]]
    effects, places = _parameters(code[blocks[0]])
    omega = np.zeros((0, 0))
    for name, lines in records:
        if name == "OMEGA":
            omega = _diagonal(omega, _block(lines))
    errors = _errors(code[blocks[-1]], thetas)
    shifts = _shifts(code[blocks[0]])
    steps = {name: NMTRAN.program(lines) for name, lines in code.items()}

    def start(now: Values) -> None:
        now |= {f"THETA({i})": value for i, (value, _) in enumerate(thetas, 1)}
        for i, name in enumerate(effects, 1):
            now[f"ETA({i})"] = now.get(f"effect {name}", 0.0)
        now |= {"EPS(1)": 0.0, "CENS": 0.0, "DVID": 1.0, "DV": 0.0}
        now.setdefault("TIME", 0.0)

    def every_assay(now: Values) -> None:
        for assay, (number, _, _) in errors.items():
            answer = {**now, "DVID": float(number)}
            for step in steps[blocks[-1]]:
                step(answer)
            now[f"prediction {assay}"] = answer["IPRED"]

    fixed = {i for i, (_, held) in enumerate(thetas, 1) if held}
    assert not fixed & set(places.values())
    return Meaning(
        states=list(states),
        effects=effects,
        omega=omega,
        typical={
            name: thetas[places[name] - 1][0] - shifts[places[name]] for name in effects
        },
        sd={assay: thetas[theta - 1][0] for assay, (_, theta, _) in errors.items()},
        errors={assay: form for assay, (_, _, form) in errors.items()},
        steady=[start] if closed else [start, *steps["PK"]],
        rates=steps.get("DES", []),
        levels=[every_assay],
        slope="DADT({})",
        start="A_0({})",
        share="F{}",
        lag="ALAG{}",
        place={state: f"A({i})" for state, i in states.items()},
        assays={assay: f"prediction {assay}" for assay in errors},
        switches=re.findall(r"^MTIME\(\d+\)", "\n".join(code[blocks[0]]), re.MULTILINE),
        flags=True,
        clock=("T", "TIME"),
    )


def _code(lines: list[str]) -> list[str]:
    """Lines of code; a one-line IF becomes a block, dots of comparisons signs."""
    found = []
    for raw in lines:
        line = NMTRAN.code(raw)
        for word, sign in zip(
            ("LT", "LE", "GT", "GE", "EQ"), ("<", "<=", ">", ">=", "=="), strict=True
        ):
            line = line.replace(f".{word}.", f" {sign} ")
        lone = re.fullmatch(LONE_IF, line)
        found += [f"IF ({lone[2]}) THEN", lone[3], "ENDIF"] if lone else [line]
    return [line for line in found if "PHI(" not in line]


def _check_names(columns: list[str], code: dict[str, list[str]]) -> None:
    """Names are short, and no block assigns what another one or the data set has."""
    taken = set(columns)
    for lines in code.values():
        own = set(re.findall(r"^([A-Z]\w*) =", "\n".join(lines), re.MULTILINE))
        assert not own & taken
        assert all(len(name) <= 20 for name in own)
        taken |= own
    assert taken == {name.upper() for name in taken}


def _states(lines: list[str]) -> dict[str, int]:
    """States by the comment beside their compartment."""
    found = [re.fullmatch(r"\s*COMP=\((\w+)\) ; (\d+) (\w+)", x) for x in lines]
    matches = [x for x in found if x]
    assert len({x[1] for x in matches}) == len(matches)
    if lines:
        assert int(re.search(r"NCOMPARTMENTS=(\d+)", lines[0])[1]) == len(matches)
    return {match[3]: int(match[2]) for match in matches}


def _theta(line: str) -> tuple[float, bool]:
    """Value, and whether it is fixed."""
    text = line.split(";", maxsplit=1)[0].strip()
    held = text.endswith(" FIX")
    bounded = re.fullmatch(r"\(0, (.+)\)", text)
    value = _or_nan(bounded[1] if bounded else text.removesuffix(" FIX"))
    assert held or np.isnan(value) or 0 < abs(value) < 1e6, "NM-TRAN refuses it"
    return value, held


def _block(lines: list[str]) -> np.ndarray:
    rows = [line.split(";")[0].split() for line in lines]
    if rows[0][0].startswith("BLOCK"):
        size = int(re.fullmatch(r"BLOCK\((\d+)\)", rows[0][0])[1])
        rows = rows[1:]
        assert [len(row) for row in rows] == list(range(1, size + 1))
    block = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        block[i, : i + 1] = [_or_nan(text) for text in row]
    return block


def _parameters(lines: list[str]) -> tuple[list[str], dict[str, int]]:
    """Parameters in the order of their random effects, and their THETA."""
    effects, places = [], {}
    shapes = (
        r"(\w+) = EXP\(MU_(\d+) \+ ETA\(\2\)\)",
        r"(\w+) = 1.0/\(1.0 \+ EXP\(-\(MU_(\d+) \+ ETA\(\2\)\)\)\)",
        r"(\w+) = MU_(\d+) \+ ETA\(\2\)",
    )
    for line in lines:
        for shape in shapes:
            match = re.fullmatch(shape, line)
            if match:
                effects.append(match[1])
                assert int(match[2]) == len(effects)
                places[match[1]] = len(effects)
    return effects, places


def _shifts(lines: list[str]) -> dict[int, float]:
    """What is taken from each THETA of a random effect."""
    found = re.findall(r"^MU_(\d+) = THETA\(\1\)(?: - (.+))?$", "\n".join(lines), re.M)
    return {int(number): float(shift or 0) for number, shift in found}


def _errors(lines: list[str], thetas: list) -> dict[str, tuple[int, int, str]]:
    """By the level's name: DVID, THETA of its SD, and form."""
    found, number, level, log = {}, 1, "", False
    for line in lines:
        choice = re.fullmatch(r"IF \(DVID == (\d+)\) THEN", line)
        if choice:
            number = int(choice[1])
        taken = re.fullmatch(r"(?:LEVEL|IPRED) = (\w+_LEVEL\w*)", line)
        if taken:
            level, log = taken[1], line.startswith("LEVEL")
        width = re.fullmatch(r"W = THETA\((\d+)\)(\*ABS\(IPRED\))?", line)
        if width:
            form = "logged" if log else "proportional" if width[2] else "normal"
            found[level] = (number, int(width[1]), form)
    assert max(theta for _, theta, _ in found.values()) <= len(thetas)
    return found
