"""How NumPy arrays lie in memory, for kernels that go through it in order."""

from __future__ import annotations

import numpy as np

from plaingrad.kernels.workspace import empty

Array = np.ndarray


def is_float(x: object) -> bool:
    """Whether x is a plain NumPy array of floating-point numbers, in single precision or better.

    Half precision is left to the formulas: sums over a batch do not fit it.
    """
    return type(x) is np.ndarray and x.dtype.kind == "f" and x.dtype.itemsize >= 4


def is_single(x: object) -> bool:
    """Whether x is a plain NumPy array of numbers in single precision."""
    return type(x) is np.ndarray and x.dtype == np.float32


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


def empty_like(x: Array) -> Array:
    """`empty`, float32, of x's shape and lying as x does; x is in order."""
    if x.flags.c_contiguous:
        return empty(x.shape)
    return channels_first(empty(channels_last(x).shape))


def lying_like(x: Array, other: Array) -> Array:
    """x, in the order of memory in which `other`, which is in order, lies: itself, or a copy."""
    same = x.flags.c_contiguous if other.flags.c_contiguous else is_channels_last(x)
    if same:
        return x
    copied = empty_like(other)
    np.copyto(copied, x)
    return copied
