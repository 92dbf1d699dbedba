"""The single trainings of the first two courseworks, S1 and S2, on CIFAR-10; docs/experiments.md tells the protocols.

The images are the reports': the first so many train, the next 1,000 validate, the first 1,000 of the
test batch test, and the training mean image is subtracted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from plaingrad.data import Dataset, load_data
from plaingrad.network import FullyConnectedNet, Network, Normal, TwoLayerNet
from plaingrad.optim import SGD, Adam, Momentum, RMSProp, Rule
from plaingrad.reproduce.outcome import Experiment, Published
from plaingrad.schedules import Exponential
from plaingrad.solver import Solver


@lru_cache(maxsize=2)
def cifar10(data_dir: str | None, train: int) -> Dataset:
    """CIFAR-10 as the reports split it, the training mean image subtracted."""
    return load_data("cifar10", data_dir, train=train, validation=1000, test=1000).normalized("mean-image")


def images(data_dir: str | None) -> Dataset:
    """All that the reports use of it."""
    return cifar10(data_dir, 49_000)


# S1: the two-layer network.  Its reports use reg · ΣW², twice our ½ · reg · ΣW²; batches are drawn with
# replacement, and the accuracy is that of the last weights, not the best.


def _two_layer(
    data: Dataset, seed: int, *, hidden: int, lr: float, reg: float, steps: int, batch: int
) -> Solver:
    return Solver(
        TwoLayerNet(hidden, std=1e-4, reg=2 * reg, seed=seed),
        data,
        rule=SGD(lr),
        schedule=Exponential(0.95),
        iterations=steps,
        batch_size=batch,
        sampling="replacement",
        seed=seed,
    )


def _first_training(train: int) -> Callable[[str | None, int], dict[str, float]]:
    def measure(data_dir: str | None, seed: int) -> dict[str, float]:
        solver = _two_layer(
            cifar10(data_dir, train), seed, hidden=50, lr=1e-4, reg=0.25, steps=1000, batch=200
        )
        records = solver.train()
        return {
            "validation accuracy": records[-1].val_accuracy or 0.0,
            "loss at step 0": solver.loss_history[0],
            "loss at step 900": solver.loss_history[900],
        }

    return measure


# S2: networks of any depth, update rules.


def _trained(network: Network, data: Dataset, rule: Rule, seed: int, **settings: Any) -> Solver:
    solver = Solver(network, data, rule=rule, seed=seed, **settings)
    solver.train()
    return solver


def _s2a(data_dir: str | None, seed: int) -> dict[str, float]:
    network = TwoLayerNet(100, std=1e-3, seed=seed)
    data = cifar10(data_dir, 49_000)
    solver = _trained(network, data, SGD(1e-3), seed, schedule=Exponential(0.95), epochs=10, batch_size=100)
    return {"best validation accuracy": solver.best_accuracy}


def _s2b(data_dir: str | None, seed: int) -> dict[str, float]:
    data, values = cifar10(data_dir, 49_000).subset(train=50), {}
    for name, hidden in (("two hidden layers", [100] * 2), ("four hidden layers", [100] * 4)):
        network = FullyConnectedNet(hidden, weight_init=Normal(1e-1), seed=seed, dtype=np.float64)
        solver = _trained(network, data, SGD(1e-3), seed, epochs=20, batch_size=25)
        epochs = [record.epoch for record in solver.records if record.train_accuracy == 1]
        values[f"epoch of 100 % training accuracy, {name}"] = epochs[0] if epochs else math.inf
    return values


def _rules(rules: dict[str, Rule]) -> Callable[[str | None, int], dict[str, float]]:
    def measure(data_dir: str | None, seed: int) -> dict[str, float]:
        data, values = cifar10(data_dir, 49_000).subset(train=4000), {}
        for name, rule in rules.items():
            network = FullyConnectedNet([100] * 5, weight_init=Normal(5e-2), seed=seed)
            solver = _trained(network, data, rule, seed, epochs=5, batch_size=100)
            values[f"{name}: training accuracy"] = max(r.train_accuracy for r in solver.records)
            values[f"{name}: validation accuracy"] = solver.best_accuracy
        return values

    return measure


EXPERIMENTS = (
    Experiment(
        "S1-a",
        "two-layer network, lr 1e-4, reg 0.25, 1,000 steps on 49,000 images",
        (
            Published("validation accuracy", 0.288),
            Published("loss at step 0", 2.302963, "loss"),
            Published("loss at step 900", 1.924231, "batch loss"),
        ),
        _first_training(49_000),
        images,
    ),
    Experiment(
        "S1-b",
        "the same on 19,000 images",
        (Published("validation accuracy", 0.27),),
        _first_training(19_000),
        images,
    ),
    Experiment(
        "S2-a",
        "two-layer network, SGD lr 1e-3, 10 epochs of batch 100",
        (Published("best validation accuracy", 0.512),),
        _s2a,
        images,
    ),
    Experiment(
        "S2-b",
        "overfit 50 images with two and with four hidden layers",
        tuple(
            Published(f"epoch of 100 % training accuracy, {name} hidden layers", 11, "epoch")
            for name in ("two", "four")
        ),
        _s2b,
        images,
    ),
    Experiment(
        "S2-c",
        "five hidden layers on 4,000 images: SGD against momentum",
        (
            Published("sgd: training accuracy", 0.372),
            Published("sgd: validation accuracy", 0.319),
            Published("momentum: training accuracy", 0.50),
            Published("momentum: validation accuracy", 0.35),
        ),
        _rules({"sgd": SGD(5e-3), "momentum": Momentum(5e-3)}),
        images,
    ),
    Experiment(
        "S2-d",
        "the same with Adam and RMSProp",
        (
            Published("adam: training accuracy", 0.554),
            Published("adam: validation accuracy", 0.382),
            Published("rmsprop: training accuracy", 0.538),
            Published("rmsprop: validation accuracy", 0.364),
        ),
        _rules({"adam": Adam(1e-3), "rmsprop": RMSProp(1e-4)}),
        images,
    ),
)
