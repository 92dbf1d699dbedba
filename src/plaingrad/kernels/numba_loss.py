"""Softmax cross-entropy of float32 scores, compiled: for small batches NumPy's many calls are what takes time.

Backward is two calls, and stays a formula.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.kernels.compiled import compiled
from plaingrad.kernels.exponential import exp
from plaingrad.kernels.memory import is_single

Array = np.ndarray


@compiled
def _one_hot(y: Array, label: Any, other: Any, target: Array) -> None:
    """target (N, C) with `label` at each row's label y and `other` elsewhere."""
    for n in range(len(target)):
        for c in range(target.shape[1]):
            target[n, c] = label if y[n] == c else other


@compiled
def _cross_entropy(scores: Array, target: Array, logp: Array) -> Any:
    """Σ −target · ln p over everything; ln p is written to `logp`."""
    count, classes = scores.shape
    for n in range(count):
        # NaN loses every comparison, but its row's sum is NaN none the less.
        highest = scores[n, 0]
        for c in range(1, classes):
            highest = max(highest, scores[n, c])
        for c in range(classes):
            logp[n, c] = scores[n, c] - highest
    powers, flat = np.empty(scores.size, np.float32), logp.reshape(-1)
    for i in range(flat.size):  # all at once, since rows are shorter than vectors
        powers[i] = exp(flat[i])
    loss = 0.0
    for n in range(count):
        total = np.float32(0)
        for c in range(classes):
            total += powers[n * classes + c]
        log_total = math.log(total)
        for c in range(classes):
            logp[n, c] -= log_total
            loss -= target[n, c] * logp[n, c]
    return loss


def _accepts(scores: Any, y: Any, *, label_smoothing: float = 0.0) -> bool:
    if not (is_single(scores) and scores.ndim == 2 and scores.size and scores.flags.c_contiguous):
        return False
    if not (type(y) is np.ndarray and y.flags.c_contiguous):
        return False
    labels = y.dtype == np.int64 and y.shape == scores.shape[:1]
    return labels or (y.dtype == np.float32 and y.shape == scores.shape)


@ops.softmax_cross_entropy_forward.kernel(_accepts)
def softmax_cross_entropy_forward(
    scores: Array, y: Array, *, label_smoothing: float = 0.0
) -> tuple[np.float32, tuple[Array, Array]]:
    """As `ops.softmax_cross_entropy_forward`."""
    count, classes = scores.shape
    kept, share = 1 - label_smoothing, label_smoothing / classes
    if y.ndim == 1:
        target = np.empty_like(scores)
        _one_hot(y, kept + share, share, target)
    else:
        target = kept * y + share if label_smoothing else y
    logp = np.empty_like(scores)
    return np.float32(_cross_entropy(scores, target, logp) / count), (logp, target)
