"""What is wrong with settings, in our words instead of pydantic's."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from cellpk.errors import Problem, nearest

_MISSING = {
    "infusion_day": "Say 0 or 1: what the files call the day of infusion.",
    "study": "Add a table [study] with id and infusion_day.",
}


def told(detail: ErrorDetails, model: type[BaseModel], *, file: str = "") -> Problem:
    """Say what pydantic found.

    Parameters
    ----------
    detail : dict
        One of ``ValidationError.errors()``.
    model : type
        The settings that were checked.
    file : str
        Where they were read from.

    Examples
    --------
    >>> from pydantic import ValidationError
    >>> from cellpk.study.metric_rules import Rules
    >>> try:
    ...     Rules.model_validate({"auc_rul": "linear"})
    ... except ValidationError as error:
    ...     told(error.errors()[0], Rules).todo
    "Did you mean 'auc_rule'?"
    """
    *parents, key = detail["loc"] or ("",)
    place = ".".join(str(p + 1 if isinstance(p, int) else p) for p in detail["loc"])
    value = detail["input"]
    text = "" if isinstance(value, dict | list) or value is None else str(value)
    if detail["type"] == "extra_forbidden":
        todo = nearest(str(key), _keys(parents, model))
        return Problem(
            "the key is not known", todo, file=file, column=place, value=text
        )
    if detail["type"] == "missing":
        todo = _MISSING.get(str(key), f"Add {key!r}.")
        return Problem("the key is missing", todo, file=file, column=place)
    what = detail["msg"].removeprefix("Value error, ")
    what = what[:1].lower() + what[1:]
    return Problem(what, "Correct it.", file=file, column=place, value=text)


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
