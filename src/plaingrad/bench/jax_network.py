"""A plaingrad network in JAX: the same layers on images (N, H, W, C), the same initial weights."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

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

Numbers = list[dict[str, jax.Array]]  # of each layer, by name
Forward = Callable[[Numbers, Numbers, jax.Array], tuple[jax.Array, Numbers]]


def translated(network: Network) -> tuple[Numbers, Numbers, Forward]:
    """Parameters, state, and forward(params, state, x) -> scores and the next state, in training mode.

    For a plain sequence of layers.
    """
    layers = list(network.layers.leaves(network.input_shape))
    params = [
        {name: jnp.asarray(value) for name, value in weights.items()}
        for weights in channels_last_weights(network)
    ]
    state = [
        {name: jnp.asarray(value) for name, value in network.state.groups.get(layer.name, {}).items()}
        for layer, _ in layers
    ]

    def forward(params: Numbers, state: Numbers, x: jax.Array) -> tuple[jax.Array, Numbers]:
        after = []
        for (layer, _), own, before in zip(layers, params, state, strict=True):
            x, new = _forward(layer, own, before, x)
            after.append(new)
        return x, after

    return params, state, forward


def channels_last_weights(network: Network) -> list[dict[str, np.ndarray]]:
    """Each layer's parameters as JAX and Keras have them: filters (kh, kw, C, F), and the rows of the first
    weight after Flatten() in the order in which images (H, W, C) are flattened."""
    made, flattened = [], None
    convolves = any(isinstance(layer, Conv2d) for layer, _ in network.layers.leaves(network.input_shape))
    for layer, shape in network.layers.leaves(network.input_shape):
        own = {name: np.array(value) for name, value in network.params.groups.get(layer.name, {}).items()}
        if isinstance(layer, Conv2d):
            own["weight"] = own["weight"].transpose(2, 3, 1, 0)
        elif isinstance(layer, Affine) and flattened is not None:
            own["weight"] = _as_flattened(own["weight"], flattened)
            flattened = None
        elif isinstance(layer, Flatten) and convolves:  # a dense network is given rows as they are
            flattened = shape
        made.append(own)
    return made


def _as_flattened(weight: np.ndarray, shape: Shape) -> np.ndarray:
    return weight.reshape(*shape, -1).transpose(1, 2, 0, 3).reshape(weight.shape)


def _forward(
    layer: Layer, own: dict[str, jax.Array], state: dict[str, jax.Array], x: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    match layer:
        case Affine():
            return x @ own["weight"] + own["bias"], {}
        case Conv2d(groups=1, dilation=1, padding=int(padding)):
            strides = (layer.stride,) * 2 if isinstance(layer.stride, int) else layer.stride
            out = lax.conv_general_dilated(
                x,
                own["weight"],
                strides,
                [(padding, padding)] * 2,
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            return (out + own["bias"] if layer.bias else out), {}
        case BatchNorm():
            axes = tuple(range(x.ndim - 1))
            mean, var = jnp.mean(x, axes), jnp.var(x, axes)
            out = (x - mean) * (lax.rsqrt(var + layer.eps) * own["weight"]) + own["bias"]
            batch, keep = {"running_mean": mean, "running_var": var}, layer.momentum
            return out, {name: keep * state[name] + (1 - keep) * batch[name] for name in batch}
        case MaxPool2d(window=int(size), stride=None | int(), padding=0) if layer.stride in (None, size):
            # Faster on CPUs than lax.reduce_window, forward and above all backward.
            n, height, width, channels = x.shape
            x = x[:, : height // size * size, : width // size * size]
            return x.reshape(n, height // size, size, width // size, size, channels).max(axis=(2, 4)), {}
        case ReLU():
            return jax.nn.relu(x), {}
        case GELU():
            return jax.nn.gelu(x, approximate=True), {}
        case Flatten():
            return x.reshape(len(x), -1), {}
    raise ValueError(f"no translation into JAX is known for {layer}")
