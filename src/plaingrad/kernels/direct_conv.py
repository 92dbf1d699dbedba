"""Convolution as sums over the patches where they lie: register tiles of pixels × filters, nothing cut out.

A patch of a channels-last image is a run of kw · C numbers for each line of the filter, so the tile (see
`tile`) reads it in place, with the runs as its segments.  The filters' gradient is the same loop with pixels
as the sum: a tile of filter cells × filters, its segments the lines of the result.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from plaingrad.kernels.compiled import compiled
from plaingrad.kernels.product import ONE_SEGMENT, lines, multiply, zeros
from plaingrad.kernels.threads import shared_out
from plaingrad.kernels.tile import LOWEST, ROWS
from plaingrad.kernels.workspace import empty, scratch
from plaingrad.ops import Window

Array = np.ndarray
Pair = tuple[int, int]

_SMALL = 4_000_000  # multiplications: below, waking a thread costs more than it saves


def padded(images: Array, window: Window) -> Array:
    """images (N, H, W, C), however they lie, as contiguous memory with the window's padding around each."""
    ph, pw = window.padding
    if not ph and not pw and images.flags.c_contiguous:
        return images
    count, height, width, channels = images.shape
    out = empty((count, height + 2 * ph, width + 2 * pw, channels))
    shared_out(
        lambda start, stop: _pad(images, out, ph, pw, start, stop), count, small=out.size < _SMALL // 32
    )
    return out


def correlate(
    images: Array, filters: Array, window: Window, bias: Array, floor: np.float32, out: Array
) -> None:
    """out (N, Ho, Wo, F) = images (N, H, W, C), padded already, correlated with filters (kh, kw, C, F); plus bias.

    Results below `floor` are replaced by it.
    """
    count, ho, wo, units = out.shape
    pixels, runs, run = _patches(images.shape[1:], window, (ho, wo))
    tiles = -(-ho * wo // ROWS)

    def work(start: int, stop: int) -> None:
        _correlate(images.reshape(-1), images[0].size, pixels, runs, run, filters.reshape(-1), bias, floor,
                   out.reshape(-1), ho * wo, units, tiles, start, stop)  # fmt: skip

    shared_out(work, count * tiles, small=out.size * filters[..., 0].size < _SMALL)


def filter_gradient(images: Array, d: Array, window: Window) -> Array:
    """dw (kh, kw, C, F) for images (N, H, W, C), padded already, and upstream gradients d (N, Ho, Wo, F)."""
    count, ho, wo, units = d.shape
    cells, rows = _cells(images.shape[1:], window, (ho, wo))
    dw = np.empty((*window.size, images.shape[3], units), np.float32)
    step = window.stride[1] * images.shape[3]

    def work(start: int, stop: int) -> None:
        _filter_gradient(images.reshape(-1), images[0].size, cells, rows, step, d.reshape(-1), zeros(units),
                         dw.reshape(-1), count, wo, units, start, stop)  # fmt: skip

    shared_out(work, -(-len(cells) // ROWS), small=d.size * len(cells) < _SMALL)
    return dw


def input_gradient(d: Array, filters: Array, window: Window, shape: tuple[int, ...]) -> Array:
    """dx of `shape` (N, H, W, C) for upstream gradients d (N, Ho, Wo, F) and filters (F, kh, kw, C).

    The gradient of each patch, dout times the filters, is added to where the patch came from.
    """
    count, height, width, channels = shape
    _, ho, wo, units = d.shape
    ph, pw = window.padding
    image = (height + 2 * ph, width + 2 * pw, channels)
    pixels, runs, run = _patches(image, window, (ho, wo))
    cells = filters[0].size
    dx = empty(shape)

    def work(start: int, stop: int) -> None:
        _input_gradient(d.reshape(-1), lines(ho * wo, units), pixels, runs, run, filters.reshape(-1), units, cells,
                        zeros(cells), ONE_SEGMENT, scratch("patches", ROWS * cells), scratch("image", math.prod(image)),
                        image, ph, pw, dx, start, stop)  # fmt: skip

    shared_out(work, count, small=d.size * cells < _SMALL)
    return dx


@functools.lru_cache(maxsize=64)
def _patches(image: tuple[int, ...], window: Window, steps: Pair) -> tuple[Array, Array, int]:
    """Where the patch of each pixel of the result begins, and its runs within it; the length of a run."""
    _, width, channels = image
    (kh, kw), (sh, sw), _, (dh, dw) = window
    y, x = np.indices(steps)
    pixels = ((y * sh * width + x * sw) * channels).reshape(-1)
    if dw == 1:
        return pixels.astype(np.intp), np.arange(kh, dtype=np.intp) * (dh * width * channels), kw * channels
    i, j = np.indices((kh, kw))
    return (
        pixels.astype(np.intp),
        ((i * dh * width + j * dw) * channels).reshape(-1).astype(np.intp),
        channels,
    )


@functools.lru_cache(maxsize=64)
def _cells(image: tuple[int, ...], window: Window, steps: Pair) -> tuple[Array, Array]:
    """Where in an image the first pixel of each cell (kh, kw, C) of the filter lies; the lines of the result."""
    _, width, channels = image
    (kh, kw), (sh, _), _, (dh, dw) = window
    i, j, c = np.indices((kh, kw, channels))
    cells = ((i * dh * width + j * dw) * channels + c).reshape(-1)
    return cells.astype(np.intp), np.arange(steps[0], dtype=np.intp) * (sh * width * channels)


@compiled
def _pad(images, out, ph, pw, start, stop):
    """Images `start` to `stop` into the middle of out's, and zeros around them."""
    _, height, width, channels = images.shape
    for n in range(start, stop):
        for y in range(-ph, height + ph):
            inside = 0 <= y < height
            for x in range(-pw, width + pw):
                for c in range(channels):
                    value = images[n, y, x, c] if inside and 0 <= x < width else np.float32(0)
                    out[n, y + ph, x + pw, c] = value


@compiled
def _correlate(images, size, pixels, runs, run, filters, bias, floor, out, area, units, tiles, start, stop):
    """Tiles of pixels of all images, from `start` to `stop`."""
    for tile in range(start, stop):
        image, first = tile // tiles, tile % tiles * ROWS
        multiply(out, (image * area + first) * units, units, bias, 0, 0, images, image * size, pixels, first, runs, 1,
                 filters, 0, units, run, min(ROWS, area - first), units, floor)  # fmt: skip


@compiled
def _filter_gradient(images, size, cells, rows, step, d, none, dw, count, width, units, start, stop):
    """Rows of dw, in tiles from `start` to `stop`: the sum over images, each of them added as a whole."""
    first = start * ROWS
    held = min(stop * ROWS, len(cells)) - first
    area = len(rows) * width
    for image in range(count):
        if image == 0:
            multiply(dw, first * units, units, none, 0, 0, images, 0, cells, first, rows, step,
                     d, 0, units, width, held, units, LOWEST)  # fmt: skip
        else:
            multiply(dw, first * units, units, dw, first * units, units, images, image * size, cells, first, rows,
                     step, d, image * area * units, units, width, held, units, LOWEST)  # fmt: skip


@compiled
def _input_gradient(d, rows, pixels, runs, run, filters, units, cells, none, one, patches, image, size, ph, pw, dx,
                    start, stop):  # fmt: skip
    """dx of images `start` to `stop`, each gathered in `image`, which has the padding around it."""
    _, height, width, channels = dx.shape
    area, pitch = len(rows), size[1] * channels
    for n in range(start, stop):
        image[: size[0] * pitch] = np.float32(0)
        for first in range(0, area, ROWS):
            held = min(ROWS, area - first)
            multiply(patches, 0, cells, none, 0, 0, d, n * area * units, rows, first, one, 1,
                     filters, 0, cells, units, held, cells, LOWEST)  # fmt: skip
            for m in range(held):
                for s in range(len(runs)):
                    begin = pixels[first + m] + runs[s]
                    target, patch = (
                        image[begin : begin + run],
                        patches[m * cells + s * run : m * cells + (s + 1) * run],
                    )
                    for i in range(run):
                        target[i] += patch[i]
        for y in range(height):
            begin = (y + ph) * pitch + pw * channels
            source = image[begin : begin + width * channels]
            line = dx[n, y].reshape(-1)
            for i in range(width * channels):
                line[i] = source[i]
