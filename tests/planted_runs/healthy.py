"""Healthy runs: sensible settings on both data sets, which a careful practitioner would leave as they are."""

from __future__ import annotations

from typing import Any

import plaingrad as pg
from plaingrad.data import Augmentation, ColorJitter, Crop, Cutout, Flip

from .bases import BASES, FLIPPED, convnet, mlp, network, stack, student
from .plan import Plan, Run
from .sets import CIFAR, CIFAR_LARGE, DIGITS, DIGITS_ALL
from .students import Student


def _digits(
    slug: str, model: Any, rule: Any, epochs: float = 15, *, kind: str = "standard", **settings: Any
) -> Run:
    plan = Plan(DIGITS_ALL.but(normalization=kind), model, rule, epochs, **settings)
    return Run(f"healthy/digits-{slug}", None, DIGITS, slug.split("-")[0], "none", plan)


def _cifar(
    slug: str, model: Any, rule: Any, epochs: float = 4, *, kind: str = "channels", **settings: Any
) -> Run:
    settings = {"schedule": pg.Cosine(), "augmentation": FLIPPED} | settings
    plan = Plan(CIFAR_LARGE.but(normalization=kind), model, rule, epochs, **settings)
    return Run(f"healthy/cifar10-{slug}", None, CIFAR, slug.split("-")[0], "none", plan)


_WARM = pg.Warmup(1, pg.Cosine())
_CONV, _CONV_BN = stack(*convnet(8, 16, hidden=32)), stack(*convnet(8, 16, norm=True))
_AVERAGE = stack(
    pg.Conv2d(8, 3, padding=1), pg.BatchNorm(), pg.ReLU(), pg.MaxPool2d(2),
    pg.Conv2d(32, 3, padding=1), pg.BatchNorm(), pg.ReLU(), pg.AvgPool2d(4), pg.Flatten(), pg.Affine(10),
)  # fmt: skip
_GROUPS = stack(
    pg.Conv2d(8, 3, padding=1), pg.GroupNorm(4), pg.ReLU(), pg.MaxPool2d(2), pg.Flatten(), pg.Affine(10)
)
_RESIDUAL = stack(
    pg.Flatten(), pg.Affine(48),
    *(pg.Residual(pg.Sequential(pg.LayerNorm(), pg.Affine(48), pg.ReLU(), pg.Affine(48))) for _ in range(3)),
    pg.Affine(10),
)  # fmt: skip
_LOG = stack(
    pg.Flatten(),
    pg.Affine(64),
    pg.ReLU(),
    pg.Affine(10),
    pg.LogSoftmax(),
    objective=pg.NegativeLogLikelihood(),
)

ON_DIGITS = (
    _digits("mlp-sgd-unit", mlp([64]), pg.SGD(0.3), 30, kind="unit"),
    _digits("mlp-sgd-batch-20", mlp([64]), pg.SGD(0.05), 15, batch_size=20),
    _digits("mlp-momentum-cosine", mlp([64]), pg.Momentum(0.03), 15, schedule=pg.Cosine()),
    _digits("mlp-nesterov", mlp([64]), pg.Nesterov(0.02), 15),
    _digits("mlp-nesterov-onecycle", mlp([100]), pg.Nesterov(0.05), 15, schedule=pg.OneCycle()),
    _digits("mlp-adam", mlp([64]), pg.Adam(2e-3), 15),
    _digits("mlp-adam-warmup", mlp([100, 50]), pg.Adam(2e-3), 15, schedule=_WARM),
    _digits("mlp-adamw", mlp([100]), pg.AdamW(2e-3, weight_decay=0.05), 15),
    _digits("mlp-rmsprop", mlp([64]), pg.RMSProp(1e-3), 15),
    _digits("mlp-adagrad", mlp([64]), pg.AdaGrad(0.03), 15),
    _digits("mlp-step", mlp([64]), pg.Momentum(0.03), 20, schedule=pg.Step(8, 0.2)),
    _digits("mlp-exponential", mlp([64]), pg.SGD(0.15), 20, schedule=pg.Exponential(0.9)),
    _digits("mlp-reg", mlp([64], reg=1e-3), pg.Momentum(0.02), 15),
    _digits("mlp-reg-1e-2", mlp([100], reg=1e-2), pg.Momentum(0.02), 15),
    _digits("mlp-batch-100", mlp([100]), pg.Momentum(0.05), 25, batch_size=100),
    _digits("mlp-batch-16", mlp([50]), pg.Momentum(0.005), 12, batch_size=16),
    _digits("mlp-clipped", mlp([64]), pg.Momentum(0.02), 15, more={"clip_norm": 5.0}),
    _digits("mlp-ema", mlp([64]), pg.Momentum(0.03), 20, more={"ema": 0.98}),
    _digits("mlp-accumulate", mlp([64]), pg.Momentum(0.02), 15, more={"accumulate": 4}),
    _digits("mlp-hinge", mlp([64], objective=pg.Hinge()), pg.Momentum(0.005), 15),
    _digits("mlp-squared", mlp([128], objective=pg.MeanSquaredError(), weight_init=pg.Uniform()), pg.Adam(3e-3), 20),
    _digits("mlp-smoothed", mlp([64], objective=pg.SoftmaxCrossEntropy(label_smoothing=0.1)), pg.Adam(2e-3), 15),
    _digits("mlp-loglikelihood", _LOG, pg.Momentum(0.02), 15),
    _digits("mlp-symmetric", mlp([64]), pg.Momentum(0.02), 20, kind="symmetric"),
    _digits("mlp-uniform", mlp([64], weight_init=pg.Uniform()), pg.Momentum(0.03), 20),
    _digits("two_layer-small-std", network(pg.TwoLayerNet, 50, std=1e-2), pg.Momentum(0.03), 20),
    _digits("linear-sgd", mlp([]), pg.SGD(0.1), 25),
    _digits("deep-adam-cosine", mlp([64] * 4), pg.Adam(1e-3), 15, schedule=pg.Cosine()),
    _digits("deep-bn", mlp([50] * 5, normalization="batchnorm"), pg.Adam(2e-3), 12),
    _digits("deep-layernorm", mlp([64] * 3, normalization="layernorm"), pg.Adam(1e-3), 15),
    _digits("residual-layernorm", _RESIDUAL, pg.Adam(1e-3), 15),
    _digits("bn-momentum", mlp([64], normalization="batchnorm"), pg.Momentum(0.05), 12),
    _digits("bn-dropout", mlp([128], normalization="batchnorm", dropout=0.2), pg.Adam(2e-3), 15),
    _digits("dropout-0.5", mlp([200], dropout=0.5), pg.Adam(2e-3), 20),
    _digits("sigmoid-adam", mlp([100], activation="sigmoid", weight_init=pg.Xavier()), pg.Adam(5e-3), 20),
    _digits("tanh-momentum", mlp([100], activation="tanh", weight_init=pg.Xavier()), pg.Momentum(0.03), 15),
    _digits("gelu-adam", mlp([64, 64], activation="gelu"), pg.Adam(1e-3), 15),
    _digits("elu-momentum", mlp([64, 64], activation="elu"), pg.Momentum(0.01), 15),
    _digits("leaky-adam", mlp([64, 64], activation="leaky-relu"), pg.Adam(1e-3), 15),
    _digits("conv-adam-cosine", _CONV, pg.Adam(3e-3), 20, schedule=pg.Cosine()),
    _digits("conv-momentum", _CONV, pg.Momentum(0.01), 20),
    _digits("conv-shifts", stack(*convnet(16, 32)), pg.Adam(4e-3), 30, schedule=pg.Cosine(),
            augmentation=Augmentation(Crop(1))),
    _digits("conv_bn-momentum", _CONV_BN, pg.Momentum(0.05), 20, schedule=pg.Cosine()),
    _digits("conv-groupnorm", _GROUPS, pg.Adam(4e-3), 20),
    _digits("student-adam", student(Student, (64, 32)), pg.Adam(1e-3), 15),
    _digits("student-momentum-reg", student(Student, (100,), reg=1e-3), pg.Momentum(0.02), 15),
    _digits("student-bn-dropout", student(Student, (128,), batchnorm=True, dropout=0.2), pg.Momentum(0.05), 15),
)  # fmt: skip

_VARIED = Augmentation(Flip(), Crop(2), Cutout(6))
ON_CIFAR = (
    _cifar("mlp-adam-dropout", mlp([128], dropout=0.2, reg=1e-3), pg.Adam(1e-3), 5, batch_size=100),
    _cifar("mlp-sgd", mlp([100], reg=1e-2), pg.SGD(0.03), 6, batch_size=50),
    _cifar("mlp-standard", mlp([100, 50], reg=2e-2), pg.Momentum(0.01), 5, kind="standard", batch_size=100),
    _cifar("mlp-bn", mlp([100], normalization="batchnorm", reg=1e-2), pg.Adam(1e-3), 4, batch_size=100),
    _cifar("mlp-symmetric", mlp([100], reg=5e-3), pg.Adam(1e-3), 5, kind="symmetric", batch_size=100),
    _cifar("linear-momentum", mlp([], reg=0.05), pg.Momentum(2e-3), 5, batch_size=100),
    _cifar("lenet-momentum", network(pg.LeNet), pg.Momentum(0.01), 3, batch_size=32),
    _cifar("lenet-bn", network(pg.LeNet, normalization="batchnorm"), pg.Adam(2e-3), 3),
    _cifar("lenet-onecycle", network(pg.LeNet), pg.Adam(2e-3), 3, schedule=pg.OneCycle()),
    _cifar("conv-adam", stack(*convnet(8, 16)), pg.Adam(3e-3), 4),
    _cifar("conv-average", _AVERAGE, pg.Adam(4e-3), 3),
    _cifar("conv-varied", stack(*convnet(8, 16)), pg.Momentum(0.02), 4, augmentation=_VARIED),
    _cifar("conv_bn-momentum", stack(*convnet(8, 16, norm=True)), pg.Momentum(0.015), 4),
    _cifar("conv_bn-colours", stack(*convnet(8, 16, norm=True)), pg.AdamW(4e-3), 3,
           augmentation=Augmentation(Flip(), ColorJitter(0.2, 0.2))),
    _cifar("student-reg", student(Student, (60,), reg=3e-2), pg.Momentum(0.01), 5, batch_size=100),
)  # fmt: skip

_FROM_BASES = tuple(
    Run(f"healthy/{b.dataset}-{b.network}-base", None, b.dataset, b.network, "none", b.plan) for b in BASES
)
RUNS = (*_FROM_BASES, *ON_DIGITS, *ON_CIFAR)
