"""Affine maps: the transposes, the sums, the axes."""

from __future__ import annotations

import numpy as np

from .shelf import Call, Name, distinct, normals, plant


def affine(rng: np.random.Generator, bug: str, *, square: bool = False) -> Call:
    """out = x w + b."""
    n, d, m = [int(rng.integers(3, 7))] * 3 if square else distinct(rng, 3)

    def forward(x, w, b):
        return x @ w + b, (x, w)

    def backward(dout, cache):
        x, w = cache
        dx, dw, db = dout @ w.T, x.T @ dout, dout.sum(axis=0)
        match bug:
            case "dx-sign":
                dx = -dout @ w.T
            case "dw-sign":
                dw = x.T @ -dout
            case "dx-without-transpose":
                dx = dout @ w
            case "dw-of-dout-and-x":
                dw = dout.T @ x
            case "dw-mean":
                dw = x.T @ dout / len(x)
            case "db-mean":
                db = dout.mean(axis=0)
            case "db-other-axis":
                db = dout.sum(axis=1)
            case "db-unsummed":
                db = dout
            case "db-scalar":
                db = dout.sum()
            case "dw-never-filled":
                dw = np.zeros_like(w)
            case "dx-by-w-in-place":
                w *= -1
                dx = -dout @ w.T
        return dx, dw, db

    return forward, backward, normals(rng, (n, d), (d, m), (m,))


def looped_affine(rng: np.random.Generator, bug: str) -> Call:
    """out = x w, its backward pass sample by sample."""
    n, d, m = distinct(rng, 3)

    def forward(x, w):
        return x @ w, (x, w)

    def backward(dout, cache):
        x, w = cache
        dx = np.zeros(x.shape, dtype=int if bug == "dx-integers" else float)
        dw = np.zeros_like(w)
        for i in range(len(x)):
            dx[i] = w @ dout[i]
            if bug == "dw-last-sample":
                dw = np.outer(x[i], dout[i])
            elif i < len(x) - 1 or bug != "dw-loop-too-short":
                dw += np.outer(x[i], dout[i])
        return dx, dw

    return forward, backward, normals(rng, (n, d), (d, m))


def affine_on_images(rng: np.random.Generator, bug: str) -> Call:
    """Images flattened with the channels last, then a product."""
    n, c, h, w = distinct(rng, 4, 2, 5)

    def forward(x, weight):
        rows = x.transpose(0, 2, 3, 1).reshape(len(x), -1)
        return rows @ weight, (rows, weight, x.shape)

    def backward(dout, cache):
        rows, weight, (n, c, h, w) = cache
        drows = dout @ weight.T
        match bug:
            case "dx-order":
                dx = drows.reshape(n, c, h, w)
            case "dx-flat":
                dx = drows
            case _:
                dx = drows.reshape(n, h, w, c).transpose(0, 3, 1, 2)
        return dx, rows.T @ dout

    return forward, backward, normals(rng, (n, c, h, w), (c * h * w, 3))


BUGS = [
    *plant("pair", affine, {
        "dx-sign": Name("sign", "x"),
        "dw-sign": Name("sign", "w"),
        "dw-mean": Name("scaled", "w"),
        "db-mean": Name("bias_mean_for_sum", "b"),
        "db-unsummed": Name("shape", "b"),
        "db-scalar": Name("shape", "b"),
        "dw-never-filled": Name("zero", "w"),
        "dx-by-w-in-place": Name("input_changed", "w"),
    }),
    *plant("pair", affine, {
        "dx-without-transpose": Name("transposed", "x"),
        "dw-of-dout-and-x": Name("transposed", "w"),
        "db-other-axis": Name("wrong_axis", "b"),
    }, square=True),
    *plant("pair", looped_affine, {
        "dx-integers": Name("wrong_g_dtype", "x"),
        "dw-last-sample": Name("overwritten", "w"),
        "dw-loop-too-short": Name("unknown", "w"),
    }),
    *plant("pair", affine_on_images, {
        "dx-order": Name("permuted", "x"),
        "dx-flat": Name("shape", "x"),
    }),
]  # fmt: skip
