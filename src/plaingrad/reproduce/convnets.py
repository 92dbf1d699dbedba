"""The experiments of the third coursework, S3: LeNet and its variations; docs/experiments.md tells the protocol.

Pixels are scaled to [−1, 1]; all 50,000 training images train, in batches of 4, for two epochs; all
10,000 test images test.  The weights tested are the last, as there is no validation set.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from plaingrad.data import Dataset, load_data
from plaingrad.errors import NonFiniteError
from plaingrad.evaluation import measure
from plaingrad.network import FourConvNet, LeNet, NegativeLogLikelihood, Network, Uniform
from plaingrad.optim import Adam, Momentum, Rule
from plaingrad.reproduce.outcome import Experiment, Published
from plaingrad.solver import Solver

Measure = Callable[[str | None, int], dict[str, Any]]


@lru_cache(maxsize=1)
def cifar10(data_dir: str | None) -> Dataset:
    """CIFAR-10 as the report uses it."""
    return load_data("cifar10", data_dir, train=50_000, validation=0).normalized("symmetric")


def _trained(network: Network, data: Dataset, seed: int, rule: Rule | None = None, **settings: Any) -> Solver:
    rule = rule or Momentum(1e-3, momentum=0.9)
    solver = Solver(network, data, rule=rule, epochs=2, batch_size=4, seed=seed, **settings)
    solver.train()
    return solver


def _tested(network: Network, data: Dataset, seed: int, rule: Rule | None = None) -> dict[str, Any]:
    """Once trained: accuracy on the test set, overall and by class, and the running loss as the report prints it."""
    losses = _trained(network, data, seed, rule).loss_history
    measured = measure(network, data.test, data.classes)
    return {
        "test accuracy": measured["accuracy"],
        "loss of the first 1,000 steps": float(np.mean(losses[:1000])),
        "loss of the last 1,000 steps": float(np.mean(losses[-1000:])),
        **measured["per_class"],
    }


def _training(build: Callable[[int], Network], rule: Rule | None = None) -> Measure:
    def experiment(data_dir: str | None, seed: int) -> dict[str, Any]:
        return _tested(build(seed), cifar10(data_dir), seed, rule)

    return experiment


def _s3b(data_dir: str | None, seed: int) -> dict[str, Any]:
    return {
        f"test accuracy, {name} weights": _tested(
            FourConvNet(shared=name == "shared", weight_init=Uniform(), seed=seed), cifar10(data_dir), seed
        )["test accuracy"]
        for name in ("shared", "separate")
    }


def _s3d(data_dir: str | None, seed: int) -> dict[str, Any]:
    return _tested(_lenet()(seed), cifar10(data_dir).doubled(), seed)


def _s3f(data_dir: str | None, seed: int) -> dict[str, Any]:
    network = _lenet(objective=NegativeLogLikelihood())(seed)
    try:
        solver = _trained(network, cifar10(data_dir), seed)
    except NonFiniteError as error:
        return {"loss": np.nan, "diagnosis": str(error)}
    return {"loss": solver.loss_history[-1], "diagnosis": "training went on"}


RAW_SCORES = "negative log-likelihood of raw scores: put log-softmax before it, or use cross-entropy"

_BY_CLASS = {
    "airplane": 0.73,
    "automobile": 0.71,
    "bird": 0.31,
    "cat": 0.29,
    "deer": 0.39,
    "dog": 0.51,
    "frog": 0.77,
    "horse": 0.63,
    "ship": 0.63,
    "truck": 0.43,
}


def _accuracy(value: float, name: str = "test accuracy") -> Published:
    return Published(name, value, samples=10_000)


def _lenet(**settings: Any) -> Callable[[int], Network]:
    return lambda seed: LeNet(weight_init=Uniform(), seed=seed, **settings)


EXPERIMENTS = (
    Experiment(
        "S3-a",
        "LeNet, SGD lr 1e-3 with momentum 0.9, batch 4, two epochs of 50,000 images",
        (
            _accuracy(0.54),
            Published("loss of the first 1,000 steps", 2.298, "shown"),
            Published("loss of the last 1,000 steps", 1.287, "shown"),
            *(Published(name, value, "shown") for name, value in _BY_CLASS.items()),
        ),
        _training(_lenet()),
        cifar10,
    ),
    Experiment(
        "S3-b",
        "four convolutions, the last three of them one (shared) or three (separate)",
        (
            _accuracy(0.58, "test accuracy, shared weights"),
            _accuracy(0.58, "test accuracy, separate weights"),
        ),
        _s3b,
        cifar10,
    ),
    Experiment(
        "S3-c",
        "LeNet with Adam, lr 1e-3, eps 1e-3",
        (_accuracy(0.56),),
        _training(_lenet(), Adam(1e-3, eps=1e-3)),
        cifar10,
    ),
    Experiment("S3-d", "LeNet, the set doubled by flipped copies", (_accuracy(0.57),), _s3d, cifar10),
    Experiment(
        "S3-e",
        "LeNet with batch normalisation after each convolution",
        (_accuracy(0.54),),
        _training(_lenet(normalization="batchnorm")),
        cifar10,
    ),
    Experiment(
        "S3-f",
        "LeNet, negative log-likelihood of the raw scores: a bug on purpose",
        (Published("loss", float("nan"), "not finite"), Published("diagnosis", RAW_SCORES, "diagnosis")),
        _s3f,
        cifar10,
    ),
    Experiment(
        "S3-g",
        "LeNet, negative log-likelihood of log-softmax",
        (_accuracy(0.55),),
        _training(_lenet(log_softmax=True, objective=NegativeLogLikelihood())),
        cifar10,
    ),
    Experiment(
        "S3-h", "LeNet with weight decay 1e-6", (_accuracy(0.55),), _training(_lenet(reg=1e-6)), cifar10
    ),
)
