"""The [network] section of a recipe: a class for each network that has a name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from plaingrad.network import (
    FullyConnectedNet,
    He,
    Hinge,
    Network,
    Normal,
    Objective,
    SoftmaxCrossEntropy,
    TwoLayerNet,
    Xavier,
)

Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Strength = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """Base of all sections: unknown fields are errors, numbers must be finite, values stay as they were set."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class NetworkSettings(Section):
    """What all networks share: the objective and the L2 strength."""

    loss: Literal["softmax", "hinge"] = "softmax"
    label_smoothing: Share = 0.0
    reg: Strength = 0.0

    def objective(self) -> Objective:
        """The loss."""
        return SoftmaxCrossEntropy(self.label_smoothing) if self.loss == "softmax" else Hinge()


class TwoLayerSettings(NetworkSettings):
    """affine – ReLU – affine."""

    name: Literal["two-layer"]
    hidden: Count = 50
    std: Annotated[float, Field(gt=0)] = 1e-3

    def build(self, input_shape: tuple[int, ...], classes: int, seed: int, dtype: str) -> Network:
        """The network for samples of `input_shape` in so many classes."""
        return TwoLayerNet(
            self.hidden,
            input_shape=input_shape,
            classes=classes,
            std=self.std,
            reg=self.reg,
            objective=self.objective(),
            seed=seed,
            dtype=dtype,
        )


class FullyConnectedSettings(NetworkSettings):
    """Any number of affine layers, with normalisation and dropout if wanted."""

    name: Literal["fully-connected"]
    hidden: list[Count] = [100, 100]
    activation: Literal["relu", "leaky-relu", "elu", "sigmoid", "tanh", "gelu", "silu"] = "relu"
    normalization: Literal["none", "batchnorm", "layernorm"] = "none"
    dropout: Share = 0.0
    init: Literal["he", "xavier", "normal"] = "he"
    std: Annotated[float, Field(gt=0)] = 1e-2

    def build(self, input_shape: tuple[int, ...], classes: int, seed: int, dtype: str) -> Network:
        """The network for samples of `input_shape` in so many classes."""
        return FullyConnectedNet(
            self.hidden,
            input_shape=input_shape,
            classes=classes,
            activation=self.activation,
            normalization=None if self.normalization == "none" else self.normalization,
            dropout=self.dropout,
            weight_init={"he": He(), "xavier": Xavier(), "normal": Normal(self.std)}[self.init],
            reg=self.reg,
            objective=self.objective(),
            seed=seed,
            dtype=dtype,
        )
