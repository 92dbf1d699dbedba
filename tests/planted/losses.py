"""Losses: the mean, the one-hot −1, the margins that are not violated."""

from __future__ import annotations

import numpy as np

from .shelf import Array, Call, Name, distinct, labels, plant


def scored(rng: np.random.Generator, scale: float = 1.0) -> tuple[Array, Array]:
    """Scores (N, C) and labels (N,)."""
    n, classes = distinct(rng, 2, 3, 7)
    return scale * rng.standard_normal((n, classes)), labels(rng, n, classes)


def softmax_loss(rng: np.random.Generator, bug: str, *, scale: float = 1.0) -> Call:
    """Cross-entropy of softmax, averaged over the samples."""

    def forward(scores, y):
        if bug == "scores-in-place":
            scores -= scores.max(axis=1, keepdims=True)
        shifted = scores - scores.max(axis=1, keepdims=True)
        logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return -logp[np.arange(len(y)), y].mean(), (scores, logp, y)

    def backward(dloss, cache):
        scores, logp, y = cache
        n = len(y)
        p = np.exp(logp)
        match bug:
            case "normalised-over-samples":
                p = np.exp(scores) / np.exp(scores).sum(axis=0)
            case "exponential-overflows":
                p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            case "probabilities-in-float32":
                p = p.astype(np.float32)
        dscores = p
        if bug != "one-hot-forgotten":
            dscores[np.arange(n), y] -= 1
        if bug != "mean-forgotten":
            dscores /= n
        if bug == "averaged-over-classes-too":
            dscores /= dscores.shape[1]
        if bug == "y-minus-p":
            dscores = -dscores
        dscores *= dloss
        return dscores

    return forward, backward, scored(rng, scale)


def smoothed_softmax_loss(rng: np.random.Generator, bug: str) -> Call:
    """Cross-entropy against targets smoothed by ε."""
    eps = rng.uniform(0.1, 0.3)

    def forward(scores, y):
        n, classes = scores.shape
        target = (1 - eps) * np.eye(classes)[y] + eps / classes
        shifted = scores - scores.max(axis=1, keepdims=True)
        logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return -(target * logp).sum() / n, (logp, target, y)

    def backward(dloss, cache):
        logp, target, y = cache
        if bug == "smoothing-forgotten":
            target = np.eye(target.shape[1])[y]
        if bug == "target-forgotten":
            target = 0
        return dloss * (np.exp(logp) - target) / len(y)

    return forward, backward, scored(rng)


def nll(rng: np.random.Generator, bug: str) -> Call:
    """The mean negative log-likelihood of log-probabilities."""

    def forward(logp, y):
        return -logp[np.arange(len(y)), y].mean(), (logp, y)

    def backward(dloss, cache):
        logp, y = cache
        n = len(y)
        dlogp = np.zeros_like(logp)
        match bug:
            case "plus":
                dlogp[np.arange(n), y] = 1 / n
            case "mean-forgotten":
                dlogp[np.arange(n), y] = -1
            case "all-rows":
                dlogp[:, y] = -1 / n
            case _:
                dlogp[np.arange(n), y] = -1 / n
        return dloss * dlogp

    return forward, backward, scored(rng)


def hinge(rng: np.random.Generator, bug: str) -> Call:
    """The multiclass SVM loss, averaged over the samples."""

    def forward(scores, y):
        n = len(y)
        margins = np.maximum(0, scores - scores[np.arange(n), y][:, None] + 1)
        margins[np.arange(n), y] = 0
        return margins.sum() / n, (margins, y)

    def backward(dloss, cache):
        margins, y = cache
        n = len(y)
        dscores = np.ones_like(margins) if bug == "mask-forgotten" else (margins > 0).astype(float)
        dscores[np.arange(n), y] = 0
        match bug:
            case "true-class-forgotten":
                pass
            case "true-class-counted-once":
                dscores[np.arange(n), y] = -1
            case _:
                dscores[np.arange(n), y] = -dscores.sum(axis=1)
        if bug == "integer-division":
            return dscores.astype(int) // n
        return dloss * (dscores if bug == "mean-forgotten" else dscores / n)

    scores, y = scored(rng)
    scores[0, y[0]] = scores[0].max() + 1.5  # one sample violates no margin
    return forward, backward, (scores, y)


def mse(rng: np.random.Generator, bug: str) -> Call:
    """mean((x − target)²) over all elements; both have a gradient."""

    def forward(x, target):
        return ((x - target) ** 2).mean(), x - target

    def backward(dloss, difference):
        dx = 2 * difference / difference.size
        match bug:
            case "two-forgotten":
                dx = difference / difference.size
            case "mean-forgotten":
                dx = 2 * difference
            case "mean-over-samples-only":
                dx = 2 * difference / len(difference)
            case "target-like-x":
                return dloss * dx, dloss * dx
            case "target-constant":
                return dloss * dx, np.zeros_like(dx)
        return dloss * dx, -dloss * dx

    n, d = distinct(rng, 2)
    return forward, backward, (rng.standard_normal((n, d)), rng.standard_normal((n, d)))


BUGS = [
    *plant("pair", softmax_loss, {
        "mean-forgotten": Name("missing_mean", "scores"),
        "one-hot-forgotten": Name("one_hot_missing", "scores"),
        "y-minus-p": Name("sign", "scores"),
        "averaged-over-classes-too": Name("scaled", "scores"),
        "normalised-over-samples": Name("wrong_axis", "scores"),
        "scores-in-place": Name("input_changed", "scores"),
        "probabilities-in-float32": Name("wrong_g_dtype", "scores"),
    }),
    *plant("pair", softmax_loss, {"exponential-overflows": Name("not_finite", "scores")}, scale=2000),
    *plant("pair", smoothed_softmax_loss, {
        "smoothing-forgotten": Name("unknown", "scores"),
        "target-forgotten": Name("one_hot_missing", "scores"),
    }),
    *plant("pair", nll, {
        "plus": Name("sign", "logp"),
        "mean-forgotten": Name("missing_mean", "logp"),
        "all-rows": Name("unknown", "logp", also=("mask_missing",), why="the choice of the label is not applied"),
    }),
    *plant("pair", hinge, {
        "mask-forgotten": Name("mask_missing", "scores"),
        "mean-forgotten": Name("missing_mean", "scores"),
        "true-class-forgotten": Name("one_hot_missing", "scores"),
        "true-class-counted-once": Name(
            "unknown", "scores", also=("one_hot_missing",), why="it is the true class's term that is wrong"
        ),
        "integer-division": Name("wrong_g_dtype", "scores"),
    }),
    *plant("pair", mse, {
        "two-forgotten": Name("scaled", "x"),
        "mean-forgotten": Name("missing_mean", "x"),
        "mean-over-samples-only": Name("scaled", "x"),
        "target-like-x": Name("sign", "target"),
        "target-constant": Name("zero", "target"),
    }),
]  # fmt: skip
