"""Normalisation: standardise over some axes, then scale and shift.

Every normaliser here is `standardize` over its own axes followed by γ x̂ + β, so the hard part, the
gradient through the mean and the variance, is derived once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Float

from plaingrad.ops.formula import formula, namespace

Batch = Float[Any, "N D"]
Features = Float[Any, "D"]


def standardize(x: Any, axis: int, eps: float) -> tuple[Any, Any, Any, Any]:
    """x̂ = (x − μ) / √(σ² + ε) with the mean μ and the biased variance σ² of x over `axis`.

    Returns x̂, 1/√(σ² + ε), μ and σ², the last three with `axis` kept as length 1.
    """
    xp = namespace(x)
    mean = xp.mean(x, axis=axis, keepdims=True)
    centred = x - mean
    variance = xp.mean(centred * centred, axis=axis, keepdims=True)
    rstd = 1 / xp.sqrt(variance + eps)
    return centred * rstd, rstd, mean, variance


def standardize_backward(g: Any, xhat: Any, rstd: Any, axis: int) -> Any:
    """dx = (g − mean(g) − x̂ · mean(g · x̂)) / √(σ² + ε), where g is the gradient of x̂.

    The two means are μ's and σ²'s own dependence on x: whatever part of g would only move the mean
    or the spread of x is taken out, because standardising takes it out of x.
    """
    xp = namespace(g)
    return (
        g - xp.mean(g, axis=axis, keepdims=True) - xhat * xp.mean(g * xhat, axis=axis, keepdims=True)
    ) * rstd


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

    x (N, D); gamma, beta (D,).  This is the training form; `batchnorm_eval_forward` is the other.
    Cached: x̂, γ and 1/√(σ² + ε); also the batch's μ and σ², which `running_average` gathers.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1.
    """
    xhat, rstd, mean, variance = standardize(x, 0, eps)
    return gamma * xhat + beta, BatchnormCache(xhat, gamma, rstd, mean[0, :], variance[0, :])


@formula
def batchnorm_backward(dout: Batch, cache: BatchnormCache) -> tuple[Batch, Features, Features]:
    """dβ = Σₙ dout,  dγ = Σₙ dout · x̂,  dx as in `standardize_backward` with g = γ · dout."""
    xp = namespace(dout)
    dx = standardize_backward(cache.gamma * dout, cache.xhat, cache.rstd, 0)
    return dx, xp.sum(dout * cache.xhat, axis=0), xp.sum(dout, axis=0)


@formula
def batchnorm_eval_forward(
    x: Batch, gamma: Features, beta: Features, mean: Features, variance: Features, *, eps: float = 1e-5
) -> tuple[Batch, Any]:
    """The same with given statistics, constants now:  out = γ (x − μ) / √(σ² + ε) + β."""
    rstd = 1 / namespace(x).sqrt(variance + eps)
    xhat = (x - mean) * rstd
    return gamma * xhat + beta, (xhat, gamma, rstd)


@formula
def batchnorm_eval_backward(dout: Batch, cache: Any) -> tuple[Batch, Features, Features]:
    """dβ = Σₙ dout,  dγ = Σₙ dout · x̂,  dx = γ · dout / √(σ² + ε): μ and σ² do not depend on x."""
    xp = namespace(dout)
    xhat, gamma, rstd = cache
    return gamma * rstd * dout, xp.sum(dout * xhat, axis=0), xp.sum(dout, axis=0)


def running_average(running: Any, batch: Any, *, momentum: float) -> Any:
    """momentum · running + (1 − momentum) · batch.

    Momentum 0.9 keeps nine tenths of the old value, as in CS231n; PyTorch calls that 0.1, and gathers
    the unbiased variance where we, as the paper's training form, gather the biased one.
    """
    return momentum * running + (1 - momentum) * batch


@formula
def layernorm_forward(
    x: Batch, gamma: Features, beta: Features, *, eps: float = 1e-5
) -> tuple[Batch, tuple[Any, Any, Any]]:
    """Normalise each sample over its features:  x̂ = (x − μ) / √(σ² + ε),  out = γ x̂ + β.

    x (N, D); gamma, beta (D,).  The same in training and evaluation: no sample sees another.
    Cached: x̂, γ and 1/√(σ² + ε); μ and σ² are not needed again.
    Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, eq. 3.
    """
    xhat, rstd, _, _ = standardize(x, 1, eps)
    return gamma * xhat + beta, (xhat, gamma, rstd)


@formula
def layernorm_backward(dout: Batch, cache: tuple[Any, Any, Any]) -> tuple[Batch, Features, Features]:
    """dβ = Σₙ dout,  dγ = Σₙ dout · x̂,  dx as in `standardize_backward` with g = γ · dout."""
    xp = namespace(dout)
    xhat, gamma, rstd = cache
    dx = standardize_backward(gamma * dout, xhat, rstd, 1)
    return dx, xp.sum(dout * xhat, axis=0), xp.sum(dout, axis=0)
