"""Chunks cover every patient once, over threads or one after the other."""

import threading

import numpy as np
import pytest

from cellpk.model.parallel import over_chunks


@pytest.mark.parametrize("threads", [None, 1, 2])
@pytest.mark.parametrize("count", [0, 1, 5, 6])
def test_every_patient_is_worked_out_once(count, threads):
    done = np.zeros(count)

    def work(chunk):
        done[chunk] += 1

    over_chunks(work, count, size=3, threads=threads)
    assert (done == 1).all()


def test_a_few_patients_stay_in_the_thread_that_asked():
    seen = []
    over_chunks(lambda _: seen.append(threading.current_thread()), 3, size=3)
    assert seen == [threading.current_thread()]


def test_an_error_in_a_thread_reaches_the_caller():
    def work(chunk):
        raise ValueError(f"from {chunk.start}")

    with pytest.raises(ValueError, match=r"from [02]"):
        over_chunks(work, 4, size=2, threads=2)
