"""Keras 3 on its JAX backend as a contender.  KERAS_BACKEND is set before this is imported."""

from __future__ import annotations

import keras
import numpy as np

from plaingrad.bench.contenders import Contender
from plaingrad.bench.jax_network import channels_last_weights
from plaingrad.bench.workloads import Workload, centred_rows, channels_last, images
from plaingrad.network import GELU, Affine, BatchNorm, Conv2d, Flatten, Layer, MaxPool2d, Network, ReLU


class Keras(Contender):
    """Keras: `train_on_batch`, which compiles its step; float32 samples, images (N, H, W, C)."""

    library = "Keras"

    def __init__(self, workload: Workload, setting: str = "") -> None:
        super().__init__(workload, setting)
        dense = workload.hidden is not None
        network = workload.build()
        self.model = model(network, (3072,) if dense else (32, 32, 3))
        self.parameters = sum(int(np.prod(w.shape)) for w in self.model.trainable_weights)
        momentum = 0.9 if workload.rule == "momentum" else 0.0
        rules = keras.optimizers
        self.model.compile(
            rules.Adam(workload.lr) if workload.rule == "adam" else rules.SGD(workload.lr, momentum=momentum),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        rows = centred_rows("float32")
        self.x, self.y = rows if dense else channels_last(rows), images()[1]
        self.rng = np.random.default_rng(0)

    def run(self, steps: int) -> float:
        """As Keras is used where one has a loop of one's own."""
        loss = np.nan
        for _ in range(steps):
            chosen = self.rng.integers(0, len(self.y), self.workload.batch)
            loss = self.model.train_on_batch(self.x[chosen], self.y[chosen])
        return float(np.asarray(loss))


def model(network: Network, shape: tuple[int, ...]) -> keras.Sequential:
    """The model for a network that is a plain sequence of layers, given samples of `shape`."""
    layers = [layer for layer, _ in network.layers.leaves(network.input_shape)]
    if len(shape) == 1:
        layers = [layer for layer in layers if not isinstance(layer, Flatten)]
    made = keras.Sequential([keras.Input(shape), *map(_layer, layers)])
    weights = [own for own in channels_last_weights(network) if own]
    for layer, own in zip([layer for layer in made.layers if layer.weights], weights, strict=True):
        layer.set_weights([*own.values(), *layer.get_weights()[len(own) :]])  # the rest is state
    return made


def _layer(layer: Layer) -> keras.Layer:
    match layer:
        case Affine():
            return keras.layers.Dense(layer.units, use_bias=layer.bias)
        case Conv2d(size=int(size), stride=1, padding=int(padding), dilation=1, groups=1) if padding in (
            0,
            (size - 1) / 2,
        ):
            kept = "same" if padding else "valid"
            return keras.layers.Conv2D(layer.filters, size, padding=kept, use_bias=layer.bias)
        case BatchNorm():
            return keras.layers.BatchNormalization(momentum=layer.momentum, epsilon=layer.eps)
        case MaxPool2d(padding=0):
            return keras.layers.MaxPooling2D(layer.window, layer.stride)
        case ReLU():
            return keras.layers.Activation("relu")
        case GELU():
            return keras.layers.Activation(lambda x: keras.activations.gelu(x, approximate=True))
        case Flatten():
            return keras.layers.Flatten()
    raise ValueError(f"no Keras layer is known for {layer}")
