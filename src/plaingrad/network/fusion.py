"""Neighbouring layers run as one where a kernel can do both in one pass over memory.

`fused` rewrites a tree of layers; what it gives back has the same parameters, state and gradients under
the same names, and the same output.  It is for running: everything else (summaries, checks, names in
errors) goes by the layers as they were written.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from plaingrad import ops
from plaingrad.network.combinators import Branch, Residual, Sequential
from plaingrad.network.image_layers import Conv2d, MaxPool2d
from plaingrad.network.layer import Array, Arrays, Layer, Pass, Shape
from plaingrad.network.layers import GELU, Affine, ReLU
from plaingrad.network.normalization_layers import BatchNorm


def fused(layer: Layer) -> Layer:
    """`layer` with neighbours joined wherever it holds a Sequential, however deep inside.

    Only layers and combinators of exactly the types known here: a class of your own derived from them
    may do something else.
    """
    kind = type(layer)
    if kind is Sequential:
        return Sequential(*_joined(list(_in_a_row(layer))), name=layer.name)
    if kind is Residual:
        assert isinstance(layer, Residual)
        return replace(layer, body=fused(layer.body), shortcut=layer.shortcut and fused(layer.shortcut))
    if kind is Branch:
        assert isinstance(layer, Branch)
        return Branch(*map(fused, layer.paths), join=layer.join, name=layer.name)
    return layer


def _in_a_row(layer: Layer) -> Iterator[Layer]:
    """The layers of a Sequential; one inside it stands for its own layers."""
    for child in layer.children():
        if type(child) is Sequential:
            yield from _in_a_row(child)
        else:
            yield fused(child)


def _pooled_first(layers: list[Layer]) -> list[Layer]:
    """The same layers, a max-pooling before a ReLU that stands alone: the largest of max(x, 0) is max(the largest, 0).

    ReLU then has a quarter of the work, both ways.
    """
    order = list(layers)
    for i in range(len(order) - 1):
        if (type(order[i]), type(order[i + 1])) == (ReLU, MaxPool2d):
            before = type(order[i - 1]) if i else None
            if (before, ReLU) not in JOINS or before is Conv2d:
                order[i], order[i + 1] = order[i + 1], order[i]
    return order


def _joined(layers: list[Layer]) -> Iterator[Layer]:
    layers = _pooled_first(layers)
    while layers:
        first, *layers = layers
        join = JOINS.get((type(first), type(layers[0]))) if layers else None
        if join is not None:
            second, *layers = layers
            yield join(first, second, name=first.name)
        else:
            yield first


class OneByOne(NamedTuple):
    """The caches of two layers that were run one after the other."""

    first: Any
    second: Any


@dataclass(frozen=True)
class Joined(Layer):
    """`first`, then `second`, which has no parameters: in one op if there is a kernel for it.

    Its name is the first's, under which parameters, state and gradients are found.  Without a kernel
    that accepts the arguments the two run one by one: the formula of the joined op would gain nothing.
    """

    first: Layer
    second: Layer

    has_parameters = True

    @abstractmethod
    def at_once(self, x: Array, params: Arrays, run: Pass) -> tuple[Array, Any] | None:
        """Out and the cache of the joined op, or None if no kernel accepts the arguments."""

    @abstractmethod
    def back_at_once(
        self, dout: Array, cache: Any, *, needs_dx: bool
    ) -> tuple[Array | None, dict[str, Array]]:
        """As `Layer.backward`, of the joined op."""

    def output_shape(self, shape: Shape) -> Shape:
        """The second's output shape."""
        return self.second.output_shape(self.first.output_shape(shape))

    def forward(self, x: Array, params: Arrays, state: Arrays, run: Pass) -> tuple[Array, Any]:
        """Both at once, or one by one."""
        done = self.at_once(x, params, run)
        if done is not None:
            return done
        x, first = self.first.forward(x, params, state, run)
        out, second = self.second.forward(x, {}, {}, run)
        return out, OneByOne(first, second)

    def backward(self, dout: Array, cache: Any, *, needs_dx: bool) -> tuple[Array | None, dict[str, Array]]:
        """As the forward pass went."""
        if not isinstance(cache, OneByOne):
            return self.back_at_once(dout, cache, needs_dx=needs_dx)
        between, _ = self.second.backward(dout, cache.second, needs_dx=True)
        return self.first.backward(between, cache.first, needs_dx=needs_dx)

    def next_state(self, state: Arrays, cache: Any) -> Arrays:
        """The first's."""
        return self.first.next_state(state, cache.first if isinstance(cache, OneByOne) else cache)


@dataclass(frozen=True)
class BatchNormActivation(Joined):
    """Batch normalisation, then ReLU or GELU; in evaluation mode always one by one."""

    first: BatchNorm

    def at_once(self, x: Array, params: Arrays, run: Pass) -> tuple[Array, Any] | None:
        """As `ops.batchnorm_activation_forward`."""
        if not run.train:
            return None
        activation = "gelu" if type(self.second) is GELU else "relu"
        settings = {"eps": self.first.eps, "activation": activation}
        return _by_kernel(ops.batchnorm_activation_forward, x, params["weight"], params["bias"], **settings)

    def back_at_once(
        self, dout: Array, cache: Any, *, needs_dx: bool
    ) -> tuple[Array | None, dict[str, Array]]:
        """As `ops.batchnorm_activation_backward`."""
        dx, dgamma, dbeta = ops.batchnorm_activation_backward(dout, cache)
        return dx, {"weight": dgamma, "bias": dbeta}


@dataclass(frozen=True)
class Conv2dReLU(Joined):
    """Convolution, then ReLU."""

    first: Conv2d

    def at_once(self, x: Array, params: Arrays, run: Pass) -> tuple[Array, Any] | None:
        """As `ops.conv2d_relu_forward`."""
        conv = self.first
        return _by_kernel(
            ops.conv2d_relu_forward,
            x,
            params["weight"],
            params.get("bias"),
            stride=conv.stride,
            padding=conv.padding,
            dilation=conv.dilation,
            groups=conv.groups,
        )

    def back_at_once(
        self, dout: Array, cache: Any, *, needs_dx: bool
    ) -> tuple[Array | None, dict[str, Array]]:
        """As `ops.conv2d_relu_backward`."""
        dx, dw, db = ops.conv2d_relu_backward(dout, cache, needs_dx=needs_dx)
        return dx, {"weight": dw, "bias": db} if self.first.bias else {"weight": dw}


@dataclass(frozen=True)
class AffineReLU(Joined):
    """Affine map, then ReLU."""

    first: Affine

    def at_once(self, x: Array, params: Arrays, run: Pass) -> tuple[Array, Any] | None:
        """As `ops.affine_relu_forward`."""
        return _by_kernel(ops.affine_relu_forward, x, params["weight"], params.get("bias"))

    def back_at_once(
        self, dout: Array, cache: Any, *, needs_dx: bool
    ) -> tuple[Array | None, dict[str, Array]]:
        """As `ops.affine_relu_backward`."""
        dx, dw, db = ops.affine_relu_backward(dout, cache, needs_dx=needs_dx)
        return dx, {"weight": dw, "bias": db} if self.first.bias else {"weight": dw}


JOINS: dict[tuple[type[Layer], type[Layer]], Callable[..., Joined]] = {
    (BatchNorm, ReLU): BatchNormActivation,
    (BatchNorm, GELU): BatchNormActivation,
    (Conv2d, ReLU): Conv2dReLU,
    (Affine, ReLU): AffineReLU,
}


def _by_kernel(op: ops.Formula[..., Any], *args: Any, **keywords: Any) -> Any:
    kernel = op.kernel_for(*args, **keywords)
    return kernel and kernel(*args, **keywords)
