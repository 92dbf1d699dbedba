"""Correct subjects, drawn at random: networks, layers, op pairs and twins of planted bugs, at odd scales."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from plaingrad import network as pg
from plaingrad import ops

from .collection import BUGS
from .shelf import Array, Call

Rng = np.random.Generator
Described = tuple[str, Call]

ACTIVATIONS = (pg.ReLU, pg.LeakyReLU, pg.ELU, pg.Sigmoid, pg.Tanh, pg.GELU, pg.SiLU)


def subject(seed: int, index: int) -> Described:
    """The correct subject number `index` of a seed: what it is, in words, and what the checker is called with."""
    rng = np.random.default_rng((seed, index))
    kinds = (feature_network, image_network, layer, op_pair, loss_pair, twin)
    return kinds[rng.choice(len(kinds), p=(0.35, 0.15, 0.15, 0.15, 0.1, 0.1))](rng)


def pick(rng: Rng, *choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def size(rng: Rng, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def numbers(rng: Rng, *shape: int) -> Array:
    """Inputs of size 0.01 to 100: normal, with many zeros, whole (full of ties), positive, or one constant feature."""
    x = 10 ** rng.uniform(-2, 2) * rng.standard_normal(shape)
    match pick(rng, "normal", "normal", "normal", "zeros", "whole", "positive", "constant"):
        case "zeros":
            x *= rng.random(shape) < 0.5
        case "whole":
            x = rng.integers(-2, 3, shape).astype(float)
        case "positive":
            x = abs(x)
        case "constant":
            x[:, :1] = x.flat[0]
    return x


def initializer(rng: Rng) -> pg.initializers.Initializer:  # type: ignore[name-defined]
    return pick(rng, pg.He(), pg.Xavier(), pg.Uniform(), pg.Normal(float(10 ** rng.uniform(-4, 0.5))))


def activation(rng: Rng) -> pg.Layer:
    return pick(rng, *ACTIVATIONS)()


def block(rng: Rng, width: int, depth: int = 0) -> list[pg.Layer]:
    """Some layers on rows of `width` features, which leave the width as it is or not."""
    affine = partial(pg.Affine, weight_init=initializer(rng))
    kind = pick(rng, "plain", "plain", "normalised", "dropout", "residual", "branch", "shared", "scaled")
    match kind if depth < 2 else "plain":
        case "normalised":
            return [affine(size(rng, 1, 5)), pick(rng, pg.BatchNorm, pg.LayerNorm)(), activation(rng)]
        case "dropout":
            return [affine(size(rng, 2, 5)), activation(rng), pg.Dropout(float(rng.uniform(0.1, 0.8)))]
        case "residual":
            inner = pg.Sequential(*block(rng, width, depth + 1), affine(width))
            return [pg.Residual(inner, affine(width) if rng.random() < 0.3 else None), activation(rng)]
        case "branch":
            paths = [pg.Sequential(*block(rng, width, depth + 1), affine(3)) for _ in range(size(rng, 1, 3))]
            return [pg.Branch(*paths, join=pick(rng, "concatenate", "add"))]
        case "shared":
            same = pg.Affine(width, name=f"mixer{width}", weight_init=pg.Xavier())
            return [same, activation(rng), same]
        case "scaled":
            return [pg.Scale(float(10 ** rng.uniform(-1, 1))), affine(size(rng, 1, 4), bias=False)]
    return [affine(size(rng, 1, 5)), activation(rng)]


def objective(rng: Rng, rows: int, classes: int) -> tuple[pg.Objective, list[pg.Layer], Array]:
    """A loss, the layers that must stand before it, and labels or targets."""
    y = rng.integers(classes, size=rows)
    kinds = "softmax", "softmax", "smoothed", "soft targets", "hinge", "likelihood", "squared", "targets"
    match pick(rng, *kinds):
        case "smoothed":
            return pg.SoftmaxCrossEntropy(label_smoothing=0.1), [], y
        case "soft targets":
            p = rng.uniform(size=(rows, classes))
            return pg.SoftmaxCrossEntropy(), [], p / p.sum(axis=1, keepdims=True)
        case "hinge":
            return pg.Hinge(margin=float(rng.uniform(0.2, 2))), [], y
        case "likelihood":
            return pg.NegativeLogLikelihood(), [pg.LogSoftmax()], y
        case "squared":
            return pg.MeanSquaredError(), [], y
        case "targets":
            return pg.MeanSquaredError(), [], rng.standard_normal((rows, classes))
    return pg.SoftmaxCrossEntropy(), [], y


def finished(rng: Rng, layers: list[pg.Layer], shape: tuple[int, ...], rows: int) -> Described:
    """A network of the layers, an affine one and a loss; at its initial parameters, or a little on from there."""
    classes = size(rng, 2, 5)
    loss, last, y = objective(rng, rows, classes)
    net = pg.Network(
        pg.Sequential(*layers, pg.Affine(classes, weight_init=initializer(rng)), *last),
        shape,
        objective=loss,
        reg=float(pick(rng, 0, 0, 10 ** rng.uniform(-3, 0))),
        seed=size(rng, 0, 1000),
        dtype=pick(rng, np.float32, np.float64),
    )
    net.params.flat += float(pick(rng, 0, 0.01, 0.3)) * rng.standard_normal(net.params.flat.shape)
    X = numbers(rng, rows, *shape)
    return f"{net.layers} on {X.shape}, {loss}, reg {net.reg:.3g}", (net, X, y)


def feature_network(rng: Rng) -> Described:
    width, rows = size(rng, 1, 6), size(rng, 1, 12)
    layers = [spec for _ in range(size(rng, 0, 3)) for spec in block_after(rng)]
    return finished(rng, layers, (width,), rows)


def block_after(rng: Rng) -> list[pg.Layer]:
    """A block behind an affine layer, so that it knows its width."""
    width = size(rng, 2, 4)
    return [pg.Affine(width, weight_init=initializer(rng)), *block(rng, width)]


def image_network(rng: Rng) -> Described:
    channels, rows = size(rng, 1, 2), size(rng, 1, 4)
    filters = 2
    layers: list[pg.Layer] = [conv_layer(rng, filters)]
    if rng.random() < 0.5:
        layers.append(pick(rng, pg.BatchNorm(), pg.GroupNorm(1), pg.GroupNorm(filters)))
    layers.append(activation(rng))
    if rng.random() < 0.2:
        layers.append(pg.Dropout2d(0.4))
    layers += pick(rng, [], [pg.MaxPool2d(2)], [pg.AvgPool2d(2)], [pg.MaxPool2d(3, stride=2, padding=1)])
    layers += pick(rng, [pg.Flatten()], [pg.GlobalAvgPool2d()])
    return finished(rng, layers, (channels, size(rng, 4, 5), size(rng, 4, 5)), rows)


def conv_layer(rng: Rng, filters: int) -> pg.Layer:
    padding, stride = size(rng, 0, 1), 1 if rng.random() < 0.7 else 2
    window = pick(rng, 1, 2, 3, (2, 3)) if stride == 1 else pick(rng, 2, 3)
    return pg.Conv2d(filters, window, stride, max(padding, stride - 1), weight_init=initializer(rng))


def layer(rng: Rng) -> Described:
    """One layer, alone."""
    init = initializer(rng)
    if rng.random() < 0.6:
        shape = size(rng, 1, 8), size(rng, 1, 6)
        spec = pick(
            rng, pg.Affine(3, weight_init=init), activation(rng), activation(rng), pg.BatchNorm(),
            pg.LayerNorm(), pg.Dropout(0.3), pg.LogSoftmax(), pg.Residual(pg.Affine(shape[1])),
            pg.Branch(activation(rng), pg.Affine(2)), pg.Scale(float(rng.uniform(-3, 3))),
        )  # fmt: skip
    else:
        shape = size(rng, 1, 3), 2, size(rng, 3, 5), size(rng, 3, 5)
        spec = pick(
            rng, conv_layer(rng, 2), pg.Conv2d(4, 2, groups=2), pg.Conv2d(1, 2, dilation=2), pg.MaxPool2d(2),
            pg.MaxPool2d(3, stride=1), pg.AvgPool2d((2, 3), padding=1), pg.GlobalAvgPool2d(), pg.BatchNorm(),
            pg.GroupNorm(2), pg.GroupNorm(1), pg.Dropout2d(0.5), pg.Flatten(), activation(rng),
        )  # fmt: skip
    return f"{spec} on {shape}", (spec, numbers(rng, *shape))


def op_pair(rng: Rng) -> Described:
    """A pair of plaingrad.ops."""
    rows, d, m = size(rng, 1, 8), size(rng, 1, 6), size(rng, 1, 4)
    x = numbers(rng, rows, d)
    images = numbers(rng, size(rng, 1, 2), 2, size(rng, 3, 5), size(rng, 3, 5))
    vectors = rng.uniform(0.2, 3, d), rng.standard_normal(d)
    filters = 10 ** rng.uniform(-2, 0.5) * rng.standard_normal((2, 2, 2, size(rng, 1, 3)))
    seed = size(rng, 0, 1000)
    moved = {"stride": size(rng, 1, 3), "padding": size(rng, 0, 1)}
    choices: dict[str, tuple[tuple, dict[str, Any]]] = {
        "affine": ((x, rng.standard_normal((d, m)), rng.standard_normal(m)), {}),
        "relu": ((x,), {}),
        "leaky_relu": ((images,), {"slope": float(rng.uniform(-0.5, 1))}),
        "elu": ((x,), {"alpha": float(rng.uniform(0.2, 2))}),
        "sigmoid": ((x,), {}),
        "tanh": ((images,), {}),
        "gelu": ((x,), {}),
        "silu": ((x,), {}),
        "dropout": ((x,), {"rate": float(rng.uniform(0, 0.9)), "seed": seed}),
        "dropout2d": ((images,), {"rate": 0.5, "seed": seed}),
        "batchnorm": ((x, *vectors), {}),
        "layernorm": ((x, *vectors), {"eps": float(10 ** rng.uniform(-6, -2))}),
        "groupnorm": ((images, np.ones(2), np.zeros(2)), {"groups": size(rng, 1, 2)}),
        "softmax": ((x,), {}),
        "log_softmax": ((x,), {}),
        "conv2d": ((images, filters, rng.standard_normal(2)), moved),
        "max_pool2d": ((images,), {"window": size(rng, 2, 3), **moved}),
        "avg_pool2d": ((images,), {"window": 2, **moved}),
        "global_avg_pool2d": ((images,), {}),
    }
    return of_ops(rng, choices)


def loss_pair(rng: Rng) -> Described:
    """A loss of plaingrad.ops on scores and labels, margins on the spot included."""
    rows, classes = size(rng, 1, 8), size(rng, 2, 6)
    scores, y = numbers(rng, rows, classes), rng.integers(classes, size=rows)
    return of_ops(rng, {
        "softmax_cross_entropy": ((scores, y), {"label_smoothing": float(pick(rng, 0, 0.1))}),
        "negative_log_likelihood": ((scores, y), {}),
        "hinge": ((scores, y), {"margin": float(pick(rng, 1, 1, 0.5))}),
    })  # fmt: skip


def of_ops(rng: Rng, choices: dict[str, tuple[tuple, dict[str, Any]]]) -> Described:
    name = pick(rng, *choices)
    inputs, keywords = choices[name]
    forward: Callable[..., Any] = getattr(ops, f"{name}_forward")
    shapes = ", ".join(str(x.shape) for x in inputs)
    call = partial(forward, **keywords), getattr(ops, f"{name}_backward"), inputs
    return f"ops.{name} of {shapes}, {keywords}", call


def twin(rng: Rng) -> Described:
    """A student's code without its bug."""
    bug, seed = pick(rng, *BUGS.values()), size(rng, 100, 10_000)
    return f"the correct twin of {bug.id}, seed {seed}", bug.twin(seed)
