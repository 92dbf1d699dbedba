"""Pooling of float32 images, compiled: one pass over channels-last memory, a vector of channels at a time.

Images that lie otherwise are copied; results are in channels-last memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.kernels.compiled import compiled
from plaingrad.kernels.memory import channels_first, channels_last, is_single
from plaingrad.kernels.threads import shared_out
from plaingrad.kernels.vector import (
    LANES,
    load,
    load_bytes,
    splat,
    store,
    store_bytes,
    where_equal,
    where_larger,
)
from plaingrad.kernels.workspace import empty
from plaingrad.ops import MaxPoolCache, Window

Array = Any
Geometry = Any
"""Height and width of an image, channels, steps (2), size of the window (2), stride (2), padding (2), cover."""

_ONE, _AT_MOST_ONE, _SEVERAL = range(3)  # cover: how many windows a pixel is in

_LOWEST = np.float32(-np.inf)
_LARGE = 1 << 17  # numbers: below, waking a thread costs more than it saves
_LONGEST = 16  # cells of a window's side: the winner's number is a byte


@compiled(inline=True)
def _cells(step: int, stride: int, padding: int, size: int, length: int) -> tuple[int, int, int]:
    """Where the window begins on a line of pixels, and which of its cells, from one to another, lie on it."""
    begin = step * stride - padding
    return begin, max(-begin, 0), min(size, length - begin)


@compiled(inline=True)
def _clear(start: int, stop: int, dx: Array, geometry: Geometry) -> None:
    """Zeros in images, unless every pixel will be given its gradient."""
    height, width, channels = geometry[:3]
    if geometry[-1] != _ONE:
        dx[start * height * width * channels : stop * height * width * channels] = np.float32(0)


@compiled(inline=True)
def _give(dx: Array, at: int, count: int, own: Any, geometry: Geometry) -> None:
    """A pixel's gradient, or one more part of it."""
    store(dx, at, count, load(dx, at, count) + own if geometry[-1] == _SEVERAL else own)


@compiled
def _max_pool(start: int, stop: int, x: Array, out: Array, winner: Array, geometry: Geometry) -> None:
    height, width, channels, ho, wo, kh, kw, sh, sw, ph, pw, _ = geometry
    for image in range(start, stop):
        for row in range(ho):
            top, first_i, last_i = _cells(row, sh, ph, kh, height)
            for column in range(wo):
                left, first_j, last_j = _cells(column, sw, pw, kw, width)
                place = ((image * ho + row) * wo + column) * channels
                corner = ((image * height + top) * width + left) * channels
                for c in range(0, channels, LANES):
                    count = channels - c
                    best, number = splat(_LOWEST), splat(np.float32(first_i * kw + first_j))
                    for i in range(first_i, last_i):
                        for j in range(first_j, last_j):
                            seen = load(x, corner + (i * width + j) * channels + c, count)
                            number = where_larger(seen, best, splat(np.float32(i * kw + j)), number)
                            best = where_larger(seen, best, seen, best)
                    store(out, place + c, count, best)
                    store_bytes(winner, place + c, count, number)


@compiled
def _max_pool_back(start: int, stop: int, dout: Array, winner: Array, dx: Array, geometry: Geometry) -> None:
    height, width, channels, ho, wo, kh, kw, sh, sw, ph, pw, _ = geometry
    zero = splat(np.float32(0))
    _clear(start, stop, dx, geometry)
    for image in range(start, stop):
        for row in range(ho):
            top, first_i, last_i = _cells(row, sh, ph, kh, height)
            for column in range(wo):
                left, first_j, last_j = _cells(column, sw, pw, kw, width)
                place = ((image * ho + row) * wo + column) * channels
                corner = ((image * height + top) * width + left) * channels
                for c in range(0, channels, LANES):
                    count = channels - c
                    upstream, number = load(dout, place + c, count), load_bytes(winner, place + c, count)
                    for i in range(first_i, last_i):
                        for j in range(first_j, last_j):
                            cell = splat(np.float32(i * kw + j))
                            own = where_equal(number, cell, upstream, zero)
                            _give(dx, corner + (i * width + j) * channels + c, count, own, geometry)


@compiled
def _avg_pool(start: int, stop: int, x: Array, out: Array, geometry: Geometry) -> None:
    height, width, channels, ho, wo, kh, kw, sh, sw, ph, pw, _ = geometry
    share = np.float32(1 / (kh * kw))
    for image in range(start, stop):
        for row in range(ho):
            top, first_i, last_i = _cells(row, sh, ph, kh, height)
            for column in range(wo):
                left, first_j, last_j = _cells(column, sw, pw, kw, width)
                place = ((image * ho + row) * wo + column) * channels
                corner = ((image * height + top) * width + left) * channels
                for c in range(0, channels, LANES):
                    count = channels - c
                    total = splat(np.float32(0))
                    for i in range(first_i, last_i):
                        for j in range(first_j, last_j):
                            total = total + load(x, corner + (i * width + j) * channels + c, count)
                    store(out, place + c, count, share * total)


@compiled
def _avg_pool_back(start: int, stop: int, dout: Array, dx: Array, geometry: Geometry) -> None:
    height, width, channels, ho, wo, kh, kw, sh, sw, ph, pw, _ = geometry
    share = np.float32(1 / (kh * kw))
    _clear(start, stop, dx, geometry)
    for image in range(start, stop):
        for row in range(ho):
            top, first_i, last_i = _cells(row, sh, ph, kh, height)
            for column in range(wo):
                left, first_j, last_j = _cells(column, sw, pw, kw, width)
                place = ((image * ho + row) * wo + column) * channels
                corner = ((image * height + top) * width + left) * channels
                for c in range(0, channels, LANES):
                    count = channels - c
                    own = share * load(dout, place + c, count)
                    for i in range(first_i, last_i):
                        for j in range(first_j, last_j):
                            _give(dx, corner + (i * width + j) * channels + c, count, own, geometry)


def _geometry(image: tuple[int, int], channels: int, steps: tuple[int, int], window: Window) -> Geometry:
    """Without gaps and overlaps every pixel is in one window; with gaps some are in none."""
    lines = tuple(zip(window.size, window.stride, steps, image, strict=True))
    if any(size > stride for size, stride, _, _ in lines):
        cover = _SEVERAL
    else:
        tiled = not any(window.padding) and all(n == size * steps for size, _, steps, n in lines)
        cover = _ONE if tiled else _AT_MOST_ONE
    return (*image, channels, *steps, *window.size, *window.stride, *window.padding, cover)


def _run(kernel: Callable[..., None], count: int, numbers: int, *arguments: Any) -> None:
    """Call one of the functions above for `count` images of so many numbers together."""
    if numbers < _LARGE:
        kernel(0, count, *arguments)
    else:
        shared_out(lambda start, stop: kernel(start, stop, *arguments), count)


def _flat(x: Array) -> Array:
    """Images as they lie in memory, or a copy, pixel after pixel."""
    return np.ascontiguousarray(channels_last(x)).reshape(-1)


def _accepts(x: Any, *, window: Any, **moved: Any) -> bool:
    longest = max(window, default=0) if isinstance(window, tuple | list) else window
    return is_single(x) and x.ndim == 4 and x.size > 0 and isinstance(longest, int) and longest <= _LONGEST


def _accepts_backward(dout: Any, cache: MaxPoolCache) -> bool:
    winner = cache.winner
    compact = type(winner) is np.ndarray and winner.dtype == np.uint8 and winner.shape == dout.shape
    return compact and _fits(dout, cache.window, cache.image)


def _accepts_mean_backward(dout: Any, cache: Any) -> bool:
    return _fits(dout, *cache)


def _fits(dout: Any, window: Window, image: tuple[int, int]) -> bool:
    """Compiled loops do not look where an array ends."""
    return is_single(dout) and dout.size > 0 and dout.shape[2:] == window.steps(image, what="pooling")


@ops.max_pool2d_forward.kernel(_accepts)
def max_pool2d_forward(
    x: Array, *, window: Any, stride: Any = None, padding: Any = 0
) -> tuple[Array, MaxPoolCache]:
    """As `ops.max_pool2d_forward`."""
    moved = ops.pool_window(window, stride, padding, "max_pool2d")
    count, channels, height, width = x.shape
    steps = moved.steps((height, width), what="max_pool2d")
    out = empty((count, *steps, channels))
    winner = empty(out.shape, np.uint8)
    geometry = _geometry((height, width), channels, steps, moved)
    _run(_max_pool, count, x.size, _flat(x), out.reshape(-1), winner.reshape(-1), geometry)
    return channels_first(out), MaxPoolCache(channels_first(winner), moved, (height, width))


@ops.max_pool2d_backward.kernel(_accepts_backward)
def max_pool2d_backward(dout: Array, cache: MaxPoolCache) -> Array:
    """As `ops.max_pool2d_backward`."""
    count, channels, *steps = dout.shape
    dx = empty((count, *cache.image, channels))
    geometry = _geometry(cache.image, channels, (steps[0], steps[1]), cache.window)
    _run(_max_pool_back, count, dx.size, _flat(dout), _flat(cache.winner), dx.reshape(-1), geometry)
    return channels_first(dx)


@ops.avg_pool2d_forward.kernel(_accepts)
def avg_pool2d_forward(
    x: Array, *, window: Any, stride: Any = None, padding: Any = 0
) -> tuple[Array, tuple[Window, tuple[int, int]]]:
    """As `ops.avg_pool2d_forward`."""
    moved = ops.pool_window(window, stride, padding, "avg_pool2d")
    count, channels, height, width = x.shape
    steps = moved.steps((height, width), what="avg_pool2d")
    out = empty((count, *steps, channels))
    geometry = _geometry((height, width), channels, steps, moved)
    _run(_avg_pool, count, x.size, _flat(x), out.reshape(-1), geometry)
    return channels_first(out), (moved, (height, width))


@ops.avg_pool2d_backward.kernel(_accepts_mean_backward)
def avg_pool2d_backward(dout: Array, cache: tuple[Window, tuple[int, int]]) -> Array:
    """As `ops.avg_pool2d_backward`."""
    window, image = cache
    count, channels, *steps = dout.shape
    dx = empty((count, *image, channels))
    geometry = _geometry(image, channels, (steps[0], steps[1]), window)
    _run(_avg_pool_back, count, dx.size, _flat(dout), dx.reshape(-1), geometry)
    return channels_first(dx)
