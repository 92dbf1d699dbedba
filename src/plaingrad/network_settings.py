"""The [network] section of a recipe: a class for each network that has a name.

Its fields are the keyword arguments of the network's class, whose docstring tells what they mean.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from plaingrad.errors import RecipeError
from plaingrad.network import (
    VGG,
    FastNet,
    FourConvNet,
    FullyConnectedNet,
    He,
    Hinge,
    LeNet,
    NegativeLogLikelihood,
    Network,
    Normal,
    Objective,
    ResNet,
    SoftmaxCrossEntropy,
    ThreeLayerConvNet,
    TwoLayerNet,
    Uniform,
    Xavier,
    described,
)
from plaingrad.network.initializers import Draws

Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Strength = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Base of all sections: unknown fields are errors, numbers must be finite, values stay as they were set."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class NetworkSettings(Section):
    """What all networks share: the objective and the L2 strength."""

    network: ClassVar[type[Network]]

    loss: Literal["softmax", "hinge", "negative-log-likelihood"] = "softmax"
    label_smoothing: Share = 0.0
    reg: Strength = 0.0

    @model_validator(mode="after")
    def _smooths_softmax(self) -> Self:
        if self.label_smoothing and self.loss != "softmax":
            raise RecipeError(
                f'network.label_smoothing is for loss = "softmax", not for "{self.loss}": leave it out'
            )
        return self

    def objective(self) -> Objective:
        """The loss."""
        if self.loss == "softmax":
            return SoftmaxCrossEntropy(self.label_smoothing)
        return Hinge() if self.loss == "hinge" else NegativeLogLikelihood()

    def arguments(self) -> dict[str, Any]:
        """The network's own keyword arguments: every field that not all networks have; "none" is None."""
        own = self.model_dump(exclude={"name", *NetworkSettings.model_fields})
        if "init" in own:  # `init` chooses the initialiser, and `std` belongs to one of them
            normal = Normal(own.pop("std", 1e-2))
            choices = {"he": He(), "uniform": Uniform(), "xavier": Xavier(), "normal": normal}
            own["weight_init"] = choices[own.pop("init")]
        return {field: None if value == "none" else value for field, value in own.items()}

    def build(
        self, input_shape: tuple[int, ...], classes: int, seed: int, dtype: str, rng: Draws | None = None
    ) -> Network:
        """The network for samples of `input_shape` in so many classes; `rng` as in Network."""
        shared = {"input_shape": input_shape, "classes": classes, **self.numbers(seed, dtype)}
        return self.network(**self.arguments(), **shared, rng=rng)

    def numbers(self, seed: int, dtype: str) -> dict[str, Any]:
        """The keyword arguments of every Network."""
        return {"reg": self.reg, "objective": self.objective(), "seed": seed, "dtype": dtype}


class TwoLayerSettings(NetworkSettings):
    """affine – ReLU – affine."""

    network = TwoLayerNet
    name: Literal["two-layer"]
    hidden: Count = 50
    std: Positive = 1e-3


class FullyConnectedSettings(NetworkSettings):
    """Any number of affine layers, with normalisation and dropout if wanted."""

    network = FullyConnectedNet
    name: Literal["fully-connected"]
    hidden: list[Count] = [100, 100]
    activation: Literal["relu", "leaky-relu", "elu", "sigmoid", "tanh", "gelu", "silu"] = "relu"
    normalization: Literal["none", "batchnorm", "layernorm"] = "none"
    dropout: Share = 0.0
    init: Literal["he", "uniform", "xavier", "normal"] = "he"
    std: Positive = 1e-2


class LeNetSettings(NetworkSettings):
    """The convolutional network of 1998, with ReLU and max-pooling."""

    network = LeNet
    name: Literal["lenet"]
    normalization: Literal["none", "batchnorm"] = "none"
    log_softmax: bool = False
    init: Literal["he", "uniform", "xavier"] = "he"


class FourConvSettings(NetworkSettings):
    """Twice two convolutions and a pooling."""

    network = FourConvNet
    name: Literal["four-conv"]
    filters: Count = 32
    shared: bool = False
    init: Literal["he", "uniform", "xavier"] = "he"


class ThreeLayerConvSettings(NetworkSettings):
    """conv – ReLU – pool – affine – ReLU – affine."""

    network = ThreeLayerConvNet
    name: Literal["three-layer-conv"]
    filters: Count = 32
    size: Count = 7
    hidden: Count = 100
    std: Positive = 1e-3


class VGGSettings(NetworkSettings):
    """Stages of convolutions with batch normalisation, each ended by a pooling."""

    network = VGG
    name: Literal["vgg"]
    widths: list[Count] = [32, 64, 128]
    depth: Count = 2


class ResNetSettings(NetworkSettings):
    """The residual network for small images."""

    network = ResNet
    name: Literal["resnet"]
    depth: Count = 20
    widths: list[Count] = [16, 32, 64]


class FastSettings(NetworkSettings):
    """A network made for training speed."""

    network = FastNet
    name: Literal["fast"]
    widths: list[Count] = [64, 256, 256]
    stem: Count = 24


class LayersSettings(NetworkSettings):
    """Any stack of layers, written out; see `plaingrad.network.description`."""

    name: Literal["layers"]
    layers: list[Any]

    @model_validator(mode="after")
    def _describes_layers(self) -> Self:
        described(
            self.layers, classes=1, where="network.layers"
        )  # so that a mistake is told before any data is read
        return self

    def build(
        self, input_shape: tuple[int, ...], classes: int, seed: int, dtype: str, rng: Draws | None = None
    ) -> Network:
        """The network for samples of `input_shape` in so many classes; `rng` as in Network."""
        network = Network(described(self.layers, classes), input_shape, **self.numbers(seed, dtype), rng=rng)
        if network.output_shape != (classes,):
            raise RecipeError(
                f"network.layers ends in samples of shape {network.output_shape}, but must end in one score for each "
                f'of the {classes} classes: let the last layers be "flatten" and {{kind = "affine", units = "classes"}}'
            )
        return network


AnyNetwork = Annotated[
    TwoLayerSettings
    | FullyConnectedSettings
    | LeNetSettings
    | FourConvSettings
    | ThreeLayerConvSettings
    | VGGSettings
    | ResNetSettings
    | FastSettings
    | LayersSettings,
    Field(discriminator="name"),
]
