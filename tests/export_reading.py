"""Reads assignments and branches of other tools' languages, and carries them out.

Nothing here knows how the exports are written: lines are split into tokens, expressions
are parsed by precedence, and what comes out is a list of steps over a dict of values.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Values = dict[str, float]
Value = Callable[[Mapping[str, float]], float]
Step = Callable[[Values], None]

FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": abs,
    "min": min,
    "max": max,
    "expit": lambda x: 1 / (1 + np.exp(-x)),
    "logit": lambda p: np.log(p / (1 - p)),
}
COMPARED = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
}
NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?"
SIGNS = r"\*\*|<=|>=|==|[-+*/^()<>,]"


@dataclass(frozen=True)
class Language:
    """How statements look: patterns with groups, and names of functions.

    Parameters
    ----------
    assign, opening, otherwise, closing : str
        Regular expressions of a whole line; the first two have groups.
    name : str
        Pattern of a name.
    comment : str
        Sign that starts a comment.
    lower : bool
        Whether functions are written in capitals.
    """

    assign: str
    opening: str
    otherwise: str
    closing: str
    name: str = r"[A-Za-z_.][\w.]*"
    comment: str = "#"
    lower: bool = False

    def tokens(self, text: str) -> list[str]:
        pattern = rf"\s*(?:({NUMBER})|({self.name})|({SIGNS}))"
        found, at = [], 0
        while text[at:].strip():
            match = re.match(pattern, text[at:])
            assert match, f"{text[at:]!r} cannot be read in {text!r}"
            found.append(match[0].strip())
            at += match.end()
        return found

    def expression(self, text: str) -> Value:
        """The value of a right side or a test, as a function of named values."""
        parser = _Parser(self.tokens(text), self)
        value = parser.comparison()
        assert not parser.rest, f"{parser.rest} is left over in {text!r}"
        return value

    def code(self, line: str) -> str:
        return line.split(self.comment, maxsplit=1)[0].strip()

    def program(self, lines: Sequence[str]) -> list[Step]:
        """Steps of a block of lines; what is neither is an error."""
        steps, rest = self._block([self.code(x) for x in lines if self.code(x)])
        assert not rest, f"{rest[0]!r} closes nothing"
        return steps

    def _block(self, lines: list[str]) -> tuple[list[Step], list[str]]:
        steps: list[Step] = []
        while lines:
            line = lines[0]
            if re.fullmatch(f"{self.otherwise}|{self.closing}", line):
                return steps, lines
            opening = re.fullmatch(self.opening, line)
            if opening:
                step, lines = self._branch(opening[1], lines[1:])
                steps.append(step)
                continue
            match = re.fullmatch(self.assign, line)
            assert match, f"{line!r} is no statement"
            steps.append(_assign(match[1].replace(" ", ""), self.expression(match[2])))
            lines = lines[1:]
        return steps, lines

    def _branch(self, test: str, lines: list[str]) -> tuple[Step, list[str]]:
        yes, lines = self._block(lines)
        no: list[Step] = []
        assert lines, f"the branch on {test!r} is never closed"
        if re.fullmatch(self.otherwise, lines[0]):
            no, lines = self._block(lines[1:])
        assert re.fullmatch(self.closing, lines[0]), lines[0]
        decide = self.expression(test)

        def step(values: Values) -> None:
            run(yes if decide(values) else no, values)

        return step, lines[1:]


def _assign(name: str, value: Value) -> Step:
    def step(values: Values) -> None:
        values[name] = value(values)

    return step


def run(steps: Sequence[Step], values: Values) -> Values:
    """Carry out steps on values, which change."""
    for step in steps:
        step(values)
    return values


class _Parser:
    def __init__(self, tokens: list[str], language: Language) -> None:
        self.rest, self.language = tokens, language

    def take(self, *wanted: str) -> str:
        if self.rest and self.rest[0] in wanted:
            return self.rest.pop(0)
        return ""

    def comparison(self) -> Value:
        left = self.sum()
        sign = self.take(*COMPARED)
        if not sign:
            return left
        right, compare = self.sum(), COMPARED[sign]
        return lambda v: compare(left(v), right(v))

    def sum(self) -> Value:
        value = self.product()
        while sign := self.take("+", "-"):
            value = _combined(sign, value, self.product())
        return value

    def product(self) -> Value:
        value = self.signed()
        while sign := self.take("*", "/"):
            assert self.rest[0] not in "+-", "two operators side by side"
            value = _combined(sign, value, self.signed())
        return value

    def signed(self) -> Value:
        if self.take("-"):
            inner = self.power()
            return lambda v: -inner(v)
        return self.power()

    def power(self) -> Value:
        base = self.atom()
        if self.take("^", "**"):
            assert self.rest[0] not in "+-", "two operators side by side"
            exponent = self.power()
            return lambda v: np.float64(base(v)) ** exponent(v)
        return base

    def atom(self) -> Value:
        token = self.rest.pop(0)
        if token == "(":
            value = self.comparison()
            assert self.take(")"), "a bracket is not closed"
            return value
        if re.fullmatch(NUMBER, token):
            number = np.float64(re.sub("[dD]", "e", token))
            return lambda v: number
        assert re.fullmatch(self.language.name, token), f"{token!r} is no name"
        if self.take("("):
            return self.call(token)
        return lambda v: v[token]

    def call(self, token: str) -> Value:
        function = FUNCTIONS[token.lower() if self.language.lower else token]
        arguments = [self.comparison()]
        while self.take(","):
            arguments.append(self.comparison())
        assert self.take(")"), "a bracket is not closed"
        return lambda v: function(*(argument(v) for argument in arguments))


def _combined(sign: str, left: Value, right: Value) -> Value:
    return {
        "+": lambda v: left(v) + right(v),
        "-": lambda v: left(v) - right(v),
        "*": lambda v: left(v) * right(v),
        "/": lambda v: np.float64(left(v)) / right(v),
    }[sign]
