"""Sums, maxima and products along axes: small operations between the layers, and networks that use them."""

from __future__ import annotations

import numpy as np

from .networks import softmax_loss
from .shelf import Call, Name, distinct, labels, normals, plant


def softmax_regression(rng: np.random.Generator, bug: str) -> Call:
    """X W with a column of ones in X for the bias, ½ λ ΣW² on all but the bias's row."""

    class SoftmaxRegression:
        def __init__(self, d, classes):
            self.params = {"W": rng.standard_normal((d + 1, classes))}
            self.strength = rng.uniform(0.05, 0.5)

        def loss(self, X, y=None):
            W, n = self.params["W"], len(X)
            ones = np.concatenate([X, np.ones((n, 1))], axis=1)
            scores = ones @ W
            if y is None:
                return scores
            loss, error = softmax_loss(scores, y)
            loss += 0.5 * self.strength * (W[:-1] ** 2).sum()
            match bug:
                case "divided-by-classes":
                    error = error / W.shape[1]
                case "mean-forgotten":
                    pass
                case _:
                    error = error / n
            dW = ones.T @ error
            match bug:
                case "bias-penalised-too":
                    dW += self.strength * W
                case "penalty-forgotten":
                    pass
                case "penalty-twice":
                    dW[:-1] += 2 * self.strength * W[:-1]
                case _:
                    dW[:-1] += self.strength * W[:-1]
            return loss, {"W": dW}

    n, d, classes = distinct(rng, 3, 3, 7)
    return SoftmaxRegression(d, classes), rng.standard_normal((n, d)), labels(rng, n, classes)


def max_over_time(rng: np.random.Generator, bug: str) -> Call:
    """x (N, T, D) to its largest values over T."""

    def forward(x):
        return x.max(axis=1), (x, x.argmax(axis=1))

    def backward(dout, cache):
        x, winner = cache
        dx = np.zeros_like(x)
        n, _, d = x.shape
        match bug:
            case "to-all":
                dx[...] = dout[:, None, :]
            case "shared-out":
                dx[...] = dout[:, None, :] / x.shape[1]
            case "first-step":
                dx[:, 0, :] = dout
            case _:
                dx[np.arange(n)[:, None], winner, np.arange(d)] = dout
        return dx

    return forward, backward, (rng.standard_normal(distinct(rng, 3, 2, 6)),)


def running_sum(rng: np.random.Generator, bug: str) -> Call:
    """out[t] = x[0] + ... + x[t] along the second axis."""

    def forward(x):
        return x.cumsum(axis=1), None

    def backward(dout, cache):
        match bug:
            case "forwards":
                return dout.cumsum(axis=1)
            case "own-step-only":
                return dout
            case "other-axis":
                return dout[::-1].cumsum(axis=0)[::-1]
            case "not-turned-back":
                return dout[:, ::-1].cumsum(axis=1)
        return dout[:, ::-1].cumsum(axis=1)[:, ::-1]

    return forward, backward, (rng.standard_normal(distinct(rng, 2, 3, 7)),)


def outer_sum(rng: np.random.Generator, bug: str) -> Call:
    """out[n, i, j] = a[n, i] · b[n, j]."""

    def forward(a, b):
        return a[:, :, None] * b[:, None, :], (a, b)

    def backward(dout, cache):
        a, b = cache
        da, db = (dout * b[:, None, :]).sum(axis=2), (dout * a[:, :, None]).sum(axis=1)
        match bug:
            case "mean-for-sum":
                da = (dout * b[:, None, :]).mean(axis=2)
            case "factor-forgotten":
                db = dout.sum(axis=1)
            case "cross":
                da, db = -da, -db
            case "single":
                db = db.astype(np.float32)
        return da, db

    n, i, j = distinct(rng, 3, 2, 6)
    return forward, backward, normals(rng, (n, i), (n, j))


def cosine(rng: np.random.Generator, bug: str) -> Call:
    """The cosine of each row of a with the same row of b."""

    def forward(a, b):
        la, lb = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
        c = (a * b).sum(axis=1) / (la * lb)
        return c, (a, b, la, lb, c)

    def backward(dout, cache):
        a, b, la, lb, c = cache
        da = dout[:, None] * (b / (la * lb)[:, None] - c[:, None] * a / (la**2)[:, None])
        db = dout[:, None] * (a / (la * lb)[:, None] - c[:, None] * b / (lb**2)[:, None])
        match bug:
            case "length-constant":
                da = dout[:, None] * b / (la * lb)[:, None]
            case "numerator-forgotten":
                db = -dout[:, None] * c[:, None] * b / (lb**2)[:, None]
            case "db-is-da":
                db = da
        return da, db

    n, d = distinct(rng, 2, 3, 6)
    return forward, backward, normals(rng, (n, d), (n, d))


class NormalisedNet:
    """affine – layer norm – SiLU – affine with a mean over time before it: x (N, T, D)."""

    def __init__(self, rng, bug, d, hidden, classes):
        self.bug = bug
        self.params = {
            "embed": rng.standard_normal((d, hidden)),
            "gain": rng.uniform(0.5, 2, hidden),
            "shift": 0.3 * rng.standard_normal(hidden),
            "head": rng.standard_normal((hidden, classes)),
        }

    def loss(self, X, y=None):
        p, bug = self.params, self.bug
        mean = X.mean(axis=1)
        z = mean @ p["embed"]
        rstd = 1 / np.sqrt(z.var(axis=1, keepdims=True) + 1e-5)
        xhat = (z - z.mean(axis=1, keepdims=True)) * rstd
        a = p["gain"] * xhat + p["shift"]
        s = 1 / (1 + np.exp(-a))
        h = a * s
        scores = h @ p["head"]
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        dscores = dscores / len(X)
        dh = dscores @ p["head"].T
        da = dh * s if bug == "silu-half" else dh * s * (1 + a * (1 - s))
        g = da * p["gain"]
        if bug == "norm-constant":
            dz = g * rstd
        elif bug == "norm-over-batch":
            dz = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) * rstd
        else:
            dz = (g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)) * rstd
        x = (
            X[:, -1]
            if bug == "last-step-for-mean"
            else X.sum(axis=1)
            if bug == "mean-over-time-forgotten"
            else mean
        )
        grads = {
            "embed": x.T @ dz,
            "gain": (da * xhat).sum(axis=0),
            "shift": da.sum(axis=0),
            "head": h.T @ dscores,
        }
        match bug:
            case "gain-negated":
                grads["gain"] = -grads["gain"]
            case "shift-mean":
                grads["shift"] = da.mean(axis=0)
            case "head-of-scores":
                grads["head"] = h.T @ scores / len(X)
            case "embed-lost":
                grads["embed"] = 0 * p["embed"]
        return loss, grads


def normalised_net(rng: np.random.Generator, bug: str) -> Call:
    n, d, hidden, classes = distinct(rng, 4, 3, 6)
    return (
        NormalisedNet(rng, bug, d, hidden, classes),
        rng.standard_normal((n, 2, d)),
        labels(rng, n, classes),
    )


BUGS = [
    *plant("model", softmax_regression, {
        "divided-by-classes": Name("scaled", "W", also=("missing_mean",), why="1/N is what is missing"),
        "mean-forgotten": Name("missing_mean", "W"),
        "bias-penalised-too": Name("unknown", "W", also=("reg_factor",), why="a penalty that the loss has not"),
        "penalty-forgotten": Name("reg_missing", "W"),
        "penalty-twice": Name("reg_factor", "W"),
    }),
    *plant("pair", max_over_time, {
        "to-all": Name("mask_missing", "x"),
        "shared-out": Name("unknown", "x", also=("mask_missing",), why="a mean's gradient, not a maximum's"),
        "first-step": Name("unknown", "x", also=("permuted",), why="right values in other places"),
    }),
    *plant("pair", running_sum, {
        "forwards": Name("unknown", "x", also=("permuted", "transposed"), why="the reverse of the right order"),
        "own-step-only": Name("overwritten", "x", also=("unknown",), why="one of the terms"),
        "other-axis": Name("wrong_axis", "x", also=("unknown",), why="along another axis, it is like any other sum"),
        "not-turned-back": Name("permuted", "x"),
    }),
    *plant("pair", outer_sum, {
        "mean-for-sum": Name("scaled", "a", also=("bias_mean_for_sum",), why="a is no bias"),
        "factor-forgotten": Name("unknown", "b"),
        "cross": Name("sign", "a", "b"),
        "single": Name("wrong_g_dtype", "b"),
    }),
    *plant("pair", cosine, {
        "length-constant": Name("statistics_constant", "a", also=("unknown",), why="a length is a statistic, nearly"),
        "numerator-forgotten": Name("overwritten", "b", also=("unknown",), why="a term is gone"),
        "db-is-da": Name("permuted", "b", also=("unknown",), why="it is another array's gradient"),
    }),
    *plant("model", normalised_net, {
        "silu-half": Name("unknown", "gain", "shift", "embed"),
        "norm-constant": Name("statistics_constant", "embed"),
        "norm-over-batch": Name("wrong_axis", "embed", also=("unknown",), why="behind a product"),
        "last-step-for-mean": Name("unknown", "embed", also=("stale_cache",), why="not the input of the forward pass"),
        "mean-over-time-forgotten": Name("missing_mean", "embed", also=("scaled",), why="by the number of steps"),
        "gain-negated": Name("sign", "gain"),
        "shift-mean": Name("bias_mean_for_sum", "shift"),
        "head-of-scores": Name("unknown", "head"),
        "embed-lost": Name("zero", "embed"),
    }),
]  # fmt: skip
