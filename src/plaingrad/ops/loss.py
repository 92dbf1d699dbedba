"""Losses on scores: what the network said against what it should have said, as one number.

Each is a mean over the samples, so that the learning rate need not know the batch size.  A loss ends
the network, so its upstream gradient is a number: `dloss`, 1 unless something is built on top.
Labels y are integers (N,); they are trusted here (the network checks them).
"""

from __future__ import annotations

from typing import Any

import array_api_compat
from jaxtyping import Float, Int

from plaingrad.ops.formula import formula, namespace
from plaingrad.ops.softmax import log_softmax_forward

Scores = Float[Any, "N C"]
Labels = Int[Any, "N"]
Scalar = Float[Any, ""]


def one_hot(y: Labels, like: Scores) -> Any:
    """Boolean (N, C), true at each sample's label, in the array library of `like`."""
    xp = namespace(like)
    classes = xp.arange(like.shape[1], device=array_api_compat.device(like))
    return classes[None, :] == y[:, None]


@formula
def softmax_cross_entropy_forward(
    scores: Scores, y: Labels | Scores, *, label_smoothing: float = 0.0
) -> tuple[Scalar, Any]:
    """loss = −(1/N) Σₙ Σ_c t ln p,  p = softmax(scores), with targets t.

    y is labels (N,), making t one-hot, or probabilities (N, C) whose rows sum to 1.  Smoothing ε
    replaces t by (1 − ε) t + ε/C.  ln p comes from `log_softmax`: no score is too large for it.
    Cached: ln p and t.  Source for smoothing: Szegedy et al. 2016, arXiv:1512.00567, section 7.
    """
    xp = namespace(scores)
    target = xp.astype(one_hot(y, scores), scores.dtype) if y.ndim == 1 else y
    if label_smoothing:
        target = (1 - label_smoothing) * target + label_smoothing / scores.shape[1]
    logp, _ = log_softmax_forward(scores)
    return -xp.sum(target * logp) / scores.shape[0], (logp, target)


@formula
def softmax_cross_entropy_backward(dloss: float | Scalar, cache: Any) -> Scores:
    """dscores = dloss · (p − t) / N: the error itself; softmax and logarithm cancel."""
    logp, target = cache
    return (namespace(logp).exp(logp) - target) * (dloss / logp.shape[0])


@formula
def negative_log_likelihood_forward(logp: Scores, y: Labels) -> tuple[Scalar, Any]:
    """loss = −(1/N) Σₙ logp[n, yₙ] for log-probabilities (N, C), as `log_softmax` gives them.

    On raw scores this has no lower bound, and training on it diverges: put log-softmax before it.
    Cached: where the labels are, and the dtype.
    """
    xp = namespace(logp)
    chosen = one_hot(y, logp)
    return -xp.sum(xp.where(chosen, logp, 0)) / logp.shape[0], xp.astype(chosen, logp.dtype)


@formula
def negative_log_likelihood_backward(dloss: float | Scalar, cache: Any) -> Scores:
    """dlogp = −dloss / N at the label, 0 elsewhere."""
    return cache * (-dloss / cache.shape[0])


@formula
def hinge_forward(scores: Scores, y: Labels, *, margin: float = 1.0) -> tuple[Scalar, Any]:
    """The multiclass SVM loss:  (1/N) Σₙ Σ_{c ≠ y} max(0, s_c − s_y + margin).

    Cached: which margins are violated, and where the labels are.
    Source: Weston & Watkins 1999, eq. 3, without squares.
    """
    xp = namespace(scores)
    label = one_hot(y, scores)
    correct = xp.sum(xp.where(label, scores, 0), axis=1, keepdims=True)
    violation = xp.where(label, 0, xp.maximum(scores - correct + margin, 0))
    return xp.sum(violation) / scores.shape[0], (violation, label)


@formula
def hinge_backward(dloss: float | Scalar, cache: Any) -> Scores:
    """ds_c = dloss / N where class c violates its margin;  ds_y = −dloss / N for each that does."""
    violation, label = cache
    xp = namespace(violation)
    violated = xp.astype(violation > 0, violation.dtype)
    count = xp.sum(violated, axis=1, keepdims=True)
    return xp.where(label, -count, violated) * (dloss / violation.shape[0])


@formula
def mean_squared_error_forward(x: Float[Any, "*shape"], target: Float[Any, "*shape"]) -> tuple[Scalar, Any]:
    """loss = mean((x − target)²) over all elements, as PyTorch's MSELoss.  Cached: x − target."""
    difference = x - target
    return namespace(x).mean(difference * difference), difference


@formula
def mean_squared_error_backward(dloss: float | Scalar, cache: Any) -> Float[Any, "*shape"]:
    """dx = dloss · 2 (x − target) / size."""
    size = 1
    for n in cache.shape:
        size *= n
    return cache * (2 * dloss / size)
