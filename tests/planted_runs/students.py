"""Models that users wrote, in plain NumPy: one that is right, and others each with one mistake."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Array = np.ndarray


class Student:
    """{affine – [batch norm] – ReLU – [dropout]} for each of `hidden`, affine, cross-entropy; as a course writes it."""

    def __init__(
        self,
        hidden: Sequence[int] = (64,),
        *,
        features: int = 64,
        classes: int = 10,
        batchnorm: bool = False,
        dropout: float = 0.0,
        reg: float = 0.0,
        scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.depth, self.batchnorm, self.dropout, self.reg = len(hidden), batchnorm, dropout, reg
        self.params: dict[str, Array] = {}
        self.state: dict[str, Array] = {}
        widths = (features, *hidden, classes)
        for i in range(1, len(widths)):
            fan_in, units = widths[i - 1], widths[i]
            drawn = scale * np.sqrt(2 / fan_in) * self.rng.standard_normal((fan_in, units))
            self.params |= {f"W{i}": drawn.astype(np.float32), f"b{i}": np.zeros(units, np.float32)}
            if batchnorm and i <= self.depth:
                self.params |= {
                    f"gamma{i}": np.ones(units, np.float32),
                    f"beta{i}": np.zeros(units, np.float32),
                }
                self.state |= {f"mean{i}": np.zeros(units, np.float32), f"var{i}": np.ones(units, np.float32)}

    def loss(self, X: Array, y: Array | None = None):
        """Scores without y; loss and gradients with y."""
        scores, caches = self.forward(X.reshape(len(X), -1).astype(np.float32), training=y is not None)
        if y is None:
            return scores
        loss, dscores = self.data_loss(scores, y)
        grads = self.backward(dscores, caches)
        for name, w in self.params.items():
            if self.reg and name.startswith("W"):
                loss = loss + 0.5 * self.reg * (w * w).sum()
                grads[name] = grads[name] + self.reg * w
        return loss, grads

    def forward(self, x: Array, *, training: bool):
        """Scores, and of each layer what its backward pass needs."""
        p, caches = self.params, []
        for i in range(1, self.depth + 1):
            inputs = x
            x = x @ p[f"W{i}"] + p[f"b{i}"]
            xhat = rstd = None
            if self.batchnorm:
                xhat, rstd = self.normalize(x, i, training=training)
                x = p[f"gamma{i}"] * xhat + p[f"beta{i}"]
            mask = (x > 0).astype(np.float32)
            if self.dropout and training:
                kept = self.rng.random(x.shape) >= self.dropout
                mask = mask * kept.astype(np.float32) / np.float32(1 - self.dropout)
            x = x * mask
            caches.append((inputs, xhat, rstd, mask))
        last = self.depth + 1
        return x @ p[f"W{last}"] + p[f"b{last}"], [*caches, x]

    def normalize(self, x: Array, i: int, *, training: bool):
        """Features to mean 0 and variance 1: the batch's in training, the running ones in evaluation."""
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.state[f"mean{i}"] = 0.9 * self.state[f"mean{i}"] + 0.1 * mean
            self.state[f"var{i}"] = 0.9 * self.state[f"var{i}"] + 0.1 * var
        else:
            mean, var = self.state[f"mean{i}"], self.state[f"var{i}"]
        rstd = 1 / np.sqrt(var + 1e-5)
        return (x - mean) * rstd, rstd

    def data_loss(self, scores: Array, y: Array):
        """Mean cross-entropy of the scores' softmax, and its gradient."""
        p = softmax(scores)
        n = len(y)
        loss = -np.log(p[np.arange(n), y] + 1e-30).mean()
        dscores = p.copy()
        dscores[np.arange(n), y] -= 1
        return loss, dscores / n

    def backward(self, dscores: Array, caches: list) -> dict[str, Array]:
        """The gradients of all parameters."""
        *layers, x = caches
        last, grads = self.depth + 1, {}
        grads[f"W{last}"], grads[f"b{last}"] = x.T @ dscores, dscores.sum(axis=0)
        dx = dscores @ self.params[f"W{last}"].T
        for i in range(self.depth, 0, -1):
            inputs, xhat, rstd, mask = layers[i - 1]
            dx = dx * mask
            if self.batchnorm:
                grads[f"gamma{i}"], grads[f"beta{i}"] = (dx * xhat).sum(axis=0), dx.sum(axis=0)
                g = self.params[f"gamma{i}"] * dx
                dx = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) * rstd
            grads[f"W{i}"], grads[f"b{i}"] = inputs.T @ dx, dx.sum(axis=0)
            dx = dx @ self.params[f"W{i}"].T
        return grads


def softmax(scores: Array) -> Array:
    """Softmax of each row."""
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class AlwaysTraining(Student):
    """Evaluates as it trains: with the batch's statistics, with units dropped."""

    def forward(self, x: Array, *, training: bool):
        return super().forward(x, training=True)


class BatchStatistics(Student):
    """Normalises by the batch in evaluation too, but drops nothing there and gathers nothing."""

    def normalize(self, x: Array, i: int, *, training: bool):
        before = dict(self.state)
        normalized = super().normalize(x, i, training=True)
        if not training:
            self.state = before
        return normalized


class SoftmaxTwice(Student):
    """Ends in a softmax, and its loss takes the softmax of that."""

    def forward(self, x: Array, *, training: bool):
        scores, caches = super().forward(x, training=training)
        return softmax(scores), caches

    def data_loss(self, scores: Array, y: Array):
        loss, dp = super().data_loss(scores, y)
        return loss, scores * (dp - (dp * scores).sum(axis=1, keepdims=True))


class RawLikelihood(Student):
    """Forgot the log-softmax: the loss is minus the mean score of the true class."""

    def data_loss(self, scores: Array, y: Array):
        n = len(y)
        dscores = np.zeros_like(scores)
        dscores[np.arange(n), y] = -1 / n
        return -scores[np.arange(n), y].mean(), dscores


class Summed(Student):
    """Sums the loss over the batch."""

    def data_loss(self, scores: Array, y: Array):
        loss, dscores = super().data_loss(scores, y)
        return loss * len(y), dscores * len(y)


class SummedGradient(Student):
    """Averages the loss but not its gradient: 1/N was forgotten in the backward pass."""

    def data_loss(self, scores: Array, y: Array):
        loss, dscores = super().data_loss(scores, y)
        return loss, dscores * len(y)


class NeverReset(Student):
    """Adds its gradients to those of the step before."""

    def backward(self, dscores: Array, caches: list) -> dict[str, Array]:
        grads = super().backward(dscores, caches)
        before = getattr(self, "gathered", {})
        self.gathered = {name: before.get(name, 0) + g for name, g in grads.items()}
        return dict(self.gathered)


class ForgetsLayer(Student):
    """Returns zeros for the gradients of layer `forgotten`."""

    forgotten = 1

    def backward(self, dscores: Array, caches: list) -> dict[str, Array]:
        grads = super().backward(dscores, caches)
        return {name: g * 0 if name.endswith(str(self.forgotten)) else g for name, g in grads.items()}


class LogOfZero(Student):
    """Takes the logarithm of the softmax as it is: a probability that underflows to 0 gives infinity."""

    def data_loss(self, scores: Array, y: Array):
        p = softmax(scores)
        n = len(y)
        dscores = p.copy()
        dscores[np.arange(n), y] -= 1
        return -np.log(p[np.arange(n), y]).mean(), dscores / n


class NoShift(Student):
    """Takes the exponentials of the scores as they are: a score above 88 overflows float32."""

    def data_loss(self, scores: Array, y: Array):
        e = np.exp(scores)
        p = e / e.sum(axis=1, keepdims=True)
        n = len(y)
        dscores = p.copy()
        dscores[np.arange(n), y] -= 1
        return -np.log(p[np.arange(n), y] + 1e-30).mean(), dscores / n
