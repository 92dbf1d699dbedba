"""A plaingrad network under the course's names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from plaingrad import network
from plaingrad.network import FlatDict, Normal

Array = np.ndarray

_LETTERS = {
    ("affine", "weight"): "W",
    ("affine", "bias"): "b",
    ("batchnorm", "weight"): "gamma",
    ("batchnorm", "bias"): "beta",
    ("layernorm", "weight"): "gamma",
    ("layernorm", "bias"): "beta",
}


class CourseNetwork(network.FullyConnectedNet):
    """plaingrad's fully-connected network whose parameters are called W1, b1, gamma1, beta1, W2, ...

    `params` are views of the network's one flat buffer: assigning to a name, editing an array in place
    and assigning a whole dict all take effect.  Weights are drawn from NumPy's global generator, layer
    by layer.  X may have any shape (N, d_1, ..., d_k).
    """

    def __init__(
        self,
        hidden_dims: Sequence[int],
        input_dim: int,
        num_classes: int,
        *,
        weight_scale: float,
        reg: float = 0.0,
        dropout: float = 0.0,
        normalization: Literal["batchnorm", "layernorm"] | None = None,
        seed: int = 0,
        dtype: Any = np.float64,
    ) -> None:
        super().__init__(
            hidden_dims,
            input_shape=input_dim,
            classes=num_classes,
            normalization=normalization,
            dropout=dropout,
            weight_init=Normal(weight_scale),
            reg=reg,
            seed=seed,
            dtype=dtype,
            rng=np.random,  # type: ignore[arg-type]  (a module that has the generator's functions)
        )
        self._names = {name: _course_name(name) for name in self._params}

    @property
    def params(self) -> FlatDict:
        """W1, b1, ...: views of the network's numbers."""
        return self._params.renamed(self._names)

    @params.setter
    def params(self, values: Mapping[str, Any]) -> None:
        self.params.assign(values)

    def loss_and_gradients(
        self, X: Array, y: Array, *, needs_dx: bool = False
    ) -> tuple[float, FlatDict, Array | None]:
        """As plaingrad's, by the course's names and with the input's gradient in the shape of X."""
        loss, grads, dx = super().loss_and_gradients(X, y, needs_dx=needs_dx)
        return loss, grads.renamed(self._names), None if dx is None else dx.reshape(np.shape(X))

    def _input(self, X: Array) -> Array:
        X = np.asarray(X)
        return super()._input(X.reshape(len(X), math.prod(X.shape[1:])) if X.ndim > 1 else X)


def _course_name(name: str) -> str:
    layer, _, parameter = name.partition(".")
    kind = layer.rstrip("0123456789")
    return _LETTERS[kind, parameter] + layer.removeprefix(kind)
