"""Planted: signals that die or blow up on their way through the layers."""

from __future__ import annotations

import numpy as np

import plaingrad as pg

from .bases import (
    C_CONV,
    C_LENET,
    C_MLP,
    C_STUDENT,
    D_CONV,
    D_DEEP,
    D_MLP,
    D_SGD,
    D_SIGMOID,
    D_STUDENT,
    D_TANH,
    convnet,
    mlp,
    network,
    stack,
    student,
)
from .plan import planted
from .sets import DIGITS_ALL
from .students import Student

SCALE = {"bad_initial_scale": "the initial weights are the cause"}
FADES = {"vanishing_gradients": "with weights this small the gradient fades on its way back"}
GROWS = {"exploding_gradients": "with weights this large the gradient grows on its way back"}
BOUND = {"saturated_units": "with weights this large the units sit at their bounds"}


def shifted_biases(make, amount: float | np.ndarray, *layers: str):
    """The model of `make` with the biases of these layers moved down by `amount`."""

    def made(data, seed):
        model = make(data, seed)
        for name in layers:
            model.params[name] = np.asarray(model.params[name]) - np.asarray(amount, np.float32)
        return model

    return made


def _sigmoids(depth: int, width: int = 40):
    return mlp([width] * depth, activation="sigmoid", weight_init=pg.Xavier())


VANISHING = (
    planted("vanishing_gradients", D_SIGMOID, "6-deep", "six sigmoid layers", model=_sigmoids(6),
            rule=pg.Momentum(0.05)),
    planted("vanishing_gradients", D_SIGMOID, "9-deep", "nine sigmoid layers", model=_sigmoids(9),
            rule=pg.Adam(1e-3)),
    planted("vanishing_gradients", D_DEEP, "normal-0.03", "ten ReLU layers from N(0, 0.03²)", also=SCALE,
            model=mlp([64] * 10, weight_init=pg.Normal(0.03)), rule=pg.Momentum(0.02)),
    planted("vanishing_gradients", D_TANH, "normal-0.05", "eight tanh layers from N(0, 0.05²)", also=SCALE,
            model=mlp([50] * 8, activation="tanh", weight_init=pg.Normal(0.05)), rule=pg.Momentum(0.02)),
    planted("vanishing_gradients", D_STUDENT, "10-deep", "a user's ten layers at a third of He's scale",
            also=SCALE, model=student(Student, (50,) * 10, scale=0.33)),
    planted("vanishing_gradients", C_MLP, "sigmoid-7-deep", "seven sigmoid layers", model=_sigmoids(7, 60),
            rule=pg.Momentum(0.05)),
    planted("vanishing_gradients", C_CONV, "normal-0.01", "five convolutions from N(0, 0.01²)", also=SCALE,
            model=stack(*convnet(16, 16, 16, 16, 16, init=pg.Normal(0.01)))),
)  # fmt: skip

EXPLODING = (
    planted("exploding_gradients", D_DEEP, "10-deep", "ten ReLU layers at twice He's scale", also=SCALE,
            model=mlp([64] * 10, weight_init=pg.Normal(2 * np.sqrt(2 / 64)))),
    planted("exploding_gradients", D_DEEP, "leaky-8-deep", "eight leaky ReLU layers at three times He's scale",
            also=SCALE, model=mlp([64] * 8, activation="leaky-relu", weight_init=pg.Normal(3 * np.sqrt(2 / 64)))),
    planted("exploding_gradients", D_STUDENT, "8-deep", "a user's eight layers at twice He's scale", also=SCALE,
            model=student(Student, (64,) * 8, scale=2.2), rule=pg.Adam(1e-3)),
    planted("exploding_gradients", D_CONV, "residual", "sixteen residual blocks without normalisation, at He's scale",
            also=SCALE, model=stack(pg.Flatten(), *(
                pg.Residual(pg.Sequential(pg.Affine(64), pg.ReLU(), pg.Affine(64))) for _ in range(16)
            ), pg.Affine(10)), rule=pg.Adam(1e-3)),
    planted("exploding_gradients", C_MLP, "10-deep", "ten ReLU layers at twice He's scale", also=SCALE,
            model=mlp([80] * 10, weight_init=pg.Normal(2 * np.sqrt(2 / 80))), rule=pg.Adam(1e-3)),
    planted("exploding_gradients", C_CONV, "6-deep", "six convolutions at 2.5 times He's scale", also=SCALE,
            model=stack(pg.MaxPool2d(2), *(layer for _ in range(6) for layer in (
                pg.Conv2d(8, 3, padding=1, weight_init=pg.Normal(2.5 * np.sqrt(2 / 72))), pg.ReLU()
            )), pg.MaxPool2d(4), pg.Flatten(), pg.Affine(10)), rule=pg.Adam(1e-3)),
)  # fmt: skip

DEAD = (
    planted("dead_relus", D_MLP, "bias", "the biases of the hidden layer start at -8",
            model=shifted_biases(mlp([64]), 8, "affine1.bias")),
    planted("dead_relus", D_DEEP, "bias-2", "the biases of the second hidden layer start at -6",
            model=shifted_biases(mlp([64, 64, 64]), 6, "affine2.bias")),
    planted("dead_relus", D_CONV, "bias", "the biases of the convolutions start at -5",
            model=shifted_biases(stack(*convnet(8, 16, hidden=32)), 5, "conv1.bias", "conv2.bias")),
    planted("dead_relus", D_STUDENT, "bias", "a user's hidden biases start at -8",
            model=shifted_biases(student(), 8, "b1")),
    planted("dead_relus", D_SGD, "most", "the biases of 45 of 50 hidden units start at -8",
            model=shifted_biases(mlp([50]), np.where(np.arange(50) < 45, 8, 0), "affine1.bias")),
    planted("dead_relus", C_MLP, "bias", "the hidden biases start at -15",
            model=shifted_biases(mlp([100], reg=1e-2), 15, "affine1.bias")),
    planted("dead_relus", C_CONV, "bias", "the biases of the second convolution start at -8",
            model=shifted_biases(stack(*convnet(8, 16)), 8, "conv2.bias")),
)  # fmt: skip

SATURATED = (
    planted("saturated_units", D_SIGMOID, "normal-3", "sigmoid units from N(0, 3²)", also=SCALE,
            model=mlp([64, 64], activation="sigmoid", weight_init=pg.Normal(3))),
    planted("saturated_units", D_TANH, "normal-2", "tanh units from N(0, 2²)", also=SCALE,
            model=mlp([64, 64], activation="tanh", weight_init=pg.Normal(2))),
    planted("saturated_units", D_TANH, "bytes", "tanh units fed with bytes from 0 to 255",
            also={"unnormalized_input": "the inputs are the cause"},
            data=DIGITS_ALL.but(normalization="none"), rule=pg.SGD(0.01)),
    planted("saturated_units", D_TANH, "deep", "five tanh layers from N(0, 1)", also=SCALE,
            model=mlp([50] * 5, activation="tanh", weight_init=pg.Normal(1))),
    planted("saturated_units", C_MLP, "tanh-normal-1", "tanh units from N(0, 1)", also=SCALE,
            model=mlp([80, 80], activation="tanh", weight_init=pg.Normal(1))),
    planted("saturated_units", C_MLP, "sigmoid-normal-1", "sigmoid units from N(0, 1)", also=SCALE,
            model=mlp([80, 80], activation="sigmoid", weight_init=pg.Normal(1))),
)  # fmt: skip

_WEIGHTS = (
    planted("bad_initial_scale", D_MLP, "normal-3", "weights from N(0, 3²)", also=GROWS,
            model=mlp([64, 64], weight_init=pg.Normal(3))),
    planted("bad_initial_scale", D_DEEP, "normal-1e-4", "weights from N(0, 1e-4²)", also=FADES,
            model=mlp([64, 64, 64], weight_init=pg.Normal(1e-4)), rule=pg.Momentum(0.02)),
    planted("bad_initial_scale", D_MLP, "zeros", "all weights start at 0", also=FADES,
            model=mlp([64], weight_init=pg.Normal(0))),
    planted("bad_initial_scale", D_CONV, "normal-1", "weights from N(0, 1)", also=GROWS,
            model=stack(*convnet(8, 16, hidden=32, init=pg.Normal(1)))),
    planted("bad_initial_scale", D_STUDENT, "20-fold", "a user's weights at 20 times He's scale", also=GROWS,
            model=student(Student, (64, 64), scale=20.0)),
    planted("bad_initial_scale", D_STUDENT, "10000th", "a user's weights at 1e-4 of He's scale", also=FADES,
            model=student(Student, (64, 64), scale=1e-4)),
    planted("bad_initial_scale", C_MLP, "normal-1", "weights from N(0, 1)", also=GROWS,
            model=mlp([100], weight_init=pg.Normal(1))),
    planted("bad_initial_scale", C_LENET, "normal-1e-3", "weights from N(0, 1e-3²)", also=FADES,
            model=network(pg.LeNet, weight_init=pg.Normal(1e-3)), rule=pg.Momentum(0.01)),
    planted("bad_initial_scale", C_STUDENT, "20-fold", "a user's weights at 20 times He's scale", also=GROWS,
            model=student(Student, (80,), scale=20.0)),
)  # fmt: skip

RUNS = (*VANISHING, *EXPLODING, *DEAD, *SATURATED, *_WEIGHTS)
