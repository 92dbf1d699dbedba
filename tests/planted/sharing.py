"""Values used more than once: shared weights, time steps, shortcuts, branches, repeated words."""

from __future__ import annotations

import numpy as np

from .networks import softmax_loss
from .shelf import Array, Call, Name, distinct, labels, plant


class TiedAutoencoder:
    """tanh(x W) Wᵀ against x: W is used twice."""

    def __init__(self, rng, bug, d, hidden):
        self.bug = bug
        self.params = {"W": rng.standard_normal((d, hidden)) / np.sqrt(d), "b": 0.3 * rng.standard_normal(d)}

    def loss(self, X, y=None):
        W, b = self.params["W"], self.params["b"]
        code = np.tanh(X @ W)
        error = code @ W.T + b - X
        if y is None:
            return error + X
        dout = error / len(X)
        dcode = dout @ W * (1 - code**2)
        match self.bug:
            case "decoder-only":
                dW = X.T @ dcode
                dW = dout.T @ code
            case "encoder-only":
                dW = X.T @ dcode
            case "decoder-sign":
                dW = X.T @ dcode - dout.T @ code
            case _:
                dW = X.T @ dcode + dout.T @ code
        return 0.5 * (error**2).sum() / len(X), {"W": dW, "b": dout.sum(axis=0)}


def tied_autoencoder(rng: np.random.Generator, bug: str) -> Call:
    n, d, hidden = distinct(rng, 3, 3, 6)
    return TiedAutoencoder(rng, bug, d, hidden), rng.standard_normal((n, d)), np.zeros(n, dtype=int)


class RecurrentNet:
    """h ← tanh(x_t Wx + h Wh + b) for each step, scores from the last h."""

    def __init__(self, rng, bug, d, hidden, classes):
        self.bug = bug
        self.params = {
            "Wx": rng.standard_normal((d, hidden)) / np.sqrt(d),
            "Wh": rng.standard_normal((hidden, hidden)) / np.sqrt(hidden),
            "b": 0.3 * rng.standard_normal(hidden),
            "Wy": rng.standard_normal((hidden, classes)),
        }

    def loss(self, X, y=None):
        p, bug = self.params, self.bug
        n, steps, _ = X.shape
        hs = [np.zeros((n, p["Wh"].shape[0]))]
        for t in range(steps):
            hs.append(np.tanh(X[:, t] @ p["Wx"] + hs[-1] @ p["Wh"] + p["b"]))
        scores = hs[-1] @ p["Wy"]
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        dscores = dscores / n
        grads = {name: np.zeros_like(value) for name, value in p.items()}
        grads["Wy"] = hs[-1].T @ dscores
        dh = dscores @ p["Wy"].T
        for t in range(steps - 1, -1, -1):
            dz = dh * (1 - hs[t + 1] ** 2)
            if bug == "overwritten":
                grads |= {"Wx": X[:, t].T @ dz, "Wh": hs[t].T @ dz, "b": dz.sum(axis=0)}
            else:
                grads["Wx"] += X[:, t].T @ dz
                grads["Wh"] += (hs[t + 1] if bug == "next-state-for-last" else hs[t]).T @ dz
                grads["b"] += dz.sum(axis=0)
            if bug == "last-step-only":
                break
            dh = dz @ (p["Wh"] if bug == "Wh-untransposed" else p["Wh"].T)
        return loss, grads


def recurrent(rng: np.random.Generator, bug: str) -> Call:
    n, d, hidden, classes = distinct(rng, 4, 2, 5)
    model = RecurrentNet(rng, bug, d, hidden, classes)
    return model, rng.standard_normal((n, 3, d)), labels(rng, n, classes)


class BagOfWords:
    """The mean of the embeddings of some words, then an affine map: words occur more than once."""

    def __init__(self, rng, bug, words, width, classes):
        self.bug = bug
        self.params = {
            "E": rng.standard_normal((words, width)),
            "W": rng.standard_normal((width, classes)),
            "b": 0.3 * rng.standard_normal(classes),
        }

    def loss(self, X, y=None):
        E, W, b = (self.params[name] for name in ("E", "W", "b"))
        mean = E[X].mean(axis=1)
        scores = mean @ W + b
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        dscores = dscores / len(X)
        shares = np.repeat((dscores @ W.T)[:, None, :] / X.shape[1], X.shape[1], axis=1)
        if self.bug == "mean-forgotten":
            shares = shares * X.shape[1]
        dE = np.zeros_like(E)
        if self.bug == "fancy-index":
            dE[X] += shares  # of a word that occurs twice, one share is kept
        else:
            np.add.at(dE, X, shares)
        return loss, {"E": dE, "W": mean.T @ dscores, "b": dscores.sum(axis=0)}


def bag_of_words(rng: np.random.Generator, bug: str) -> Call:
    n, words, width, classes = distinct(rng, 4, 3, 6)
    model = BagOfWords(rng, bug, words, width, classes)
    return model, rng.integers(words, size=(n, 4)), labels(rng, n, classes)


class BranchedNet:
    """h = tanh(x W0); two branches on h, side by side or as a shortcut around one; then scores."""

    def __init__(self, rng, bug, d, hidden, classes):
        self.bug = bug
        self.params = {
            "W0": rng.standard_normal((d, hidden)) / np.sqrt(d),
            "Wa": rng.standard_normal((hidden, hidden)) / np.sqrt(hidden),
            "Wb": rng.standard_normal((hidden, hidden)) / np.sqrt(hidden),
            "Ws": rng.standard_normal((2 * hidden, classes)),
        }

    def loss(self, X, y=None):
        p, bug = self.params, self.bug
        h = np.tanh(X @ p["W0"])
        a = h + np.maximum(0, h @ p["Wa"])  # a residual block
        b = np.maximum(0, h @ p["Wb"])
        both = np.concatenate([a, b], axis=1)
        scores = both @ p["Ws"]
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        dscores = dscores / len(X)
        dboth = dscores @ p["Ws"].T
        da, db = np.split(dboth, 2, axis=1)
        if bug == "branches-swapped":
            da, db = db, da
        dza = da * (h @ p["Wa"] > 0)
        dzb = db * (h @ p["Wb"] > 0)
        dh = dza @ p["Wa"].T
        if bug != "shortcut-forgotten":
            dh = dh + da
        if bug == "last-branch-only":
            dh = dzb @ p["Wb"].T
        elif bug != "first-branch-only":
            dh = dh + dzb @ p["Wb"].T
        dW0 = X.T @ (dh * (1 - h**2))
        return loss, {"W0": dW0, "Wa": h.T @ dza, "Wb": h.T @ dzb, "Ws": both.T @ dscores}


def branched(rng: np.random.Generator, bug: str) -> Call:
    n, d, hidden, classes = distinct(rng, 4, 3, 6)
    return BranchedNet(rng, bug, d, hidden, classes), rng.standard_normal((n, d)), labels(rng, n, classes)


def gated(rng: np.random.Generator, bug: str) -> Call:
    """out = x · σ(x w): x is used twice."""
    n, d = distinct(rng, 2, 3, 6)

    def forward(x, w):
        gate = 1 / (1 + np.exp(-x @ w))
        return x * gate, (x, w, gate)

    def backward(dout: Array, cache):
        x, w, gate = cache
        dz = dout * x * gate * (1 - gate)
        match bug:
            case "gate-path-only":
                dx = dz @ w.T
            case "direct-path-only":
                dx = dout * gate
            case _:
                dx = dout * gate + dz @ w.T
        return dx, x.T @ dz

    return forward, backward, (rng.standard_normal((n, d)), rng.standard_normal((d, d)))


ONE_PATH = {"also": ("unknown",), "why": "a term is gone; no number says by what"}
BUGS = [
    *plant("model", tied_autoencoder, {
        "decoder-only": Name("overwritten", "W", **ONE_PATH),
        "encoder-only": Name("overwritten", "W", **ONE_PATH),
        "decoder-sign": Name("unknown", "W"),
    }),
    *plant("model", recurrent, {
        "overwritten": Name("overwritten", "Wx", "Wh", "b", **ONE_PATH),
        "last-step-only": Name("overwritten", "Wx", "Wh", "b", **ONE_PATH),
        "next-state-for-last": Name("unknown", "Wh", also=("stale_cache",), why="h of the wrong step"),
        "Wh-untransposed": Name("transposed", "Wx", "Wh", "b", also=("unknown",), why="seen through tanh only"),
    }),
    *plant("model", bag_of_words, {
        "fancy-index": Name("overwritten", "E"),
        "mean-forgotten": Name("missing_mean", "E", also=("scaled",), why="by the number of words"),
    }),
    *plant("model", branched, {
        "shortcut-forgotten": Name("overwritten", "W0", **ONE_PATH),
        "first-branch-only": Name("overwritten", "W0", **ONE_PATH),
        "last-branch-only": Name("overwritten", "W0", **ONE_PATH),
        "branches-swapped": Name(
            "permuted", "Wa", "Wb", "W0", also=("unknown",), why="only the gradients inside are in another order"
        ),
    }),
    *plant("pair", gated, {
        "gate-path-only": Name("overwritten", "x", **ONE_PATH),
        "direct-path-only": Name("overwritten", "x", **ONE_PATH),
    }),
]  # fmt: skip
