"""The named networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from plaingrad.network.combinators import Sequential
from plaingrad.network.initializers import Draws, He, Initializer, Normal
from plaingrad.network.layer import Layer, Shape
from plaingrad.network.layers import (
    ELU,
    GELU,
    Affine,
    Dropout,
    Flatten,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
)
from plaingrad.network.network import Network
from plaingrad.network.normalization_layers import BatchNorm, LayerNorm
from plaingrad.network.objectives import Objective

ACTIVATIONS: dict[str, type[Layer]] = {
    "relu": ReLU,
    "leaky-relu": LeakyReLU,
    "elu": ELU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "gelu": GELU,
    "silu": SiLU,
}

NORMALIZATIONS: dict[str, type[Layer]] = {"batchnorm": BatchNorm, "layernorm": LayerNorm}


class FullyConnectedNet(Network):
    """{affine – [normalisation] – activation – [dropout]} for each of `hidden`, then affine to `classes`.

    input_shape: of one sample; images are flattened first.  dropout: the probability of dropping a
    unit.  weight_init: `He()` by default, `Normal(std)` for the coursework's weight scale.
    reg, objective, seed, dtype, rng: as in Network.
    """

    def __init__(
        self,
        hidden: Sequence[int],
        *,
        input_shape: Shape | int = (3, 32, 32),
        classes: int = 10,
        activation: str = "relu",
        normalization: Literal["batchnorm", "layernorm"] | None = None,
        dropout: float = 0.0,
        weight_init: Initializer | None = None,
        reg: float = 0.0,
        objective: Objective | None = None,
        seed: int = 0,
        dtype: Any = np.float32,
        rng: Draws | None = None,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise ValueError(f"there is no activation {activation!r}; choose one of {', '.join(ACTIVATIONS)}")
        if normalization is not None and normalization not in NORMALIZATIONS:
            choices = ", ".join(NORMALIZATIONS)
            raise ValueError(f"there is no normalization {normalization!r}; choose one of {choices}, or None")
        init = weight_init or He()
        layers: list[Layer] = [] if isinstance(input_shape, int) or len(input_shape) == 1 else [Flatten()]
        for units in hidden:
            layers.append(Affine(units, weight_init=init))
            if normalization is not None:
                layers.append(NORMALIZATIONS[normalization]())
            layers.append(ACTIVATIONS[activation]())
            if dropout:
                layers.append(Dropout(dropout))
        layers.append(Affine(classes, weight_init=init))
        super().__init__(
            Sequential(*layers), input_shape, objective=objective, reg=reg, seed=seed, dtype=dtype, rng=rng
        )


class TwoLayerNet(FullyConnectedNet):
    """affine – ReLU – affine: the first network of every course.

    Weights are normal with standard deviation `std`, small enough that all scores start near 0 and
    the loss near ln(classes).  The other `settings` are those of FullyConnectedNet.
    """

    def __init__(self, hidden: int = 50, *, std: float = 1e-3, **settings: Any) -> None:
        super().__init__([hidden], weight_init=Normal(std), **settings)
