"""Textbook models: logistic and linear regression, the convention ½ λ/N of the weight penalty, dropped weights."""

from __future__ import annotations

import numpy as np

from .networks import softmax_loss
from .shelf import Call, Name, distinct, labels, plant


class LogisticRegression:
    """σ(x·w + b) for labels 0 and 1, cross-entropy with ½ λ/N Σw²."""

    def __init__(self, rng, bug, d):
        self.bug, self.strength = bug, rng.uniform(0.2, 2)
        self.params = {"w": rng.standard_normal(d), "b": rng.standard_normal(1)}

    def loss(self, X, y=None):
        w, b, n, bug = self.params["w"], self.params["b"], len(X), self.bug
        z = X @ w + b
        p = 1 / (1 + np.exp(-z))
        if y is None:
            return np.stack([-z, z], axis=1)
        loss = (np.logaddexp(0, z) - y * z).mean() + 0.5 * self.strength / n * (w**2).sum()
        dz = (p - y) / n
        match bug:
            case "y-minus-p":
                dz = (y - p) / n
            case "mean-forgotten":
                dz = p - y
            case "labels-forgotten":
                dz = p / n
            case "derivative-of-sigmoid-too":
                dz = (p - y) * p * (1 - p) / n
        dw = X.T @ dz
        match bug:
            case "penalty-forgotten":
                pass
            case "penalty-not-averaged":
                dw = dw + self.strength * w
            case _:
                dw = dw + self.strength / n * w
        return loss, {"w": dw, "b": np.array([dz.mean() if bug == "b-mean" else dz.sum()])}


def logistic(rng: np.random.Generator, bug: str) -> Call:
    n, d = distinct(rng, 2, 3, 8)
    return LogisticRegression(rng, bug, d), rng.standard_normal((n, d)), labels(rng, n, 2)


class Lasso:
    """Half the mean squared error plus λ Σ|w|."""

    def __init__(self, rng, bug, d):
        self.bug, self.strength = bug, rng.uniform(0.05, 0.5)
        self.noise = np.random.default_rng(3)
        self.params = {"w": rng.standard_normal(d), "b": rng.standard_normal(1)}

    def loss(self, X, y=None):
        w, b, n, bug = self.params["w"], self.params["b"], len(X), self.bug
        out = X @ w + b
        if y is None:
            return out
        residual = out - y
        loss = 0.5 * (residual**2).mean() + self.strength * np.abs(w).sum()
        dout = residual / (1 if bug == "mean-forgotten" else n)
        dw = (X if bug == "X-untransposed" else X.T) @ dout
        match bug:
            case "penalty-forgotten":
                pass
            case "penalty-squared":
                dw = dw + self.strength * w
            case "penalty-sign":
                dw = dw - self.strength * np.sign(w)
            case _:
                dw = dw + self.strength * np.sign(w)
        if bug == "noisy-gradient":
            dw = dw + 0.01 * self.noise.standard_normal(dw.shape)
        if bug == "half-precision":
            dw = dw.astype(np.float16)
        return loss, {"w": dw, "b": np.array([dout.sum()])}


def lasso(rng: np.random.Generator, bug: str, *, square: bool = False) -> Call:
    n, d = [int(rng.integers(4, 7))] * 2 if square else distinct(rng, 2, 3, 8)
    return Lasso(rng, bug, d), rng.standard_normal((n, d)), rng.standard_normal(n)


class DropConnect:
    """A hidden layer of softplus whose weights are dropped, always the same ones."""

    def __init__(self, rng, bug, d, hidden, classes):
        self.bug, self.keep = bug, 0.7
        self.mask = rng.random((d, hidden)) < self.keep
        self.mask[0, 0], self.mask[0, 1] = True, False
        self.params = {
            "V": rng.standard_normal((d, hidden)),
            "a": 0.3 * rng.standard_normal(hidden),
            "U": rng.standard_normal((hidden, classes)),
        }

    def loss(self, X, y=None):
        V, a, U, bug = self.params["V"], self.params["a"], self.params["U"], self.bug
        z = X @ (V * self.mask / self.keep) + a
        h = np.logaddexp(0, z)
        scores = h @ U
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        dscores = dscores / len(X)
        dz = dscores @ U.T / (1 + np.exp(-z))
        if bug == "softplus-forgotten":
            dz = dscores @ U.T
        dV = X.T @ dz * self.mask / self.keep
        match bug:
            case "mask-forgotten":
                dV = X.T @ dz / self.keep
            case "scale-forgotten":
                dV = X.T @ dz * self.mask
        return loss, {
            "V": dV,
            "a": np.zeros_like(a) if bug == "a-forgotten" else dz.sum(0),
            "U": h.T @ dscores,
        }


def drop_connect(rng: np.random.Generator, bug: str) -> Call:
    n, d, hidden, classes = distinct(rng, 4, 3, 6)
    return DropConnect(rng, bug, d, hidden, classes), rng.standard_normal((n, d)), labels(rng, n, classes)


class Siamese:
    """The distance of two halves of a sample, each through the same map, against 0 or 1."""

    def __init__(self, rng, bug, d, hidden):
        self.bug = bug
        self.params = {
            "W": rng.standard_normal((d, hidden)) / np.sqrt(d),
            "b": 0.3 * rng.standard_normal(hidden),
        }

    def loss(self, X, y=None):
        W, b = self.params["W"], self.params["b"]
        left, right = np.split(X, 2, axis=1)
        p, q = np.tanh(left @ W + b), np.tanh(2 * right @ W + b)
        distance = ((p - q) ** 2).sum(axis=1)
        if y is None:
            return distance
        ddistance = (distance - y) / len(X)
        dp = 2 * (p - q) * ddistance[:, None]
        dzp, dzq = dp * (1 - p**2), (dp if self.bug == "both-plus" else -dp) * (1 - q**2)
        if self.bug == "second-only":
            return 0.5 * ((distance - y) ** 2).mean(), {"W": 2 * right.T @ dzq, "b": dzq.sum(axis=0)}
        grads = {"W": left.T @ dzp + 2 * right.T @ dzq, "b": dzp.sum(axis=0) + dzq.sum(axis=0)}
        return 0.5 * ((distance - y) ** 2).mean(), grads


def siamese(rng: np.random.Generator, bug: str) -> Call:
    n, d, hidden = distinct(rng, 3, 3, 6)
    return Siamese(rng, bug, d, hidden), rng.standard_normal((n, 2 * d)), labels(rng, n, 2)


BUGS = [
    *plant("model", logistic, {
        "y-minus-p": Name("sign", "w", "b"),
        "mean-forgotten": Name("missing_mean", "w", "b"),
        "labels-forgotten": Name(
            "one_hot_missing", "w", "b", also=("unknown",), why="of labels 0 and 1, none is one-hot"
        ),
        "derivative-of-sigmoid-too": Name("unknown", "w", "b"),
        "penalty-forgotten": Name("reg_missing", "w"),
        "penalty-not-averaged": Name("reg_factor", "w"),
        "b-mean": Name("bias_mean_for_sum", "b", also=("scaled",), why="of one number, a mean is a factor"),
    }),
    *plant("model", lasso, {
        "mean-forgotten": Name("missing_mean", "w", "b"),
        "penalty-forgotten": Name("reg_missing", "w", also=("unknown",), why="of |w|, not w²"),
        "penalty-squared": Name("unknown", "w", also=("reg_factor",), why="a penalty, but another one"),
        "penalty-sign": Name("unknown", "w", also=("reg_factor", "sign"), why="the sign of one term"),
        "noisy-gradient": Name("nondeterministic"),
        "half-precision": Name("wrong_g_dtype", "w"),
    }),
    *plant("model", lasso, {"X-untransposed": Name("transposed", "w")}, square=True),
    *plant("model", drop_connect, {
        "mask-forgotten": Name("mask_missing", "V"),
        "scale-forgotten": Name("dropout_scale", "V", also=("scaled",), why="where it drops weights, out hides it"),
        "softplus-forgotten": Name(
            "unknown", "V", "a", also=("mask_missing",), why="its derivative is a soft mask"
        ),
        "a-forgotten": Name("zero", "a"),
    }),
    *plant("model", siamese, {
        "second-only": Name("overwritten", "W", "b", also=("unknown",), why="a term is gone; no number says by what"),
        "both-plus": Name("unknown", "W", "b"),
    }),
]  # fmt: skip
