"""Winograd's transforms of tiles and filters, compiled; what they are for is in winograd.py.

Sixteen channels at a time, as vectors.  What is transformed goes to 36 planes, one for each pair of points.
"""

from __future__ import annotations

import math

import numpy as np

from plaingrad.kernels.compiled import compiled
from plaingrad.kernels.tile import WIDE
from plaingrad.kernels.vector import LANES, at_least, load, splat, store

_A, _B = math.sqrt(0.5), math.sqrt(2)  # the points are 0, ±a, ±b, ∞, with a² = ½ and b² = 2
_A1, _A3, _B1, _B3 = (np.float32(v) for v in (_A, _A**3, _B, _B**3))
_HALF, _TWO, _SUM = np.float32(0.5), np.float32(2), np.float32(2.5)  # a², b² and a² + b²


# What a filter's polynomial is divided by at ±a and ±b: the product of p − q over all other points q.
_AT_A = np.float32(1 / (2 * _A * _A * (_A * _A - _B * _B)))
_AT_B = np.float32(1 / (2 * _B * _B * (_B * _B - _A * _A)))

# Between the 36 planes of transformed numbers.  Without it their lines, apart by a power of two, would compete
# for the same few places of the cache.
GAP = LANES


def in_panels(columns: int) -> int:
    """So many columns filled up to whole panels of WIDE, each of which lies in one piece."""
    return -(-columns // WIDE) * WIDE


whole_panels = compiled(inline=True)(in_panels)


@compiled(inline=True)
def _seen(d0, d1, d2, d3, d4, d5):
    """Bᵀ d: six pixels at the six points."""
    even_a, odd_a = d4 - _TWO * d2, _A1 * (d3 - _TWO * d1)
    even_b, odd_b = d4 - _HALF * d2, _B1 * (d3 - _HALF * d1)
    return (
        (d0 + d4) - _SUM * d2,
        even_a + odd_a,
        even_a - odd_a,
        even_b + odd_b,
        even_b - odd_b,
        (d1 + d5) - _SUM * d3,
    )


@compiled(inline=True)
def _interpolated(m0, m1, m2, m3, m4, m5):
    """Aᵀ m: four results from the values at the six points."""
    even_a, odd_a, even_b, odd_b = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    return (
        m0 + even_a + even_b,
        _A1 * odd_a + _B1 * odd_b,
        _HALF * even_a + _TWO * even_b,
        _A3 * odd_a + _B3 * odd_b + m5,
    )


@compiled(inline=True)
def _evaluated(d0, d1, d2, d3):
    """A d: four gradients at the six points."""
    even_a, odd_a = d0 + _HALF * d2, _A1 * d1 + _A3 * d3
    even_b, odd_b = d0 + _TWO * d2, _B1 * d1 + _B3 * d3
    return d0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, d3


@compiled(inline=True)
def _at_points(w0, w1, w2):
    """G w: a line of the filter at the six points."""
    even_a, odd_a = _AT_A * w0 + (_AT_A * _HALF) * w2, (_AT_A * _A1) * w1
    even_b, odd_b = _AT_B * w0 + (_AT_B * _TWO) * w2, (_AT_B * _B1) * w1
    return w0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, w2


@compiled(inline=True)
def _from_points(u0, u1, u2, u3, u4, u5):
    """Gᵀ u."""
    even_a, odd_a, even_b, odd_b = u1 + u2, u1 - u2, u3 + u4, u3 - u4
    return (
        u0 + _AT_A * even_a + _AT_B * even_b,
        (_AT_A * _A1) * odd_a + (_AT_B * _B1) * odd_b,
        (_AT_A * _HALF) * even_a + (_AT_B * _TWO) * even_b + u5,
    )


@compiled(inline=True)
def _load6(x, at, apart, count):
    return (
        load(x, at, count), load(x, at + apart, count), load(x, at + 2 * apart, count),
        load(x, at + 3 * apart, count), load(x, at + 4 * apart, count), load(x, at + 5 * apart, count),
    )  # fmt: skip


@compiled(inline=True)
def _load3(x, at, apart, count):
    return load(x, at, count), load(x, at + apart, count), load(x, at + 2 * apart, count)


@compiled(inline=True)
def _load4(x, at, apart, count):
    return (
        load(x, at, count), load(x, at + apart, count), load(x, at + 2 * apart, count), load(x, at + 3 * apart, count)
    )  # fmt: skip


@compiled(inline=True)
def _store6(x, at, apart, count, v):
    store(x, at, count, v[0])
    store(x, at + apart, count, v[1])
    store(x, at + 2 * apart, count, v[2])
    store(x, at + 3 * apart, count, v[3])
    store(x, at + 4 * apart, count, v[4])
    store(x, at + 5 * apart, count, v[5])


@compiled(inline=True)
def _store3(x, at, apart, count, v0, v1, v2):
    store(x, at, count, v0)
    store(x, at + apart, count, v1)
    store(x, at + 2 * apart, count, v2)


@compiled(inline=True)
def _cut(x, height, width, channels, n, y, z, size, edge):
    """Copy the size × size pixels from (y, z) of image n on to `edge`, with zeros outside of the image."""
    for i in range(size):
        for j in range(size):
            to = (i * size + j) * channels
            if 0 <= y + i < height and 0 <= z + j < width:
                at = ((n * height + y + i) * width + z + j) * channels
                for c in range(0, channels, LANES):
                    store(edge, to + c, channels - c, load(x, at + c, channels - c))
            else:
                for c in range(0, channels, LANES):
                    store(edge, to + c, channels - c, splat(np.float32(0)))


@compiled(inline=True)
def to_tile(x, height, width, channels, n, y, z, edge, values, at, plane):
    """V = Bᵀ x B of the 6×6 pixels from (y, z) of image n on: 36 lines of channels, `plane` apart."""
    source, base, pitch = x, ((n * height + y) * width + z) * channels, width * channels
    if y < 0 or z < 0 or y + 6 > height or z + 6 > width:
        _cut(x, height, width, channels, n, y, z, 6, edge)
        source, base, pitch = edge, 0, 6 * channels
    for c in range(0, channels, LANES):
        k, b = channels - c, base + c
        u0, u1, u2, u3, u4, u5 = _seen(*_load6(source, b, pitch, k))
        v0, v1, v2, v3, v4, v5 = _seen(*_load6(source, b + channels, pitch, k))
        w0, w1, w2, w3, w4, w5 = _seen(*_load6(source, b + 2 * channels, pitch, k))
        x0, x1, x2, x3, x4, x5 = _seen(*_load6(source, b + 3 * channels, pitch, k))
        y0, y1, y2, y3, y4, y5 = _seen(*_load6(source, b + 4 * channels, pitch, k))
        z0, z1, z2, z3, z4, z5 = _seen(*_load6(source, b + 5 * channels, pitch, k))
        to = at + c
        _store6(values, to, plane, k, _seen(u0, v0, w0, x0, y0, z0))
        _store6(values, to + 6 * plane, plane, k, _seen(u1, v1, w1, x1, y1, z1))
        _store6(values, to + 12 * plane, plane, k, _seen(u2, v2, w2, x2, y2, z2))
        _store6(values, to + 18 * plane, plane, k, _seen(u3, v3, w3, x3, y3, z3))
        _store6(values, to + 24 * plane, plane, k, _seen(u4, v4, w4, x4, y4, z4))
        _store6(values, to + 30 * plane, plane, k, _seen(u5, v5, w5, x5, y5, z5))


@compiled(inline=True)
def gradient_to_tile(d, height, width, channels, n, y, z, edge, slopes, at, panel, plane):
    """D = A d Aᵀ of the 4×4 gradients from (y, z) of image n on: 36 lines, cut into pieces of WIDE, `panel` apart."""
    source, base, pitch = d, ((n * height + y) * width + z) * channels, width * channels
    if y + 4 > height or z + 4 > width:
        _cut(d, height, width, channels, n, y, z, 4, edge)
        source, base, pitch = edge, 0, 4 * channels
    for c in range(0, channels, LANES):
        k, b = channels - c, base + c
        u0, u1, u2, u3, u4, u5 = _evaluated(*_load4(source, b, pitch, k))
        v0, v1, v2, v3, v4, v5 = _evaluated(*_load4(source, b + channels, pitch, k))
        w0, w1, w2, w3, w4, w5 = _evaluated(*_load4(source, b + 2 * channels, pitch, k))
        x0, x1, x2, x3, x4, x5 = _evaluated(*_load4(source, b + 3 * channels, pitch, k))
        to = at + c // WIDE * panel + c % WIDE
        _store6(slopes, to, plane, k, _evaluated(u0, v0, w0, x0))
        _store6(slopes, to + 6 * plane, plane, k, _evaluated(u1, v1, w1, x1))
        _store6(slopes, to + 12 * plane, plane, k, _evaluated(u2, v2, w2, x2))
        _store6(slopes, to + 18 * plane, plane, k, _evaluated(u3, v3, w3, x3))
        _store6(slopes, to + 24 * plane, plane, k, _evaluated(u4, v4, w4, x4))
        _store6(slopes, to + 30 * plane, plane, k, _evaluated(u5, v5, w5, x5))


@compiled(inline=True)
def _put(out, at, apart, count, columns, bias, floor, v0, v1, v2, v3):
    """A line of up to four pixels of the result."""
    store(out, at, count, at_least(v0 + bias, floor))
    if columns > 1:
        store(out, at + apart, count, at_least(v1 + bias, floor))
    if columns > 2:
        store(out, at + 2 * apart, count, at_least(v2 + bias, floor))
    if columns > 3:
        store(out, at + 3 * apart, count, at_least(v3 + bias, floor))


@compiled(inline=True)
def from_tile(products, at, plane, bias, floor, out, height, width, units, n, y, z):
    """out = Aᵀ M A + bias: 4×4 pixels from (y, z) of image n on, as far as the image goes."""
    rows, columns, pitch = min(4, height - y), min(4, width - z), width * units
    for c in range(0, units, LANES):
        k, b, added = units - c, at + c, load(bias, c, units - c)
        u0, u1, u2, u3 = _interpolated(*_load6(products, b, plane, k))
        v0, v1, v2, v3 = _interpolated(*_load6(products, b + 6 * plane, plane, k))
        w0, w1, w2, w3 = _interpolated(*_load6(products, b + 12 * plane, plane, k))
        x0, x1, x2, x3 = _interpolated(*_load6(products, b + 18 * plane, plane, k))
        y0, y1, y2, y3 = _interpolated(*_load6(products, b + 24 * plane, plane, k))
        z0, z1, z2, z3 = _interpolated(*_load6(products, b + 30 * plane, plane, k))
        # The first index of M ran over columns of pixels, as `to_tile` has left it.
        p0, p1, p2, p3 = _interpolated(u0, v0, w0, x0, y0, z0)
        q0, q1, q2, q3 = _interpolated(u1, v1, w1, x1, y1, z1)
        r0, r1, r2, r3 = _interpolated(u2, v2, w2, x2, y2, z2)
        s0, s1, s2, s3 = _interpolated(u3, v3, w3, x3, y3, z3)
        to = ((n * height + y) * width + z) * units + c
        _put(out, to, units, k, columns, added, floor, p0, q0, r0, s0)
        if rows > 1:
            _put(out, to + pitch, units, k, columns, added, floor, p1, q1, r1, s1)
        if rows > 2:
            _put(out, to + 2 * pitch, units, k, columns, added, floor, p2, q2, r2, s2)
        if rows > 3:
            _put(out, to + 3 * pitch, units, k, columns, added, floor, p3, q3, r3, s3)


@compiled
def filters_to_points(filters, channels, units, start, stop, spectrum):
    """U = G w Gᵀ of filters (3, 3, C, F), the channels from `start` to `stop`, cut into panels of WIDE filters."""
    size, plane = channels * units, channels * whole_panels(units) + GAP
    for c in range(start, stop):
        for f in range(0, units, LANES):
            at, k = c * units + f, units - f
            to = f // WIDE * channels * WIDE + c * WIDE + f % WIDE
            u0, u1, u2, u3, u4, u5 = _at_points(*_load3(filters, at, 3 * size, k))
            v0, v1, v2, v3, v4, v5 = _at_points(*_load3(filters, at + size, 3 * size, k))
            w0, w1, w2, w3, w4, w5 = _at_points(*_load3(filters, at + 2 * size, 3 * size, k))
            _store6(spectrum, to, plane, k, _at_points(u0, v0, w0))
            _store6(spectrum, to + 6 * plane, plane, k, _at_points(u1, v1, w1))
            _store6(spectrum, to + 12 * plane, plane, k, _at_points(u2, v2, w2))
            _store6(spectrum, to + 18 * plane, plane, k, _at_points(u3, v3, w3))
            _store6(spectrum, to + 24 * plane, plane, k, _at_points(u4, v4, w4))
            _store6(spectrum, to + 30 * plane, plane, k, _at_points(u5, v5, w5))


@compiled(inline=True)
def _total6(spectra, at, apart, count):
    u0, u1, u2, u3, u4, u5 = _load6(spectra[0], at, apart, count)
    for part in range(1, len(spectra)):
        v0, v1, v2, v3, v4, v5 = _load6(spectra[part], at, apart, count)
        u0, u1, u2, u3, u4, u5 = u0 + v0, u1 + v1, u2 + v2, u3 + v3, u4 + v4, u5 + v5
    return u0, u1, u2, u3, u4, u5


@compiled
def filters_from_points(spectra, size, start, stop, filters):
    """dw = Gᵀ dU G with dU the sum of spectra: the vectors of LANES numbers from `start` to `stop`."""
    plane = size + GAP
    for v in range(start, stop):
        at = v * LANES
        k = size - at
        u0, u1, u2 = _from_points(*_total6(spectra, at, plane, k))
        v0, v1, v2 = _from_points(*_total6(spectra, at + 6 * plane, plane, k))
        w0, w1, w2 = _from_points(*_total6(spectra, at + 12 * plane, plane, k))
        x0, x1, x2 = _from_points(*_total6(spectra, at + 18 * plane, plane, k))
        y0, y1, y2 = _from_points(*_total6(spectra, at + 24 * plane, plane, k))
        z0, z1, z2 = _from_points(*_total6(spectra, at + 30 * plane, plane, k))
        p0, p1, p2 = _from_points(u0, v0, w0, x0, y0, z0)
        q0, q1, q2 = _from_points(u1, v1, w1, x1, y1, z1)
        r0, r1, r2 = _from_points(u2, v2, w2, x2, y2, z2)
        _store3(filters, at, 3 * size, k, p0, p1, p2)
        _store3(filters, at + size, 3 * size, k, q0, q1, q2)
        _store3(filters, at + 2 * size, 3 * size, k, r0, r1, r2)
