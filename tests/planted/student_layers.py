"""plaingrad layers and objectives of one's own: subclasses of the built-in ones, and some from scratch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from plaingrad.network import (
    Affine,
    BatchNorm,
    Conv2d,
    Dropout,
    Layer,
    LayerNorm,
    MaxPool2d,
    MeanSquaredError,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
)


@dataclass(frozen=True)
class StudentAffine(Affine):
    bug: str = ""

    def backward(self, dout, cache, *, needs_dx):
        dx, grads = super().backward(dout, cache, needs_dx=needs_dx)
        weight, bias = grads["weight"], grads["bias"]
        match self.bug:
            case "bias-mean":
                bias = dout.mean(axis=0)
            case "weight-sign":
                weight = -weight
            case "weight-transposed":
                weight = weight.T
            case "weight-never-filled":
                weight = np.zeros_like(weight)
            case "dx-sign":
                dx = None if dx is None else -dx
            case "weight-float32":
                weight = weight.astype(np.float32)
        return dx, {"weight": weight, "bias": bias}


@dataclass(frozen=True)
class StudentReLU(ReLU):
    bug: str = ""

    def forward(self, x, params, state, run):
        if self.bug == "x-in-place":
            out = np.maximum(x, 0, out=x)
            return out, out.copy()
        return super().forward(x, params, state, run)

    def backward(self, dout, cache, *, needs_dx):
        if self.bug == "no-mask":
            return dout, {}
        return super().backward(dout, cache, needs_dx=needs_dx)


@dataclass(frozen=True)
class StudentSigmoid(Sigmoid):
    bug: str = ""

    def backward(self, dout, cache, *, needs_dx):
        return dout * cache if self.bug == "one-minus-s-forgotten" else dout * cache * (1 - cache), {}


@dataclass(frozen=True)
class StudentTanh(Tanh):
    bug: str = ""

    def backward(self, dout, cache, *, needs_dx):
        return dout * (1 - cache if self.bug == "not-squared" else 1 - cache**2), {}


@dataclass(frozen=True)
class StudentBatchNorm(BatchNorm):
    bug: str = ""

    def backward(self, dout, cache, *, needs_dx):
        dx, grads = super().backward(dout, cache, needs_dx=needs_dx)
        match self.bug:
            case "statistics-constant":
                dx = dout * cache.gamma * cache.rstd
            case "bias-mean":
                grads["bias"] = dout.mean(axis=0)
            case "gamma-forgotten":
                dx = dx / cache.gamma
        return dx, grads


@dataclass(frozen=True)
class StudentLayerNorm(LayerNorm):
    bug: str = ""

    def backward(self, dout, cache, *, needs_dx):
        dx, grads = super().backward(dout, cache, needs_dx=needs_dx)
        if self.bug == "variance-constant":
            _, gamma, rstd = cache
            g = gamma * dout
            dx = (g - g.mean(axis=1, keepdims=True)) * rstd
        return dx, grads


@dataclass(frozen=True)
class StudentDropout(Dropout):
    bug: str = ""

    def forward(self, x, params, state, run):
        if self.bug == "unseeded":
            mask = (np.random.default_rng().random(x.shape) > self.rate) / (1 - self.rate)
            return x * mask, mask
        return super().forward(x, params, state, run)

    def backward(self, dout, cache, *, needs_dx):
        match self.bug:
            case "no-mask":
                return dout, {}
            case "scale-forgotten":
                return dout * (cache > 0), {}
        return super().backward(dout, cache, needs_dx=needs_dx)


@dataclass(frozen=True)
class StudentConv(Conv2d):
    bug: str = ""

    def backward(self, dout, cache, *, needs_dx):
        dx, grads = super().backward(dout, cache, needs_dx=needs_dx)
        match self.bug:
            case "weight-flipped":
                grads["weight"] = grads["weight"][:, :, ::-1, ::-1]
            case "bias-mean":
                grads["bias"] = dout.mean(axis=(0, 2, 3))
            case "bias-unsummed":
                grads["bias"] = dout.sum(axis=0)
        return dx, grads


@dataclass(frozen=True)
class StudentMaxPool(MaxPool2d):
    bug: str = ""

    def backward(self, dout, cache, *, needs_dx):
        dx, grads = super().backward(dout, cache, needs_dx=True)
        if self.bug == "no-mask":
            dx = np.kron(dout, np.ones(cache.window.size))
        return dx, grads


@dataclass(frozen=True)
class Centred(Layer):
    """x less its mean over the features."""

    bug: str = ""

    def output_shape(self, shape):
        return shape

    def forward(self, x, params, state, run):
        return x - x.mean(axis=1, keepdims=True), None

    def backward(self, dout, cache, *, needs_dx):
        match self.bug:
            case "mean-constant":
                return dout, {}
            case "mean-of-the-batch":
                return dout - dout.mean(axis=0), {}
        return dout - dout.mean(axis=1, keepdims=True), {}


@dataclass(frozen=True)
class Squared(Layer):
    """x², which may remember the first x that it saw of a shape."""

    bug: str = ""
    remembered: dict = field(default_factory=dict, compare=False)

    def output_shape(self, shape):
        return shape

    def forward(self, x, params, state, run):
        if self.bug == "remembered":
            self.remembered.setdefault(x.shape, x.copy())
        return x * x, x

    def backward(self, dout, cache, *, needs_dx):
        match self.bug:
            case "two-forgotten":
                return dout * cache, {}
            case "remembered":
                return 2 * dout * self.remembered[cache.shape], {}
        return 2 * dout * cache, {}


@dataclass(frozen=True)
class StudentCrossEntropy(SoftmaxCrossEntropy):
    bug: str = ""

    def backward(self, cache):
        logp, target = cache
        return {
            "": (np.exp(logp) - target) / len(logp),
            "mean-forgotten": np.exp(logp) - target,
            "one-hot-forgotten": np.exp(logp) / len(logp),
        }[self.bug]


@dataclass(frozen=True)
class StudentSquaredError(MeanSquaredError):
    bug: str = ""

    def backward(self, cache):
        dscores = super().backward(cache)
        return dscores / 2 if self.bug == "two-forgotten" else dscores
