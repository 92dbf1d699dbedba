"""The layers that normalise: over the batch, over a sample's features, over groups of its channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.errors import ShapeError, check_ranges
from plaingrad.network.initializers import Draws
from plaingrad.network.layer import Array, Arrays, Layer, Pass, Shape, require_features, require_image


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
                f"{self.called} expects features (D,) or images (C, H, W), got samples of {shape}"
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
        require_features(self, shape)
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


@dataclass(frozen=True)
class GroupNorm(Layer):
    """Normalise each image over a group of channels at a time: weight γ and bias β (C,)."""

    groups: int
    eps: float = 1e-5

    decayed = ()
    has_parameters = True

    def __post_init__(self) -> None:
        if not isinstance(self.groups, int | np.integer) or self.groups < 1:
            raise ShapeError(f"{self.called}: groups must be a whole number, 1 or more, got {self.groups}")
        check_ranges(self, not_negative=("eps",))

    def output_shape(self, shape: Shape) -> Shape:
        """Unchanged."""
        if require_image(self, shape)[0] % self.groups:
            raise ShapeError(f"{self.called}: {shape[0]} channels do not divide into {self.groups} groups")
        return shape

    def init(self, shape: Shape, rng: Draws) -> dict[str, np.ndarray]:
        """γ = 1, β = 0."""
        return {"weight": np.ones(shape[0]), "bias": np.zeros(shape[0])}

    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """As `ops.groupnorm_forward`."""
        return ops.groupnorm_forward(x, params["weight"], params["bias"], groups=self.groups, eps=self.eps)

    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """As `ops.groupnorm_backward`."""
        dx, dgamma, dbeta = ops.groupnorm_backward(dout, cache)
        return dx, {"weight": dgamma, "bias": dbeta}
