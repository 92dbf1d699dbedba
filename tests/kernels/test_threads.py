"""Work shared out among threads: whole, in order, the same on every machine, and over when it returns."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import numpy as np
import pytest

import plaingrad as pg
from plaingrad.kernels import threads
from plaingrad.kernels.threads import one_blas_thread, shared_out


@pytest.fixture(params=[1, 2, 5])
def many(request, monkeypatch):
    """So many processors, or as good as."""
    monkeypatch.setattr(threads, "processors", lambda: request.param)
    threads._helpers.cache_clear()
    yield request.param
    threads._helpers.cache_clear()


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 1000])
def test_parts_cover_everything_in_order(count, many):
    spans = shared_out(lambda start, stop: (start, stop), count)
    assert spans[0][0] == 0
    assert spans[-1][1] == count
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert all(start < stop for start, stop in spans)
    assert len(spans) == min(count, 16)


def test_small_work_is_one_part_on_the_calling_thread(many):
    assert shared_out(lambda a, b: (a, b, threading.get_ident()), 50, small=True) == [
        (0, 50, threading.get_ident())
    ]


def test_gradients_do_not_depend_on_the_number_of_processors(monkeypatch):
    net = pg.VGG((8, 16), seed=1)
    X = np.random.default_rng(0).standard_normal((37, 3, 32, 32)).astype(np.float32)
    found = set()
    for count in (1, 3):
        monkeypatch.setattr(threads, "processors", lambda count=count: count)
        threads._helpers.cache_clear()
        found.add(net.loss(X, np.arange(37) % 10)[1].flat.tobytes())
    threads._helpers.cache_clear()
    assert len(found) == 1


def test_errors_are_raised_when_nobody_works_any_more(many):
    working = []

    def work(start, stop):
        working.append(start)
        try:
            if start == 0:
                raise MemoryError("no room")
            time.sleep(0.01)
        finally:
            working.remove(start)

    with pytest.raises(MemoryError, match="no room"):
        shared_out(work, 16)
    assert not working


def test_numpy_warns_in_threads_as_it_does_outside(many):
    large = np.full(1000, 1e38, np.float32)

    def work(start, stop):
        large[start:stop] * np.float32(100)

    with np.errstate(all="ignore"):
        shared_out(work, 1000)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        shared_out(work, 1000)


def test_products_have_one_thread_until_the_last_asks_for_no_more():
    def counts():
        return [library.get_num_threads() for library in threads._blas_libraries()]

    before = counts()
    with one_blas_thread():
        with one_blas_thread():
            assert set(counts()) <= {1}
        assert set(counts()) <= {1}
    assert counts() == before
    with pytest.raises(ValueError, match="inside"), one_blas_thread():
        raise ValueError("inside")
    assert counts() == before


def test_half_precision_is_left_to_the_formulas():
    net = pg.Network(
        pg.Sequential(pg.Conv2d(4, 3), pg.BatchNorm(), pg.ReLU(), pg.Flatten(), pg.Affine(3)),
        (3, 32, 32),
        dtype=np.float16,
    )
    X = np.random.default_rng(0).standard_normal((100, 3, 32, 32)).astype(np.float16)
    loss, _ = net.loss(X, np.arange(100) % 3)
    assert np.isfinite(loss)
    assert all(np.isfinite(value).all() for value in net.state.values())


@pytest.mark.parametrize("many", [2, 5], indirect=True)
def test_ctrl_c_does_not_wait_for_ever_for_a_thread_that_is_stuck(many, monkeypatch):
    monkeypatch.setattr(threads, "_PATIENCE", 0.05)
    caller, stuck, go_on = threading.current_thread(), threading.Event(), threading.Event()

    def work(start, end):
        if threading.current_thread() is not caller:
            stuck.set()
            go_on.wait()
        elif stuck.wait(60):
            raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            shared_out(work, 100)
    finally:
        go_on.set()
