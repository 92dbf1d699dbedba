"""Activations of float32 arrays, compiled: each in one pass over memory, on threads if there is much to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.kernels.compiled import compiled
from plaingrad.kernels.exponential import exp, exp_for_sum
from plaingrad.kernels.memory import empty_like, in_order, is_in_order, is_single, lying_like
from plaingrad.kernels.threads import shared_out

Array = np.ndarray
Float = Any

_LARGE = 1 << 17  # elements: below, waking a thread costs more than it saves

_ZERO, _ONE, _TWO, _THREE = (np.float32(n) for n in range(4))

# GELU's u = √(2/π) (x + 0.044715 x³), twice, since ½ (1 + tanh u) = 1 / (1 + e⁻²ᵘ).
_SLOPE = np.float32(2 * math.sqrt(2 / math.pi))
_CUBIC = np.float32(2 * math.sqrt(2 / math.pi) * 0.044715)


# Formulas for one number, for other kernels too


@compiled(inline=True)
def relu(x: Float) -> Float:
    """max(x, 0); NaN stays."""
    return _ZERO if x < _ZERO else x


@compiled(inline=True)
def relu_slope(out: Float) -> Float:
    """1 where out > 0, else 0."""
    return _ONE if out > _ZERO else _ZERO


@compiled(inline=True)
def gelu_share(x: Float) -> Float:
    """s = ½ (1 + tanh u): GELU is x · s.  For x = NaN a number, which its product with x puts right."""
    return _ONE / (_ONE + exp_for_sum(-x * (_SLOPE + _CUBIC * (x * x))))


@compiled(inline=True)
def gelu_slope(x: Float, s: Float) -> Float:
    """GELU' = s + x s (1 − s) · 2u'."""
    return s + x * s * (_ONE - s) * (_SLOPE + _THREE * _CUBIC * (x * x))


@compiled(inline=True)
def sigmoid(x: Float) -> Float:
    """1 / (1 + e⁻ˣ); where it is below 10⁻³⁸, 0."""
    return _ONE / (_ONE + exp(-x))


# The same for arrays.  The slices' indices cannot be negative, which lets the compiler use vectors.


@compiled
def _relu(start: int, stop: int, x: Array, out: Array) -> None:
    x, out = x[start:stop], out[start:stop]
    for i in range(x.size):
        out[i] = relu(x[i])


@compiled
def _relu_back(start: int, stop: int, dout: Array, out: Array, dx: Array) -> None:
    dout, out, dx = dout[start:stop], out[start:stop], dx[start:stop]
    for i in range(dout.size):
        dx[i] = dout[i] * relu_slope(out[i])


@compiled
def _gelu(start: int, stop: int, x: Array, out: Array, t: Array) -> None:
    x, out, t = x[start:stop], out[start:stop], t[start:stop]
    for i in range(x.size):
        s = gelu_share(x[i])
        out[i] = x[i] * s
        t[i] = _TWO * s - _ONE


@compiled
def _gelu_back(start: int, stop: int, dout: Array, x: Array, t: Array, dx: Array) -> None:
    dout, x, t, dx = dout[start:stop], x[start:stop], t[start:stop], dx[start:stop]
    half = np.float32(0.5)
    for i in range(dout.size):
        dx[i] = dout[i] * gelu_slope(x[i], half + half * t[i])


@compiled
def _sigmoid(start: int, stop: int, x: Array, out: Array) -> None:
    x, out = x[start:stop], out[start:stop]
    for i in range(x.size):
        out[i] = sigmoid(x[i])


@compiled
def _sigmoid_back(start: int, stop: int, dout: Array, out: Array, dx: Array) -> None:
    dout, out, dx = dout[start:stop], out[start:stop], dx[start:stop]
    for i in range(dout.size):
        dx[i] = dout[i] * out[i] * (_ONE - out[i])


@compiled
def _silu(start: int, stop: int, x: Array, out: Array, sigma: Array) -> None:
    x, out, sigma = x[start:stop], out[start:stop], sigma[start:stop]
    for i in range(x.size):
        s = sigmoid(x[i])
        sigma[i] = s
        out[i] = x[i] * s


@compiled
def _silu_back(start: int, stop: int, dout: Array, x: Array, sigma: Array, dx: Array) -> None:
    dout, x, sigma, dx = dout[start:stop], x[start:stop], sigma[start:stop], dx[start:stop]
    for i in range(dout.size):
        dx[i] = dout[i] * sigma[i] * (_ONE + x[i] * (_ONE - sigma[i]))


@compiled
def _tanh_back(start: int, stop: int, dout: Array, out: Array, dx: Array) -> None:
    dout, out, dx = dout[start:stop], out[start:stop], dx[start:stop]
    for i in range(dout.size):
        dx[i] = dout[i] * (_ONE - out[i] * out[i])


def _run(kernel: Callable[..., None], *arrays: Array) -> None:
    """Call one of the functions above on the elements of arrays that lie in memory alike."""
    flat, size = [in_order(array) for array in arrays], arrays[0].size
    if size < _LARGE:
        kernel(0, size, *flat)
    else:
        shared_out(lambda start, stop: kernel(start, stop, *flat), size)


# What is registered


def _accepts(x: Any) -> bool:
    return is_single(x) and x.size > 0 and is_in_order(x)


def _accepts_backward(dout: Any, cache: Any) -> bool:
    arrays = cache if isinstance(cache, tuple) else (cache,)
    return is_single(dout) and all(_accepts(array) and array.shape == dout.shape for array in arrays)


@ops.relu_forward.kernel(_accepts)
def relu_forward(x: Array) -> tuple[Array, Array]:
    """As `ops.relu_forward`."""
    out = empty_like(x)
    _run(_relu, x, out)
    return out, out


@ops.gelu_forward.kernel(_accepts)
def gelu_forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    """As `ops.gelu_forward`."""
    out, t = empty_like(x), empty_like(x)
    _run(_gelu, x, out, t)
    return out, (x, t)


@ops.sigmoid_forward.kernel(_accepts)
def sigmoid_forward(x: Array) -> tuple[Array, Array]:
    """As `ops.sigmoid_forward`."""
    out = empty_like(x)
    _run(_sigmoid, x, out)
    return out, out


@ops.silu_forward.kernel(_accepts)
def silu_forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    """As `ops.silu_forward`."""
    out, sigma = empty_like(x), empty_like(x)
    _run(_silu, x, out, sigma)
    return out, (x, sigma)


def _register_backward(op: Any, kernel: Callable[..., None]) -> None:
    """Backward passes differ only in their loops."""

    @op.kernel(_accepts_backward)
    def backward(dout: Array, cache: Any) -> Array:
        first, *others = cache if isinstance(cache, tuple) else (cache,)
        dx = empty_like(first)
        _run(kernel, *(lying_like(array, first) for array in (dout, first, *others)), dx)
        return dx


for _op, _kernel in (
    (ops.relu_backward, _relu_back),
    (ops.gelu_backward, _gelu_back),
    (ops.sigmoid_backward, _sigmoid_back),
    (ops.silu_backward, _silu_back),
    (ops.tanh_backward, _tanh_back),
):
    _register_backward(_op, _kernel)
