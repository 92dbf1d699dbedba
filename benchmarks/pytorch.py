"""A plaingrad network as a PyTorch module: the same layers, PyTorch's own initial weights."""

from __future__ import annotations

from torch import nn

import plaingrad as pg
from plaingrad.network.layer import Layer, Shape


def module(network: pg.Network) -> nn.Module:
    """The module for a network that is a plain sequence of layers."""
    return nn.Sequential(
        *(_layer(layer, shape) for layer, shape in network.layers.leaves(network.input_shape))
    )


def _layer(layer: Layer, shape: Shape) -> nn.Module:
    match layer:
        case pg.Affine():
            return nn.Linear(shape[0], layer.units, bias=layer.bias)
        case pg.Conv2d():
            return nn.Conv2d(
                shape[0],
                layer.filters,
                layer.size,
                layer.stride,
                layer.padding,
                layer.dilation,
                layer.groups,
                bias=layer.bias,
            )
        case pg.BatchNorm():
            return nn.BatchNorm2d(shape[0]) if len(shape) == 3 else nn.BatchNorm1d(shape[0])
        case pg.MaxPool2d():
            return nn.MaxPool2d(layer.window, layer.stride, layer.padding)
        case pg.ReLU():
            return nn.ReLU()
        case pg.GELU():
            return nn.GELU(approximate="tanh")
        case pg.Flatten():
            return nn.Flatten()
    raise ValueError(f"no PyTorch layer is known for {layer}")
