"""Batch normalisation of images in channels-last memory: each pass over the batch on threads, in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.kernels.memory import in_order, is_channels_last, is_float
from plaingrad.kernels.threads import shared_out
from plaingrad.ops import BatchnormCache

Array = np.ndarray

_BLOCK = 32768  # elements of a block: a few blocks fit the second-level cache of a core
_SMALL = 1 << 16  # elements: below, waking a thread costs more than it saves
_WIDE = 1024  # NumPy adds a vector to rows of fewer elements slowly: several rows are then taken as one


def _accepts(x: Any, gamma: Any, beta: Any, *, eps: float = 1e-5) -> bool:
    return is_float(x) and is_channels_last(x) and x.dtype == gamma.dtype == beta.dtype


def _accepts_backward(dout: Any, cache: BatchnormCache) -> bool:
    both = (dout, cache.xhat)
    return dout.dtype == cache.xhat.dtype and all(is_float(a) and is_channels_last(a) for a in both)


class _Rows:
    """Rows (M, C) taken `several` at a time, so that a row is wide, and M' rows at once, so that they fit."""

    def __init__(self, rows: int, channels: int) -> None:
        # The largest divisor of the number of rows that keeps a wide row within bounds.
        most = max(1, _WIDE // channels)
        self.several = next(n for n in range(most, 0, -1) if rows % n == 0)
        self.count = rows // self.several
        self.width = self.several * channels
        self.channels = channels
        self.at_once = max(1, _BLOCK // self.width)

    def wide(self, x: Array) -> Array:
        """x (N, C, H, W) as (count, width)."""
        return in_order(x).reshape(self.count, self.width)

    def repeated(self, vector: Array) -> Array:
        """A vector (C,) for each of the rows taken as one."""
        return np.tile(vector, self.several)

    def blocks(self, start: int, stop: int) -> Any:
        """Slices of at most `at_once` wide rows."""
        return (slice(a, min(a + self.at_once, stop)) for a in range(start, stop, self.at_once))

    def total(self, sums: list[Array]) -> Array:
        """Sums over wide rows (width,), one for each thread, as a sum over rows (C,)."""
        return np.sum(sums, axis=0).reshape(self.several, self.channels).sum(axis=0)


@ops.batchnorm_forward.kernel(_accepts)
def batchnorm_forward(
    x: Array, gamma: Array, beta: Array, *, eps: float = 1e-5
) -> tuple[Array, BatchnormCache]:
    """As `ops.batchnorm_forward`, in three passes: the mean, the variance, the result."""
    rows = _Rows(x.size // x.shape[1], x.shape[1])
    size, small = x.dtype.type(x.size // x.shape[1]), x.size < _SMALL
    xhat, out = np.empty_like(x), np.empty_like(x)
    source, centred, target = rows.wide(x), rows.wide(xhat), rows.wide(out)

    def add(start: int, stop: int) -> Array:
        return sum(
            (source[block].sum(axis=0) for block in rows.blocks(start, stop)), start=np.zeros_like(wide)
        )

    wide = rows.repeated(gamma)
    mean = rows.total(shared_out(add, rows.count, small=small)) / size
    wide_mean = rows.repeated(mean)

    def centre(start: int, stop: int) -> Array:
        squares = np.zeros_like(wide)
        for block in rows.blocks(start, stop):
            own = np.subtract(source[block], wide_mean, out=centred[block])
            squares += np.einsum("rc,rc->c", own, own)
        return squares

    variance = rows.total(shared_out(centre, rows.count, small=small)) / size
    rstd = 1 / np.sqrt(variance + x.dtype.type(eps))
    wide_rstd, wide_beta = rows.repeated(rstd), rows.repeated(beta)

    def finish(start: int, stop: int) -> None:
        for block in rows.blocks(start, stop):
            own = centred[block]
            own *= wide_rstd
            np.multiply(own, wide, out=target[block])
            target[block] += wide_beta

    shared_out(finish, rows.count, small=small)
    return out, BatchnormCache(xhat, gamma, rstd, mean, variance)


@ops.batchnorm_backward.kernel(_accepts_backward)
def batchnorm_backward(dout: Array, cache: BatchnormCache) -> tuple[Array, Array, Array]:
    """As `ops.batchnorm_backward`, in two passes: the sums, and  dx = γ/σ (dout − dβ/M − x̂ · dγ/M)."""
    rows = _Rows(dout.size // dout.shape[1], dout.shape[1])
    size, small = dout.dtype.type(dout.size // dout.shape[1]), dout.size < _SMALL
    dx = np.empty_like(dout)
    upstream, xhat, target = rows.wide(dout), rows.wide(cache.xhat), rows.wide(dx)

    def add(start: int, stop: int) -> Array:
        sums = np.zeros((2, rows.width), dout.dtype)
        for block in rows.blocks(start, stop):
            sums[0] += upstream[block].sum(axis=0)
            sums[1] += np.einsum("rc,rc->c", upstream[block], xhat[block])
        return sums

    sums = shared_out(add, rows.count, small=small)
    dbeta, dgamma = (rows.total([own[i] for own in sums]) for i in (0, 1))
    share, slope = rows.repeated(dbeta / size), rows.repeated(dgamma / size)
    scale = rows.repeated(cache.gamma * cache.rstd)

    def finish(start: int, stop: int) -> None:
        for block in rows.blocks(start, stop):
            own = np.multiply(xhat[block], slope, out=target[block])
            own += share
            np.subtract(upstream[block], own, out=own)
            own *= scale

    shared_out(finish, rows.count, small=small)
    return dx, dgamma, dbeta
