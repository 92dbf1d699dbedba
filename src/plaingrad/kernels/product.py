"""Matrix products of any size, made of register tiles; compiled functions call `multiply`."""

from __future__ import annotations

import functools
import math

import numpy as np

from plaingrad.kernels.compiled import compiled
from plaingrad.kernels.threads import shared_out
from plaingrad.kernels.tile import LOWEST, ROWS, WIDE, tile8, tile16, tile32

Array = np.ndarray

ONE_SEGMENT = np.zeros(1, np.intp)
"""The segments of rows that lie in one piece."""

_SMALL = 1 << 17  # numbers: below, waking a thread costs more than it saves
_DEPTH = 512  # so many terms of the sum at once: what they need of b then stays in the cache for all rows


@functools.lru_cache(maxsize=128)
def lines(count: int, length: int) -> Array:
    """Where each of `count` rows of so many numbers begins."""
    return np.arange(count, dtype=np.intp) * length


@functools.lru_cache(maxsize=128)
def zeros(count: int) -> Array:
    """So many zeros, for sums to start at."""
    return np.zeros(count, np.float32)


@compiled(inline=True)
def multiply(out, out_at, out_row, start, start_at, start_row, a, a_at, a_rows, rows_at, a_segments, a_step,
             b, b_at, b_step, steps, count, columns, floor):  # fmt: skip
    """What a tile does (see `tile`), for any number of rows and columns."""
    n = 0
    while n < columns:
        left = columns - n
        for m in range(0, count, ROWS):
            rows = min(ROWS, count - m)
            if left > 16:
                tile32(out, out_at + m * out_row + n, out_row, start, start_at + m * start_row + n, start_row,
                       a, a_at, a_rows, rows_at + m, a_segments, a_step,
                       b, b_at + n, b_step, steps, rows, left, floor)  # fmt: skip
            elif left > 8:
                tile16(out, out_at + m * out_row + n, out_row, start, start_at + m * start_row + n, start_row,
                       a, a_at, a_rows, rows_at + m, a_segments, a_step,
                       b, b_at + n, b_step, steps, rows, left, floor)  # fmt: skip
            else:
                tile8(out, out_at + m * out_row + n, out_row, start, start_at + m * start_row + n, start_row,
                      a, a_at, a_rows, rows_at + m, a_segments, a_step,
                      b, b_at + n, b_step, steps, rows, left, floor)  # fmt: skip
        n += WIDE if left > 16 else 16 if left > 8 else 8


@compiled
def times(out, start, start_row, a, a_rows, a_step, one, b, first, last, steps, columns, floor):
    """Rows `first` to `last` of out (·, columns) = start + a b with b (steps, columns), then at least `floor`.

    Row m of a begins at a[a_rows[m]], and its numbers are `a_step` apart: a_rows = m · K and step 1 is the
    matrix, a_rows = m and step M its transpose.  start_row 0 adds the same row everywhere.
    """
    for k in range(0, steps, _DEPTH):
        depth = min(_DEPTH, steps - k)
        bound = floor if k + depth == steps else LOWEST
        if k == 0:
            multiply(out, first * columns, columns, start, first * start_row, start_row, a, 0, a_rows, first,
                     one, a_step, b, 0, columns, depth, last - first, columns, bound)  # fmt: skip
        else:
            multiply(out, first * columns, columns, out, first * columns, columns, a, k * a_step, a_rows, first,
                     one, a_step, b, k * columns, columns, depth, last - first, columns, bound)  # fmt: skip


def column_sums(rows: Array) -> Array:
    """The sum (D,) of contiguous rows (N, D)."""
    count, columns = rows.shape
    # Narrow rows are taken several at a time, as one that fills vectors.
    several = 16 // math.gcd(columns, 16)
    block = 64 * several  # rows added up before they join the others: less is lost to rounding
    flat = rows.reshape(-1)
    if rows.size < _SMALL:
        return _added(flat, columns, several, block, 0, count)
    parts = shared_out(
        lambda start, stop: _added(flat, columns, several, block, start * block, min(stop * block, count)),
        -(-count // block),
    )
    return np.sum(parts, axis=0)


@compiled
def _added(rows, columns, several, block, first, last):
    """The sum of rows `first` to `last`."""
    width = several * columns
    total, some = np.zeros(width, np.float32), np.empty(width, np.float32)
    sums = np.zeros(columns, np.float32)
    whole = first + (last - first) // several * several
    for begin in range(first, whole, block):
        some[:] = np.float32(0)
        for row in range(begin, min(begin + block, whole), several):
            own = rows[row * columns : row * columns + width]
            for i in range(width):
                some[i] += own[i]
        for i in range(width):
            total[i] += some[i]
    for i in range(several):
        for column in range(columns):
            sums[column] += total[i * columns + column]
    for row in range(whole, last):
        for column in range(columns):
            sums[column] += rows[row * columns + column]
    return sums
