"""Models and data that the doctor's tests watch: as a student would write them, right and wrong."""

from __future__ import annotations

import numpy as np

import plaingrad as pg
from plaingrad.insight.doctor import Finding

CLASSES, FEATURES = 3, 6


def points(count=120, *, seed=0):
    """Points around three centres, as arrays in a dict."""
    rng = np.random.default_rng(seed)
    centres = 2 * rng.standard_normal((CLASSES, FEATURES))
    y = rng.integers(0, CLASSES, count)
    X = centres[y] + rng.standard_normal((count, FEATURES))
    cut = 3 * count // 4
    return {
        "X_train": X[:cut].astype("f4"),
        "y_train": y[:cut],
        "X_val": X[cut:].astype("f4"),
        "y_val": y[cut:],
    }


def softmax_loss(scores, y):
    """The mean cross-entropy and its gradient."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    p = np.exp(shifted)
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(y)), y]).mean()
    p[np.arange(len(y)), y] -= 1
    return loss, p / len(y)


class Student:
    """Two layers with ReLU, a class of their own; `dropout` from NumPy's global generator, and hidden state."""

    def __init__(self, *, dropout=0.0, seed=0):
        rng = np.random.default_rng(seed)
        self.params = {
            "W1": 0.3 * rng.standard_normal((FEATURES, 8)),
            "b1": np.zeros(8),
            "W2": 0.3 * rng.standard_normal((8, CLASSES)),
            "b2": np.zeros(CLASSES),
        }
        self.dropout = dropout
        self.calls = 0
        self.noise = np.random.default_rng(1)

    def hidden(self, X, train):
        h = np.maximum(X @ self.params["W1"] + self.params["b1"], 0)
        if train and self.dropout:
            drawn = np.random.rand(*h.shape)  # noqa: NPY002 (as students do)
            h = h * (drawn >= self.dropout) / (1 - self.dropout)
        return h

    def loss(self, X, y=None):
        self.calls += 1
        h = self.hidden(X, train=y is not None)
        scores = h @ self.params["W2"] + self.params["b2"]
        if y is None:
            return scores
        scores = scores + 1e-3 * self.noise.standard_normal(
            scores.shape
        )  # hidden state: changes by each call
        loss, ds = softmax_loss(scores, y)
        return loss, self.gradients(X, h, ds)

    def gradients(self, X, h, ds):
        dh = ds @ self.params["W2"].T * (h > 0)
        return {"W1": X.T @ dh, "b1": dh.sum(axis=0), "W2": h.T @ ds, "b2": ds.sum(axis=0)}


class DropsAtEvaluation(Student):
    def hidden(self, X, train):
        return super().hidden(X, train=True)


class SumsTheLoss(Student):
    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        loss, grads = super().loss(X, y)
        return loss * len(y), {name: g * len(y) for name, g in grads.items()}


class AddsUpGradients(Student):
    total = None

    def gradients(self, X, h, ds):
        new = super().gradients(X, h, ds)
        if self.total is None:
            self.total = {name: np.zeros_like(g) for name, g in new.items()}
        for name, g in new.items():
            self.total[name] += g
        return self.total


class NormalizesByBatch(Student):
    """Batch statistics in evaluation, too."""

    def hidden(self, X, train):
        h = super().hidden(X, train)
        return (h - h.mean(axis=0)) / (h.std(axis=0) + 1e-5)


class ForgetsAtEvaluation(Student):
    def loss(self, X, y=None):
        if y is None:
            self.params["b1"] += 0.01
        return super().loss(X, y)


class NeverUpdatesW1(Student):
    def gradients(self, X, h, ds):
        return super().gradients(X, h, ds) | {"W1": np.zeros_like(self.params["W1"])}


class OnlyClasses(Student):
    """Its own `predict` gives classes, as the course's networks do."""

    def predict(self, X):
        return self.loss(X).argmax(axis=1)


def solver(model, *callbacks, lr=0.05, epochs=4, batch_size=10, **more):
    return pg.Solver(
        model, points(), rule=pg.SGD(lr), epochs=epochs, batch_size=batch_size, callbacks=callbacks, **more
    )


def finding(condition="overfitting", sure=0.95, **remedy):
    """A finding as a rule would write one."""
    return Finding(
        condition,
        sure,
        f"It is {condition}.",
        ("At step 10 the loss was 1.5.", "At step 20 it was 2.5."),
        "Because it happens.",
        "Change it.",
        {name.replace("__", "."): value for name, value in remedy.items()},
    )
