"""Pooling: who won, how much each gets, and pixels that several windows see."""

from __future__ import annotations

import numpy as np

from .shelf import Array, Call, Name, distinct, plant


def max_pool_forward(x: Array, size: int, stride: int) -> tuple[Array, tuple]:
    """The largest value of each window of size × size."""
    ho, wo = ((n - size) // stride + 1 for n in x.shape[2:])
    out = np.zeros((*x.shape[:2], ho, wo))
    for i in range(ho):
        for j in range(wo):
            top, left = i * stride, j * stride
            out[:, :, i, j] = x[:, :, top : top + size, left : left + size].max(axis=(2, 3))
    return out, (x, size, stride)


def max_pool_backward(dout: Array, cache: tuple, bug: str = "") -> Array:
    """Each window's gradient goes to its winner."""
    x, size, stride = cache
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + size, left : left + size]
        if bug == "no-mask":
            dx[n, c, top : top + size, left : left + size] += dout[n, c, i, j]
            continue
        row, column = divmod(int(window.argmax()), size)
        match bug:
            case "row-and-column-swapped":
                row, column = column, row
            case "stride-forgotten":
                top, left = i, j
            case "smallest":
                row, column = divmod(int(window.argmin()), size)
        if bug == "overwritten":
            dx[n, c, top + row, left + column] = dout[n, c, i, j]
        else:
            dx[n, c, top + row, left + column] += dout[n, c, i, j]
    return dx


def max_pool(rng: np.random.Generator, bug: str, *, overlapping: bool = False) -> Call:
    """Max-pooling of random images."""
    size, stride = (3, 1) if overlapping else (2, 2)
    n, c, height, width = *distinct(rng, 2, 1, 3), *distinct(rng, 2, 4, 6)
    return (
        lambda x: max_pool_forward(x, size, stride),
        lambda dout, cache: max_pool_backward(dout, cache, bug),
        (rng.standard_normal((n, c, height, width)),),
    )


def average_pool(
    rng: np.random.Generator, bug: str, *, overlapping: bool = False, square: bool = False
) -> Call:
    """The mean of each window."""
    size, stride = (3, 2) if overlapping else (2, 2)
    n, c, height, width = *distinct(rng, 2, 1, 3), *((4, 4) if square else distinct(rng, 2, 5, 6))

    def forward(x):
        ho, wo = (height - size) // stride + 1, (width - size) // stride + 1
        out = np.zeros((n, c, ho, wo))
        for i in range(ho):
            for j in range(wo):
                top, left = i * stride, j * stride
                out[:, :, i, j] = x[:, :, top : top + size, left : left + size].mean(axis=(2, 3))
        return out, x.shape

    def backward(dout, shape):
        dx = np.zeros(shape)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                top, left = i * stride, j * stride
                share = dout[:, :, i, j, None, None] / (1 if bug == "mean-forgotten" else size**2)
                if bug == "divided-by-the-width":
                    share = share * size
                if bug == "overwritten":
                    dx[:, :, top : top + size, left : left + size] = share
                else:
                    dx[:, :, top : top + size, left : left + size] += share
        return dx.transpose(0, 1, 3, 2) if bug == "height-and-width-swapped" else dx

    return forward, backward, (rng.standard_normal((n, c, height, width)),)


def global_average_pool(rng: np.random.Generator, bug: str) -> Call:
    """The mean of each channel."""

    def forward(x):
        return x.mean(axis=(2, 3)), x.shape

    def backward(dout, shape):
        n, c, height, width = shape
        match bug:
            case "mean-forgotten":
                share = dout
            case "divided-by-the-height":
                share = dout / height
            case _:
                share = dout / (height * width)
        dx = np.ones(shape) * share[:, :, None, None]
        return dx.reshape(n, c, -1) if bug == "left-flat" else dx

    return forward, backward, (rng.standard_normal(distinct(rng, 4, 2, 5)),)


MEAN = {"also": ("scaled",), "why": "by the size of the window"}

BUGS = [
    *plant("pair", max_pool, {
        "no-mask": Name("mask_missing", "x"),
        "row-and-column-swapped": Name("permuted", "x"),
        "stride-forgotten": Name("unknown", "x", also=("permuted",), why="right values in other places"),
        "smallest": Name("permuted", "x", also=("unknown",), why="right values in other places"),
    }),
    *plant("pair", max_pool, {"overwritten": Name("overwritten", "x")}, overlapping=True),
    *plant("pair", average_pool, {
        "mean-forgotten": Name("missing_mean", "x", **MEAN),
        "divided-by-the-width": Name("scaled", "x"),
    }),
    *plant("pair", average_pool, {"overwritten": Name("overwritten", "x")}, overlapping=True),
    *plant("pair", average_pool, {
        "height-and-width-swapped": Name(
            "permuted", "x", also=("transposed",), why="of two axes, it is a transposition"
        ),
    }, square=True),
    *plant("pair", global_average_pool, {
        "mean-forgotten": Name("missing_mean", "x", **MEAN),
        "divided-by-the-height": Name("scaled", "x"),
        "left-flat": Name("shape", "x"),
    }),
]  # fmt: skip
