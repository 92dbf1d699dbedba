"""A plaingrad network as a PyTorch module: the same layers, the same initial weights."""

from __future__ import annotations

import torch
from torch import nn

from plaingrad.network import (
    GELU,
    Affine,
    BatchNorm,
    Conv2d,
    Flatten,
    Layer,
    MaxPool2d,
    Network,
    ReLU,
)
from plaingrad.network.layer import Shape


def module(network: Network) -> nn.Module:
    """The module for a network that is a plain sequence of layers."""
    made = []
    for layer, shape in network.layers.leaves(network.input_shape):
        own = _module(layer, shape)
        with torch.no_grad():
            for name, value in network.params.groups.get(layer.name, {}).items():
                value = torch.from_numpy(value)
                own.get_parameter(name).copy_(value.T if value.ndim == 2 else value)
        made.append(own)
    return nn.Sequential(*made)


def _module(layer: Layer, shape: Shape) -> nn.Module:
    match layer:
        case Affine():
            return nn.Linear(shape[0], layer.units, bias=layer.bias)
        case Conv2d():
            moved = (layer.size, layer.stride, layer.padding, layer.dilation, layer.groups)
            return nn.Conv2d(shape[0], layer.filters, *moved, bias=layer.bias)
        case BatchNorm():
            kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            return kind(shape[0], eps=layer.eps, momentum=1 - layer.momentum)
        case MaxPool2d():
            return nn.MaxPool2d(layer.window, layer.stride, layer.padding)
        case ReLU():
            return nn.ReLU()
        case GELU():
            return nn.GELU(approximate="tanh")
        case Flatten():
            return nn.Flatten()
    raise ValueError(f"no PyTorch layer is known for {layer}")
