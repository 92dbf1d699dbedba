"""Normalisation: standardise over some axes, then scale and shift.

Every normaliser here is `standardize` over its own axes followed by γ x̂ + β, so the hard part, the
gradient through the mean and the variance, is derived once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Float

from plaingrad.errors import ShapeError
from plaingrad.ops.formula import formula, namespace

Batch = Float[Any, "N D *space"]
Rows = Float[Any, "N D"]
Images = Float[Any, "N D H W"]
Features = Float[Any, "D"]
Axes = int | tuple[int, ...]


def standardize(x: Any, axis: Axes, eps: float) -> tuple[Any, Any, Any, Any]:
    """x̂ = (x − μ) / √(σ² + ε) with the mean μ and the biased variance σ² of x over `axis`.

    Returns x̂, 1/√(σ² + ε), μ and σ², the last three with `axis` kept as length 1.
    """
    xp = namespace(x)
    mean = xp.mean(x, axis=axis, keepdims=True)
    centred = x - mean
    variance = xp.mean(centred * centred, axis=axis, keepdims=True)
    rstd = 1 / xp.sqrt(variance + eps)
    return centred * rstd, rstd, mean, variance


def standardize_backward(g: Any, xhat: Any, rstd: Any, axis: Axes) -> Any:
    """dx = (g − mean(g) − x̂ · mean(g · x̂)) / √(σ² + ε), where g is the gradient of x̂.

    The two means are μ's and σ²'s own dependence on x: whatever part of g would only move the mean
    or the spread of x is taken out, because standardising takes it out of x.
    """
    xp = namespace(g)
    return (
        g - xp.mean(g, axis=axis, keepdims=True) - xhat * xp.mean(g * xhat, axis=axis, keepdims=True)
    ) * rstd


def over_batch(x: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """All axes but the second, and the shape that makes (D,) stand along the second of x's axes."""
    return (0, *range(2, x.ndim)), (1, -1, *(1,) * (x.ndim - 2))


class BatchnormCache(NamedTuple):
    """x̂, γ and 1/√(σ² + ε) for the backward pass; μ and σ² (D,) for the running statistics."""

    xhat: Any
    gamma: Any
    rstd: Any
    mean: Any
    variance: Any


@formula
def batchnorm_forward(
    x: Batch, gamma: Features, beta: Features, *, eps: float = 1e-5
) -> tuple[Batch, BatchnormCache]:
    """Normalise each feature over the batch:  x̂ = (x − μ) / √(σ² + ε),  out = γ x̂ + β.

    x (N, D), or images (N, D, H, W), whose channels are normalised over the batch and all pixels
    ("spatial" batch normalisation); gamma, beta (D,).  This is the training form;
    `batchnorm_eval_forward` is the other.
    Cached: x̂, γ and 1/√(σ² + ε) (D,); also the batch's μ and σ², which `running_average` gathers.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1 and section 3.2.
    """
    xp = namespace(x)
    axes, along = over_batch(x)
    xhat, rstd, mean, variance = standardize(x, axes, eps)
    out = xp.reshape(gamma, along) * xhat + xp.reshape(beta, along)
    rstd, mean, variance = (xp.reshape(value, gamma.shape) for value in (rstd, mean, variance))
    return out, BatchnormCache(xhat, gamma, rstd, mean, variance)


@formula
def batchnorm_backward(dout: Batch, cache: BatchnormCache) -> tuple[Batch, Features, Features]:
    """dβ = Σ dout,  dγ = Σ dout · x̂,  dx as in `standardize_backward` with g = γ · dout.

    The sums are over the batch and, for images, over all pixels.
    """
    xp = namespace(dout)
    axes, along = over_batch(dout)
    g = xp.reshape(cache.gamma, along) * dout
    dx = standardize_backward(g, cache.xhat, xp.reshape(cache.rstd, along), axes)
    return dx, xp.sum(dout * cache.xhat, axis=axes), xp.sum(dout, axis=axes)


@formula
def batchnorm_eval_forward(
    x: Batch, gamma: Features, beta: Features, mean: Features, variance: Features, *, eps: float = 1e-5
) -> tuple[Batch, Any]:
    """The same with given statistics, constants now:  out = γ (x − μ) / √(σ² + ε) + β."""
    xp = namespace(x)
    _, along = over_batch(x)
    rstd = 1 / xp.sqrt(variance + eps)
    xhat = (x - xp.reshape(mean, along)) * xp.reshape(rstd, along)
    return xp.reshape(gamma, along) * xhat + xp.reshape(beta, along), (xhat, gamma, rstd)


@formula
def batchnorm_eval_backward(dout: Batch, cache: Any) -> tuple[Batch, Features, Features]:
    """dβ = Σ dout,  dγ = Σ dout · x̂,  dx = γ · dout / √(σ² + ε): μ and σ² do not depend on x."""
    xp = namespace(dout)
    axes, along = over_batch(dout)
    xhat, gamma, rstd = cache
    dx = xp.reshape(gamma * rstd, along) * dout
    return dx, xp.sum(dout * xhat, axis=axes), xp.sum(dout, axis=axes)


def running_average(running: Any, batch: Any, *, momentum: float) -> Any:
    """momentum · running + (1 − momentum) · batch.

    Momentum 0.9 keeps nine tenths of the old value, as in CS231n; PyTorch calls that 0.1, and gathers
    the unbiased variance where we, as the paper's training form, gather the biased one.
    """
    return momentum * running + (1 - momentum) * batch


@formula
def layernorm_forward(
    x: Rows, gamma: Features, beta: Features, *, eps: float = 1e-5
) -> tuple[Rows, tuple[Any, Any, Any]]:
    """Normalise each sample over its features:  x̂ = (x − μ) / √(σ² + ε),  out = γ x̂ + β.

    x (N, D); gamma, beta (D,).  The same in training and evaluation: no sample sees another.
    Cached: x̂, γ and 1/√(σ² + ε); μ and σ² are not needed again.
    Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, eq. 3.
    """
    xhat, rstd, _, _ = standardize(x, 1, eps)
    return gamma * xhat + beta, (xhat, gamma, rstd)


@formula
def layernorm_backward(dout: Rows, cache: tuple[Any, Any, Any]) -> tuple[Rows, Features, Features]:
    """dβ = Σₙ dout,  dγ = Σₙ dout · x̂,  dx as in `standardize_backward` with g = γ · dout."""
    xp = namespace(dout)
    xhat, gamma, rstd = cache
    dx = standardize_backward(gamma * dout, xhat, rstd, 1)
    return dx, xp.sum(dout * xhat, axis=0), xp.sum(dout, axis=0)


@formula
def groupnorm_forward(
    x: Images, gamma: Features, beta: Features, *, groups: int, eps: float = 1e-5
) -> tuple[Images, tuple[Any, Any, Any]]:
    """Normalise each sample over the pixels of a group of channels at a time:  out = γ x̂ + β.

    x (N, D, H, W), its channels in `groups` equal parts; gamma, beta (D,), one for each channel.
    With one group it is layer normalisation over the whole image, with D groups instance normalisation.
    Cached: x̂ as (N, groups, D/groups · H · W), γ and 1/√(σ² + ε) as (N, groups, 1).
    Source: Wu & He 2018, arXiv:1803.08494.
    """
    if groups < 1 or x.shape[1] % groups:
        raise ShapeError(f"groupnorm: {x.shape[1]} channels do not divide into {groups} equal groups")
    xp = namespace(x)
    count, channels, height, width = x.shape
    grouped = xp.reshape(x, (count, groups, channels // groups * height * width))
    xhat, rstd, _, _ = standardize(grouped, 2, eps)
    out = gamma[None, :, None, None] * xp.reshape(xhat, x.shape) + beta[None, :, None, None]
    return out, (xhat, gamma, rstd)


@formula
def groupnorm_backward(dout: Images, cache: tuple[Any, Any, Any]) -> tuple[Images, Features, Features]:
    """dβ = Σ dout,  dγ = Σ dout · x̂ (over samples and pixels),  dx by `standardize_backward`, g = γ · dout."""
    xp = namespace(dout)
    xhat, gamma, rstd = cache
    g = xp.reshape(gamma[None, :, None, None] * dout, xhat.shape)
    dx = xp.reshape(standardize_backward(g, xhat, rstd, 2), dout.shape)
    axes = (0, 2, 3)
    return dx, xp.sum(dout * xp.reshape(xhat, dout.shape), axis=axes), xp.sum(dout, axis=axes)
