"""plaingrad's networks under the course's names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from plaingrad import network
from plaingrad.network import FlatDict, Normal

Array = np.ndarray


class CourseNames(network.Network):
    """Put before a network's class, calls its parameters W1, b1, gamma1, beta1, W2, ...

    `params` are views of the network's one flat buffer: assigning to a name, editing an array in place
    and assigning a whole dict all take effect.  Weights are drawn from NumPy's global generator, layer
    by layer.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, rng=np.random, **settings)  # type: ignore[arg-type]  (a module can draw too)
        self._names = _course_names(self._params)

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
        """As plaingrad's, by the course's names."""
        loss, grads, dx = super().loss_and_gradients(X, y, needs_dx=needs_dx)
        return loss, grads.renamed(self._names), dx


class CourseNetwork(CourseNames, network.FullyConnectedNet):
    """plaingrad's fully-connected network by the course's names, for X of any shape (N, d_1, ..., d_k)."""

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
        )

    def loss_and_gradients(
        self, X: Array, y: Array, *, needs_dx: bool = False
    ) -> tuple[float, FlatDict, Array | None]:
        """As plaingrad's, by the course's names and with the input's gradient in the shape of X."""
        loss, grads, dx = super().loss_and_gradients(X, y, needs_dx=needs_dx)
        return loss, grads, None if dx is None else dx.reshape(np.shape(X))

    def _input(self, X: Array) -> Array:
        X = np.asarray(X)
        return super()._input(X.reshape(len(X), math.prod(X.shape[1:])) if X.ndim > 1 else X)


def _course_names(params: FlatDict) -> dict[str, str]:
    """For each of plaingrad's names the course's, which numbers the layers that have a W from first to last.

    A normalisation has the number of the layer that it follows.
    """
    names, number = {}, 0
    for layer, own in params.groups.items():
        has_w = layer.startswith(("affine", "conv"))
        number += has_w
        letters = {"weight": "W", "bias": "b"} if has_w else {"weight": "gamma", "bias": "beta"}
        names |= {f"{layer}.{name}": f"{letters[name]}{number}" for name in own}
    return names
