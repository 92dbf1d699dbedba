"""The layers: each binds a pair of `ops` to named parameters, and contains no mathematics of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.errors import ShapeError, check_ranges
from plaingrad.network.initializers import Draws, He, Initializer
from plaingrad.network.layer import Array, Arrays, Layer, Pass, Shape


def _features(layer: Layer, shape: Shape) -> int:
    """The number of features, for layers that take rows of them."""
    if len(shape) != 1:
        raise ShapeError(
            f"{layer.name or layer.kind} expects rows of features, got samples of shape {shape}: "
            "put Flatten() before it"
        )
    return shape[0]


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
            raise ShapeError(
                f"{self.name or self.kind} needs a whole number of units, at least one, got {self.units!r}"
            )

    def output_shape(self, shape: Shape) -> Shape:
        """(units,)."""
        _features(self, shape)
        return (self.units,)

    def init(self, shape: Shape, rng: Draws) -> dict[str, np.ndarray]:
        """The weight from `weight_init`, the bias zero."""
        features = _features(self, shape)
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
        _features(self, shape)
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
            raise ValueError(f"{self.name or self.kind} needs a rate from 0 to below 1, got {self.rate}")

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
        if len(shape) != 3:
            raise ShapeError(
                f"{self.name or self.kind} expects images (C, H, W), got samples of shape {shape}: "
                "use Dropout() for features"
            )
        return shape


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Normalise each feature over the batch: weight γ and bias β (D,); running mean and variance as state.

    Of images (C, H, W) the channels are normalised, over the batch and all pixels.
    `momentum` is the share of the old running statistics that a step keeps.
    """

    momentum: float = 0.9
    eps: float = 1e-5

    decayed = ()
    has_parameters = True

    def __post_init__(self) -> None:
        check_ranges(self, below_one=("momentum",), not_negative=("eps",))

    def output_shape(self, shape: Shape) -> Shape:
        """Unchanged."""
        if len(shape) not in (1, 3):
            raise ShapeError(
                f"{self.name or self.kind} expects features (D,) or images (C, H, W), got samples of {shape}"
            )
        return shape

    def init(self, shape: Shape, rng: Draws) -> dict[str, np.ndarray]:
        """γ = 1, β = 0."""
        return {"weight": np.ones(shape[0]), "bias": np.zeros(shape[0])}

    def init_state(self, shape: Shape) -> dict[str, np.ndarray]:
        """Mean 0, variance 1."""
        return {"running_mean": np.zeros(shape[0]), "running_var": np.ones(shape[0])}

    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """By the batch's statistics in training, by the running ones in evaluation."""
        gamma, beta = params["weight"], params["bias"]
        if run.train:
            return ops.batchnorm_forward(x, gamma, beta, eps=self.eps)
        mean, variance = state["running_mean"], state["running_var"]
        return ops.batchnorm_eval_forward(x, gamma, beta, mean, variance, eps=self.eps)

    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """The backward function that belongs to the forward one."""
        in_training = isinstance(cache, ops.BatchnormCache)
        backward = ops.batchnorm_backward if in_training else ops.batchnorm_eval_backward
        dx, dgamma, dbeta = backward(dout, cache)
        return dx, {"weight": dgamma, "bias": dbeta}

    def next_state(self, state: Arrays, cache: ops.BatchnormCache) -> Arrays:
        """The running averages, moved towards the batch's statistics."""
        batch = {"running_mean": cache.mean, "running_var": cache.variance}
        return {name: ops.running_average(state[name], batch[name], momentum=self.momentum) for name in batch}


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Normalise each sample over its features: weight γ and bias β (D,)."""

    eps: float = 1e-5

    decayed = ()
    has_parameters = True

    def __post_init__(self) -> None:
        check_ranges(self, not_negative=("eps",))

    def output_shape(self, shape: Shape) -> Shape:
        """Unchanged."""
        _features(self, shape)
        return shape

    def init(self, shape: Shape, rng: Draws) -> dict[str, np.ndarray]:
        """γ = 1, β = 0."""
        return {"weight": np.ones(shape[0]), "bias": np.zeros(shape[0])}

    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """As `ops.layernorm_forward`."""
        return ops.layernorm_forward(x, params["weight"], params["bias"], eps=self.eps)

    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """As `ops.layernorm_backward`."""
        dx, dgamma, dbeta = ops.layernorm_backward(dout, cache)
        return dx, {"weight": dgamma, "bias": dbeta}
