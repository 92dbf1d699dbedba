"""Whole networks as students write them: `params` and `loss`, everything in one method."""

from __future__ import annotations

import numpy as np

from .shelf import Array, Call, Name, distinct, labels, plant


def softmax_loss(scores: Array, y: Array) -> tuple[float, Array]:
    """Mean cross-entropy and p − t, not yet averaged."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    error = np.exp(logp)
    error[np.arange(len(y)), y] -= 1
    return -logp[np.arange(len(y)), y].mean(), error


class TwoLayerNet:
    """affine – ReLU – affine – softmax with L2."""

    def __init__(self, rng, bug, sizes, convention):
        d, hidden, classes = sizes
        self.bug, self.convention = bug, convention
        self.reg = 10 ** rng.uniform(-2, -0.3)
        self.noise = np.random.default_rng(1)
        self.params = {
            "W1": 0.8 * rng.standard_normal((d, hidden)),
            "b1": 0.3 * rng.standard_normal(hidden),
            "W2": 0.8 * rng.standard_normal((hidden, classes)),
            "b2": 0.3 * rng.standard_normal(classes),
        }

    def loss(self, X, y=None):
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        bug, n, reg = self.bug, len(X), self.reg
        if bug == "X-normalised-in-place":
            X -= X.mean(axis=0)
        if bug == "noise-on-X":
            X = X + 0.1 * self.noise.standard_normal(X.shape)
        if bug == "parameters-in-float32":
            W1, b1, W2, b2, X = (a.astype(np.float32) for a in (W1, b1, W2, b2, X))
        hidden = np.maximum(0, X @ W1 + b1)
        scores = hidden @ W2 + b2
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        loss += self.convention * reg * ((W1**2).sum() + (W2**2).sum())
        if bug == "no-one-hot":
            dscores[np.arange(n), y] += 1
        if bug == "dscores-sign":
            dscores = -dscores
        if bug != "no-mean":
            dscores = dscores / n
        dhidden = dscores @ W2.T
        if bug == "mask-of-gradient":
            dhidden = dhidden * (dhidden > 0)
        elif bug != "no-mask":
            dhidden = dhidden * (hidden > 0)
        grads = {"W1": X.T @ dhidden, "b1": dhidden.sum(0), "W2": hidden.T @ dscores, "b2": dscores.sum(0)}
        if bug == "W1-sign":
            grads["W1"] = -grads["W1"]
        slope = 2 * self.convention * reg
        if bug != "reg-forgotten-in-W1":
            grads["W1"] = grads["W1"] + slope * W1
        if bug != "reg-forgotten-in-W2":
            grads["W2"] = grads["W2"] + slope * W2
        match bug:
            case "reg-forgotten":
                grads["W1"] -= slope * W1
                grads["W2"] -= slope * W2
            case "reg-twice-as-strong":
                grads["W1"] += slope * W1
                grads["W2"] += slope * W2
            case "reg-half-as-strong":
                grads["W1"] -= slope / 2 * W1
                grads["W2"] -= slope / 2 * W2
            case "b1-mean":
                grads["b1"] = dhidden.mean(axis=0)
            case "b1-keeps-a-row":
                grads["b1"] = dhidden.sum(axis=0, keepdims=True)
            case "W2-transposed":
                grads["W2"] = grads["W2"].T
            case "b2-forgotten":
                grads["b2"] = np.zeros_like(b2)
            case "updates-in-the-loss":
                for name in self.params:
                    self.params[name] -= 0.1 * grads[name]
        return loss, grads


def two_layer(rng: np.random.Generator, bug: str, *, square: bool = False, convention: float = 0.5) -> Call:
    n, d, hidden, classes = distinct(rng, 4, 3, 7)
    if square:
        classes = hidden
    model = TwoLayerNet(rng, bug, (d, hidden, classes), convention)
    return model, rng.standard_normal((n, d)), labels(rng, n, classes)


class DeepNet:
    """{affine – batch norm – ReLU} × (L − 1) – affine – softmax, in loops with a list of caches."""

    def __init__(self, rng, bug, widths):
        self.bug, self.depth, self.reg = bug, len(widths) - 1, 10 ** rng.uniform(-2, -0.5)
        self.params = {}
        for i in range(self.depth):
            self.params[f"W{i + 1}"] = 0.8 * rng.standard_normal(widths[i : i + 2])
            self.params[f"b{i + 1}"] = 0.3 * rng.standard_normal(widths[i + 1])
            if i < self.depth - 1:
                self.params[f"gamma{i + 1}"] = rng.uniform(0.5, 2, widths[i + 1])
                self.params[f"beta{i + 1}"] = 0.3 * rng.standard_normal(widths[i + 1])

    def loss(self, X, y=None):
        p, bug, depth, n = self.params, self.bug, self.depth, len(X)
        caches, h = [], X
        for i in range(1, depth):
            z = h @ p[f"W{i}"] + p[f"b{i}"]
            rstd = 1 / np.sqrt(z.var(axis=0) + 1e-4)
            xhat = (z - z.mean(axis=0)) * rstd
            out = p[f"gamma{i}"] * xhat + p[f"beta{i}"]
            caches.append((h, xhat, rstd, out > 0))
            h = np.maximum(out, 0)
        scores = h @ p[f"W{depth}"] + p[f"b{depth}"]
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        loss += sum(0.5 * self.reg * (p[f"W{i}"] ** 2).sum() for i in range(1, depth + 1))
        if bug != "no-mean":
            dscores = dscores / n
        grads = {name: np.zeros_like(value) for name, value in p.items()}
        grads[f"W{depth}"] = h.T @ dscores + self.reg * p[f"W{depth}"]
        grads[f"b{depth}"] = dscores.sum(axis=0)
        dh = dscores @ p[f"W{depth}"].T
        for i in range(depth - 1, 1 if bug == "loop-stops-early" else 0, -1):
            h, xhat, rstd, positive = caches[-1 if bug == "last-cache-for-all" else i - 1]
            dout = dh if bug == "no-mask" else dh * positive
            grads[f"gamma{i}"], grads[f"beta{i}"] = (dout * xhat).sum(axis=0), dout.sum(axis=0)
            if bug == "beta-mean":
                grads[f"beta{i}"] = dout.mean(axis=0)
            if bug == "gamma-without-xhat":
                grads[f"gamma{i}"] = dout.sum(axis=0)
            g = p[f"gamma{i}"] * dout
            if bug == "batchnorm-constant":
                dz = g * rstd
            else:
                dz = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) * rstd
            grads[f"W{i}"], grads[f"b{i}"] = h.T @ dz, dz.sum(axis=0)
            if bug != "hidden-reg-forgotten":
                grads[f"W{i}"] += self.reg * p[f"W{i}"]
            dh = dz @ p[f"W{i}"].T
        return loss, grads


def deep(rng: np.random.Generator, bug: str, *, depth: int = 3, square: bool = False) -> Call:
    classes, d, hidden, n = sorted(distinct(rng, 4, 2, 6))
    if square:
        d = hidden
    model = DeepNet(rng, bug, [d, *[hidden] * (depth - 1), classes])
    return model, rng.standard_normal((n, d)), labels(rng, n, classes)


class SvmNet:
    """affine – tanh – affine – hinge, or mean squared error against one-hot targets."""

    def __init__(self, rng, bug, sizes, squared):
        d, hidden, classes = sizes
        self.bug, self.squared = bug, squared
        self.params = {
            "W1": rng.standard_normal((d, hidden)) / np.sqrt(d),
            "W2": rng.standard_normal((hidden, classes)),
        }

    def loss(self, X, y=None):
        W1, W2, n, bug = self.params["W1"], self.params["W2"], len(X), self.bug
        z = X @ W1
        hidden = np.tanh(z)
        scores = hidden @ W2
        if y is None:
            return scores
        if self.squared:
            error = scores - np.eye(W2.shape[1])[y]
            loss = 0.5 * (error**2).sum() / n
            dscores = error / (1 if bug == "no-mean" else n)
        else:
            margins = np.maximum(0, scores - scores[np.arange(n), y][:, None] + 1)
            margins[np.arange(n), y] = 0
            loss = margins.sum() / n
            dscores = (margins > 0) / n
            if bug != "true-class-forgotten":
                dscores[np.arange(n), y] = -dscores.sum(axis=1)
        dhidden = dscores @ W2.T
        match bug:
            case "tanh-forgotten":
                dz = dhidden
            case "tanh-not-squared":
                dz = dhidden * (1 - hidden)
            case "tanh-from-exponentials":
                dz = dhidden * (1 - ((np.exp(2 * z) - 1) / (np.exp(2 * z) + 1)) ** 2)
            case _:
                dz = dhidden * (1 - hidden**2)
        dW1 = X.T @ dz
        if bug == "W1-in-float32":
            dW1 = X.T.astype(np.float32) @ dz.astype(np.float32)
        if bug == "clipped-in-the-loss":
            dW1 = dW1 * 0.01 / np.linalg.norm(dW1)
        return loss, {"W1": dW1, "W2": hidden.T @ dscores}


def svm(rng: np.random.Generator, bug: str, *, squared: bool = False, scale: float = 1.0) -> Call:
    n, d, hidden, classes = distinct(rng, 4, 3, 6)
    model = SvmNet(rng, bug, (d, hidden, classes), squared)
    return model, scale * rng.standard_normal((n, d)), labels(rng, n, classes)


ALL = ("W1", "b1", "W2", "b2")
BUGS = [
    *plant("model", two_layer, {
        "no-mean": Name("missing_mean", *ALL),
        "no-one-hot": Name("one_hot_missing", *ALL),
        "dscores-sign": Name("sign", *ALL),
        "W1-sign": Name("sign", "W1"),
        "no-mask": Name("mask_missing", "W1", "b1"),
        "mask-of-gradient": Name("unknown", "W1", "b1", also=("mask_missing",), why="a mask, but not h's"),
        "reg-forgotten": Name("reg_missing", "W1", "W2"),
        "reg-forgotten-in-W1": Name("reg_missing", "W1"),
        "reg-forgotten-in-W2": Name("reg_missing", "W2"),
        "reg-twice-as-strong": Name("reg_factor", "W1", "W2"),
        "b1-mean": Name("bias_mean_for_sum", "b1"),
        "b1-keeps-a-row": Name("shape", "b1"),
        "b2-forgotten": Name("zero", "b2"),
        "X-normalised-in-place": Name("input_changed", "X"),
        "updates-in-the-loss": Name("input_changed", *ALL),
        "noise-on-X": Name("nondeterministic"),
        "parameters-in-float32": Name("wrong_g_dtype"),
    }),
    *plant("model", two_layer, {
        "reg-half-as-strong": Name("reg_factor", "W1", "W2"),
    }, convention=1.0),
    *plant("model", two_layer, {"W2-transposed": Name("transposed", "W2")}, square=True),
    *plant("model", deep, {
        "no-mean": Name("missing_mean"),
        "loop-stops-early": Name("zero", "W1", "b1", "gamma1", "beta1"),
        "beta-mean": Name("bias_mean_for_sum", "beta1", "beta2"),
        "gamma-without-xhat": Name(
            "unknown", "gamma1", "gamma2", also=("permuted",), why="it is another array's gradient"
        ),
        "batchnorm-constant": Name("statistics_constant", "W2", "b2", "W1", "b1", "gamma1", "beta1"),
        "hidden-reg-forgotten": Name("reg_missing", "W1", "W2"),
        "no-mask": Name("mask_missing", "gamma2", "beta2", "W2", "b2", "gamma1", "beta1", "W1", "b1"),
    }),
    *plant("model", deep, {
        "last-cache-for-all": Name(
            "stale_cache", "W1", "W2", "W3", also=("unknown",), why="no number tells which cache it was"
        ),
    }, depth=4, square=True),
    *plant("model", svm, {
        "true-class-forgotten": Name("one_hot_missing", "W2", "W1"),
        "tanh-forgotten": Name("unknown", "W1"),
        "W1-in-float32": Name("wrong_g_dtype", "W1"),
        "clipped-in-the-loss": Name("scaled", "W1"),
    }),
    *plant("model", svm, {"tanh-from-exponentials": Name("not_finite", "W1")}, scale=2000),
    *plant("model", svm, {
        "no-mean": Name("missing_mean", "W1", "W2"),
        "tanh-not-squared": Name("unknown", "W1"),
    }, squared=True, op="regression"),
]  # fmt: skip
