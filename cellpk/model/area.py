"""Area under a level, exact at its switches, with its gradient."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from cellpk.model.sensitivity import Quantity, constant, spread_nodes

NODES_PER_PIECE = 32
GATE_MARKS = (-16.0, -4.0, 0.0, 4.0, 16.0)
"""Ends of pieces about a gate, in widths from its centre. The gate's poles lie pi
widths off the real axis, so the rule converges fast on each piece; beyond 16 widths the
gate is open or shut to 1e-7."""


def area(
    level: Callable[[Quantity], Quantity], marks: Sequence[Quantity], until: float
) -> Quantity:
    """Return the area under a level from day 0 to ``until``, piece by piece.

    Parameters
    ----------
    level : callable
        From times, shape (..., n), to levels of the same shape.
    marks : sequence of Quantity
        Times, shape (..., 1), at which the course changes. The pieces' ends move with
        the parameters, and the gradient says so.
    until : float
        End, in the time unit of the model.

    Returns
    -------
    Quantity
        Area, shape (..., 1), in units of level times time.

    Examples
    --------
    >>> def kinked(t):
    ...     return Quantity(np.minimum(t.value, 1.0))
    >>> float(area(kinked, [constant([1.0])], 2.0).value[0].round(12))
    1.5
    """
    pieces = [
        (level(nodes) * weights).summed().widened()
        for nodes, weights in _spread(marks, until)
    ]
    return sum(pieces[1:], start=pieces[0])


def area_at_once(
    level: Callable[[Quantity], Quantity], marks: Sequence[Quantity], until: float
) -> Quantity:
    """Return the area under a level that is asked for once, for all days together.

    A solver goes from day 0 to the last day of each call.

    Parameters
    ----------
    level, marks, until
        As for :func:`area`; the ends of pieces stay where they are.

    Examples
    --------
    >>> def kinked(t):
    ...     return Quantity(np.minimum(t.value, 1.0))
    >>> float(area_at_once(kinked, [constant([1.0])], 2.0).value[0].round(12))
    1.5
    """
    nodes, weights = zip(*_spread(marks, until), strict=True)
    days, shares = (
        constant(np.concatenate([x.value for x in parts], axis=-1))
        for parts in (nodes, weights)
    )
    return (level(days) * shares).summed().widened()


def _spread(marks: Sequence[Quantity], until: float) -> list[tuple[Quantity, Quantity]]:
    """Nodes and weights of each piece."""
    ends = _sorted([constant([0.0]), *marks, constant([until])], until)
    pieces = [
        spread_nodes(start, stop, count=NODES_PER_PIECE)
        for start, stop in pairwise(ends)
    ]
    return [(_flat(nodes), _flat(weights)) for nodes, weights in pieces]


def _flat(quantity: Quantity) -> Quantity:
    """Drop the axis of length 1 before the nodes, which is that of the sample times."""
    gradient = quantity.gradient
    flat = None if gradient is None else gradient[..., 0, :, :]
    return Quantity(quantity.value[..., 0, :], flat)


def _sorted(marks: Sequence[Quantity], until: float) -> list[Quantity]:
    """Order the marks in time, patient by patient; outside the window they collapse."""
    sizes = {x.gradient.shape[-1] for x in marks if x.gradient is not None}
    count = max(sizes, default=0)
    shape = np.broadcast_shapes(*(mark.value.shape for mark in marks))
    values = np.stack([np.broadcast_to(mark.value, shape) for mark in marks])
    gradients = np.stack(
        [
            np.broadcast_to(
                np.zeros(count) if mark.gradient is None else mark.gradient,
                (*shape, count),
            )
            for mark in marks
        ]
    )
    inside = (values > 0) & (values < until)
    values, gradients = np.clip(values, 0, until), gradients * inside[..., None]
    order = np.argsort(values, axis=0)
    values = np.take_along_axis(values, order, axis=0)
    gradients = np.take_along_axis(gradients, order[..., None], axis=0)
    return [
        Quantity(value, gradient if count else None)
        for value, gradient in zip(values, gradients, strict=True)
    ]
