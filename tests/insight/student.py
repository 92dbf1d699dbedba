"""A model as a course would write it, with a shelf of bugs to plant in it."""

from __future__ import annotations

import numpy as np


class Student:
    """A two-layer net as a course would write it; `bug` plants a mistake in its backward pass."""

    def __init__(self, bug="", dtype=np.float64, hidden=5, reg=0.5):
        rng = np.random.default_rng(1)
        self.bug, self.reg = bug, reg
        self.params = {
            "W1": 0.7 * rng.standard_normal((5, hidden)).astype(dtype),
            "b1": 0.1 * rng.standard_normal(hidden).astype(dtype),
            "W2": 0.7 * rng.standard_normal((hidden, 3)).astype(dtype),
            "b2": 0.1 * rng.standard_normal(3).astype(dtype),
        }
        self.calls = 0
        self.state = {"seen": np.zeros(5)}

    def loss(self, X, y=None):
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        bug, n = self.bug, len(X)
        self.calls += 1
        self.state["seen"] += X.sum(axis=0)
        hidden = np.maximum(X @ W1 + b1, 0)
        scores = hidden @ W2 + b2
        if y is None:
            return scores
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(n), y]).mean() + self.reg * 0.5 * ((W1**2).sum() + (W2**2).sum())
        if bug == "a loss that is not the same twice":
            loss += 1e-3 * self.calls
        dscores = p.copy()
        dscores[np.arange(n), y] -= 1
        dscores /= 1 if bug == "missing 1/N" else n
        if bug == "wrong sign":
            dscores = -dscores
        dhidden = dscores @ W2.T
        if bug != "no mask":
            dhidden = dhidden * (hidden > 0)
        if bug == "changed parameter":
            W2 *= 0.5
        if bug == "changed input":
            X *= 0.5
        if bug == "changed labels":
            y[:] = 0
        reg = 0 if bug == "missing regularisation" else self.reg
        db1 = dhidden.mean(axis=0) if bug == "mean for sum" else dhidden.sum(axis=0)
        dW1 = X.T @ dhidden + (2 * reg if bug == "regularisation of another convention" else reg) * W1
        grads = {"W1": dW1, "b1": db1, "W2": hidden.T @ dscores + reg * W2, "b2": dscores.sum(axis=0)}
        match bug:
            case "transposed":
                grads["W1"] = dW1.T
            case "one element":
                grads["W2"][1, 2] *= 1.001
            case "NaN":
                grads["b2"][1] = np.nan
            case "wrong shape":
                grads["b1"] = dhidden
            case "missing key":
                del grads["b1"]
            case "None":
                grads["b1"] = None
            case "unknown key":
                grads["w3"] = np.zeros(3)
            case "not numbers":
                grads["b1"] = "b1"
            case "no gradients":
                return loss, 0.0
            case "loss is NaN":
                return np.nan, grads
        return loss, grads
