"""Readers of exported texts, nlmixr2 and mlxtran, both into the same meaning."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from export_reading import Language, Step, Values, run

R = Language(
    assign=r"([\w.]+|d/dt\([\w.]+\)|[\w.]+\(0\)|(?:f|alag|mtime)\([\w.]+\)) <- (.+)",
    opening=r"if \((.+)\) \{",
    otherwise=r"\} else \{",
    closing=r"\}",
)
MLXTRAN = Language(
    assign=r"(\w+) = (.+)",
    opening="if (.+)",
    otherwise="else",
    closing="end",
    name=r"[A-Za-z]\w*",
    comment=";",
)
NMTRAN = Language(
    assign=r"([A-Z]\w*|(?:DADT|A_0|MTIME)\(\d+\)) = (.+)",
    opening=r"IF \((.+)\) THEN",
    otherwise="ELSE",
    closing="ENDIF",
    name=r"(?:A|THETA|ETA|EPS|MPAST|MTIME)\(\d+\)|[A-Z]\w*",
    comment=";",
    lower=True,
)
BACK = {
    "log": np.exp,
    "logit": lambda x: 1 / (1 + np.exp(-x)),
    "identity": lambda x: x,
}


@dataclass
class Meaning:
    """What an exported text says.

    Parameters
    ----------
    states : list of str
        As the text names them, in its order.
    typical, sd : dict
        Typical values on the transformed scale and residual errors, by parameter and
        by assay, as the text names them; not a number where none is published.
    effects : list of str
        Parameters in the order of ``omega``.
    omega : ndarray
        COVARIANCE of the random effects, whatever scale the text states.
    steady, rates, levels : list of steps
        What is worked out once, for the slopes, and for the levels.
    """

    states: list[str]
    effects: list[str]
    omega: np.ndarray
    typical: dict[str, float]
    sd: dict[str, float]
    errors: dict[str, str]
    steady: list[Step]
    rates: list[Step]
    levels: list[Step]
    slope: str = ""
    start: str = ""
    share: str = ""
    lag: str = ""
    place: dict[str, str] = field(default_factory=dict)
    assays: dict[str, str] = field(default_factory=dict)
    switches: list[str] = field(default_factory=list)
    flags: bool = False
    clock: tuple[str, ...] = ("t",)

    def settled(self, given: Mapping[str, float]) -> Values:
        """Values of all that does not change with time."""
        absent = dict.fromkeys(self.place.values(), np.nan)
        return run(self.steady, {**absent, **given})

    def _at(self, time: float, states: np.ndarray, values: Values) -> Values:
        now = {**values, **dict.fromkeys(self.clock, time)}
        now |= dict(zip(map(self.place.get, self.states), states, strict=True))
        for i, name in enumerate(self.switches, 1):
            now[f"MPAST({i})"] = float(time >= values[name])
        return now

    def slopes(self, time: float, states: np.ndarray, values: Values) -> np.ndarray:
        now = run(self.rates, self._at(time, states, values))
        return np.array([now[self.slope.format(self._key(x))] for x in self.states])

    def starts(self, values: Values) -> np.ndarray:
        keys = [self.start.format(self._key(x)) for x in self.states]
        return np.array([values.get(key, 0.0) for key in keys])

    def shares(self, values: Values) -> dict[str, float]:
        """What an infused cell adds to each state that the text says something of."""
        keys = {x: self.share.format(self._key(x)) for x in self.states}
        return {x: values[key] for x, key in keys.items() if key in values}

    def log_levels(self, time: float, states: np.ndarray, values: Values) -> Values:
        now = run(self.levels, self._at(time, states, values))
        logged = {assay for assay, form in self.errors.items() if form == "logged"}
        return {
            assay: now[key] if assay in logged else np.log(now[key])
            for assay, key in self.assays.items()
        }

    def lags(self, values: Values) -> list[float]:
        """Lags of infusions, one for each state that has one."""
        keys = [self.lag.format(self._key(x)) for x in self.states]
        return [values[key] for key in keys if key in values]

    def switch_times(self, values: Values) -> list[float]:
        return [values[name] for name in self.switches]

    def _key(self, state: str) -> str:
        return re.sub(r"\D", "", self.place[state]) if self.flags else state


def _numbers(language: Language, text: str, known: Mapping[str, float]) -> float:
    return float(language.expression(text)({**known}))


def _or_nan(text: str) -> float:
    """A number, or none where none is published."""
    return np.nan if "UNPUBLISHED" in text else float(R.expression(text)({}))


def read_nlmixr2(text: str) -> Meaning:
    """Read an R function of ini({...}) and model({...})."""
    ini, model = re.fullmatch(
        r"[\w.]+ <- function\(\) \{\n(?:\s*#.*\n)*"
        r"  ini\(\{\n(.*)  \}\)\n  model\(\{\n(.*)  \}\)\n\}\n",
        text,
        re.DOTALL,
    ).groups()
    values, fixed, etas, omega = {}, {}, [], np.zeros((0, 0))
    for line in filter(None, (x.split("#")[0].strip() for x in ini.splitlines())):
        effect = re.fullmatch(r"(.+) ~ (.+)", line)
        if effect:
            names = effect[1].split(" + ")
            etas, omega = etas + names, _joined(omega, names, effect[2])
            continue
        name, value = re.fullmatch(
            r'([\w.]+) <- (.+?)(?:; label\(".*"\))?', line
        ).groups()
        held = re.fullmatch(r"fix\((.+)\)", value)
        bounded = re.fullmatch(r"c\(0, (.+)\)", value)
        (fixed if held else values)[name] = _or_nan((held or bounded or [0, value])[1])
    return _of_r(model.splitlines(), values, fixed, etas=etas, omega=omega)


def _joined(omega: np.ndarray, names: list[str], text: str) -> np.ndarray:
    """Append a block that is stated by the rows of its lower triangle."""
    parts = re.fullmatch(r"(?:c\()?(.+?)\)?", text)[1].split(", ")
    block = np.zeros((len(names), len(names)))
    block[np.tril_indices(len(names))] = [_or_nan(part) for part in parts]
    return _diagonal(omega, block)


def _diagonal(omega: np.ndarray, lower: np.ndarray) -> np.ndarray:
    block = np.where(np.tril(np.ones_like(lower)) > 0, lower, lower.T)
    wide = np.zeros((len(omega) + len(block),) * 2)
    wide[: len(omega), : len(omega)] = omega
    wide[len(omega) :, len(omega) :] = block
    return wide


R_PARAMETER = r"(\w+) <- (?:(exp|expit)\()?([\w.]+) \+ (eta\.\w+)\)?"


def _of_r(lines, values, fixed, *, etas, omega) -> Meaning:
    lines = [line.strip() for line in lines]
    tildes = dict(line.split(" ~ ") for line in lines if " ~ " in line)
    code = [x for x in lines if " ~ " not in x and not x.startswith("locf(")]
    states = re.findall(r"^d/dt\((.+?)\) <-", "\n".join(code), re.MULTILINE)
    back, typical = {}, {}
    for line in code:
        found = re.fullmatch(
            r"(\w+) <- (?:(exp|expit)\()?([\w.]+) \+ (eta\.\w+)\)?", line
        )
        if found:
            back[found[4]] = found[1]
            typical[found[1]] = values[found[3]]
    rename = {found: eta for eta, found in back.items()}
    steps = R.program(code)

    def start(now: Values) -> None:
        now |= {**fixed, **{k: v for k, v in values.items() if not k.endswith(".sd")}}
        for name, eta in rename.items():
            now[eta] = now.get(f"effect {name}", 0.0)
        now.setdefault("t", 0.0)

    sds = {a: values[re.search(r"[\w.]+\.sd", e)[0]] for a, e in tildes.items()}
    return Meaning(
        states=states,
        effects=[back[eta] for eta in etas],
        omega=omega,
        typical=typical,
        sd=sds,
        errors=tildes,
        steady=[start, *steps],
        rates=steps,
        levels=steps,
        slope="d/dt({})",
        start="{}(0)",
        share="f({})",
        lag="alag({})",
        place={state: state for state in states},
        assays={assay: assay for assay in tildes},
        switches=re.findall(r"^mtime\((.+?)\)", "\n".join(code), re.MULTILINE)
        and [f"mtime({x})" for x in re.findall(r"mtime\((.+?)\) <-", "\n".join(code))],
    )


def _fields(line: str) -> tuple[str, dict[str, str]]:
    """Name and fields of ``name = {a=b, c=d, e}``."""
    name, inside = re.fullmatch(r"(\S+) = \{(.+)\}", line).groups()
    parts = re.split(r", (?![^(]*\))", inside)
    return name, dict([*part.split("=", 1), ""][:2] for part in parts)


def _section(lines: list[str], title: str) -> list[str]:
    """Lines under a title, up to the next one in brackets."""
    start = lines.index(title) + 1
    ends = (i for i, x in enumerate(lines[start:], start) if re.match(r"[\[<]", x))
    return lines[start : next(ends, len(lines))]


def _blocks(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Parts of a section: its head, then those under ``TITLE:``."""
    found = [("", [])]
    for line in lines:
        title = re.fullmatch(r"([A-Z]+):", line)
        if title:
            found.append((title[1], []))
        else:
            found[-1][1].append(line)
    return found


def read_monolix(text: str) -> Meaning:
    """Read mlxtran: <MODEL> with [INDIVIDUAL] and [LONGITUDINAL], then <PARAMETER>."""
    lines = [x for x in map(MLXTRAN.code, text.splitlines()) if x]
    values = {}
    for line in _section(lines, "<PARAMETER>"):
        name, parts = _fields(line)
        assert parts["method"] in {"MLE", "FIXED"}
        values[name] = (_or_nan(parts["value"]), parts["method"])
    head, definition = _blocks(_section(lines, "[INDIVIDUAL]"))
    inputs = re.fullmatch(r"input = \{(.+)\}", head[1][0])[1].split(", ")
    rows, pairs = {}, {}
    for line in definition[1]:
        name, parts = _fields(line)
        if name == "correlation":
            pairs |= {k: values[v][0] for k, v in parts.items() if k != "level"}
            assert set(parts.values()) - {"id"} <= set(inputs)
            continue
        rows[name] = parts
        assert {parts["typical"], parts.get("sd", parts["typical"])} <= set(inputs)
    return _of_mlxtran(_blocks(_section(lines, "[LONGITUDINAL]")), values, rows, pairs)


FORWARD = {
    "logNormal": np.log,
    "logitNormal": lambda p: np.log(p / (1 - p)),
    "normal": lambda x: x,
}
WAY_BACK = {"logNormal": "log", "logitNormal": "logit", "normal": "identity"}


def _of_mlxtran(blocks, values, rows, pairs) -> Meaning:
    effects = [name for name, parts in rows.items() if "sd" in parts]
    sds = np.array([values[rows[name]["sd"]][0] for name in effects])
    correlation = np.eye(len(effects))
    for pair, value in pairs.items():
        i, j = map(effects.index, re.fullmatch(r"r\((\w+), (\w+)\)", pair).groups())
        correlation[i, j] = correlation[j, i] = value
    assert all(values[rows[n]["typical"]][1] == "MLE" for n in effects)
    typical = {
        n: float(FORWARD[rows[n]["distribution"]](values[rows[n]["typical"]][0]))
        for n in rows
    }
    equations = [line for title, part in blocks if title == "EQUATION" for line in part]
    equations = [x for x in equations if x not in {"odeType = stiff", "t_0 = 0"}]
    steps = MLXTRAN.program(equations)
    macros = [_macro(x) for title, part in blocks if title == "PK" for x in part]
    states = re.findall(r"^ddt_(\w+) =", "\n".join(equations), re.MULTILINE)

    def start(now: Values) -> None:
        for name, parts in rows.items():
            back = BACK[WAY_BACK[parts["distribution"]]]
            effect = now.get(f"effect {name}", 0.0) if name in effects else 0.0
            now[name] = float(back(typical[name] + effect))
        now.setdefault("t", 0.0)

    def dose(now: Values) -> None:
        for parts in macros:
            now[f"p {parts['target']}"] = now[parts["p"]] if "p" in parts else 1.0
            if "Tlag" in parts:
                now[f"lag {parts['target']}"] = now[parts["Tlag"]]

    observed = next(part for title, part in blocks if title == "DEFINITION")
    defined = [_fields(line)[1] for line in observed]
    written = [parts["errorModel"] for parts in defined]
    return Meaning(
        states=states,
        effects=effects,
        omega=correlation * np.outer(sds, sds),
        typical={name: typical[name] for name in effects},
        sd={
            parts["prediction"]: values[re.search(r"\((\w+)\)", text)[1]][0]
            for parts, text in zip(defined, written, strict=True)
        },
        errors={
            p["prediction"]: f"{p['distribution']} {p['errorModel']}" for p in defined
        },
        steady=[start, *steps, dose],
        rates=steps,
        levels=steps,
        slope="ddt_{}",
        start="{}_0",
        share="p {}",
        lag="lag {}",
        place={state: state for state in states},
        assays={parts["prediction"]: parts["prediction"] for parts in defined},
    )


def _macro(line: str) -> dict[str, str]:
    inside = re.fullmatch(r"depot\((.+)\)", line)[1]
    return dict(part.split("=") for part in inside.split(", "))
