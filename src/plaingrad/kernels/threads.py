"""Work on NumPy arrays shared out among threads.

NumPy lets go of the interpreter while it copies, adds and multiplies, so plain threads run at once.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any

from plaingrad.machine import processors

# Seconds that threads are given to finish after Ctrl-C.  A part takes far less; but an interruption can leave the
# compiler's lock taken for good, and a thread that waits for it never comes back.
_PATIENCE = 10.0

# So many parts, whatever the number of processors: sums over parts are then the same on every machine.
_PARTS = 16


def shared_out(work: Callable[[int, int], Any], count: int, *, small: bool = False) -> list[Any]:
    """[work(0, a), work(a, b), ..., work(z, count)], in order, on as many threads as there are processors.

    The parts are as many, and as large, on every machine; a thread that is done with one takes the next.
    `small` work is one part, on the thread that asks.
    """
    if small or count <= 1:
        return [work(0, count)]
    parts = min(_PARTS, count)
    ends = [count * i // parts for i in range(parts + 1)]
    results: list[Any] = [None] * parts
    todo = itertools.count()  # next() on it is one step that no other thread interrupts

    def take_parts() -> None:
        while (i := next(todo)) < parts:
            results[i] = work(ends[i], ends[i + 1])

    queue, helpers = _helpers(os.getpid())
    others = min(helpers, parts - 1)
    finished: SimpleQueue[BaseException | None] = SimpleQueue()
    asked, interrupted = 0, False
    try:
        for _ in range(others):
            # np.errstate holds within a context: the caller's, here as if there were no other threads.
            queue.put((copy_context(), take_parts, finished))
            asked += 1
        take_parts()
    except KeyboardInterrupt:
        interrupted = True
        raise
    finally:  # no thread may still be writing when we return
        errors = _collected(finished, asked, interrupted)
    for error in filter(None, errors):
        raise error
    return results


def _collected(
    finished: SimpleQueue[BaseException | None], count: int, interrupted: bool
) -> list[BaseException | None]:
    """What so many threads put there; Ctrl-C waits until all have, or for _PATIENCE seconds."""
    found: list[BaseException | None] = []
    while len(found) < count:
        try:
            found.append(finished.get(timeout=_PATIENCE if interrupted else None))
        except KeyboardInterrupt as interrupt:
            found.append(interrupt)
            count, interrupted = count + 1, True
        except Empty:
            break
    return found


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within the `with` block matrix products have one thread each.

    Inside `shared_out` the threads of the BLAS library and ours would otherwise fight for the processors,
    and products too small for our threads are too small for its.
    """
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


class _Limit:
    """Counts how many want one thread: the first of them limits the library, the last sets it free."""

    def __init__(self) -> None:
        self.lock, self.depth, self.before = threading.Lock(), 0, []

    def enter(self) -> None:
        with self.lock:
            self.depth += 1
            if self.depth == 1:
                self.before = [(library, library.get_num_threads()) for library in _blas_libraries()]
                self._set([(library, 1) for library, _ in self.before])

    def leave(self) -> None:
        with self.lock:
            self.depth -= 1
            if not self.depth:
                self._set(self.before)

    @staticmethod
    def _set(wanted: list[tuple[Any, int]]) -> None:
        for library, threads in wanted:
            if library.get_num_threads() != threads:
                library.set_num_threads(threads)


_limit = _Limit()


@cache
def _blas_libraries() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers


@cache
def _helpers(process: int) -> tuple[SimpleQueue[Any], int]:
    """What the other threads take work from, and how many they are; threads do not live on in a fork.

    A pool of the standard library would do as well, but takes three times as long to wake.
    """
    queue: SimpleQueue[Any] = SimpleQueue()

    def help_out() -> None:
        while True:
            context, work, finished = queue.get()
            try:
                context.run(work)
                finished.put(None)
            except BaseException as error:  # raised again by who asked for the work
                finished.put(error)
            del context, work, finished  # arrays are not to be kept until the next work comes

    count = min(processors(), _PARTS) - 1
    for number in range(count):
        threading.Thread(target=help_out, name=f"plaingrad-kernel-{number + 1}", daemon=True).start()
    return queue, count
