"""Planted: runs that meet NaN or infinity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import plaingrad as pg
from plaingrad.data import Augmentation, Transform

from .bases import C_LENET, C_MLP, C_STUDENT, D_CONV, D_DEEP, D_MLP, D_STUDENT, mlp, student
from .plan import planted
from .sets import CIFAR_LARGE, DIGITS_ALL
from .students import LogOfZero, NoShift

_RATE = {"learning_rate_too_high": "the rate is the cause"}
_INPUT = {"unnormalized_input": "inputs from 0 to 255 make the scores overflow"}


class Contrast(Transform):
    """Each image to mean 0 and deviation 1, without a guard: an image of one grey divides 0 by 0."""

    def transform(self, images, *, indices, epoch, rng):
        x = images.astype(np.float32)
        mean, std = (f(axis=(1, 2, 3), keepdims=True) for f in (x.mean, x.std))
        with np.errstate(all="ignore"):
            return (x - mean) / std


def one_blank(data: pg.Dataset, rng: np.random.Generator) -> pg.Dataset:
    """One training image, in the middle, is blank."""
    images = data.train.images.copy()
    images[len(images) // 2] = 0
    return replace(data, train=replace(data.train, images=images))


RUNS = (
    planted("non_finite", D_MLP, "rate", "learning rate 1000", also=_RATE, rule=pg.Momentum(1000)),
    planted("non_finite", D_DEEP, "rate", "SGD at 100", also=_RATE, rule=pg.SGD(100)),
    planted("non_finite", D_CONV, "blank", "a user's contrast divides a blank image by its deviation, 0",
            data=DIGITS_ALL.but(one_blank, normalization="none"), augmentation=Augmentation(Contrast())),
    planted("non_finite", D_STUDENT, "log-0", "a user's loss takes the logarithm of a probability of 0",
            also=_INPUT, model=student(LogOfZero), data=DIGITS_ALL.but(normalization="none")),
    planted("non_finite", D_STUDENT, "exp", "a user's softmax overflows", also=_INPUT, model=student(NoShift),
            data=DIGITS_ALL.but(normalization="none")),
    planted("non_finite", D_DEEP, "init", "nine layers of weights from N(0, 1e5²)",
            also={"bad_initial_scale": "the initial weights are the cause",
                  "exploding_gradients": "gradients and activations overflow from the start"},
            model=mlp([64] * 8, weight_init=pg.Normal(1e5))),
    planted("non_finite", C_MLP, "rate", "learning rate 100", also=_RATE, rule=pg.Momentum(100)),
    planted("non_finite", C_LENET, "blank", "a user's contrast divides a blank image by its deviation, 0",
            data=CIFAR_LARGE.but(one_blank, normalization="none"), augmentation=Augmentation(Contrast())),
    planted("non_finite", C_STUDENT, "exp", "a user's softmax overflows", also=_INPUT,
            model=student(NoShift, (80,)), data=CIFAR_LARGE.but(normalization="none")),
)  # fmt: skip
