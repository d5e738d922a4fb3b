"""Patients in chunks over threads: the one place where work is spread.

Compiled code runs without Python's lock, so that threads of one process are enough and
nothing has to be copied. Each patient is worked out alone: the numbers are the same,
bit by bit, whatever the number of threads.
"""

from collections.abc import Callable
from math import ceil


def over_chunks(
    work: Callable[[slice], None], count: int, *, size: int, threads: int | None = None
) -> None:
    """Work on patients chunk by chunk, over threads where there is more than one.

    Parameters
    ----------
    work : callable
        Does the patients of a slice and keeps what it finds, in arrays of its own.
    count : int
        Number of patients.
    size : int
        Most patients per chunk, at least 1; chunks are of even size.
    threads : int, optional
        All processors where not given.

    Examples
    --------
    >>> done = [0] * 5
    >>> def work(chunk):
    ...     done[chunk] = [1] * len(done[chunk])
    >>> over_chunks(work, 5, size=2)
    >>> done
    [1, 1, 1, 1, 1]
    """
    even = ceil(count / ceil(count / size)) if count else size
    chunks = [slice(i, min(i + even, count)) for i in range(0, count, even)]
    if len(chunks) < 2 or threads == 1:
        for chunk in chunks:
            work(chunk)
        return
    from joblib import Parallel, cpu_count, delayed

    spread = Parallel(n_jobs=threads or cpu_count(), require="sharedmem")
    spread(delayed(work)(chunk) for chunk in chunks)
