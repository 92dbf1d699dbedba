"""Activations: derivatives that are almost right, masks that are not applied."""

from __future__ import annotations

import numpy as np

from .shelf import Array, Call, Name, distinct, plant


def scattered(rng: np.random.Generator, scale: float = 1.0) -> Array:
    """Numbers of both signs, as features or as images."""
    shape = distinct(rng, 2, 3, 7) if rng.random() < 0.6 else distinct(rng, 4, 1, 4)
    return scale * rng.standard_normal(shape)


def relu(rng: np.random.Generator, bug: str) -> Call:
    """max(x, 0)."""

    def forward(x):
        if bug == "x-in-place":
            x[x < 0] = 0
            return x.copy(), x.copy()
        return np.maximum(x, 0), x

    def backward(dout, x):
        match bug:
            case "no-mask":
                return dout
            case "mask-of-dout":
                return dout * (dout > 0)
            case "mask-as-gradient":
                return (x > 0).astype(float)
            case "dout-in-place":
                dout[x <= 0] = 0
                return dout
        return dout * (x > 0)

    return forward, backward, (scattered(rng),)


def leaky_relu(rng: np.random.Generator, bug: str) -> Call:
    """x where x > 0, else slope · x."""
    slope = rng.uniform(0.05, 0.3)

    def forward(x):
        return np.where(x > 0, x, slope * x), x

    def backward(dout, x):
        match bug:
            case "no-mask":
                return dout
            case "slope-forgotten":
                return dout * (x > 0)
            case "sides-swapped":
                return np.where(x > 0, slope * dout, dout)
        return np.where(x > 0, dout, slope * dout)

    return forward, backward, (scattered(rng),)


def elu(rng: np.random.Generator, bug: str, *, scale: float = 1.0) -> Call:
    """x where x > 0, else α (eˣ − 1)."""
    alpha = rng.uniform(1.3, 2.0)

    def forward(x):
        out = np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
        return out, (x, out)

    def backward(dout, cache):
        x, out = cache
        match bug:
            case "alpha-forgotten":
                return np.where(x > 0, dout, dout * np.exp(np.minimum(x, 0)))
            case "out-for-slope":
                return np.where(x > 0, dout, dout * out)
            case "infinity-times-zero":
                positive = x > 0
                return positive * dout + (1 - positive) * dout * alpha * np.exp(x)
        return np.where(x > 0, dout, dout * (out + alpha))

    return forward, backward, (scattered(rng, scale),)


def sigmoid(rng: np.random.Generator, bug: str) -> Call:
    """1 / (1 + e⁻ˣ)."""

    def forward(x):
        s = 1 / (1 + np.exp(-x))
        return s, s

    def backward(dout, s):
        match bug:
            case "one-minus-s-forgotten":
                return dout * s
            case "derivative-of-the-output":
                again = 1 / (1 + np.exp(-s))
                return dout * again * (1 - again)
            case "s-minus-one":
                return dout * s * (s - 1)
            case "dout-forgotten":
                return s * (1 - s)
        return dout * s * (1 - s)

    return forward, backward, (scattered(rng),)


def tanh(rng: np.random.Generator, bug: str) -> Call:
    """tanh x."""

    def forward(x):
        t = np.tanh(x)
        return t, t.astype(np.float32) if bug == "cached-in-float32" else t

    def backward(dout, t):
        match bug:
            case "not-squared":
                return dout * (1 - t)
            case "plus":
                return dout * (1 + t**2)
            case "cached-in-float32":
                return dout.astype(np.float32) * (1 - t**2)
        return dout * (1 - t**2)

    return forward, backward, (scattered(rng),)


def gelu(rng: np.random.Generator, bug: str) -> Call:
    """½ x (1 + tanh u),  u = √(2/π) (x + 0.044715 x³)."""
    c = np.sqrt(2 / np.pi)

    def forward(x):
        t = np.tanh(c * (x + 0.044715 * x**3))
        return 0.5 * x * (1 + t), (x, t)

    def backward(dout, cache):
        x, t = cache
        du = c * (1 + 3 * 0.044715 * x**2)
        match bug:
            case "product-rule-forgotten":
                return dout * 0.5 * (1 + t)
            case "inner-derivative-forgotten":
                return dout * 0.5 * (1 + t + x * (1 - t**2))
            case "half-forgotten":
                return dout * (1 + t + x * (1 - t**2) * du)
        return dout * 0.5 * (1 + t + x * (1 - t**2) * du)

    return forward, backward, (scattered(rng),)


def silu(rng: np.random.Generator, bug: str, *, scale: float = 1.0) -> Call:
    """x σ(x)."""

    def forward(x):
        s = 0.5 * (1 + np.tanh(x / 2))
        return x * s, (x, s)

    def backward(dout, cache):
        x, s = cache
        match bug:
            case "product-rule-forgotten":
                return dout * s
            case "second-term-subtracted":
                return dout * s * (1 - x * (1 - s))
            case "exponential-overflows":
                s = np.exp(x) / (1 + np.exp(x))
        return dout * s * (1 + x * (1 - s))

    return forward, backward, (scattered(rng, scale),)


BUGS = [
    *plant("pair", relu, {
        "no-mask": Name("mask_missing", "x"),
        "mask-of-dout": Name("unknown", "x", also=("mask_missing",), why="a mask, but not x's"),
        "mask-as-gradient": Name("unknown", "x"),
        "dout-in-place": Name("input_changed"),
        "x-in-place": Name("input_changed", "x"),
    }),
    *plant("pair", leaky_relu, {
        "no-mask": Name("mask_missing", "x", also=("scaled",), why="the mask is a factor here"),
        "slope-forgotten": Name("unknown", "x", also=("zero",), why="0 on one side"),
        "sides-swapped": Name("unknown", "x"),
    }),
    *plant("pair", elu, {
        "alpha-forgotten": Name("scaled", "x"),
        "out-for-slope": Name("unknown", "x"),
    }),
    *plant("pair", elu, {"infinity-times-zero": Name("not_finite", "x")}, scale=2000),
    *plant("pair", sigmoid, {
        "one-minus-s-forgotten": Name("unknown", "x"),
        "derivative-of-the-output": Name("unknown", "x"),
        "s-minus-one": Name("sign", "x"),
        "dout-forgotten": Name("unknown", "x"),
    }),
    *plant("pair", tanh, {
        "not-squared": Name("unknown", "x"),
        "plus": Name("unknown", "x"),
        "cached-in-float32": Name("wrong_g_dtype", "x"),
    }),
    *plant("pair", gelu, {
        "product-rule-forgotten": Name("unknown", "x"),
        "inner-derivative-forgotten": Name("unknown", "x"),
        "half-forgotten": Name("scaled", "x"),
    }),
    *plant("pair", silu, {
        "product-rule-forgotten": Name("unknown", "x"),
        "second-term-subtracted": Name("unknown", "x"),
    }),
    *plant("pair", silu, {"exponential-overflows": Name("not_finite", "x")}, scale=2000),
]  # fmt: skip
