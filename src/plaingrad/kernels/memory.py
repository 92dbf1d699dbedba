"""How NumPy arrays lie in memory, for kernels that go through it in order."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def is_float(x: object) -> bool:
    """Whether x is a plain NumPy array of floating-point numbers, in single precision or better.

    Half precision is left to the formulas: sums over a batch do not fit it.
    """
    return type(x) is np.ndarray and x.dtype.kind == "f" and x.dtype.itemsize >= 4


def channels_last(x: Array) -> Array:
    """x (N, C, H, W) as (N, H, W, C): a view."""
    return x.transpose(0, 2, 3, 1)


def channels_first(x: Array) -> Array:
    """x (N, H, W, C) as (N, C, H, W): a view."""
    return x.transpose(0, 3, 1, 2)


def is_channels_last(x: Array) -> bool:
    """Whether x (N, C, H, W) lies in memory as (N, H, W, C), without gaps."""
    return x.ndim == 4 and channels_last(x).flags.c_contiguous


def is_in_order(x: Array) -> bool:
    """Whether x lies in memory without gaps, in C's order or channels-last."""
    return x.flags.c_contiguous or is_channels_last(x)


def in_order(x: Array) -> Array:
    """The elements of x in a row, as they lie in memory: a view, if `is_in_order(x)`."""
    return (x if x.flags.c_contiguous else channels_last(x)).reshape(-1)
