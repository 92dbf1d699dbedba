"""Work on NumPy arrays shared out among threads.

NumPy lets go of the interpreter while it copies, adds and multiplies, so plain threads run at once.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from plaingrad.machine import processors


def shared_out(work: Callable[[int, int], Any], count: int, *, threads: int | None = None) -> list[Any]:
    """[work(0, a), work(a, b), ..., work(z, count)], in order, on as many threads as there are processors.

    The matrix products inside have one thread each: the threads of the BLAS library and ours would
    otherwise fight for the processors, and products too small for our threads are too small for its.
    """
    threads = min(threads or processors(), count)
    with _one_blas_thread():
        if threads <= 1:
            return [work(0, count)]
        ends = [count * i // threads for i in range(threads + 1)]
        others = [_pool(os.getpid()).submit(work, *ends[i : i + 2]) for i in range(1, threads)]
        try:
            own = work(*ends[:2])
        finally:  # no thread may still be writing when we return
            results = [future.result() for future in others]
        return [own, *results]


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    before = [(library, library.get_num_threads()) for library in _blas_libraries()]
    changed = [(library, threads) for library, threads in before if threads != 1]
    for library, _ in changed:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, threads in changed:
            library.set_num_threads(threads)


@cache
def _blas_libraries() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """One pool for each process: the threads of a parent do not live on in a fork."""
    return ThreadPoolExecutor(max(processors() - 1, 1), thread_name_prefix="plaingrad-kernel")
