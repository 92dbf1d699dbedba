"""Evidence written by hand: a healthy run, and the pieces that others are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plaingrad.insight.doctor.evidence import Evaluation, Evidence, Look, Setup
from plaingrad.insight.facts import DataFacts, LayerFacts, ParameterFacts, ScoreFacts

STEPS = 400
PER_EPOCH = 40
LN10 = math.log(10)


def losses(course: Callable[[float], float], *, steps: int = STEPS, noise: float = 0.05, seed: int = 0):
    """The loss of each step, from a course over progress 0 to 1, with noise in proportion."""
    rng = np.random.default_rng(seed)
    values = [course(step / steps) for step in range(steps)]
    return tuple(float(v * (1 + noise * rng.standard_normal())) for v in values)


def evaluations(
    train: Sequence[float],
    val: Sequence[float] | None = None,
    *,
    train_loss: Sequence[float] | None = None,
    val_loss: Sequence[float] | None = None,
    lr: Callable[[float], float] = lambda progress: 0.1,
    samples: int = 1000,
    **more: Any,
) -> tuple[Evaluation, ...]:
    """One evaluation per epoch; all classes are predicted equally often unless `more` says otherwise."""
    count = len(train)
    made = []
    for i in range(count):
        known: dict[str, Any] = {
            "val_accuracy": val and val[i],
            "train_loss": train_loss and train_loss[i],
            "val_loss": val_loss and val_loss[i],
            "predicted": (samples // 10,) * 10,
            "per_class": (train[i],) * 10,
        }
        step = (i + 1) * PER_EPOCH
        rate = lr((i + 1) / count)
        made.append(Evaluation(step=step, epoch=i + 1.0, lr=rate, train_accuracy=train[i], **(known | more)))
    return tuple(made)


def healthy(**changes: Any) -> Evidence:
    """Ten epochs that go well: the loss falls with the logarithm of time, accuracies rise, the gap is small."""
    epochs = np.arange(1, 11)
    course = 2.3 / (1 + 0.8 * epochs)
    train = [0.97 - 0.3 / e for e in epochs]
    evidence = Evidence(
        losses=losses(lambda p: 2.3 / (1 + 8 * p)),
        evaluations=evaluations(
            train, [t - 0.03 for t in train], train_loss=list(course), val_loss=list(course * 1.1 + 0.02)
        ),
        classes=10,
        setup=Setup(
            objective="softmaxcrossentropy",
            rule="sgd",
            lr=0.1,
            schedule="constant",
            batch_size=50,
            steps_per_epoch=PER_EPOCH,
            total_steps=STEPS,
            reg=0.0,
            weight_decay=0.0,
            dropout=0.0,
            batchnorm=False,
            augmented=False,
            label_smoothing=0.0,
            parameters=5000,
        ),
        data=data(),
        looks=tuple(look(step) for step in (0, 1, 2, 5, 10, 20, 50, 200, STEPS)),
        finished=True,
    )
    return replace(evidence, **changes)


def bare(**known: Any) -> Evidence:
    """Histories from another library: ten classes, and what is given."""
    settings: dict[str, Any] = {"classes": 10, **known}
    return Evidence(**settings)


def setup(**changes: Any) -> Setup:
    """The healthy run's settings with changes."""
    return replace(healthy().setup, **changes)


def data(**changes: Any) -> DataFacts:
    """Ten balanced classes of normalised samples whose neighbours agree."""
    facts = DataFacts(
        name="digits", train=2000, validation=1000, test=1000, class_counts=(200,) * 10, mean=0.0, std=1.0,
        low=-3.0, high=4.0, smallest_std=0.5, largest_std=1.5, constant_features=0.0, not_finite=0, offset=0.1,
        train_in_test=0, train_in_validation=0, training_twice=0, neighbour_agreement=0.9, neighbour_chance=0.1,
        neighbour_error=0.015, test_neighbour_agreement=0.91, test_mean=0.01, test_std=0.99,
    )  # fmt: skip
    return replace(facts, **changes)


def layer(name: str, kind: str, *, units: int = 64, **changes: Any) -> LayerFacts:
    """A layer's outputs as He's scale makes them."""
    facts = LayerFacts(
        name=name, kind=kind, mean=0.5, std=0.9, zero=0.5 if kind == "relu" else 0.0, dead=0.02, units=units,
        saturated=0.05 if kind in ("sigmoid", "tanh") else None, gradient=0.2, finite=True,
    )  # fmt: skip
    return replace(facts, **changes)


def weight(name: str, *, fan_in: int = 64, units: int = 64, gain: float = math.sqrt(2), **changes: Any):
    """A weight with `gain` = √(fan-in) times its standard deviation, and its bias after it."""
    norm = gain * math.sqrt(units)
    facts = ParameterFacts(name, fan_in * units, norm, gain / math.sqrt(fan_in), 1.0, 2e-3 * norm)
    bias = ParameterFacts(name.replace("weight", "bias"), units, 0.1, 0.01, 0.5, 1e-3)
    return (replace(facts, **changes), bias)


def scores(**changes: Any) -> ScoreFacts:
    """Scores at the start, at He's scale."""
    facts = ScoreFacts(
        low=-4.0, high=4.0, std=1.4, loss=2.8, nll=0.1, probabilities=False, log_probabilities=False,
        spread=0.8, confidence=0.4, predicted=(6, 6, 6, 6, 6, 6, 7, 7, 7, 7), accuracy=0.1,
    )  # fmt: skip
    return replace(facts, **changes)


def look(step: int, **changes: Any) -> Look:
    """A look at a network with two hidden layers."""
    kinds = (("affine1", "affine"), ("relu1", "relu"), ("affine2", "affine"), ("relu2", "relu"))
    facts = Look(
        step=step,
        loss=2.8,
        gradient_norm=3.0,
        parameters=(
            *weight("affine1.weight"),
            *weight("affine2.weight"),
            *weight("affine3.weight", units=10),
        ),
        layers=(*(layer(name, kind) for name, kind in kinds), layer("affine3", "affine", units=10)),
        scores=scores(),
    )
    return replace(facts, **changes)


def looks(**changes: Any) -> tuple[Look, ...]:
    """Looks that all have these changes."""
    return tuple(look(step, **changes) for step in (0, 1, 2, 5, 10, 20, 50, 200, STEPS))
