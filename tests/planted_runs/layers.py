"""Layers and objectives that users wrote for a Network, each with one mistake."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import plaingrad as pg
from plaingrad import ops
from plaingrad.network.layers import Activation


@dataclass(frozen=True)
class AlwaysBatchNorm(pg.BatchNorm):
    """Normalises by the batch's statistics in evaluation too."""

    def forward(self, x, params, state, run):
        return ops.batchnorm_forward(x, params["weight"], params["bias"], eps=self.eps)


@dataclass(frozen=True)
class AlwaysDropout(pg.Dropout):
    """Drops units in evaluation too, from a generator of its own."""

    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0), compare=False)

    def forward(self, x, params, state, run):
        mask = ((self.rng.random(x.shape) >= self.rate) / (1 - self.rate)).astype(x.dtype)
        return x * mask, mask

    def backward(self, dout, cache, *, needs_dx):
        return dout * cache, {}


@dataclass(frozen=True)
class Softmax(Activation):
    """Softmax over the features, as the last layer before a loss that has its own."""

    pair = (ops.softmax_forward, ops.softmax_backward)


@dataclass(frozen=True)
class ZeroGradientAffine(pg.Affine):
    """Its backward pass returns zeros for the parameters: the line was never written."""

    def backward(self, dout, cache, *, needs_dx):
        dx, gradients = super().backward(dout, cache, needs_dx=needs_dx)
        return dx, {name: np.zeros_like(gradient) for name, gradient in gradients.items()}


@dataclass(frozen=True)
class ZeroGradientConv2d(pg.Conv2d):
    """Its backward pass returns zeros for the parameters."""

    def backward(self, dout, cache, *, needs_dx):
        dx, gradients = super().backward(dout, cache, needs_dx=needs_dx)
        return dx, {name: np.zeros_like(gradient) for name, gradient in gradients.items()}


@dataclass(frozen=True)
class SummedCrossEntropy(pg.SoftmaxCrossEntropy):
    """Sums the loss over the batch."""

    def forward(self, scores: Any, y: Any) -> tuple[Any, Any]:
        loss, cache = super().forward(scores, y)
        return loss * len(y), (cache, len(y))

    def backward(self, cache: Any) -> Any:
        inner, count = cache
        return super().backward(inner) * count


class NeverReset:
    """Around any model: gradients are added to those of the step before."""

    def __init__(self, model: Any) -> None:
        self.model, self.gathered = model, {}

    @property
    def params(self):
        return self.model.params

    @property
    def state(self):
        return self.model.state

    def loss(self, X, y=None):
        if y is None:
            return self.model.loss(X)
        loss, grads = self.model.loss(X, y)
        self.gathered = {name: self.gathered.get(name, 0) + g for name, g in grads.items()}
        return loss, dict(self.gathered)
