"""Batch, layer and group normalisation: what depends on the mean and the variance, and over which axes."""

from __future__ import annotations

import numpy as np

from .shelf import Array, Call, Name, distinct, plant


def standardized(x: Array, axes: int | tuple[int, ...], eps: float = 1e-5) -> tuple[Array, Array]:
    """x̂ = (x − μ)/√(σ² + ε) over the axes, and 1/√(σ² + ε)."""
    rstd = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + eps)
    return (x - x.mean(axis=axes, keepdims=True)) * rstd, rstd


def dx_of(g: Array, xhat: Array, rstd: Array, axes: int | tuple[int, ...], bug: str = "") -> Array:
    """dx = (g − mean(g) − x̂ mean(g x̂)) / √(σ² + ε)."""
    through_mean = g.mean(axis=axes, keepdims=True)
    through_variance = xhat * (g * xhat).mean(axis=axes, keepdims=True)
    match bug:
        case "mean-constant":
            return (g - through_variance) * rstd
        case "variance-constant":
            return (g - through_mean) * rstd
        case "both-constant":
            return g * rstd
        case "mean-added":
            return (g + through_mean - through_variance) * rstd
        case "scaled-twice":
            return (g - through_mean - through_variance) * rstd**2
    return (g - through_mean - through_variance) * rstd


def batchnorm(rng: np.random.Generator, bug: str, *, images: bool = False, square: bool = False) -> Call:
    """Each feature over the batch, or each channel over the batch and all pixels."""
    axes, along = ((0, 2, 3), (1, -1, 1, 1)) if images else (0, (1, -1))
    shape = distinct(rng, 4, 2, 5) if images else distinct(rng, 2, 3, 8)
    if square:
        shape[0] = shape[1]

    def forward(x, gamma, beta):
        xhat, rstd = standardized(x, axes)
        return gamma.reshape(along) * xhat + beta.reshape(along), (x, xhat, gamma, rstd)

    def backward(dout, cache):
        x, xhat, gamma, rstd = cache
        dgamma, dbeta = (dout * xhat).sum(axis=axes), dout.sum(axis=axes)
        g = dout * gamma.reshape(along)
        dx = dx_of(g, xhat, rstd, axes, bug)
        match bug:
            case "gamma-forgotten":
                dx = dx_of(dout, xhat, rstd, axes)
            case "dx-over-batch-only":
                dx = dx_of(g, xhat, rstd, 0)
            case "dx-over-features":
                dx = dx_of(g, xhat, rstd, 1)
            case "dgamma-of-x":
                dgamma = (dout * x).sum(axis=axes)
            case "dgamma-sign":
                dgamma = -dgamma
            case "dgamma-other-axis":
                dgamma = (dout * xhat).sum(axis=(1, 2, 3) if images else 1)
            case "dgamma-is-dbeta":
                dgamma = dbeta
            case "dgamma-and-dbeta-swapped":
                dgamma, dbeta = dbeta, dgamma
            case "dbeta-mean":
                dbeta = dout.mean(axis=axes)
            case "dbeta-over-batch-only":
                dbeta = dout.sum(axis=0)
            case "dbeta-never-filled":
                dbeta = np.zeros_like(gamma)
        return dx, dgamma, dbeta

    d = shape[1]
    x = rng.uniform(0.5, 3) * rng.standard_normal(shape) + rng.standard_normal()
    return forward, backward, (x, rng.uniform(0.5, 2, d), rng.standard_normal(d))


def batchnorm_step_by_step(rng: np.random.Generator, bug: str, *, constant: bool = False) -> Call:
    """The same through dσ² and dμ, as in the paper."""
    eps = 1e-3

    def forward(x, gamma, beta):
        mean, var = x.mean(axis=0), x.var(axis=0)
        xhat = (x - mean) / np.sqrt(var + eps)
        return gamma * xhat + beta, (x, xhat, gamma, mean, var)

    def backward(dout, cache):
        x, xhat, gamma, mean, var = cache
        n = len(x)
        std = np.sqrt(var + eps)
        dxhat = dout * gamma
        half = 1 if bug == "half-forgotten" else 0.5
        dvar = (dxhat * (x - mean)).sum(axis=0) * -half * std**-3
        dmean = -(dxhat / std).sum(axis=0)
        match bug:
            case "dvar-forgotten":
                dvar = np.zeros_like(dvar)
            case "dmean-forgotten":
                dmean = np.zeros_like(dmean)
            case "eps-forgotten":
                std = np.sqrt(var)
        dx = dxhat / std + dvar * 2 * (x - mean) / n + dmean / n
        return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)

    n, d = distinct(rng, 2, 3, 8)
    x = rng.uniform(0.5, 3) * rng.standard_normal((n, d))
    if constant:
        x[:, 0] = 0.5
    return forward, backward, (x, rng.uniform(0.5, 2, d), rng.standard_normal(d))


def layernorm(rng: np.random.Generator, bug: str, *, square: bool = False) -> Call:
    """Each sample over its features."""
    n, d = [int(rng.integers(4, 7))] * 2 if square else distinct(rng, 2, 3, 8)

    def forward(x, gamma, beta):
        xhat, rstd = standardized(x, 1)
        return gamma * xhat + beta, (xhat, gamma, rstd)

    def backward(dout, cache):
        xhat, gamma, rstd = cache
        dgamma, dbeta = (dout * xhat).sum(axis=0), dout.sum(axis=0)
        dx = dx_of(gamma * dout, xhat, rstd, 1, bug)
        match bug:
            case "dx-over-batch":
                dx = dx_of(gamma * dout, xhat, rstd, 0)
            case "dgamma-over-features":
                dgamma = (dout * xhat).sum(axis=1)
            case "gamma-forgotten":
                dx = dx_of(dout, xhat, rstd, 1)
        return dx, dgamma, dbeta

    x = rng.uniform(0.5, 3) * rng.standard_normal((n, d))
    return forward, backward, (x, rng.uniform(0.5, 2, d), rng.standard_normal(d))


def groupnorm(rng: np.random.Generator, bug: str) -> Call:
    """Each sample over the pixels of a group of channels."""
    groups, per_group = int(rng.integers(2, 4)), 2
    n, h, w = distinct(rng, 3, 2, 4)
    channels = groups * per_group

    def forward(x, gamma, beta):
        xhat, rstd = standardized(x.reshape(n, groups, -1), 2)
        xhat = xhat.reshape(x.shape)
        return gamma[:, None, None] * xhat + beta[:, None, None], (xhat, gamma, rstd)

    def backward(dout, cache):
        xhat, gamma, rstd = cache
        grouped = (n, groups, -1)
        dgamma, dbeta = (dout * xhat).sum(axis=(0, 2, 3)), dout.sum(axis=(0, 2, 3))
        g = (gamma[:, None, None] * dout).reshape(grouped)
        dx = dx_of(g, xhat.reshape(grouped), rstd, 2, bug)
        match bug:
            case "dgamma-in-another-order":
                dgamma = dgamma.reshape(groups, per_group).T.ravel()
            case "dbeta-mean":
                dbeta = dout.mean(axis=(0, 2, 3))
        return dx.reshape(dout.shape), dgamma, dbeta

    x = rng.uniform(0.5, 3) * rng.standard_normal((n, channels, h, w))
    return forward, backward, (x, rng.uniform(0.5, 2, channels), rng.standard_normal(channels))


CONSTANT = {
    "mean-constant": Name("statistics_constant", "x"),
    "variance-constant": Name("statistics_constant", "x"),
    "both-constant": Name("statistics_constant", "x"),
}
PER_FEATURE = {"also": ("scaled",), "why": "each feature by a constant of its own"}

BUGS = [
    *plant("pair", batchnorm, {
        **CONSTANT,
        "mean-added": Name("unknown", "x"),
        "scaled-twice": Name("unknown", "x", **PER_FEATURE),
        "gamma-forgotten": Name("unknown", "x", **PER_FEATURE),
        "dx-over-features": Name("wrong_axis", "x"),
        "dgamma-of-x": Name("unknown", "gamma"),
        "dgamma-sign": Name("sign", "gamma"),
        "dgamma-is-dbeta": Name("unknown", "gamma", also=("permuted",), why="it is another array's gradient"),
        "dgamma-and-dbeta-swapped": Name("permuted", "gamma", "beta"),
        "dbeta-mean": Name("bias_mean_for_sum", "beta"),
        "dbeta-never-filled": Name("zero", "beta"),
    }),
    *plant("pair", batchnorm, {"dgamma-other-axis": Name("wrong_axis", "gamma")}, square=True),
    *plant("pair", batchnorm, {
        "both-constant": Name("statistics_constant", "x"),
        "dx-over-batch-only": Name("wrong_axis", "x"),
        "dbeta-over-batch-only": Name("shape", "beta"),
    }, images=True, op="batchnorm_of_images"),
    *plant(
        "pair", batchnorm, {"dgamma-other-axis": Name("wrong_axis", "gamma")},
        images=True, square=True, op="batchnorm_of_images",
    ),
    *plant("pair", batchnorm_step_by_step, {
        "dvar-forgotten": Name("statistics_constant", "x"),
        "dmean-forgotten": Name("statistics_constant", "x"),
        "half-forgotten": Name("unknown", "x"),
    }),
    *plant("pair", batchnorm_step_by_step, {"eps-forgotten": Name("not_finite", "x")}, constant=True),
    *plant("pair", layernorm, {
        **CONSTANT,
        "dx-over-batch": Name("wrong_axis", "x"),
        "gamma-forgotten": Name("unknown", "x"),
    }),
    *plant("pair", layernorm, {"dgamma-over-features": Name("wrong_axis", "gamma")}, square=True),
    *plant("pair", groupnorm, {
        "variance-constant": Name("statistics_constant", "x"),
        "dgamma-in-another-order": Name("permuted", "gamma"),
        "dbeta-mean": Name("bias_mean_for_sum", "beta"),
    }),
]  # fmt: skip
