"""plaingrad layers of one's own: alone, and inside networks, where the checker can say in which layer it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from plaingrad.network import Affine, Conv2d, Flatten, Layer, Network, Objective, Sequential, Tanh

from .shelf import Call, Make, Name, distinct, labels, plant
from .student_layers import (
    Centred,
    Squared,
    StudentAffine,
    StudentBatchNorm,
    StudentConv,
    StudentCrossEntropy,
    StudentDropout,
    StudentLayerNorm,
    StudentMaxPool,
    StudentReLU,
    StudentSigmoid,
    StudentSquaredError,
    StudentTanh,
)


def alone(make_layer: type, *settings: object, images: bool = False, square: bool = False) -> Make:
    """Make a layer and inputs for it."""

    def make(rng: np.random.Generator, bug: str) -> Call:
        shape = (*distinct(rng, 2, 2, 3), 4, 6) if images else tuple(distinct(rng, 2, 4, 6))
        given = (shape[1],) if square else settings
        return make_layer(*given, bug=bug), rng.standard_normal(shape)

    make.__module__, make.__name__ = __name__, make_layer.__name__
    return make


def within(op: str, body: Callable[[str, int], Layer], *, images: bool = False) -> Make:
    """Make a network with `body(bug, width)` between two affine layers, or after a convolution."""

    def make(rng: np.random.Generator, bug: str) -> Call:
        n, classes, width = distinct(rng, 3, 3, 6)
        shape = (2, 4, 4) if images else (int(rng.integers(3, 6)),)
        before = (Conv2d(2, 3, padding=1),) if images else (Affine(width),)
        after = (Flatten(), Affine(classes)) if images else (Affine(classes),)
        layers = Sequential(*before, body(bug, width), *after)
        net = Network(layers, shape, seed=int(rng.integers(100)), reg=float(rng.choice([0, 0.1])))
        net.params.flat += 0.2 * rng.standard_normal(net.params.flat.shape)
        return net, rng.standard_normal((n, *shape)), labels(rng, n, classes)

    make.__module__, make.__name__ = __name__, op
    return make


def ending_in(op: str, objective: Callable[[str], Objective]) -> Make:
    """Make a network with an objective of one's own."""

    def make(rng: np.random.Generator, bug: str) -> Call:
        n, classes, width, d = distinct(rng, 4, 3, 7)
        layers = Sequential(Affine(width), Tanh(), Affine(classes))
        net = Network(layers, d, objective=objective(bug), seed=int(rng.integers(100)))
        net.params.flat += 0.2 * rng.standard_normal(net.params.flat.shape)
        return net, rng.standard_normal((n, d)), labels(rng, n, classes)

    make.__module__, make.__name__ = __name__, op
    return make


BUGS = [
    *plant("layer", alone(StudentAffine, 4), {
        "bias-mean": Name("bias_mean_for_sum", "studentaffine1.bias"),
        "weight-never-filled": Name("zero", "studentaffine1.weight"),
        "dx-sign": Name("sign", "x"),
        "weight-float32": Name("wrong_g_dtype", "studentaffine1.weight"),
    }),
    *plant("layer", alone(StudentAffine, square=True), {
        "weight-transposed": Name("transposed", "studentaffine1.weight"),
    }),
    *plant("layer", alone(StudentReLU), {"x-in-place": Name("input_changed", "x")}),
    *plant("layer", alone(StudentBatchNorm), {
        "statistics-constant": Name("statistics_constant", "x"),
        "bias-mean": Name("bias_mean_for_sum", "studentbatchnorm1.bias"),
    }),
    *plant("layer", alone(StudentLayerNorm), {"variance-constant": Name("statistics_constant", "x")}),
    *plant("layer", alone(StudentDropout, 0.4), {
        "no-mask": Name("mask_missing", "x"),
        "scale-forgotten": Name("dropout_scale", "x"),
        "unseeded": Name("nondeterministic"),
    }),
    *plant("layer", alone(StudentConv, 3, (2, 3), images=True), {
        "weight-flipped": Name("permuted", "studentconv1.weight"),
        "bias-mean": Name("bias_mean_for_sum", "studentconv1.bias"),
        "bias-unsummed": Name("shape", "studentconv1.bias"),
    }),
    *plant("layer", alone(StudentMaxPool, 2, images=True), {"no-mask": Name("mask_missing", "x")}),
    *plant("layer", alone(Centred), {
        "mean-constant": Name("statistics_constant", "x"),
        "mean-of-the-batch": Name("wrong_axis", "x"),
    }),
    *plant("layer", alone(Squared), {
        "two-forgotten": Name("scaled", "x"),
        "remembered": Name("stale_cache", "x"),
    }),
    *plant("layer", within("network_with_relu", lambda bug, width: StudentReLU(bug=bug)), {
        "no-mask": Name("mask_missing", "affine1.weight", "affine1.bias"),
    }),
    *plant("layer", within("network_with_sigmoid", lambda bug, width: StudentSigmoid(bug=bug)), {
        "one-minus-s-forgotten": Name("unknown", "affine1.weight", "affine1.bias"),
    }),
    *plant("layer", within("network_with_tanh", lambda bug, width: StudentTanh(bug=bug)), {
        "not-squared": Name("unknown", "affine1.weight", "affine1.bias"),
    }),
    *plant("layer", within("network_with_affine", lambda bug, width: StudentAffine(width, bug=bug)), {
        "weight-sign": Name("sign", "studentaffine1.weight"),
        "weight-transposed": Name("transposed", "studentaffine1.weight"),
    }),
    *plant("layer", within("network_with_batchnorm", lambda bug, width: StudentBatchNorm(bug=bug)), {
        "statistics-constant": Name("statistics_constant", "affine1.weight", "affine1.bias"),
    }),
    *plant("layer", within("network_with_dropout", lambda bug, width: StudentDropout(0.4, bug=bug)), {
        "scale-forgotten": Name("dropout_scale", "affine1.weight", "affine1.bias"),
    }),
    *plant("layer", within("network_with_pool", lambda bug, width: StudentMaxPool(2, bug=bug), images=True), {
        "no-mask": Name("mask_missing", "conv1.weight", "conv1.bias"),
    }),
    *plant("layer", ending_in("cross_entropy_network", lambda bug: StudentCrossEntropy(bug=bug)), {
        "mean-forgotten": Name("missing_mean"),
        "one-hot-forgotten": Name("one_hot_missing"),
    }),
    *plant("layer", ending_in("squared_error_network", lambda bug: StudentSquaredError(bug=bug)), {
        "two-forgotten": Name("scaled"),
    }),
]  # fmt: skip
