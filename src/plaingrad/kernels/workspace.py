"""Memory for what kernels compute, used again and again.

Fresh memory comes from the system page by page, which takes longer than computing what is written there.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import mmap
import os
import threading
from typing import Any

import numpy as np

Array = np.ndarray

_LARGE = 1 << 16  # bytes: smaller arrays are left to NumPy
# What is needed at once differs in size through a training step, so all that is used is more than that.
_SPARE = 2


def empty(shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """A new array whose values are not yet set, in memory that may have served before.

    The memory of a large array is kept when it and all its views are gone, for the next of that size: a
    training step finds what the one before it has used.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < _LARGE:
        return np.empty(shape, dtype)
    # Sizes in steps of an eighth, so that batches of nearly one size share their memory.
    step = 1 << max((size - 1).bit_length() - 4, 0)
    room = -(-size // step) * step
    try:
        memory = _store.take(room)
    except (OSError, OverflowError):
        raise MemoryError(f"no {size / 1e9:.1f} GB for an array of shape {shape}") from None
    return np.ndarray(shape, dtype, _Lent(room, np.uint8, memory, memory.begin))


def scratch(purpose: str, size: int) -> Array:
    """Memory for at least `size` float32 numbers, this thread's own, for use until it asks again."""
    held: dict[str, Array] = _own.__dict__
    if purpose not in held or held[purpose].size < size:
        memory = _Memory.of(4 * size)
        held[purpose] = np.frombuffer(memory, np.float32, size, memory.begin)
    return held[purpose]


def release() -> None:
    """Give what is kept for the next array back to the system."""
    _store.release()


class _Lent(np.ndarray):
    """Memory on loan: every array in it refers to this, which gives it back when the last one is gone."""

    def __del__(self) -> None:
        if isinstance(self.base, _Memory):
            _store.give_back(self.base)


class _Store:
    """Memory that came back, by size in bytes; not much more of it than was once on loan at the same time."""

    def __init__(self) -> None:
        # An array may die, and give back, while its thread is in here.
        self.lock = threading.RLock()
        self.kept: dict[int, list[_Memory]] = {}  # what was used last comes last
        self.free = self.lent = self.most = 0

    def take(self, size: int) -> _Memory:
        """So many bytes."""
        with self.lock:
            kept = self.kept.get(size)
            if kept:
                self.free -= size
                memory = kept.pop()
                if not kept:
                    del self.kept[size]
            else:
                try:
                    memory = _Memory.of(size)
                except OSError:
                    self.release()  # and once more
                    memory = _Memory.of(size)
            self.lent += size
            self.most = max(self.most, self.lent)
        return memory

    def give_back(self, memory: _Memory) -> None:
        """Keep it; let go of what was not asked for the longest, if there is too much."""
        size = memory.room
        with self.lock:
            self.lent -= size
            self.free += size
            kept = self.kept[size] = self.kept.pop(size, [])
            kept.append(memory)
            while self.kept and self.lent + self.free > _SPARE * self.most:
                oldest, kept = next(iter(self.kept.items()))
                kept.pop()
                self.free -= oldest
                if not kept:
                    del self.kept[oldest]
            if not self.kept:
                self.free = 0  # whatever an interruption in here did to the count

    def release(self) -> None:
        """Let go of everything."""
        with self.lock:
            self.kept.clear()
            self.free, self.most = 0, self.lent


class _Memory(mmap.mmap):
    """`room` bytes from `begin` on, from the system."""

    room: int
    begin: int

    @classmethod
    def of(cls, room: int) -> _Memory:
        """In large pages, if the system has them: the processor then looks fewer of them up."""
        size = room + _PAGE
        if hasattr(mmap, "MAP_PRIVATE"):
            # The default is memory that a forked process would share, and it has no large pages.
            memory = cls(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        else:  # Windows
            memory = cls(-1, size)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):
                memory.madvise(mmap.MADV_HUGEPAGE)
        # Arrays that begin alike would compete for the same places of the cache, line by line.
        memory.room, memory.begin = room, next(_beginnings)
        return memory


_PAGE, _LINE = 4096, 64
_beginnings = itertools.cycle(range(0, _PAGE, 9 * _LINE))
_store = _Store()
_own = threading.local()
if hasattr(os, "register_at_fork"):  # another thread may have held the lock when the process forked
    os.register_at_fork(after_in_child=lambda: setattr(_store, "lock", threading.RLock()))
