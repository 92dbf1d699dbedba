"""Convolution: overlapping patches, strides, padding, and the order of height and width."""

from __future__ import annotations

import numpy as np

from .shelf import Array, Call, Name, distinct, normals, plant


def conv_forward(x: Array, w: Array, b: Array, stride: int, pad: int) -> tuple[Array, tuple]:
    """x (N, C, H, W), w (F, C, kh, kw), b (F,): place by place."""
    kh, kw = w.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    ho, wo = (padded.shape[2] - kh) // stride + 1, (padded.shape[3] - kw) // stride + 1
    out = np.zeros((len(x), len(w), ho, wo))
    for i in range(ho):
        for j in range(wo):
            patch = padded[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw]
            out[:, :, i, j] = patch.reshape(len(x), -1) @ w.reshape(len(w), -1).T + b
    return out, (x, w, padded, stride, pad)


def conv_backward(dout: Array, cache: tuple, bug: str = "") -> tuple[Array, Array, Array]:
    """dx, dw and db, gathered place by place."""
    x, w, padded, stride, pad = cache
    kh, kw = w.shape[2:]
    dw = np.zeros_like(w)
    dpadded = np.zeros(padded.shape, dtype=np.float32 if bug == "dx-float32" else float)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            top, left = i * stride, j * stride
            d, patch = dout[:, :, i, j], padded[:, :, top : top + kh, left : left + kw]
            if bug == "dw-overwritten":
                dw = np.tensordot(d.T, patch, axes=1)
            else:
                dw += np.tensordot(d.T, patch, axes=1)
            if bug == "stride-forgotten":
                top, left = i, j
            kernel = w[:, :, ::-1, ::-1] if bug == "dx-kernel-flipped" else w
            if bug == "dx-overwritten":
                dpadded[:, :, top : top + kh, left : left + kw] = np.tensordot(d, kernel, axes=1)
            else:
                dpadded[:, :, top : top + kh, left : left + kw] += np.tensordot(d, kernel, axes=1)
    height, width = x.shape[2:]
    dx = dpadded[:, :, pad : pad + height, pad : pad + width]
    db = dout.sum(axis=(0, 2, 3))
    match bug:
        case "dx-not-cropped":
            dx = dpadded
        case "dx-cropped-at-the-corner":
            dx = dpadded[:, :, :height, :width]
        case "dx-height-and-width-swapped":
            dx = dx.transpose(0, 1, 3, 2)
        case "dw-flipped":
            dw = dw[:, :, ::-1, ::-1]
        case "dw-height-and-width-swapped":
            dw = dw.transpose(0, 1, 3, 2)
        case "dw-filters-and-channels-swapped":
            dw = dw.transpose(1, 0, 2, 3)
        case "dw-sign":
            dw = -dw
        case "dw-mean":
            dw = dw / len(x)
        case "db-mean":
            db = dout.mean(axis=(0, 2, 3))
        case "db-other-axes":
            db = dout.sum(axis=(1, 2, 3))
        case "db-per-sample":
            db = dout.sum(axis=(2, 3))
        case "db-last-sample":
            db = dout[-1].sum(axis=(1, 2))
    return dx, dw, db


def conv(
    rng: np.random.Generator, bug: str, *, stride: int | None = None, pad: int | None = None, equal: str = ""
) -> Call:
    """A convolution in random shapes; equal: which of them are alike, "kernel", "image", "NF" or "FC"."""
    n, filters = distinct(rng, 2, 2, 3)  # not 1: of one number, every mistake is a factor
    channels = int(rng.choice([1, 4]))
    kh, kw = (3, 3) if equal == "kernel" else distinct(rng, 2, 2, 3)
    if equal == "NF":
        n = filters = 3
    if equal == "FC":
        filters = channels = 2
    stride = int(rng.integers(1, 3)) if stride is None else stride
    low = 3 if stride == 1 else 5  # of a single place, no two can be confused
    height, width = (low + 1, low + 1) if equal == "image" else distinct(rng, 2, low, low + 1)
    pad = int(rng.integers(2)) if pad is None else pad
    x, w, b = normals(rng, (n, channels, height, width), (filters, channels, kh, kw), (filters,))
    return (
        lambda x, w, b: conv_forward(x, w, b, stride, pad),
        lambda dout, cache: conv_backward(dout, cache, bug),
        (x, w, b),
    )


SEVERAL_AXES = {"also": ("transposed",), "why": "of two axes, it is a transposition"}

BUGS = [
    *plant("pair", conv, {
        "dw-overwritten": Name("overwritten", "w"),
        "dw-flipped": Name("permuted", "w"),
        "dx-kernel-flipped": Name(
            "permuted", "x", also=("unknown",), why="the kernel's order is wrong, not that of dx"
        ),
        "dw-sign": Name("sign", "w"),
        "dx-float32": Name("wrong_g_dtype", "x"),
        "db-mean": Name("bias_mean_for_sum", "b"),
        "db-last-sample": Name("overwritten", "b", also=("unknown",), why="one sample's, as = would leave it"),
    }),
    *plant("pair", conv, {
        "dx-overwritten": Name("overwritten", "x"),
        "db-per-sample": Name("shape", "b"),
    }, stride=1),
    *plant("pair", conv, {"stride-forgotten": Name("unknown", "x")}, stride=2),
    *plant("pair", conv, {
        "dx-not-cropped": Name("shape", "x"),
        "dx-cropped-at-the-corner": Name("permuted", "x", also=("unknown",), why="shifted, not only reordered"),
    }, pad=1),
    *plant("pair", conv, {"dw-height-and-width-swapped": Name("permuted", "w", **SEVERAL_AXES)}, equal="kernel"),
    *plant("pair", conv, {"dx-height-and-width-swapped": Name("permuted", "x", **SEVERAL_AXES)}, equal="image"),
    *plant("pair", conv, {
        "dw-filters-and-channels-swapped": Name(
            "transposed", "w", also=("permuted",), why="right elements in another order"
        ),
    }, equal="FC"),
    *plant("pair", conv, {
        "db-other-axes": Name("wrong_axis", "b"),
        "dw-mean": Name("scaled", "w"),
    }, equal="NF"),
]  # fmt: skip
