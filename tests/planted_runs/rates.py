"""Planted: learning rates and lengths that are wrong."""

from __future__ import annotations

from typing import Any

import plaingrad as pg
from plaingrad.data import Augmentation, Crop, Flip

from .bases import (
    C_CONV,
    C_CONV_BN,
    C_LENET,
    C_MLP,
    C_STUDENT,
    D_BN,
    D_CONV,
    D_CONV_BN,
    D_DEEP,
    D_MLP,
    D_SGD,
    D_STUDENT,
    convnet,
    mlp,
    stack,
)
from .plan import Base, Run, planted
from .sets import DIGITS, Source

LONGER = {
    "stopped_too_early": "the loss still falls when training ends: at this rate it needs far more epochs"
}
KILLED = {"dead_relus": "steps this large push units below zero for good"}
RISES = {"exploding_gradients": "weights and gradients grow at the rate set"}

TOO_LOW = (
    planted("learning_rate_too_low", D_MLP, "300th", "learning rate 1/300 of the good one", also=LONGER,
            rule=pg.Momentum(0.02 / 300)),
    planted("learning_rate_too_low", D_SGD, "1000th", "learning rate 1e-4 without momentum", also=LONGER,
            rule=pg.SGD(1e-4)),
    planted("learning_rate_too_low", D_DEEP, "adam-1e-6", "Adam at 1e-6", also=LONGER, rule=pg.Adam(1e-6)),
    planted("learning_rate_too_low", D_BN, "adam-3e-6", "Adam at 3e-6, with batch norm", also=LONGER,
            rule=pg.Adam(3e-6)),
    planted("learning_rate_too_low", D_STUDENT, "100th", "a user's model at 1/100 of the good rate",
            also=LONGER, rule=pg.Momentum(2e-4)),
    planted("learning_rate_too_low", C_MLP, "1000th", "learning rate 1e-5 with momentum", also=LONGER,
            rule=pg.Momentum(1e-5)),
    planted("learning_rate_too_low", C_LENET, "adam-3e-6", "Adam at 3e-6", also=LONGER, rule=pg.Adam(3e-6)),
    planted("learning_rate_too_low", C_STUDENT, "sgd-1e-5", "SGD at 1e-5", also=LONGER, rule=pg.SGD(1e-5)),
)  # fmt: skip

TOO_HIGH = (
    planted("learning_rate_too_high", D_MLP, "30-fold", "learning rate 30 times the good one", also=KILLED,
            rule=pg.Momentum(0.6)),
    planted("learning_rate_too_high", D_SGD, "30-fold", "SGD at 3, which diverges",
            also=KILLED | {"non_finite": "the divergence ends in NaN"}, rule=pg.SGD(3.0)),
    planted("learning_rate_too_high", D_DEEP, "adam-0.1", "Adam at 0.1", also=KILLED, rule=pg.Adam(0.1)),
    planted("learning_rate_too_high", D_CONV, "adam-0.1", "Adam at 0.1", also=KILLED, rule=pg.Adam(0.1)),
    planted("learning_rate_too_high", D_BN, "adam-1", "Adam at 1, which batch norm keeps finite", also=KILLED,
            rule=pg.Adam(1.0)),
    planted("learning_rate_too_high", D_STUDENT, "40-fold", "a user's model at 40 times the good rate",
            also=KILLED, rule=pg.Momentum(0.8)),
    planted("learning_rate_too_high", C_MLP, "adam-0.03", "Adam at 0.03", also=KILLED, rule=pg.Adam(0.03),
            schedule=pg.Constant()),
    planted("learning_rate_too_high", C_LENET, "adam-0.05", "Adam at 0.05", also=KILLED, rule=pg.Adam(0.05)),
    planted("learning_rate_too_high", C_CONV, "15-fold", "Momentum at 0.3", also=KILLED | RISES,
            rule=pg.Momentum(0.3)),
)  # fmt: skip

TOO_EARLY = (
    planted("stopped_too_early", D_MLP, "1-epoch", "one epoch", epochs=1, rule=pg.Momentum(0.01)),
    planted("stopped_too_early", D_SGD, "2-epochs", "two epochs at a rate that needs twenty", epochs=2,
            rule=pg.SGD(0.03), twin=D_SGD.plan.but(rule=pg.SGD(0.03), epochs=30)),
    planted("stopped_too_early", D_CONV, "2-epochs", "two epochs", epochs=2),
    planted("stopped_too_early", D_DEEP, "1-epoch", "one epoch", epochs=1),
    planted("stopped_too_early", D_CONV_BN, "1-epoch", "one epoch", epochs=1),
    planted("stopped_too_early", D_STUDENT, "1-epoch", "a user's model, one epoch", epochs=1,
            rule=pg.Momentum(0.01)),
    planted("stopped_too_early", C_LENET, "half-epoch", "half an epoch at a constant rate", epochs=0.5,
            schedule=pg.Constant()),
    planted("stopped_too_early", C_CONV_BN, "quarter-epoch", "a quarter of an epoch at a constant rate",
            epochs=0.25, schedule=pg.Constant()),
    planted("stopped_too_early", C_MLP, "half-epoch", "half an epoch", epochs=0.5, schedule=pg.Constant()),
)  # fmt: skip

# Where a constant rate stalls: noisy gradients (small batches, distorted images) at a rate that is good at first.
_SHIFTS = Augmentation(Crop(1))
_AUGMENTED = Augmentation(Flip(), Crop(2))
_DIGITS = Source(DIGITS, (997, 500, 300))  # more to validate on: what a decay gains is a few per cent
_LATE = {
    "learning_rate_too_high": "late in training the constant rate is too high: the same fact in other words"
}


def stalls(base: Base, slug: str, trouble: str, **changes: Any) -> Run:
    """A run at a constant rate, whose twin lets the rate fall."""
    falling = base.plan.but(**changes, schedule=pg.Cosine())
    changes = {"schedule": pg.Constant(), **changes}
    return planted("plateau", base, slug, trouble, also=_LATE, twin=falling, **changes)


PLATEAU = (
    stalls(D_SGD, "batch-5", "a large constant rate and batches of 5 on distorted digits", rule=pg.SGD(0.25),
            batch_size=5, epochs=25, data=_DIGITS, augmentation=_SHIFTS),
    stalls(D_MLP, "batch-8", "a large constant rate with momentum and batches of 8", rule=pg.Momentum(0.04),
            batch_size=8, epochs=25, augmentation=_SHIFTS, model=mlp([32]), data=_DIGITS),
    stalls(D_CONV, "adam", "Adam at a constant 0.015 on distorted digits", rule=pg.Adam(0.015), batch_size=10,
            epochs=20, data=_DIGITS, augmentation=_SHIFTS),
    stalls(D_CONV_BN, "sgd", "SGD at a constant 0.5 with batch norm and batches of 8", rule=pg.SGD(0.5),
            batch_size=8, epochs=20, augmentation=_SHIFTS, data=_DIGITS),
    stalls(C_MLP, "momentum", "a constant rate with momentum and small batches", rule=pg.Momentum(0.004),
            batch_size=20, epochs=10, augmentation=_AUGMENTED),
    stalls(C_CONV, "adam", "Adam at a constant 0.01", rule=pg.Adam(0.01), batch_size=20, epochs=5,
            augmentation=_AUGMENTED, model=stack(*convnet(8, 16))),
)  # fmt: skip

RUNS = (*TOO_LOW, *TOO_HIGH, *TOO_EARLY, *PLATEAU)
