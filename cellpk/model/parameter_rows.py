"""Parameters, their spreads and correlations, from the rows of a model file."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from cellpk.errors import ModelError, nearest
from cellpk.model.parameters import SCALES, Parameter

FORMS = ("iiv_sd", "iiv_var", "iiv_cv")
"""Ways to state a spread between patients as a number."""

UNPUBLISHED = "unpublished"


def spread(row: Mapping[str, Any], *, where: str) -> tuple[float | None, str]:
    """Return the between-patient spread of a row as a standard deviation, and its form.

    Parameters
    ----------
    row : mapping
        Of a parameter: exactly one of ``iiv_sd``, ``iiv_var`` and ``iiv_cv``, ``fixed =
        true``, or ``iiv = "unpublished"``. A coefficient of variation (a fraction, log
        scale only) is turned by ``sd = sqrt(log(1 + cv**2))``.
    where : str
        File, section and line.

    Returns
    -------
    sd : float or None
        0 where fixed, None where unpublished.
    form : str
        Key that states it; "" where it is no number.

    Raises
    ------
    ModelError
        Where there is none or more than one, or it is negative.

    Examples
    --------
    >>> spread({"iiv_var": 0.25}, where="")
    (0.5, 'iiv_var')
    """
    stated = [key for key in (*FORMS, "iiv") if key in row]
    stated += ["fixed"] if row.get("fixed", False) else []
    if len(stated) != 1:
        raise ModelError(
            f"the spread between patients is stated by {' and '.join(stated)}"
            if stated
            else "the spread between patients is stated by nothing",
            where=where,
            todo="State exactly one of iiv_sd, iiv_var, iiv_cv, fixed = true, or "
            f'iiv = "{UNPUBLISHED}".',
        )
    form = stated[0]
    if form == "fixed":
        return 0.0, ""
    if form == "iiv":
        _check_word("iiv", row["iiv"], [UNPUBLISHED], where)
        return None, ""
    if form == "iiv_cv" and row.get("scale", "log") != "log":
        raise ModelError(
            f"iiv_cv = {row[form]} has a meaning on the log scale only",
            where=where,
            todo="State iiv_sd or iiv_var on the parameter's own scale.",
        )
    value = _positive(form, row[form], where)
    variance = {"iiv_sd": value**2, "iiv_var": value, "iiv_cv": np.log1p(value**2)}
    return float(np.sqrt(variance[form])), form


def _check_word(key: str, word: str, known: Iterable[str], where: str) -> None:
    if word not in known:
        raise ModelError(
            f"{key} {word!r} is not known", where=where, todo=nearest(word, known)
        )


def _positive(key: str, value: float, where: str) -> float:
    if not 0 < value < np.inf:
        raise ModelError(
            f"{key} is {value}", where=where, todo="State a positive number."
        )
    return float(value)


def read_parameter(name: str, row: Mapping[str, Any], *, where: str) -> Parameter:
    """Return a parameter from its row of the file.

    Raises
    ------
    ModelError
        Where the scale is unknown, the value is missing or impossible on it, or the
        spread is not stated once.

    Examples
    --------
    >>> row = {"value": 9.3, "unit": "day", "iiv_cv": 0.4}
    >>> read_parameter("tmax", row, where="").iiv_sd.__round__(6)
    0.385253
    """
    scale = row.get("scale", "log")
    _check_word("scale", scale, SCALES, where)
    value = _value(row, where)
    if value is not None and not SCALES[scale].legal(value):
        raise ModelError(
            f"value {value} is not possible on the {scale} scale",
            where=where,
            todo="Correct the value, or state another scale.",
        )
    sd, form = spread(row, where=where)
    kept = {"iiv_source": row.get("source", "")} if sd != 0 else {}
    kept |= {k: row[k] for k in ("unit", "label", "fixed", "source") if k in row}
    kept |= {k: row[k] for k in ("iiv_source",) if k in row and sd != 0}
    if "prior_sd" in row:
        kept["prior_sd"] = _positive("prior_sd", row["prior_sd"], where)
    return Parameter(name, value, scale=scale, iiv_sd=sd, spread_form=form, **kept)


def _value(row: Mapping[str, Any], where: str) -> float | None:
    """Value of a row; None where it says that there is none."""
    unpublished = row.get(UNPUBLISHED, False)
    if unpublished == ("value" in row):
        raise ModelError(
            f"value = {row['value']} is stated, and that it is unpublished"
            if unpublished
            else "'value' is missing",
            where=where,
            todo="State value = ..., or unpublished = true where no number is known.",
        )
    return None if unpublished else float(row["value"])


Pair = tuple[str, str]


def read_correlations(
    rows: Mapping[Pair, Mapping[str, Any]],
    parameters: Mapping[str, Parameter],
    where: Callable[[Pair], str],
) -> tuple[dict[Pair, float], dict[Pair, str]]:
    """Return correlations between random effects, and their sources.

    Parameters
    ----------
    rows : mapping of (str, str) to mapping
        ``value`` and ``source`` by pair of parameters.
    parameters : mapping of str to Parameter
        Those of the model.
    where : callable
        From a pair to file, section and line.

    Raises
    ------
    ModelError
        Where a parameter is not known or has no spread, a number is not between -1 and
        1, or all of them together are impossible.

    Examples
    --------
    >>> rows = {("cmax", "tmax"): {"value": 0.3}}
    >>> free = {name: Parameter(name, 1.0, iiv_sd=0.5) for name in ("tmax", "cmax")}
    >>> read_correlations(rows, free, lambda pair: "m.toml")[0]
    {('tmax', 'cmax'): 0.3}
    """
    order = list(parameters)
    values, sources = {}, {}
    for pair, row in rows.items():
        _check_pair(pair, parameters, where(pair))
        value = row["value"]
        if not -1 < value < 1:
            raise ModelError(
                f"the correlation of {' and '.join(pair)} is {value}",
                where=where(pair),
                todo="State a number between -1 and 1.",
            )
        one, two = sorted(pair, key=order.index)
        values[one, two], sources[one, two] = float(value), row.get("source", "")
    _check_matrix(values, where)
    return values, sources


def _check_pair(pair: Pair, parameters: Mapping[str, Parameter], where: str) -> None:
    for name in pair:
        if name not in parameters:
            raise ModelError(
                f"{name!r} is not a parameter",
                where=where,
                todo=nearest(name, parameters),
            )
        if parameters[name].fixed:
            raise ModelError(
                f"{name!r} is fixed and has no spread between patients",
                where=where,
                todo="Leave the correlation out, or state a spread.",
            )
    if pair[0] == pair[1]:
        raise ModelError(
            f"{pair[0]!r} is correlated with itself",
            where=where,
            todo="Name two parameters.",
        )


def _check_matrix(values: Mapping[Pair, float], where: Callable[[Pair], str]) -> None:
    """Correlations can be right one by one and impossible together."""
    names = list(dict.fromkeys(name for pair in values for name in pair))
    matrix = np.eye(len(names))
    for (one, two), value in values.items():
        i, j = names.index(one), names.index(two)
        matrix[i, j] = matrix[j, i] = value
    least = np.linalg.eigvalsh(matrix)[0] if names else 1.0
    if least <= 0:
        raise ModelError(
            f"the correlations of {', '.join(names)} are impossible together (smallest "
            f"eigenvalue {least:.2g})",
            where=where(list(values)[-1]),
            todo="Correct one: their matrix must be positive definite.",
        )
