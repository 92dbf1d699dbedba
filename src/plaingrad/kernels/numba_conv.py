"""Convolution of float32 images, compiled: Winograd's way for filters of 3×3 pixels, else directly.

$PLAINGRAD_WINOGRAD=0 forbids the first, which rounds more coarsely than the second.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.kernels import direct_conv, winograd
from plaingrad.kernels.memory import channels_first, channels_last, is_single
from plaingrad.kernels.product import column_sums, zeros
from plaingrad.kernels.tile import LOWEST
from plaingrad.kernels.workspace import empty
from plaingrad.ops import Conv2dCache, Conv2dReluCache, Window

Array = np.ndarray

WINOGRAD = os.environ.get("PLAINGRAD_WINOGRAD") != "0"
_FULL = 16  # channels that fill a vector
_ENOUGH = 8  # channels and filters: with fewer, transforming tiles takes longer than it saves


def _accepts(x: Any, w: Any, b: Any = None, *, groups: int = 1, **window: Any) -> bool:
    if not (groups == 1 and is_single(x) and is_single(w) and x.ndim == w.ndim == 4 and x.size and w.size):
        return False
    return b is None or (is_single(b) and b.shape == w.shape[:1])


def _accepts_backward(dout: Any, cache: Conv2dCache, **needs: Any) -> bool:
    x, w, window, groups = cache
    if not (_accepts(x, w, groups=groups) and is_single(dout)):
        return False
    return dout.shape == (len(x), len(w), *window.steps(x.shape[2:], what="conv2d"))


def by_tiles(window: Window, channels: int, filters: int) -> bool:
    """Whether Winograd's way is open and pays."""
    return (
        WINOGRAD
        and window.size == (3, 3)
        and window.stride == window.dilation == (1, 1)
        and min(channels, filters) >= _ENOUGH
    )


def _correlate(
    images: Array,
    filters: Array,
    window: Window,
    bias: Array | None,
    floor: np.float32,
    steps: tuple[int, int],
) -> Array:
    """images (N, H, W, C), any memory, correlated with filters (kh, kw, C, F): (N, Ho, Wo, F)."""
    out = empty((len(images), *steps, filters.shape[3]))
    bias = zeros(filters.shape[3]) if bias is None else np.ascontiguousarray(bias)
    filters = np.ascontiguousarray(filters)
    if by_tiles(window, *filters.shape[2:]):
        winograd.correlate(np.ascontiguousarray(images), filters, window.padding, bias, floor, out)
    else:
        direct_conv.correlate(direct_conv.padded(images, window), filters, window, bias, floor, out)
    return out


def _forward(
    x: Array, w: Array, b: Array | None, floor: np.float32, **keywords: Any
) -> tuple[Array, Conv2dCache]:
    window = ops.conv_window(x, w, keywords["stride"], keywords["padding"], keywords["dilation"], 1)
    steps = window.steps(x.shape[2:], what="conv2d")
    out = _correlate(channels_last(x), w.transpose(2, 3, 1, 0), window, b, floor, steps)
    return channels_first(out), Conv2dCache(x, w, window, 1)


@ops.conv2d_forward.kernel(_accepts)
def conv2d_forward(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Array, Conv2dCache]:
    """As `ops.conv2d_forward`."""
    return _forward(x, w, b, LOWEST, stride=stride, padding=padding, dilation=dilation)


@ops.conv2d_relu_forward.kernel(_accepts)
def conv2d_relu_forward(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Array, Conv2dReluCache]:
    """As `ops.conv2d_relu_forward`: the maximum is taken while results are in registers."""
    out, cache = _forward(x, w, b, np.float32(0), stride=stride, padding=padding, dilation=dilation)
    return out, Conv2dReluCache(cache, out)


@ops.conv2d_backward.kernel(_accepts_backward)
def conv2d_backward(
    dout: Array, cache: Conv2dCache, *, needs_dx: bool = True
) -> tuple[Array | None, Array, Array]:
    """As `ops.conv2d_backward`."""
    x, w, window, _ = cache
    images, d = channels_last(x), np.ascontiguousarray(channels_last(dout))
    channels, units = images.shape[3], d.shape[3]
    if by_tiles(window, channels, units):
        dw = winograd.filter_gradient(np.ascontiguousarray(images), d, window.padding)
    else:
        dw = direct_conv.filter_gradient(direct_conv.padded(images, window), d, window)
    dx = channels_first(_input_gradient(d, w, window, images.shape)) if needs_dx else None
    return dx, dw.transpose(3, 2, 0, 1), column_sums(d.reshape(-1, units))


def _input_gradient(d: Array, w: Array, window: Window, shape: tuple[int, ...]) -> Array:
    """dx (N, H, W, C): by a convolution with the filters turned round, if there is one and its vectors are full."""
    back = window.turned
    if back is None or (shape[3] < _FULL and not by_tiles(back, len(w), shape[3])):
        return direct_conv.input_gradient(d, np.ascontiguousarray(w.transpose(0, 2, 3, 1)), window, shape)
    return _correlate(d, w[:, :, ::-1, ::-1].transpose(2, 3, 0, 1), back, None, LOWEST, (shape[1], shape[2]))
