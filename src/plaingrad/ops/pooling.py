"""Pooling: one number for each patch of each channel."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import array_api_compat
from jaxtyping import Float, Int

from plaingrad.errors import ShapeError
from plaingrad.ops.formula import formula, namespace
from plaingrad.ops.window import Pair, Window, fold, unfold

Images = Float[Any, "N C H W"]
Pooled = Float[Any, "N C HO WO"]


class MaxPoolCache(NamedTuple):
    """Which cell of its window won, counted row by row; how the window moved; the image's size."""

    winner: Int[Any, "N C HO WO"]
    window: Window
    image: Pair


def pool_window(window: int | Pair, stride: int | Pair | None, padding: int | Pair, what: str) -> Window:
    """The window of a pooling; its stride is its size unless given.

    Raises ShapeError for a padding above half the window: a patch of nothing but padding has no maximum.
    """
    made = Window.of(window, window if stride is None else stride, padding, what=what, named="window")
    if any(2 * p > n for p, n in zip(made.padding, made.size, strict=True)):
        raise ShapeError(
            f"{what}: padding {made.padding} is more than half of the window {made.size}: pad less, or enlarge it"
        )
    return made


@formula
def max_pool2d_forward(
    x: Images, *, window: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
) -> tuple[Pooled, MaxPoolCache]:
    """The largest value of each patch.  x (N, C, H, W); returns out (N, C, Ho, Wo).

    The stride is the window unless given; padding is −∞, which never wins.  Of equal values the first
    wins, row by row, and has the whole gradient, as in PyTorch.
    Cached: the winner's cell in each window; x is not needed again.
    """
    moved = pool_window(window, stride, padding, "max_pool2d")
    (kh, kw), image = moved.size, tuple(x.shape[2:])
    ho, wo = moved.steps(image, what="max_pool2d")
    xp = namespace(x)
    patches = xp.reshape(unfold(x, moved, fill=-math.inf), (*x.shape[:2], kh * kw, ho, wo))
    return xp.max(patches, axis=2), MaxPoolCache(xp.argmax(patches, axis=2), moved, image)


@formula
def max_pool2d_backward(dout: Pooled, cache: MaxPoolCache) -> Images:
    """dx = dout at each window's winner, 0 elsewhere; a pixel that won in several windows gets their sum."""
    xp = namespace(dout)
    kh, kw = cache.window.size
    cells = xp.arange(kh * kw, device=array_api_compat.device(dout))
    won = cache.winner[:, :, None, :, :] == cells[None, None, :, None, None]
    patches = xp.astype(won, dout.dtype) * dout[:, :, None, :, :]
    shape = (*dout.shape[:2], kh, kw, *dout.shape[2:])
    return fold(xp.reshape(patches, shape), cache.window, cache.image)


@formula
def avg_pool2d_forward(
    x: Images, *, window: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
) -> tuple[Pooled, tuple[Window, Pair]]:
    """The mean of each patch, padding counted as zeros.  x (N, C, H, W); returns out (N, C, Ho, Wo).

    Cached: only the window and the image's size: a mean is linear, and its gradient needs no value.
    """
    moved = pool_window(window, stride, padding, "avg_pool2d")
    image = tuple(x.shape[2:])
    moved.steps(image, what="avg_pool2d")
    return namespace(x).mean(unfold(x, moved), axis=(2, 3)), (moved, image)


@formula
def avg_pool2d_backward(dout: Pooled, cache: tuple[Window, Pair]) -> Images:
    """Each cell of a window gets an equal share of its gradient."""
    window, image = cache
    kh, kw = window.size
    share = dout[:, :, None, None, :, :] / (kh * kw)
    shape = (*dout.shape[:2], kh, kw, *dout.shape[2:])
    return fold(namespace(dout).broadcast_to(share, shape), window, image)


@formula
def global_avg_pool2d_forward(x: Images) -> tuple[Float[Any, "N C"], Pair]:
    """The mean of each channel over the whole image.  Cached: the image's size.

    Source: Lin, Chen & Yan 2014, arXiv:1312.4400, section 3.2.
    """
    return namespace(x).mean(x, axis=(2, 3)), (x.shape[2], x.shape[3])


@formula
def global_avg_pool2d_backward(dout: Float[Any, "N C"], cache: Pair) -> Images:
    """Each pixel gets dout / (H W)."""
    height, width = cache
    share = dout[:, :, None, None] / (height * width)
    return namespace(dout).broadcast_to(share, (*dout.shape, height, width))
