"""Networks built of small classes that remember things between their methods: what they remember is stale."""

from __future__ import annotations

import numpy as np

from .convolution import conv_backward, conv_forward
from .networks import softmax_loss
from .pooling import max_pool_backward, max_pool_forward
from .shelf import Call, Name, distinct, labels, plant


class Linear:
    """x W + b, remembering x."""

    def __init__(self, rng, inputs, outputs, bug):
        self.bug, self.x = bug, np.zeros(0)
        self.W = rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)
        self.b = 0.1 * rng.standard_normal(outputs)
        self.W_transposed = self.W.T.copy()
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)

    def forward(self, x):
        if not self.x.size or self.bug != "remembers-the-first-input":
            self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        if self.bug == "never-reset":
            self.dW += self.x.T @ dout
            self.db += dout.sum(axis=0)
        else:
            self.dW, self.db = self.x.T @ dout, dout.sum(axis=0)
        return dout @ (self.W_transposed if self.bug == "W-transposed-at-the-start" else self.W.T)


class ReLU:
    """max(x, 0), remembering where x > 0."""

    def __init__(self):
        self.mask = np.array(False)

    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class ThreeLayerNet:
    """Linear – ReLU – Linear – ReLU – Linear – softmax."""

    def __init__(self, rng, bug, d, hidden, classes):
        self.bug = bug
        widths = [d, hidden, hidden, classes]
        self.linear = [Linear(rng, widths[i], widths[i + 1], bug) for i in range(3)]
        self.relu = [ReLU()] * 2 if bug == "one-relu-for-both" else [ReLU(), ReLU()]
        self.dscores = np.zeros(0)

    @property
    def params(self):
        own = {}
        for i, layer in enumerate(self.linear):
            own |= {f"W{i + 1}": layer.W, f"b{i + 1}": layer.b}
        return own

    def backward(self, dout):
        dout = self.linear[2].backward(dout)
        for linear, relu in zip(self.linear[1::-1], self.relu[::-1], strict=True):
            dout = linear.backward(relu.backward(dout))

    def gradients(self):
        grads = {}
        for i, layer in enumerate(self.linear):
            grads |= {f"W{i + 1}": layer.dW.copy(), f"b{i + 1}": layer.db.copy()}
        return grads

    def loss(self, X, y=None):
        if self.bug == "backward-before-forward" and y is not None and len(self.dscores) == len(X):
            self.backward(self.dscores)
        scores = X
        for i, layer in enumerate(self.linear):
            scores = layer.forward(scores)
            if i < 2:
                scores = self.relu[i].forward(scores)
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        if self.bug != "backward-before-forward" or len(self.dscores) != len(X):
            self.backward(dscores / len(X))
        self.dscores = dscores / len(X)
        return loss, self.gradients()


def three_layer(rng: np.random.Generator, bug: str) -> Call:
    n, d, hidden, classes = distinct(rng, 4, 3, 6)
    return ThreeLayerNet(rng, bug, d, hidden, classes), rng.standard_normal((n, d)), labels(rng, n, classes)


class ConvNet:
    """conv – ReLU – 2×2 max-pool – affine – softmax with L2, on the functions of the other shelves."""

    def __init__(self, rng, bug, channels, filters, features, classes):
        self.bug, self.reg = bug, 10 ** rng.uniform(-2, -0.5)
        self.params = {
            "K": 0.5 * rng.standard_normal((filters, channels, 3, 3)),
            "bK": np.where(np.arange(filters) > 0, 0.2, -1.5),  # the first: ReLU shuts whole pooling windows
            "W": rng.standard_normal((filters * features, classes)) / np.sqrt(features),
            "b": np.zeros(classes),
        }

    def loss(self, X, y=None):
        K, bK, W, b = (self.params[name] for name in ("K", "bK", "W", "b"))
        bug, n = self.bug, len(X)
        z, conv_cache = conv_forward(X, K, bK, 1, 0)
        pooled, pool_cache = max_pool_forward(np.maximum(z, 0), 2, 2)
        rows = pooled.reshape(n, -1)
        scores = rows @ W + b
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        loss += 0.5 * self.reg * ((W**2).sum() + (K**2).sum())
        if bug != "no-mean":
            dscores = dscores / n
        dpooled = dscores @ W.T
        if bug == "flattened-in-another-order":
            dpooled = dpooled.reshape(n, *pooled.shape[:0:-1]).transpose(0, 3, 2, 1)
        else:
            dpooled = dpooled.reshape(pooled.shape)
        dz = max_pool_backward(dpooled, pool_cache, "no-mask" if bug == "pool-to-all" else "")
        if bug != "no-relu-mask":
            dz = dz * (z > 0)
        _, dK, dbK = conv_backward(dz, conv_cache, bug)
        if bug != "K-reg-forgotten":
            dK = dK + self.reg * K * (2 if bug == "K-reg-twice" else 1)
        return loss, {"K": dK, "bK": dbK, "W": rows.T @ dscores + self.reg * W, "b": dscores.sum(axis=0)}


def conv_net(rng: np.random.Generator, bug: str) -> Call:
    n, filters, classes = distinct(rng, 3, 2, 4)
    model = ConvNet(rng, bug, 1, filters, 2, classes)
    return model, rng.standard_normal((n, 1, 4, 6)), labels(rng, n, classes)


def remembering_affine(rng: np.random.Generator, bug: str) -> Call:
    """x w as a pair whose halves talk past each other through a dictionary."""
    remembered: dict[str, np.ndarray] = {}

    def forward(x, w):
        if bug == "x-remembered-once":
            remembered.setdefault("x", x.copy())
        else:
            remembered["x"] = x
        return x @ w, w

    def backward(dout, w):
        return dout @ w.T, remembered["x"].T @ dout

    n, d, m = distinct(rng, 3)
    return forward, backward, (rng.standard_normal((n, d)), rng.standard_normal((d, m)))


LATER = {"also": ("unknown",), "why": "no number tells whose mask it was"}
BUGS = [
    *plant("model", three_layer, {
        "remembers-the-first-input": Name("stale_cache"),
        "W-transposed-at-the-start": Name("stale_cache"),
        "backward-before-forward": Name("stale_cache"),
        "never-reset": Name("nondeterministic", also=("stale_cache",), why="a sum over all calls so far"),
        "one-relu-for-both": Name("stale_cache", "W1", "b1", **LATER),
    }),
    *plant("pair", remembering_affine, {"x-remembered-once": Name("stale_cache", "w")}),
    *plant("model", conv_net, {
        "no-mean": Name("missing_mean"),
        "K-reg-forgotten": Name("reg_missing", "K"),
        "K-reg-twice": Name("reg_factor", "K"),
        "dw-flipped": Name("permuted", "K", also=("unknown",), why="the regularisation is in the right order"),
        "dw-overwritten": Name("overwritten", "K", also=("unknown",), why="the images' places cannot be told apart"),
        "db-mean": Name("bias_mean_for_sum", "bK"),
        "no-relu-mask": Name("mask_missing", "K", "bK", also=("unknown",), why="behind a pooling"),
        "pool-to-all": Name("mask_missing", "K", "bK", also=("unknown",), why="inside the network"),
        "flattened-in-another-order": Name("permuted", "K", "bK", also=("unknown",), why="inside the network"),
    }),
]  # fmt: skip
