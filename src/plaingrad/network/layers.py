"""The layers: each binds a pair of `ops` to named parameters, and contains no mathematics of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.errors import ShapeError
from plaingrad.network.initializers import Draws, He, Initializer
from plaingrad.network.layer import Array, Arrays, Layer, Pass, Shape, require_features, require_image


@dataclass(frozen=True)
class Affine(Layer):
    """x w + b to `units` features: weight (D, units), bias (units,)."""

    units: int
    bias: bool = True
    weight_init: Initializer = field(default_factory=He)

    has_parameters = True

    def __post_init__(self) -> None:
        whole = isinstance(self.units, int | np.integer) and not isinstance(self.units, bool)
        if not whole or self.units < 1:
            raise ShapeError(f"{self.called} needs a whole number of units, at least one, got {self.units!r}")

    def output_shape(self, shape: Shape) -> Shape:
        """(units,)."""
        require_features(self, shape)
        return (self.units,)

    def init(self, shape: Shape, rng: Draws) -> dict[str, np.ndarray]:
        """The weight from `weight_init`, the bias zero."""
        features = require_features(self, shape)
        weight = self.weight_init(rng, (features, self.units), features, self.units)
        return {"weight": weight, "bias": np.zeros(self.units)} if self.bias else {"weight": weight}

    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """As `ops.affine_forward`."""
        return ops.affine_forward(x, params["weight"], params.get("bias"))

    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """As `ops.affine_backward`."""
        dx, dw, db = ops.affine_backward(dout, cache, needs_dx=needs_dx)
        return dx, {"weight": dw, "bias": db} if self.bias else {"weight": dw}

    def multiply_adds(self, shape: Shape) -> int:
        """One for each element of the weight."""
        return shape[0] * self.units


@dataclass(frozen=True)
class Flatten(Layer):
    """(N, C, H, W), or any shape, to (N, C·H·W): each sample's values in a row."""

    def output_shape(self, shape: Shape) -> Shape:
        """The product of all sizes."""
        return (math.prod(shape),)

    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """As `ops.flatten_forward`."""
        return ops.flatten_forward(x)

    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """As `ops.flatten_backward`."""
        return ops.flatten_backward(dout, cache), {}


@dataclass(frozen=True)
class Activation(Layer):
    """Base of the elementwise layers: a pair of `ops` and nothing else; `settings` are its keywords."""

    pair = (ops.relu_forward, ops.relu_backward)

    @property
    def settings(self) -> dict[str, float]:
        """Keyword arguments of the forward function."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """Unchanged."""
        return shape

    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """The first of the pair."""
        return self.pair[0](x, **self.settings)

    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """The second of the pair."""
        return self.pair[1](dout, cache), {}


@dataclass(frozen=True)
class ReLU(Activation):
    """max(x, 0)."""


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """x where x > 0, else slope · x."""

    slope: float = 0.01
    pair = (ops.leaky_relu_forward, ops.leaky_relu_backward)

    @property
    def settings(self) -> dict[str, float]:
        """The slope."""
        return {"slope": self.slope}


@dataclass(frozen=True)
class ELU(Activation):
    """x where x > 0, else α (eˣ − 1)."""

    alpha: float = 1.0
    pair = (ops.elu_forward, ops.elu_backward)

    @property
    def settings(self) -> dict[str, float]:
        """α."""
        return {"alpha": self.alpha}


@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + e⁻ˣ)."""

    pair = (ops.sigmoid_forward, ops.sigmoid_backward)


@dataclass(frozen=True)
class Tanh(Activation):
    """tanh x."""

    pair = (ops.tanh_forward, ops.tanh_backward)


@dataclass(frozen=True)
class GELU(Activation):
    """x weighted by how likely a normal is below it, in the tanh form."""

    pair = (ops.gelu_forward, ops.gelu_backward)


@dataclass(frozen=True)
class SiLU(Activation):
    """x σ(x)."""

    pair = (ops.silu_forward, ops.silu_backward)


@dataclass(frozen=True)
class LogSoftmax(Activation):
    """ln softmax(x) over the features, for the negative log-likelihood."""

    pair = (ops.log_softmax_forward, ops.log_softmax_backward)

    def output_shape(self, shape: Shape) -> Shape:
        """Unchanged."""
        require_features(self, shape)
        return shape


@dataclass(frozen=True)
class Scale(Activation):
    """factor · x: before softmax, a factor below 1 keeps large scores from being overconfident."""

    factor: float
    pair = (ops.scale_forward, ops.scale_backward)

    @property
    def settings(self) -> dict[str, float]:
        """The factor."""
        return {"factor": self.factor}


@dataclass(frozen=True)
class Dropout(Layer):
    """In training, zero each element with probability `rate` and scale the others by 1/(1 − rate)."""

    rate: float = 0.5

    pair = (ops.dropout_forward, ops.dropout_backward)

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"{self.called} needs a rate from 0 to below 1, got {self.rate}")

    def output_shape(self, shape: Shape) -> Shape:
        """Unchanged."""
        return shape

    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """The first of the pair in training, the identity in evaluation."""
        if not run.train or not self.rate:
            return x, None
        return self.pair[0](x, rate=self.rate, seed=run.seed_of(self.name))

    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """The second of the pair in training, the identity in evaluation."""
        return (dout if cache is None else self.pair[1](dout, cache)), {}


@dataclass(frozen=True)
class Dropout2d(Dropout):
    """Dropout of whole channels of images (C, H, W)."""

    pair = (ops.dropout2d_forward, ops.dropout2d_backward)

    def output_shape(self, shape: Shape) -> Shape:
        """Unchanged."""
        return require_image(self, shape, "use Dropout() for features")
