"""Memory that is used again: never while somebody looks at it, never more than was needed at once."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import threading

import numpy as np
import pytest

from plaingrad.kernels import workspace
from plaingrad.kernels.workspace import empty, release, scratch

LARGE = (100, 1000)


@pytest.fixture(autouse=True)
def own_store(monkeypatch):
    """Nothing kept by other tests."""
    gc.collect()
    monkeypatch.setattr(workspace, "_store", workspace._Store())
    return workspace._store


def address(x: np.ndarray) -> int:
    return x.ctypes.data


def test_memory_serves_again_when_the_last_view_is_gone():
    x = empty(LARGE)
    where, view = address(x), x[3:5].T
    del x
    assert address(empty(LARGE)) != where
    del view
    again = empty((1000, 100))
    assert address(again) == where
    assert again.flags.c_contiguous
    assert again.flags.writeable


def test_arrays_at_once_do_not_overlap():
    arrays = [empty(LARGE) for _ in range(5)]
    for number, x in enumerate(arrays):
        x[...] = number
    assert [set(np.unique(x)) for x in arrays] == [{float(n)} for n in range(5)]


@pytest.mark.parametrize("shape", [(3,), (0, 5), LARGE, (7, 33, 41, 5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_shapes_and_dtypes(shape, dtype):
    x = empty(shape, dtype)
    assert type(x) is np.ndarray
    assert x.shape == shape
    assert x.dtype == dtype
    x[...] = 1
    assert x.sum() == x.size


def test_copies_have_memory_of_their_own():
    x = empty(LARGE)
    x[...] = 2
    pickled = pickle.loads(pickle.dumps(x))  # noqa: S301
    for other in (copy.deepcopy(x), pickled, x.copy()):
        assert not np.shares_memory(x, other)
        assert (other == 2).all()


def test_no_more_is_kept_than_was_on_loan_at_once(own_store):
    for size in range(100_000, 1_000_000, 50_000):
        empty((size,))
    assert own_store.lent == 0
    assert 0 < own_store.free <= 2 * own_store.most
    assert own_store.free == sum(m.room for kept in own_store.kept.values() for m in kept)
    release()
    assert own_store.free == 0


def test_a_count_that_an_interruption_spoilt_is_put_right(own_store):
    array = empty((1 << 20,), np.uint8)
    own_store.free += 1 << 30  # as if an exception had come between counting and keeping
    del array
    assert not own_store.kept
    assert own_store.free == 0
    array = empty((1 << 20,), np.uint8)
    del array
    assert sum(map(len, own_store.kept.values())) == 1


def test_what_was_used_last_is_kept_longest(own_store):
    """Twice what was needed at once is room for two of these, not for three."""
    where = {}
    for size in (260_000, 270_000, 300_000):
        where[size] = address(empty((size,)))
    assert len(own_store.kept) == 2
    assert address(empty((300_000,))) == where[300_000]
    assert address(empty((270_000,))) == where[270_000]


def test_from_several_threads(own_store):
    def work() -> None:
        for size in range(20_000, 60_000, 1_000):
            x = empty((size,))
            x[...] = size
            assert (x == size).all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert own_store.lent == 0


def test_scratch_is_kept_and_grows():
    small = scratch("test", 10)
    assert small.size >= 10
    assert scratch("test", 5) is small
    assert scratch("test", 1000).size >= 1000
    assert scratch("other", 5) is not scratch("test", 5)


def test_too_large_an_array_is_a_memory_error_and_forgotten(own_store):
    kept = empty(LARGE)
    del kept
    with pytest.raises(MemoryError, match=r"no 400000\.0 GB for an array of shape"):
        empty((10**7, 10**7))
    assert own_store.lent == 0
    assert own_store.most < 10**9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_memory_of_its_own():
    x = empty(LARGE)
    x[...] = 1
    child = os.fork()
    if not child:
        x[...] = 2
        os._exit(0 if (empty(LARGE).shape == LARGE) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (x == 1).all()
