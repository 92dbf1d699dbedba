"""Softmax and its logarithm over the last axis, and losses on probabilities as textbooks write them.

For training, `softmax_cross_entropy` in `ops.loss` takes the scores themselves and never forms a
logarithm of a small probability; the losses here are for networks that end in probabilities.
"""

from __future__ import annotations

import math
from typing import Any

from jaxtyping import Float

from plaingrad.ops.formula import formula, namespace

Rows = Float[Any, "*N C"]
Scalar = Float[Any, ""]


@formula
def softmax_forward(x: Rows) -> tuple[Rows, Any]:
    """p_c = exp(x_c) / Σ exp(x).  The row's maximum is subtracted first: p is the same, nothing overflows.

    Cached: p.
    """
    xp = namespace(x)
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    p = e / xp.sum(e, axis=-1, keepdims=True)
    return p, p


@formula
def softmax_backward(dout: Rows, cache: Any) -> Rows:
    """dx = p · (dout − Σ_c dout · p): raising all scores alike changes nothing, so that part is taken out."""
    inner = namespace(dout).sum(dout * cache, axis=-1, keepdims=True)
    return cache * (dout - inner)


@formula
def log_softmax_forward(x: Rows) -> tuple[Rows, Any]:
    """ln p_c = x_c − m − ln Σ exp(x − m) with the row's maximum m.  Cached: ln p."""
    xp = namespace(x)
    shifted = x - xp.max(x, axis=-1, keepdims=True)
    logp = shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))
    return logp, logp


@formula
def log_softmax_backward(dout: Rows, cache: Any) -> Rows:
    """dx = dout − p Σ_c dout."""
    xp = namespace(dout)
    return dout - xp.exp(cache) * xp.sum(dout, axis=-1, keepdims=True)


@formula
def squared_error_forward(p: Rows, target: Rows) -> tuple[Scalar, Any]:
    """loss = ½ Σ (p − t)², summed over everything.  Cached: p − t."""
    difference = p - target
    return 0.5 * namespace(p).sum(difference * difference), difference


@formula
def squared_error_backward(dloss: float | Scalar, cache: Any) -> Rows:
    """dp = dloss · (p − t)."""
    return dloss * cache


@formula
def cross_entropy_forward(p: Rows, target: Rows, *, eps: float = 1e-7) -> tuple[Scalar, Any]:
    """loss = −Σ t ln(p + ε), summed over everything; ε keeps ln 0 finite.  Cached: t and p + ε."""
    xp = namespace(p)
    shifted = p + eps
    return -xp.sum(target * xp.log(shifted)), (target, shifted)


@formula
def cross_entropy_backward(dloss: float | Scalar, cache: Any) -> Rows:
    """dp = −dloss · t / (p + ε)."""
    target, shifted = cache
    return -dloss * target / shifted


@formula
def log_likelihood_forward(p: Rows, target: Rows) -> tuple[Scalar, Any]:
    """loss = −Σ log₂ p_y in bits, where the one-hot target chooses p_y.  Cached: the target and p_y, else 1.

    Not averaged and not protected: a probability of 0 at the answer costs infinitely many bits.
    """
    xp = namespace(p)
    chosen = xp.where(target > 0, p, 1)
    return -xp.sum(xp.log2(chosen)), (target, chosen)


@formula
def log_likelihood_backward(dloss: float | Scalar, cache: Any) -> Rows:
    """dp = −dloss / (p_y ln 2) at the answer, 0 elsewhere."""
    target, chosen = cache
    return namespace(chosen).where(target > 0, -dloss / (chosen * math.log(2)), 0)
