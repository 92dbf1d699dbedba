"""Healthy plans to plant troubles in.  A trouble is one change of one of these."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import plaingrad as pg
from plaingrad.data import Augmentation, Crop, Flip
from plaingrad.model import Model

from .plan import Base, Plan
from .sets import CIFAR, CIFAR_LARGE, DIGITS, DIGITS_ALL
from .students import Student


def network(kind: Callable[..., Model], *args: Any, **settings: Any) -> Callable[[pg.Dataset, int], Model]:
    """A named network, given the data's shape and classes and the seed."""

    def make(data: pg.Dataset, seed: int) -> Model:
        given: dict[str, Any] = {"input_shape": data.input_shape, "classes": len(data.classes), "seed": seed}
        return kind(*args, **(given | settings))

    return make


def stack(*layers: pg.Layer, **settings: Any) -> Callable[[pg.Dataset, int], Model]:
    """A network of these layers."""

    def make(data: pg.Dataset, seed: int) -> Model:
        return pg.Network(pg.Sequential(*layers), data.input_shape, seed=seed, **settings)

    return make


def student(kind: Callable[..., Model] = Student, *args: Any, **settings: Any):
    """A user's model in plain NumPy, given the number of features and classes and the seed."""

    def make(data: pg.Dataset, seed: int) -> Model:
        features = int(data.train.images[0].size)
        return kind(*args, **({"features": features, "classes": len(data.classes), "seed": seed} | settings))

    return make


mlp = partial(network, pg.FullyConnectedNet)


def convnet(*widths: int, norm: bool = False, hidden: int = 0, init: Any = None) -> tuple[pg.Layer, ...]:
    """{conv 3×3 – [batch norm] – ReLU – pool 2} for each of `widths`, [affine – ReLU,] affine to 10."""
    init = init or pg.He()
    layers: list[pg.Layer] = []
    for width in widths:
        layers.append(pg.Conv2d(width, 3, padding=1, bias=not norm, weight_init=init))
        layers += [pg.BatchNorm()] if norm else []
        layers += [pg.ReLU(), pg.MaxPool2d(2)]
    layers.append(pg.Flatten())
    layers += [pg.Affine(hidden, weight_init=init), pg.ReLU()] if hidden else []
    return (*layers, pg.Affine(10, weight_init=init))


D_MLP = Base(DIGITS, "mlp", Plan(DIGITS_ALL, mlp([64]), pg.Momentum(0.02), epochs=15))
D_SGD = Base(DIGITS, "two_layer", Plan(DIGITS_ALL, mlp([50]), pg.SGD(0.1), epochs=15))
D_DEEP = Base(DIGITS, "deep", Plan(DIGITS_ALL, mlp([64, 64, 64]), pg.Adam(1e-3), epochs=15))
D_BN = Base(
    DIGITS, "mlp_bn", Plan(DIGITS_ALL, mlp([64, 64], normalization="batchnorm"), pg.Adam(2e-3), epochs=12)
)
D_DROP = Base(DIGITS, "mlp_dropout", Plan(DIGITS_ALL, mlp([128, 128], dropout=0.3), pg.Adam(1e-3), epochs=15))
D_TANH = Base(
    DIGITS,
    "tanh",
    Plan(DIGITS_ALL, mlp([64, 64], activation="tanh", weight_init=pg.Xavier()), pg.Momentum(0.02), epochs=15),
)
D_SIGMOID = Base(
    DIGITS,
    "sigmoid",
    Plan(DIGITS_ALL, mlp([64], activation="sigmoid", weight_init=pg.Xavier()), pg.Adam(5e-3), epochs=15),
)
D_CONV = Base(DIGITS, "conv", Plan(DIGITS_ALL, stack(*convnet(8, 16, hidden=32)), pg.Adam(2e-3), epochs=25))
D_CONV_BN = Base(
    DIGITS, "conv_bn", Plan(DIGITS_ALL, stack(*convnet(8, 16, norm=True)), pg.Adam(4e-3), epochs=20)
)
D_STUDENT = Base(DIGITS, "student", Plan(DIGITS_ALL, student(), pg.Momentum(0.02), epochs=15))
D_STUDENT_BN = Base(
    DIGITS,
    "student_bn",
    Plan(DIGITS_ALL, student(Student, (64, 64), batchnorm=True), pg.Momentum(0.02), epochs=12),
)
D_STUDENT_DROP = Base(
    DIGITS,
    "student_dropout",
    Plan(DIGITS_ALL, student(Student, (128,), dropout=0.4), pg.Momentum(0.02), epochs=15),
)

FLIPPED, AUGMENTED = Augmentation(Flip()), Augmentation(Flip(), Crop(2))

C_MLP = Base(
    CIFAR,
    "mlp",
    Plan(
        CIFAR_LARGE,
        mlp([100], reg=2e-2),
        pg.Momentum(0.01),
        epochs=5,
        batch_size=100,
        schedule=pg.Cosine(),
        augmentation=FLIPPED,
    ),
)
C_LENET = Base(
    CIFAR,
    "lenet",
    Plan(CIFAR_LARGE, network(pg.LeNet), pg.Adam(2e-3), epochs=3, schedule=pg.Cosine(), augmentation=FLIPPED),
)
C_CONV = Base(
    CIFAR,
    "conv",
    Plan(CIFAR_LARGE, stack(*convnet(8, 16)), pg.Momentum(0.02), epochs=4, schedule=pg.Cosine()),
)
C_CONV_BN = Base(
    CIFAR,
    "conv_bn",
    Plan(
        CIFAR_LARGE,
        stack(*convnet(8, 16, norm=True)),
        pg.Adam(4e-3),
        epochs=3,
        schedule=pg.Cosine(),
        augmentation=FLIPPED,
    ),
)
C_STUDENT = Base(
    CIFAR,
    "student",
    Plan(
        CIFAR_LARGE,
        student(Student, (80,), reg=2e-2),
        pg.Momentum(0.01),
        epochs=5,
        batch_size=100,
        schedule=pg.Cosine(),
        augmentation=FLIPPED,
    ),
)
C_BN = Base(
    CIFAR,
    "mlp_bn",
    Plan(
        CIFAR_LARGE,
        mlp([64], normalization="batchnorm", reg=1e-2),
        pg.Adam(1e-3),
        epochs=3,
        schedule=pg.Cosine(),
    ),
)
C_STUDENT_BN = Base(
    CIFAR,
    "student_bn",
    Plan(
        CIFAR_LARGE,
        student(Student, (50,), batchnorm=True, reg=1e-2),
        pg.Momentum(0.01),
        epochs=4,
        schedule=pg.Cosine(),
    ),
)
BASES = tuple(value for value in list(globals().values()) if isinstance(value, Base))
