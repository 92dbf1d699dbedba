"""Winograd's convolution with filters of 3×3 pixels: a quarter of the multiplications.

A tile of 4×4 pixels of the result depends on 6×6 pixels x of the image.  In one dimension the 4 results
are the middle coefficients of a product of polynomials, which is found from its values at 6 points: evaluate
both factors there, multiply value by value, interpolate.  In two dimensions, with the filter w,

    V = Bᵀ x B,   U = G w Gᵀ,   M[e] = Σ_c V[e, c] U[e, c],   out = Aᵀ M A

for each of the 36 pairs of points e.  The sum over channels makes 36 matrix products of what would be 144.
Everything is linear, so the gradients have the same form: the input's is a convolution with the filter
turned round, and with D = A dout Aᵀ the filter's is  dw = Gᵀ (Σ_tiles V D) G.

The points are 0, ±√½, ±√2 and ∞.  The customary 0, ±1, ±2, ∞ have nicer numbers and about four times the
rounding error.

Sources: Winograd 1980, Arithmetic Complexity of Computations; Lavin & Gray 2016, arXiv:1509.09308, section 4;
Barabasz et al. 2020, arXiv:1803.10986, for the influence of the points.
"""

from __future__ import annotations

import numpy as np

from plaingrad.kernels.compiled import compiled
from plaingrad.kernels.product import ONE_SEGMENT, lines, multiply, zeros
from plaingrad.kernels.threads import shared_out
from plaingrad.kernels.tile import LOWEST, ROWS, WIDE
from plaingrad.kernels.vector import LANES
from plaingrad.kernels.winograd_transforms import (
    GAP,
    filters_from_points,
    filters_to_points,
    from_tile,
    gradient_to_tile,
    in_panels,
    to_tile,
    whole_panels,
)
from plaingrad.kernels.workspace import empty, scratch

Array = np.ndarray

_SMALL = 8_000_000  # multiplications: below, waking a thread costs more than it saves
# Below so many numbers of a filter at a pair of points, the batch is added up in so many parts.
_PARTS = {16: 8_000, 8: 32_000, 4: 128_000}


def correlate(
    images: Array, filters: Array, padding: tuple[int, int], bias: Array, floor: np.float32, out: Array
) -> None:
    """out (N, Ho, Wo, F) = images (N, H, W, C), padded, correlated with filters (3, 3, C, F); plus bias (F,).

    Results below `floor` are replaced by it.  All are contiguous float32.
    """
    _, height, width, channels = images.shape
    count, ho, wo, units = out.shape
    down, across = -(-ho // 4), -(-wo // 4)
    tiles = count * down * across
    # So many tiles at a time that they and the filters, which each block reads anew, are of one size.
    block = _block(channels * units // (channels + units), tiles)
    small = tiles * 36 * channels * units < _SMALL
    spectrum = scratch("filters", 36 * (channels * in_panels(units) + GAP))
    shared_out(
        lambda start, stop: filters_to_points(filters.reshape(-1), channels, units, start, stop, spectrum),
        channels, small=small,
    )  # fmt: skip
    shape = (height, width, channels, *padding, ho, wo, units)

    def work(start: int, stop: int) -> None:
        _correlate(
            images.reshape(-1), shape, spectrum, bias, floor, out.reshape(-1),
            start * block, min(stop * block, tiles), block,
            scratch("input", 36 * (block * channels + GAP)), scratch("output", 36 * (block * units + GAP)),
            scratch("edge", 36 * channels), lines(block, channels), ONE_SEGMENT, zeros(units),
        )  # fmt: skip

    shared_out(work, -(-tiles // block), small=small)


def filter_gradient(images: Array, d: Array, padding: tuple[int, int]) -> Array:
    """dw (3, 3, C, F) for images (N, H, W, C) and upstream gradients d (N, Ho, Wo, F), contiguous float32."""
    _, height, width, channels = images.shape
    count, ho, wo, units = d.shape
    tiles = count * -(-ho // 4) * -(-wo // 4)
    block = _block(2 * channels * units // (channels + units), tiles)
    plane = channels * units + GAP
    small = tiles * 36 * channels * units < _SMALL
    # Sums of a few parts of the batch each; the larger they are, the fewer.
    parts = 1 if small else next((n for n, most in _PARTS.items() if plane < most), 2)
    shape = (height, width, channels, *padding, ho, wo, units)
    spectra = empty((min(parts, -(-tiles // block)), 36 * plane))

    def add(start: int, stop: int) -> None:
        for part in range(start, stop):
            first, last = (-(-tiles // block) * n // len(spectra) * block for n in (part, part + 1))
            _add_tiles(
                images.reshape(-1), d.reshape(-1), shape, first, min(last, tiles), block, spectra[part],
                scratch("input", 36 * (block * channels + GAP)),
                scratch("output", 36 * (block * in_panels(units) + GAP)),
                scratch("edge", 36 * max(channels, units)), lines(channels, 1), ONE_SEGMENT, zeros(units),
            )  # fmt: skip

    shared_out(add, len(spectra), small=small)
    dw = empty((3, 3, channels, units))
    shared_out(
        lambda start, stop: filters_from_points(spectra, channels * units, start, stop, dw.reshape(-1)),
        -(-channels * units // LANES), small=small,
    )  # fmt: skip
    return dw


def _block(wanted: int, tiles: int) -> int:
    """So many tiles at a time: about as many as wanted, and few enough that there are blocks to share out."""
    return max(min(wanted, 256, -(-tiles // 8)) // ROWS * ROWS, 2 * ROWS)


@compiled(inline=True)
def _place(tile, down, across):
    """The image, line and column of the first pixel of the result in a tile."""
    n, rest = tile // (down * across), tile % (down * across)
    return n, rest // across * 4, rest % across * 4


@compiled
def _correlate(images, shape, spectrum, bias, floor, out, first, last, block, values, products, edge,
               rows, one, none):  # fmt: skip
    """Tiles `first` to `last` of the result, a block at a time."""
    height, width, channels, ph, pw, ho, wo, units = shape
    down, across = (ho + 3) // 4, (wo + 3) // 4
    plane, out_plane, filter_plane = (
        block * channels + GAP,
        block * units + GAP,
        channels * whole_panels(units) + GAP,
    )
    for begin in range(first, last, block):
        size = min(block, last - begin)
        for t in range(size):
            n, y, z = _place(begin + t, down, across)
            to_tile(images, height, width, channels, n, y - ph, z - pw, edge, values, t * channels, plane)
        for e in range(36):
            for f in range(0, units, WIDE):
                multiply(products, e * out_plane + f, units, none, 0, 0, values, e * plane, rows, 0, one, 1,
                         spectrum, e * filter_plane + f * channels, WIDE, channels, size, min(WIDE, units - f),
                         LOWEST)  # fmt: skip
        for t in range(size):
            n, y, z = _place(begin + t, down, across)
            from_tile(products, t * units, out_plane, bias, floor, out, ho, wo, units, n, y, z)


@compiled
def _add_tiles(images, d, shape, first, last, block, spectrum, values, slopes, edge, rows, one, none):
    """dU[e] = Σ V[e]ᵀ D[e] over the tiles from `first` to `last`, a block at a time."""
    height, width, channels, ph, pw, ho, wo, units = shape
    down, across = (ho + 3) // 4, (wo + 3) // 4
    plane, out_plane = block * channels + GAP, block * whole_panels(units) + GAP
    for begin in range(first, last, block):
        size = min(block, last - begin)
        for t in range(size):
            n, y, z = _place(begin + t, down, across)
            to_tile(images, height, width, channels, n, y - ph, z - pw, edge, values, t * channels, plane)
            gradient_to_tile(d, ho, wo, units, n, y, z, edge, slopes, t * WIDE, block * WIDE, out_plane)
        for e in range(36):
            for f in range(0, units, WIDE):
                at = e * (channels * units + GAP) + f
                start, start_at, start_row = spectrum, at, units
                if begin == first:
                    start, start_at, start_row = none, 0, 0
                multiply(spectrum, at, units, start, start_at, start_row, values, e * plane, rows, 0, one, channels,
                         slopes, e * out_plane + f * block, WIDE, size, channels, min(WIDE, units - f),
                         LOWEST)  # fmt: skip
