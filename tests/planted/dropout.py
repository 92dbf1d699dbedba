"""Dropout: the mask, its scale, its randomness."""

from __future__ import annotations

import numpy as np

from .shelf import Call, Name, distinct, plant


def dropout(rng: np.random.Generator, bug: str) -> Call:
    """Inverted dropout: the kept elements are divided by the share of them."""
    keep = rng.choice([0.6, 0.7, 0.8])
    seed = int(rng.integers(1000))
    noise = np.random.default_rng(seed)

    def forward(x):
        source = noise if bug == "unseeded" else np.random.default_rng(seed)
        kept = source.random(x.shape) < keep
        if bug == "x-in-place":
            x *= kept / keep
            return x.copy(), kept
        return x * kept / keep, kept

    def backward(dout, kept):
        match bug:
            case "no-mask":
                return dout / keep
            case "neither-mask-nor-scale":
                return dout
            case "scale-forgotten":
                return dout * kept
            case "scaled-twice":
                return dout * kept / keep**2
            case "divided-by-the-rate":
                return dout * kept / (1 - keep)
            case "another-mask":
                return dout * (np.random.default_rng(seed + 1).random(dout.shape) < keep) / keep
        return dout * kept / keep

    return forward, backward, (rng.standard_normal(distinct(rng, 2, 4, 8)),)


def channel_dropout(rng: np.random.Generator, bug: str) -> Call:
    """One decision for all pixels of a channel."""
    keep, seed = 0.6, int(rng.integers(1000))

    def forward(x):
        kept = np.random.default_rng(seed).random(x.shape[:2]) < keep
        kept[0, 0], kept[0, 1] = True, False  # of few channels, none or all might be kept
        return x * kept[:, :, None, None] / keep, kept

    def backward(dout, kept):
        match bug:
            case "no-mask":
                return dout / keep
            case "scale-forgotten":
                return dout * kept[:, :, None, None]
        return dout * kept[:, :, None, None] / keep

    n, c, h, w = distinct(rng, 4, 2, 5)
    return forward, backward, (rng.standard_normal((n, c, h, w)),)


BUGS = [
    *plant("pair", dropout, {
        "no-mask": Name("mask_missing", "x"),
        "neither-mask-nor-scale": Name("mask_missing", "x"),
        "scale-forgotten": Name("dropout_scale", "x"),
        "scaled-twice": Name("dropout_scale", "x"),
        "divided-by-the-rate": Name("dropout_scale", "x"),
        "another-mask": Name("mask_missing", "x", also=("unknown",), why="a mask, but not the forward pass's"),
        "unseeded": Name("nondeterministic"),
        "x-in-place": Name("input_changed", "x"),
    }),
    *plant("pair", channel_dropout, {
        "no-mask": Name("mask_missing", "x"),
        "scale-forgotten": Name("dropout_scale", "x"),
    }),
]  # fmt: skip
