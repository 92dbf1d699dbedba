"""What a layer is: a frozen description, and the pass that runs descriptions on numbers.

A spec holds hyperparameters and nothing else.  Its numbers live in the network, under its name; two
specs with the same name share them.  All layers of a network, however nested, go through `Pass`.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from plaingrad.errors import ShapeError
from plaingrad.network.initializers import Draws

Array = Any
Shape = tuple[int, ...]
Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Layer(ABC):
    """Base of all layers.  `name` is given by the network ("affine1", ...) unless you choose one.

    A layer of your own needs `output_shape`, `forward` and `backward`, and `init` if it has
    parameters.  Shapes are those of one sample: the batch axis is left out.
    """

    name: str = field(default="", kw_only=True)

    decayed = ("weight",)  # the parameters that weight decay and L2 act on
    has_parameters = False

    @property
    def kind(self) -> str:
        """What layers of this sort are called unless you name them: "batchnorm1", or "conv1" for Conv2d."""
        return type(self).__name__.lower().removesuffix("2d")

    @property
    def called(self) -> str:
        """What errors call this layer: its name, or its kind as long as it has none."""
        return self.name or self.kind

    @abstractmethod
    def output_shape(self, shape: Shape) -> Shape:
        """The shape of the output for inputs of `shape`.  Raises ShapeError if they do not fit."""

    def init(self, shape: Shape, rng: Draws) -> dict[str, np.ndarray]:
        """Initial parameters for inputs of `shape`."""
        return {}

    def init_state(self, shape: Shape) -> dict[str, np.ndarray]:
        """Initial state for inputs of `shape`: numbers that training gathers but does not optimise."""
        return {}

    @abstractmethod
    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """Out, and what `backward` needs."""

    @abstractmethod
    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """The gradient of the input (None is fine unless `needs_dx`), and those of the parameters."""

    def next_state(self, state: Arrays, cache: Any) -> Arrays:
        """The state after a training step whose forward pass left `cache`."""
        return state

    def multiply_adds(self, shape: Shape) -> int:
        """Multiplications with an addition, per sample, in the forward pass."""
        return 0

    def children(self) -> tuple[Layer, ...]:
        """The layers that this one is made of; none, unless it is a combinator."""
        return ()

    def leaves(self, shape: Shape) -> Iterator[tuple[Layer, Shape]]:
        """Every layer that is not a combinator, in order, with the shape of its input."""
        yield self, shape

    def named(self, new_name: Callable[[str], str]) -> Self:
        """This spec with a name, which `new_name(kind)` chooses if it has none."""
        return self if self.name else replace(self, name=new_name(self.kind))


def require_features(layer: Layer, shape: Shape) -> int:
    """The number of features of samples of `shape`, for layers that take rows of them; else ShapeError."""
    if len(shape) != 1:
        raise ShapeError(
            f"{layer.called} expects rows of features, got samples of shape {shape}: put Flatten() before it"
        )
    return shape[0]


def require_image(
    layer: Layer, shape: Shape, advice: str = "put it before Flatten(), or give the network images"
) -> Shape:
    """The `shape` itself, (C, H, W), for layers that take images; else ShapeError, which gives the `advice`."""
    if len(shape) != 3:
        raise ShapeError(f"{layer.called} expects images (C, H, W), got samples of shape {shape}: {advice}")
    return shape


@dataclass(frozen=True)
class Combinator(Layer):
    """Base of layers made of layers.  `forward` and `backward` call the pass for each child."""

    @abstractmethod
    def forward_through(self, x: Array, run: Pass) -> tuple[Array, Any]:
        """Out, and the children's caches."""

    @abstractmethod
    def backward_through(self, dout: Array, cache: Any, run: Pass, *, needs_dx: bool) -> Array | None:
        """The gradient of the input; the children add their own to the pass's gradients."""

    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """Out, and the children's caches."""
        return self.forward_through(x, run)

    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """Not for combinators: a pass calls `backward_through`."""
        raise TypeError(f"{self.name}: a combinator's gradients come from Pass.backward")


_NOTHING: Arrays = {}


@dataclass
class Pass:
    """One forward and backward pass: where layers find their numbers, and where gradients gather.

    `params` and `state` are by layer name.  In training (`train`), layers update their state and
    dropout drops; `seed` says which elements.  `observe(layer, out)`, if given, sees every output, and
    `observe_gradient(layer, dout)` on the way back the gradient of each of them, last output first.
    `gradients` maps (layer name, parameter name) to the gradient, summed over every use of the layer.
    """

    params: Mapping[str, Arrays]
    state: Mapping[str, dict[str, Array]] = field(default_factory=dict)
    train: bool = False
    seed: tuple[int, ...] = (0,)
    observe: Callable[[Layer, Array], None] | None = None
    gradients: dict[tuple[str, str], Array] = field(default_factory=dict)
    observe_gradient: Callable[[Layer, Array], None] | None = None

    def seed_of(self, name: str) -> tuple[int, ...]:
        """A seed for the layer called `name`: the same at the same step, different for other layers."""
        return (*self.seed, zlib.crc32(name.encode()))

    def forward(self, layer: Layer, x: Array) -> tuple[Array, Any]:
        """Run `layer` on x."""
        if isinstance(layer, Combinator):
            return layer.forward_through(x, self)
        state = self.state.get(layer.name, _NOTHING)
        out, cache = layer.forward(x, self.params.get(layer.name, _NOTHING), state, self)
        if self.train and state:
            for name, value in layer.next_state(state, cache).items():
                state[name][...] = value
        if self.observe is not None:
            self.observe(layer, out)
        return out, cache

    def backward(self, layer: Layer, dout: Array, cache: Any, *, needs_dx: bool = True) -> Array | None:
        """Run `layer` backwards; a layer used twice adds its gradients."""
        if isinstance(layer, Combinator):
            return layer.backward_through(dout, cache, self, needs_dx=needs_dx)
        if self.observe_gradient is not None:
            self.observe_gradient(layer, dout)
        dx, gradients = layer.backward(dout, cache, needs_dx=needs_dx)
        for name, gradient in gradients.items():
            key = (layer.name, name)
            self.gradients[key] = self.gradients[key] + gradient if key in self.gradients else gradient
        return dx
