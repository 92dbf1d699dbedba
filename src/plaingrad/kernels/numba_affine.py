"""The affine map of float32 rows, compiled: register tiles, bias and ReLU added while they are in registers."""

from __future__ import annotations

from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.kernels.memory import is_single
from plaingrad.kernels.product import ONE_SEGMENT, column_sums, lines, times, zeros
from plaingrad.kernels.threads import shared_out
from plaingrad.kernels.tile import LOWEST, ROWS
from plaingrad.kernels.workspace import empty
from plaingrad.ops import AffineReluCache

Array = np.ndarray

_SMALL = 2_000_000  # multiplications: below, waking a thread costs more than it saves


# Compiled loops do not look where an array ends, so shapes that do not fit are left to the formulas.


def _accepts(x: Any, w: Any, b: Any = None) -> bool:
    if not (is_single(x) and is_single(w) and x.ndim == w.ndim == 2 and x.size and w.size):
        return False
    return x.shape[1] == w.shape[0] and (b is None or (is_single(b) and b.shape == w.shape[1:]))


def _accepts_backward(dout: Any, cache: tuple[Any, Any], **needs: Any) -> bool:
    x, w = cache
    return _accepts(x, w) and is_single(dout) and dout.shape == (len(x), w.shape[1])


def _product(a: Array, transposed: bool, b: Array, bias: Array | None, floor: np.float32) -> Array:
    """a b, or aᵀ b, plus bias; what is below `floor` is replaced by it.  a and b are contiguous."""
    count, depth = a.shape[::-1] if transposed else a.shape
    columns = b.shape[1]
    out = empty((count, columns))
    rows = lines(count, 1 if transposed else depth)
    start = zeros(columns) if bias is None else bias

    def work(first: int, last: int) -> None:
        times(out.reshape(-1), start, 0, a.reshape(-1), rows, count if transposed else 1, ONE_SEGMENT,
              b.reshape(-1), first * ROWS, min(last * ROWS, count), depth, columns, floor)  # fmt: skip

    shared_out(work, -(-count // ROWS), small=out.size * depth < _SMALL)
    return out


def _forward(x: Array, w: Array, b: Array | None, floor: np.float32) -> Array:
    bias = None if b is None else np.ascontiguousarray(b)
    return _product(np.ascontiguousarray(x), False, np.ascontiguousarray(w), bias, floor)


@ops.affine_forward.kernel(_accepts)
def affine_forward(x: Array, w: Array, b: Array | None = None) -> tuple[Array, tuple[Array, Array]]:
    """As `ops.affine_forward`."""
    return _forward(x, w, b, LOWEST), (x, w)


@ops.affine_relu_forward.kernel(_accepts)
def affine_relu_forward(x: Array, w: Array, b: Array | None = None) -> tuple[Array, AffineReluCache]:
    """As `ops.affine_relu_forward`."""
    out = _forward(x, w, b, np.float32(0))
    return out, AffineReluCache((x, w), out)


@ops.affine_backward.kernel(_accepts_backward)
def affine_backward(
    dout: Array, cache: tuple[Array, Array], *, needs_dx: bool = True
) -> tuple[Array | None, Array, Array]:
    """As `ops.affine_backward`."""
    x, w = cache
    d = np.ascontiguousarray(dout)
    dx = _product(d, False, np.ascontiguousarray(w.T), None, LOWEST) if needs_dx else None
    return dx, _product(np.ascontiguousarray(x), True, d, None, LOWEST), column_sums(d)
