"""The layers for images (C, H, W): convolution and pooling."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.errors import ShapeError
from plaingrad.network.initializers import Draws, He, Initializer
from plaingrad.network.layer import Array, Arrays, Layer, Pass, Shape, require_image
from plaingrad.ops import Window

Size = int | tuple[int, int]


@dataclass(frozen=True)
class Conv2d(Layer):
    """`filters` patterns of `size` pixels, moved over the image: weight (filters, C/groups, kh, kw), bias (filters,).

    size, stride, padding and dilation are numbers of pixels, or pairs of them (vertical, horizontal).
    Leave the bias out before a batch normalisation, which subtracts it again.
    """

    filters: int
    size: Size
    stride: Size = 1
    padding: Size = 0
    dilation: Size = 1
    groups: int = 1
    bias: bool = True
    weight_init: Initializer = field(default_factory=He)

    has_parameters = True

    def __post_init__(self) -> None:
        for name in ("filters", "groups"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
                raise ShapeError(f"{self.called}: {name} must be a whole number, 1 or more, got {count!r}")
        if self.filters % self.groups:
            raise ShapeError(f"{self.called}: {self.filters} filters do not divide into {self.groups} groups")
        _ = self.window

    @property
    def window(self) -> Window:
        """The window of the filters."""
        return Window.of(self.size, self.stride, self.padding, self.dilation, what=self.called)

    def output_shape(self, shape: Shape) -> Shape:
        """(filters, Ho, Wo)."""
        channels, height, width = require_image(self, shape)
        if channels % self.groups:
            raise ShapeError(f"{self.called}: {channels} channels do not divide into {self.groups} groups")
        return (self.filters, *self.window.steps((height, width), what=self.called))

    def init(self, shape: Shape, rng: Draws) -> dict[str, np.ndarray]:
        """The weight from `weight_init`, the bias zero."""
        pixels = math.prod(self.window.size)
        channels = shape[0] // self.groups
        form = (self.filters, channels, *self.window.size)
        weight = self.weight_init(rng, form, channels * pixels, self.filters // self.groups * pixels)
        return {"weight": weight, "bias": np.zeros(self.filters)} if self.bias else {"weight": weight}

    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """As `ops.conv2d_forward`."""
        return ops.conv2d_forward(
            x,
            params["weight"],
            params.get("bias"),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )

    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """As `ops.conv2d_backward`."""
        dx, dw, db = ops.conv2d_backward(dout, cache, needs_dx=needs_dx)
        return dx, {"weight": dw, "bias": db} if self.bias else {"weight": dw}

    def multiply_adds(self, shape: Shape) -> int:
        """One for each weight at each place of the output."""
        _, height, width = self.output_shape(shape)
        weights = self.filters * shape[0] // self.groups * math.prod(self.window.size)
        return height * width * weights


@dataclass(frozen=True)
class Pool2d(Layer):
    """Base of the poolings over a window, which moves by its own size unless `stride` is given."""

    window: Size
    stride: Size | None = None
    padding: Size = 0

    pair = (ops.max_pool2d_forward, ops.max_pool2d_backward)

    def __post_init__(self) -> None:
        _ = self.moved

    @property
    def moved(self) -> Window:
        """The window and how it moves."""
        return ops.pool_window(self.window, self.stride, self.padding, self.called)

    def output_shape(self, shape: Shape) -> Shape:
        """(C, Ho, Wo)."""
        channels, height, width = require_image(self, shape)
        return (channels, *self.moved.steps((height, width), what=self.called))

    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """The first of the pair."""
        return self.pair[0](x, window=self.window, stride=self.stride, padding=self.padding)

    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """The second of the pair."""
        return self.pair[1](dout, cache) if needs_dx else None, {}


@dataclass(frozen=True)
class MaxPool2d(Pool2d):
    """The largest value in each window; of equal values the first has the gradient."""


@dataclass(frozen=True)
class AvgPool2d(Pool2d):
    """The mean of each window, padding counted as zeros."""

    pair = (ops.avg_pool2d_forward, ops.avg_pool2d_backward)


@dataclass(frozen=True)
class GlobalAvgPool2d(Layer):
    """The mean of each channel: images (C, H, W) to features (C,)."""

    def output_shape(self, shape: Shape) -> Shape:
        """(C,)."""
        return require_image(self, shape)[:1]

    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """As `ops.global_avg_pool2d_forward`."""
        return ops.global_avg_pool2d_forward(x)

    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """As `ops.global_avg_pool2d_backward`."""
        return ops.global_avg_pool2d_backward(dout, cache) if needs_dx else None, {}


__all__ = ["AvgPool2d", "Conv2d", "GlobalAvgPool2d", "MaxPool2d", "Pool2d", "Size"]
