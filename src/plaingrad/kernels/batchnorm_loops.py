"""Batch normalisation in float32, compiled: statistics in one pass, the result in another; ReLU or GELU with it.

Works on memory in which a channel's neighbour is the next channel: rows of features, or channels-last
images, whose rows are pixels.  Several rows are taken as one wide row, so that loops over it are long
whatever the number of channels; what belongs to a channel is repeated along it.

The functions work from wide row `start` to wide row `stop` of flat arrays x, xhat, out, dout and dx, which are
given whole; `width` is the length of a wide row; `rstd` is 1/√(variance + ε).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plaingrad.kernels.compiled import compiled
from plaingrad.kernels.numba_activation import gelu_share, gelu_slope, relu, relu_slope

Array = Any

_BLOCK = 1 << 16  # numbers of a block: few enough for sums in float32, many beside what a block costs
_FIRST = 8  # wide rows whose mean is a good shift for a block


@compiled(inline=True)
def _repeated(values: Array, width: int) -> Array:
    """What belongs to channels, along a wide row."""
    wide = np.empty(width, np.float32)
    for start in range(0, width, values.size):
        for c in range(values.size):
            wide[start + c] = values[c]
    return wide


@compiled(inline=True)
def _three(a: Array, b: Array, c: Array, width: int) -> tuple[Array, Array, Array]:
    return _repeated(a, width), _repeated(b, width), _repeated(c, width)


@compiled(inline=True)
def _fold(wide: Array, totals: Array) -> None:
    """Add sums over wide rows to those of channels; they begin anew."""
    for start in range(0, wide.size, totals.size):
        for c in range(totals.size):
            totals[c] += wide[start + c]
            wide[start + c] = 0


@compiled(inline=True)
def _join(moments: Array, others: Array) -> None:
    """Mean, Σ (x − mean)² and number of some rows, and of others: those of all, in the first's place.

    Source: Chan, Golub & LeVeque 1983, The American Statistician 37, pp. 242-247.
    """
    done, count = moments[2, 0], others[2, 0]
    share = count / (done + count)
    for c in range(moments.shape[1]):
        difference = others[0, c] - moments[0, c]
        moments[0, c] += difference * share
        moments[1, c] += others[1, c] + difference * difference * done * share
        moments[2, c] += count


@compiled
def moments_of(start: int, stop: int, x: Array, width: int, moments: Array) -> None:
    """Mean and Σ (x − mean)² of each channel, in one pass, and the number of rows: (3, C) in float64.

    Σ d and Σ d² with d = x − s give both, for any shift s: the mean is s + Σd/n, the other Σd² − (Σd)²/n.
    Digits are lost in that difference if s is many times further from the mean than the numbers are.  So
    rows are taken in blocks, each shifted by the mean of those before it, and then joined: if the mean
    of a block is far from that of the rows before, it is this distance of which the variance is made.
    The first block is shifted by the mean of its first few wide rows.
    """
    channels = moments.shape[1]
    shift, own = np.zeros(channels, np.float32), np.zeros((3, channels), np.float64)
    sums, squares = np.zeros(width, np.float32), np.zeros(width, np.float32)
    x = x[start * width : stop * width]
    first = x[: _FIRST * width]
    for at in range(0, first.size, channels):
        for c in range(channels):
            shift[c] += first[at + c] * np.float32(channels / first.size)
    moments[:] = 0
    height = max(_BLOCK // width, 1) * width
    for begin in range(0, x.size, height):
        block, wide_shift = x[begin : begin + height], _repeated(shift, width)
        for at in range(0, block.size, width):
            row = block[at : at + width]
            for i in range(row.size):
                d = row[i] - wide_shift[i]
                sums[i] += d
                squares[i] += d * d
        own[:] = 0
        _fold(sums, own[0])
        _fold(squares, own[1])
        count = block.size // channels
        for c in range(channels):
            away = own[0, c] / count
            own[1, c] -= own[0, c] * away
            own[0, c] = shift[c] + away
            own[2, c] = count
        _join(moments, own)
        for c in range(channels):
            shift[c] = moments[0, c]


@compiled
def statistics_of(parts: Array, eps: float, statistics: Array) -> None:
    """Mean, 1/√(variance + ε) and variance, (3, C), from the moments of parts, (P, 3, C)."""
    joined = parts[0]
    for part in range(1, len(parts)):
        _join(joined, parts[part])
    for c in range(joined.shape[1]):
        variance = joined[1, c] / joined[2, c]
        statistics[0, c] = joined[0, c]
        statistics[1, c] = 1 / np.sqrt(variance + eps)
        statistics[2, c] = variance


# Forward.  `scale` is γ/√(variance + ε), with which γ x̂ + β = (x − mean) · scale + β


@compiled
def normalize(
    start: int, stop: int, x: Array, xhat: Array, out: Array, width: int,
    mean: Array, rstd: Array, gamma: Array, beta: Array,
) -> None:  # fmt: skip
    """x̂, and out = γ x̂ + β."""
    wide_mean, wide_rstd = _repeated(mean, width), _repeated(rstd, width)
    wide_gamma, wide_beta = _repeated(gamma, width), _repeated(beta, width)
    for at in range(start * width, min(stop * width, x.size), width):
        row, row_xhat, row_out = x[at : at + width], xhat[at : at + width], out[at : at + width]
        for i in range(row.size):
            value = (row[i] - wide_mean[i]) * wide_rstd[i]
            row_xhat[i] = value
            row_out[i] = wide_gamma[i] * value + wide_beta[i]


@compiled
def normalize_relu(
    start: int, stop: int, x: Array, out: Array, width: int, mean: Array, scale: Array, beta: Array
) -> None:
    """out = max(γ x̂ + β, 0)."""
    wide_mean, wide_scale, wide_beta = _three(mean, scale, beta, width)
    for at in range(start * width, min(stop * width, x.size), width):
        row, row_out = x[at : at + width], out[at : at + width]
        for i in range(row.size):
            row_out[i] = relu((row[i] - wide_mean[i]) * wide_scale[i] + wide_beta[i])


@compiled
def normalize_gelu(
    start: int, stop: int, x: Array, out: Array, width: int, mean: Array, scale: Array, beta: Array
) -> None:
    """out = GELU(γ x̂ + β)."""
    wide_mean, wide_scale, wide_beta = _three(mean, scale, beta, width)
    for at in range(start * width, min(stop * width, x.size), width):
        row, row_out = x[at : at + width], out[at : at + width]
        for i in range(row.size):
            h = (row[i] - wide_mean[i]) * wide_scale[i] + wide_beta[i]
            row_out[i] = h * gelu_share(h)


# Backward.  g is the gradient of γ x̂ + β; first its sums, then dx


@compiled
def sums_of(start: int, stop: int, dout: Array, xhat: Array, width: int, totals: Array) -> None:
    """Σ g x̂ and Σ g of each channel, (2, C) in float64, with g = dout."""
    totals[:] = 0
    sums, products = np.zeros(width, np.float32), np.zeros(width, np.float32)
    stop, height = min(stop * width, dout.size), max(_BLOCK // width, 1) * width
    for begin in range(start * width, stop, height):
        for at in range(begin, min(begin + height, stop), width):
            row, row_xhat = dout[at : at + width], xhat[at : at + width]
            for i in range(row.size):
                sums[i] += row[i]
                products[i] += row[i] * row_xhat[i]
        _fold(products, totals[0])
        _fold(sums, totals[1])


@compiled
def sums_relu(
    start: int, stop: int, dout: Array, x: Array, width: int,
    mean: Array, scale: Array, beta: Array, totals: Array,
) -> None:  # fmt: skip
    """Σ g (x − mean) and Σ g, with g = dout where γ x̂ + β > 0, else 0."""
    totals[:] = 0
    wide_mean, wide_scale, wide_beta = _three(mean, scale, beta, width)
    sums, products = np.zeros(width, np.float32), np.zeros(width, np.float32)
    stop, height = min(stop * width, dout.size), max(_BLOCK // width, 1) * width
    for begin in range(start * width, stop, height):
        for at in range(begin, min(begin + height, stop), width):
            row, row_x = dout[at : at + width], x[at : at + width]
            for i in range(row.size):
                d = row_x[i] - wide_mean[i]
                g = row[i] * relu_slope(d * wide_scale[i] + wide_beta[i])
                sums[i] += g
                products[i] += g * d
        _fold(products, totals[0])
        _fold(sums, totals[1])


@compiled
def sums_gelu(
    start: int, stop: int, dout: Array, x: Array, dx: Array, width: int,
    mean: Array, scale: Array, beta: Array, totals: Array,
) -> None:  # fmt: skip
    """Σ g (x − mean) and Σ g, with g = dout · GELU'(γ x̂ + β), which is left in dx."""
    totals[:] = 0
    wide_mean, wide_scale, wide_beta = _three(mean, scale, beta, width)
    sums, products = np.zeros(width, np.float32), np.zeros(width, np.float32)
    stop, height = min(stop * width, dout.size), max(_BLOCK // width, 1) * width
    for begin in range(start * width, stop, height):
        for at in range(begin, min(begin + height, stop), width):
            row, row_x, row_dx = dout[at : at + width], x[at : at + width], dx[at : at + width]
            for i in range(row.size):
                d = row_x[i] - wide_mean[i]
                h = d * wide_scale[i] + wide_beta[i]
                g = row[i] * gelu_slope(h, gelu_share(h))
                row_dx[i] = g
                sums[i] += g
                products[i] += g * d
        _fold(products, totals[0])
        _fold(sums, totals[1])


@compiled
def gradients_of(parts: Array, factor: Array, rows: int, gradients: Array, means: Array) -> None:
    """From the sums of parts, (P, 2, C): dγ and dβ, (2, C), and their `means`, per row, that dx needs.

    factor: what makes x̂ of that with which g was multiplied; dγ's mean is to be multiplied with the same.
    """
    for row in range(2):
        for c in range(factor.size):
            total = parts[0, row, c]
            for part in range(1, len(parts)):
                total += parts[part, row, c]
            own = factor[c] if row == 0 else np.float32(1)
            gradients[row, c] = total * own
            means[row, c] = total * own * own / rows


@compiled
def finish(
    start: int, stop: int, dout: Array, xhat: Array, dx: Array, width: int, scale: Array, means: Array
) -> None:
    """dx = γ/σ · (g − mean(g) − x̂ · mean(g x̂)), with g = dout."""
    product, own, wide_scale = _three(means[0], means[1], scale, width)
    for at in range(start * width, min(stop * width, dout.size), width):
        row, row_xhat, row_dx = dout[at : at + width], xhat[at : at + width], dx[at : at + width]
        for i in range(row.size):
            row_dx[i] = wide_scale[i] * (row[i] - own[i] - row_xhat[i] * product[i])


@compiled
def finish_relu(
    start: int, stop: int, dout: Array, x: Array, dx: Array, width: int,
    mean: Array, scale: Array, beta: Array, means: Array,
) -> None:  # fmt: skip
    """The same with g = dout where γ x̂ + β > 0, else 0."""
    wide_mean, wide_scale, wide_beta = _three(mean, scale, beta, width)
    product, own = _repeated(means[0], width), _repeated(means[1], width)
    for at in range(start * width, min(stop * width, dout.size), width):
        row, row_x, row_dx = dout[at : at + width], x[at : at + width], dx[at : at + width]
        for i in range(row.size):
            d = row_x[i] - wide_mean[i]
            g = row[i] * relu_slope(d * wide_scale[i] + wide_beta[i])
            row_dx[i] = wide_scale[i] * (g - own[i] - d * product[i])


@compiled
def finish_in_place(
    start: int, stop: int, x: Array, dx: Array, width: int, mean: Array, scale: Array, means: Array
) -> None:
    """The same with the g that lies in dx."""
    wide_mean, wide_scale = _repeated(mean, width), _repeated(scale, width)
    product, own = _repeated(means[0], width), _repeated(means[1], width)
    for at in range(start * width, min(stop * width, dx.size), width):
        row_x, row_dx = x[at : at + width], dx[at : at + width]
        for i in range(row_x.size):
            row_dx[i] = wide_scale[i] * (row_dx[i] - own[i] - (row_x[i] - wide_mean[i]) * product[i])
