"""What is wrong with settings, in our words instead of pydantic's."""

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cellpk.errors import Problem, nearest

_MISSING = {
    "infusion_day": "Say 0 or 1: what the files call the day of infusion.",
    "study": "Add a table [study] with id and infusion_day.",
}


def told(
    error: ValidationError, model: type[BaseModel], *, file: str = ""
) -> list[Problem]:
    """Say what pydantic found: one problem for each place.

    Parameters
    ----------
    error : ValidationError
        What was raised.
    model : type
        The settings that were checked.
    file : str
        Where they were read from.

    Examples
    --------
    >>> from cellpk.study.metric_rules import Rules
    >>> try:
    ...     Rules.model_validate({"auc_rul": "linear", "auc_rule": "liner"})
    ... except ValidationError as error:
    ...     [problem.todo for problem in told(error, Rules)]
    ["Did you mean 'linear'?", "Did you mean 'auc_rule'?"]
    """
    details = error.errors()
    # Where a value may be of several kinds, that of a word is the least telling.
    words = [d for d in details if d["type"] == "literal_error" and _branch(d["loc"])]
    told = [each for each in details if each not in words]
    places = {_place(each["loc"]).split(".")[0] for each in told}
    told += [d for d in words if _place(d["loc"]).split(".")[0] not in places]
    return [_problem(each, model, file) for each in details if each in told]


def _problem(detail: ErrorDetails, model: type[BaseModel], file: str) -> Problem:
    *parents, key = detail["loc"] or ("",)
    place = _place(detail["loc"])
    value = detail["input"]
    text = "" if isinstance(value, dict | list) or value is None else str(value)
    if detail["type"] == "extra_forbidden":
        todo = nearest(str(key), _keys(parents, model))
        return Problem(
            "the key is not known", todo, file=file, column=place, value=text
        )
    if detail["type"] == "missing" and isinstance(key, int):
        what, todo = "a value is missing", f"Give {key + 1} values."
        return Problem(what, todo, file=file, column=_place(tuple(parents)))
    if detail["type"] == "missing":
        todo = _MISSING.get(str(key), f"Add {key!r}.")
        return Problem("the key is missing", todo, file=file, column=place)
    if detail["type"] == "tuple_type" and isinstance(value, dict):
        what = f"a single table [{place}] stands where there may be several"
        todo = f"Write its heading as [[{place}]]."
        return Problem(what, todo, file=file, column=place)
    what = detail["msg"].removeprefix("Value error, ")
    what, todo = what[:1].lower() + what[1:], "Correct it."
    if detail["type"] == "literal_error" and isinstance(value, str):
        words = re.findall(r"'([^']+)'", detail.get("ctx", {}).get("expected", ""))
        todo = nearest(value, words)
    return Problem(what, todo, file=file, column=place, value=text)


def _branch(loc: tuple[int | str, ...]) -> bool:
    """Say whether a place lies in one of several kinds that a value may be of."""
    return any(_of_pydantic(part) for part in loc)


def _of_pydantic(part: int | str) -> bool:
    """Say whether a part of a place is pydantic's word for a kind of value."""
    word = str(part)
    kinds = {"int", "float", "str", *(each.__name__ for each in _sections(BaseModel))}
    return "[" in word or word.startswith("constrained-") or word in kinds


def _sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield the models that are made from a model."""
    for each in model.__subclasses__():
        yield each
        yield from _sections(each)


def _place(loc: tuple[int | str, ...]) -> str:
    """Return a place as the user wrote it; lists count from 1."""
    own = [part for part in loc if not _of_pydantic(part)]
    return ".".join(str(p + 1 if isinstance(p, int) else p) for p in own)


def _keys(parents: list[int | str], model: type[BaseModel]) -> list[str]:
    """Return the keys that are known at a place in the settings."""
    for parent in parents:
        field = model.model_fields.get(str(parent))
        model = next(_models(field.annotation), model) if field else model
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
