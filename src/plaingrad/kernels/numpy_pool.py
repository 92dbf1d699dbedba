"""Max-pooling on NumPy arrays: one pass over the image for each cell of the window, no patches cut out.

A window that holds NaN gives NaN, as by the formula, but which of its cells counts as the winner is not
the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.kernels.memory import channels_first, is_float
from plaingrad.kernels.threads import shared_out
from plaingrad.ops import MaxPoolCache, Window

Array = np.ndarray

_SMALL = 1 << 18  # elements: below, waking a thread costs more than it saves


def _accepts(x: Any, *, padding: Any = 0, **window: Any) -> bool:
    return is_float(x) and not np.any(padding)


def _accepts_backward(dout: Any, cache: MaxPoolCache) -> bool:
    return is_float(dout) and not any(cache.window.padding)


def _cells(image: Array, window: Window, steps: tuple[int, int]) -> list[Array]:
    """For each cell of the window, the values that it sees: views (N, C, Ho, Wo) of image."""
    (kh, kw), (sh, sw), _, _ = window
    ho, wo = steps
    return [
        image[:, :, i : i + sh * (ho - 1) + 1 : sh, j : j + sw * (wo - 1) + 1 : sw]
        for i in range(kh)
        for j in range(kw)
    ]


@ops.max_pool2d_forward.kernel(_accepts)
def max_pool2d_forward(
    x: Array, *, window: Any, stride: Any = None, padding: Any = 0
) -> tuple[Array, MaxPoolCache]:
    """As `ops.max_pool2d_forward`."""
    moved = ops.pool_window(window, stride, padding, "max_pool2d")
    image = tuple(x.shape[2:])
    first, *others = _cells(x, moved, moved.steps(image, what="max_pool2d"))
    out = np.empty_like(first)
    winner = np.zeros_like(out, dtype=np.uint8 if len(others) < 256 else np.int64)

    def work(start: int, stop: int) -> None:
        best, number = out[start:stop], winner[start:stop]
        best[...] = first[start:stop]
        for which, cells in enumerate(others, 1):
            cell = cells[start:stop]
            np.copyto(number, which, where=cell > best)
            np.maximum(best, cell, out=best)

    shared_out(work, len(x), small=x.size < _SMALL)
    return out, MaxPoolCache(winner, moved, image)


@ops.max_pool2d_backward.kernel(_accepts_backward)
def max_pool2d_backward(dout: Array, cache: MaxPoolCache) -> Array:
    """As `ops.max_pool2d_backward`."""
    winner, window, image = cache
    count, channels, *steps = dout.shape
    apart = all(s >= n for s, n in zip(window.stride, window.size, strict=True))
    tiled = window.stride == window.size and all(
        k * s == n for k, s, n in zip(steps, window.stride, image, strict=True)
    )
    dx = channels_first((np.empty if tiled else np.zeros)((count, *image, channels), dout.dtype))
    targets = _cells(dx, window, (steps[0], steps[1]))

    def work(start: int, stop: int) -> None:
        for which, cells in enumerate(targets):
            won = winner[start:stop] == which
            if apart:
                np.multiply(dout[start:stop], won, out=cells[start:stop])
            else:
                cells[start:stop] += dout[start:stop] * won

    shared_out(work, count, small=dx.size < _SMALL)
    return dx
