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
    ends = _sorted([constant([0.0]), *marks, constant([until])], until)
    pieces = [_piece(level, start, stop) for start, stop in pairwise(ends)]
    return sum(pieces[1:], start=pieces[0])


def _piece(
    level: Callable[[Quantity], Quantity], start: Quantity, stop: Quantity
) -> Quantity:
    nodes, weights = spread_nodes(start, stop, count=NODES_PER_PIECE)
    return (level(_flat(nodes)) * _flat(weights)).summed().widened()


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
