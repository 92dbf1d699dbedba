"""Batch normalisation of float32 rows and images, alone or with ReLU or GELU after it, compiled.

The loops are in batchnorm_loops.py.  Images are taken as rows, one for each pixel; those that are not in
channels-last memory are copied.
"""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.kernels import batchnorm_loops as loops
from plaingrad.kernels.memory import channels_first, channels_last, is_single
from plaingrad.kernels.threads import shared_out
from plaingrad.kernels.workspace import empty
from plaingrad.ops import BatchnormActivationCache, BatchnormCache
from plaingrad.ops.fused import Activation

Array = np.ndarray

_WIDE = 512  # numbers of a wide row
_LANES = 16  # numbers of a vector, of which a wide row should be made
_LARGE = 1 << 17  # numbers: below, waking a thread costs more than it saves


def _accepts(x: Any, gamma: Any, beta: Any, **keywords: Any) -> bool:
    if not (is_single(x) and is_single(gamma) and is_single(beta) and x.ndim in (2, 4) and x.size):
        return False
    return gamma.shape == beta.shape == x.shape[1:2]  # compiled loops do not look where an array ends


def _accepts_backward(dout: Any, cache: BatchnormCache | BatchnormActivationCache) -> bool:
    # The first three are x̂, γ and rstd, or x, γ and β.
    return is_single(dout) and _accepts(*cache[:3]) and dout.shape == cache[0].shape


class _Rows:
    """How the rows of x are shared out among threads, several of them as one wide row."""

    def __init__(self, x: Array) -> None:
        self.channels, self.size, self.shape = x.shape[1], x.size, x.shape
        self.rows = self.size // self.channels
        several = min(max(_WIDE // self.channels, 1), self.rows)
        step = _LANES // gcd(_LANES, self.channels)
        several = several // step * step or several
        self.width = several * self.channels

    def flat(self, x: Array) -> Array:
        """x as it lies in memory, or a copy, row after row."""
        return np.ascontiguousarray(x if x.ndim == 2 else channels_last(x)).reshape(-1)

    def empty(self) -> tuple[Array, Array]:
        """New memory: as rows of numbers, and as an array of x's shape."""
        if len(self.shape) == 2:
            made = empty(self.shape)
            return made.reshape(-1), made
        count, channels, height, width = self.shape
        made = empty((count, height, width, channels))
        return made.reshape(-1), channels_first(made)

    def share(self, work: Callable[[int, int], Any]) -> list[Any]:
        """`work` on wide rows, from one to another."""
        count = -(-self.size // self.width)
        return [work(0, count)] if self.size < _LARGE else shared_out(work, count)

    def statistics(self, x: Array, eps: float) -> Array:
        """Mean, 1/√(variance + ε) and variance: (3, C)."""

        def part(start: int, stop: int) -> Array:
            moments = np.empty((1, 3, self.channels))
            loops.moments_of(start, stop, x, self.width, moments[0])
            return moments

        statistics = np.empty((3, self.channels), np.float32)
        loops.statistics_of(np.concatenate(self.share(part)), eps, statistics)
        return statistics

    def gradients(self, loop: Callable[..., None], factor: Array, *arguments: Any) -> tuple[Array, Array]:
        """dγ and dβ, (2, C), from the sums that `loop` leaves in its last argument, and their means."""

        def part(start: int, stop: int) -> Array:
            totals = np.empty((1, 2, self.channels))
            loop(start, stop, *arguments, totals[0])
            return totals

        gradients, means = np.empty((2, 2, self.channels), np.float32)
        loops.gradients_of(np.concatenate(self.share(part)), factor, self.rows, gradients, means)
        return gradients, means


@ops.batchnorm_forward.kernel(_accepts)
def batchnorm_forward(
    x: Array, gamma: Array, beta: Array, *, eps: float = 1e-5
) -> tuple[Array, BatchnormCache]:
    """As `ops.batchnorm_forward`."""
    rows = _Rows(x)
    source, (xhat, xhat_array), (out, out_array) = rows.flat(x), rows.empty(), rows.empty()
    mean, rstd, variance = rows.statistics(source, eps)
    vectors = mean, rstd, np.ascontiguousarray(gamma), np.ascontiguousarray(beta)
    rows.share(lambda start, stop: loops.normalize(start, stop, source, xhat, out, rows.width, *vectors))
    return out_array, BatchnormCache(xhat_array, gamma, rstd, mean, variance)


@ops.batchnorm_backward.kernel(_accepts_backward)
def batchnorm_backward(dout: Array, cache: BatchnormCache) -> tuple[Array, Array, Array]:
    """As `ops.batchnorm_backward`, in two passes: the sums, then dx."""
    rows = _Rows(dout)
    upstream, xhat, (dx, dx_array) = rows.flat(dout), rows.flat(cache.xhat), rows.empty()
    scale = cache.gamma * cache.rstd
    gradients, means = rows.gradients(loops.sums_of, np.ones_like(scale), upstream, xhat, rows.width)
    rows.share(lambda start, stop: loops.finish(start, stop, upstream, xhat, dx, rows.width, scale, means))
    return dx_array, gradients[0], gradients[1]


@ops.batchnorm_eval_forward.kernel(
    lambda x, gamma, beta, mean, variance, **eps: _accepts(x, gamma, beta) and _accepts(x, mean, variance)
)
def batchnorm_eval_forward(
    x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, *, eps: float = 1e-5
) -> tuple[Array, tuple[Array, Array, Array]]:
    """As `ops.batchnorm_eval_forward`."""
    rows = _Rows(x)
    source, (xhat, xhat_array), (out, out_array) = rows.flat(x), rows.empty(), rows.empty()
    rstd = 1 / np.sqrt(variance + np.float32(eps))
    vectors = (np.ascontiguousarray(mean), rstd, np.ascontiguousarray(gamma), np.ascontiguousarray(beta))
    rows.share(lambda start, stop: loops.normalize(start, stop, source, xhat, out, rows.width, *vectors))
    return out_array, (xhat_array, gamma, rstd)


@ops.batchnorm_activation_forward.kernel(_accepts)
def batchnorm_activation_forward(
    x: Array, gamma: Array, beta: Array, *, eps: float = 1e-5, activation: Activation = "relu"
) -> tuple[Array, BatchnormActivationCache]:
    """As `ops.batchnorm_activation_forward`."""
    rows = _Rows(x)
    source, (out, out_array) = rows.flat(x), rows.empty()
    mean, rstd, variance = rows.statistics(source, eps)
    vectors = mean, gamma * rstd, np.ascontiguousarray(beta)
    loop = loops.normalize_relu if activation == "relu" else loops.normalize_gelu
    rows.share(lambda start, stop: loop(start, stop, source, out, rows.width, *vectors))
    return out_array, BatchnormActivationCache(x, gamma, beta, mean, rstd, variance, activation)


@ops.batchnorm_activation_backward.kernel(_accepts_backward)
def batchnorm_activation_backward(dout: Array, cache: BatchnormActivationCache) -> tuple[Array, Array, Array]:
    """As `ops.batchnorm_activation_backward`, in two passes: the sums, then dx.

    ReLU's slope is computed again in the second, GELU's is kept from the first.
    """
    rows = _Rows(dout)
    upstream, x, (dx, dx_array) = rows.flat(dout), rows.flat(cache.x), rows.empty()
    mean, rstd = np.ascontiguousarray(cache.mean), np.ascontiguousarray(cache.rstd)
    scale, width = cache.gamma * rstd, rows.width
    vectors = mean, scale, np.ascontiguousarray(cache.beta)
    if cache.activation == "relu":
        gradients, means = rows.gradients(loops.sums_relu, rstd, upstream, x, width, *vectors)
        rows.share(
            lambda start, stop: loops.finish_relu(start, stop, upstream, x, dx, width, *vectors, means)
        )
    else:
        gradients, means = rows.gradients(loops.sums_gelu, rstd, upstream, x, dx, width, *vectors)
        rows.share(lambda start, stop: loops.finish_in_place(start, stop, x, dx, width, mean, scale, means))
    return dx_array, gradients[0], gradients[1]
