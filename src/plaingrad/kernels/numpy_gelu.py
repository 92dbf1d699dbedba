"""GELU on large NumPy arrays: the formula itself, on blocks that fit the cache, on threads.

What the formula makes on the way, a dozen arrays, then never leaves the cache; the numbers are the same to
the bit.  Ops that make fewer, such as ReLU and tanh, gain nothing by it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.kernels.memory import in_order, is_float, is_in_order
from plaingrad.kernels.threads import shared_out

Array = np.ndarray

_BLOCK = 16384  # elements
_LARGE = 4 * _BLOCK  # smaller arrays are left to the formula


def _accepts(x: Any) -> bool:
    return is_float(x) and x.size >= _LARGE and is_in_order(x)


def _accepts_backward(dout: Any, cache: tuple[Array, Array]) -> bool:
    return _accepts(dout) and all(a.strides == dout.strides and a.dtype == dout.dtype for a in cache)


@ops.gelu_forward.kernel(_accepts)
def gelu_forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    """As `ops.gelu_forward`."""
    out, t = np.empty_like(x), np.empty_like(x)
    source, target, tanh = in_order(x), in_order(out), in_order(t)

    def work(start: int, stop: int) -> None:
        for first in range(start, stop, _BLOCK):
            block = slice(first, min(first + _BLOCK, stop))
            target[block], (_, tanh[block]) = ops.gelu_forward.formula(source[block])

    shared_out(work, x.size)
    return out, (x, t)


@ops.gelu_backward.kernel(_accepts_backward)
def gelu_backward(dout: Array, cache: tuple[Array, Array]) -> Array:
    """As `ops.gelu_backward`."""
    dx = np.empty_like(dout)
    upstream, target, x, t = (in_order(array) for array in (dout, dx, *cache))

    def work(start: int, stop: int) -> None:
        for first in range(start, stop, _BLOCK):
            block = slice(first, min(first + _BLOCK, stop))
            target[block] = ops.gelu_backward.formula(upstream[block], (x[block], t[block]))

    shared_out(work, dout.size)
    return dx
