"""Published experiments, run again under their protocol: published beside measured.

Each was printed in a student's or a course's report on CIFAR-10; docs/experiments.md tells the
protocols.  The images are the report's: the first so many train, the next 1,000 validate, the first
1,000 of the test batch test, and the training mean image is subtracted.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import mean
from typing import Any, Literal

import numpy as np

from plaingrad.data import Dataset, load_data
from plaingrad.errors import NonFiniteError, RecipeError, suggestion
from plaingrad.network import FullyConnectedNet, Network, Normal, TwoLayerNet
from plaingrad.optim import SGD, Adam, Momentum, RMSProp, Rule
from plaingrad.schedules import Exponential
from plaingrad.solver import Solver

# How a measured value is judged: an accuracy should be as high as published, an epoch as early, a loss
# as close, the loss of one batch as low; "shown" values are side results that no one claims.
Kind = Literal["accuracy", "epoch", "loss", "batch loss", "shown"]

# Two standard deviations of the loss of one batch of 200, as seen over steps 850 to 950 of S1-a.
_BATCH_LOSS_SPREAD = 0.08


@dataclass(frozen=True)
class Published:
    """A number that a report printed, and how a measured one is held against it.

    `samples` is the number of images an accuracy was measured on.
    """

    name: str
    value: float
    kind: Kind = "accuracy"
    samples: int = 1000

    def verdict(self, measured: Sequence[float]) -> str:
        """In a word: beaten, matched or below (a loss to be close to: matched or off).

        An accuracy matches within two standard errors of a share of so many images, of both reports'.
        """
        average = mean(measured)
        if self.kind == "shown":
            return ""
        if self.kind == "loss":
            return "matched" if abs(average - self.value) <= 1e-3 * self.value else "off"
        if self.kind == "batch loss":
            near = average <= self.value + _BATCH_LOSS_SPREAD
            return "beaten" if average < self.value else "matched" if near else "below"
        if self.kind == "epoch":
            return "beaten" if average < self.value else "matched" if average <= 20 else "below"
        variance = self.value * (1 - self.value) / self.samples
        error = math.sqrt(variance + variance / len(measured))
        if average >= self.value:
            return "beaten" if average > self.value else "matched"
        return "matched" if average >= self.value - 2 * error else "below"


@dataclass(frozen=True)
class Experiment:
    """A published experiment: `measure(data_dir, seed)` gives one value for each of `published`, by name."""

    id: str
    title: str
    published: tuple[Published, ...]
    measure: Callable[[str | None, int], dict[str, float]]


@dataclass(frozen=True)
class Outcome:
    """What an experiment gave: for each published number the values of all seeds."""

    experiment: Experiment
    measured: dict[str, list[float]]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every claim was matched or beaten."""
        return not any(
            p.verdict(self.measured[p.name]) in ("below", "off") for p in self.experiment.published
        )

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Rows for a table: id, quantity, published, measured (mean, and range over seeds), verdict, seconds."""
        for i, p in enumerate(self.experiment.published):
            values = self.measured[p.name]
            form = "{:.0f}" if p.kind == "epoch" else "{:.4f}" if "loss" in p.kind else "{:.3f}"
            shown = form.format(mean(values))
            if len(values) > 1:
                shown += f" ({form.format(min(values))}–{form.format(max(values))})"
            first = i == 0
            yield (
                self.experiment.id if first else "",
                p.name,
                form.format(p.value),
                shown,
                p.verdict(values),
                f"{self.seconds:.1f}" if first else "",
            )

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "id": self.experiment.id,
            "title": self.experiment.title,
            "ok": self.ok,
            "seconds": round(self.seconds, 2),
            "quantities": [
                {
                    "name": p.name,
                    "published": p.value,
                    "measured": self.measured[p.name],
                    "verdict": p.verdict(self.measured[p.name]) or None,
                }
                for p in self.experiment.published
            ],
        }


def chosen(ids: Iterable[str]) -> list[Experiment]:
    """The experiments with these ids, all of them for none.  Raises RecipeError for one that does not exist."""
    unknown = [id for id in ids if id not in EXPERIMENTS]
    if unknown:
        raise RecipeError(f"there is no experiment {unknown[0]!r}; {suggestion(unknown[0], EXPERIMENTS)}")
    return [EXPERIMENTS[id] for id in ids] or list(EXPERIMENTS.values())


def run(experiment: Experiment, *, seeds: int = 1, data_dir: str | None = None) -> Outcome:
    """Run an experiment with the seeds 0, 1, ..."""
    cifar10(data_dir, 49_000)  # reading the images is not part of the time
    started = time.perf_counter()
    runs = [experiment.measure(data_dir, seed) for seed in range(seeds)]
    measured = {p.name: [own[p.name] for own in runs] for p in experiment.published}
    return Outcome(experiment, measured, time.perf_counter() - started)


@lru_cache(maxsize=2)
def cifar10(data_dir: str | None, train: int) -> Dataset:
    """CIFAR-10 as the reports split it, the training mean image subtracted."""
    return load_data("cifar10", data_dir, train=train, validation=1000, test=1000).normalized("mean-image")


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


def _grid(train: int, steps: int, settings: dict[str, dict[str, Any]]) -> Callable[..., dict[str, float]]:
    """Train every setting; the best by validation accuracy is tested."""

    def measure(data_dir: str | None, seed: int) -> dict[str, float]:
        data = cifar10(data_dir, train)
        values, best, winner = {}, -1.0, None
        for name, setting in settings.items():
            solver = _two_layer(data, seed, steps=steps, **setting)
            last = solver.train()[-1]
            values[name] = last.val_accuracy or 0.0
            if values[name] > best:
                best, winner = values[name], (last.train_accuracy, solver.accuracy(data.test))
        assert winner is not None
        return values | {
            "best validation accuracy": best,
            "its training accuracy": winner[0],
            "its test accuracy": winner[1],
        }

    return measure


_S1_C = {
    f"H {hidden}, lr {lr:g}, reg {reg:g}": {"hidden": hidden, "lr": lr, "reg": reg, "batch": 200}
    for hidden, lr, reg in itertools.product((100, 150), (1e-3, 3e-3), (0.1, 0.5))
}
_S1_D = {
    f"lr {lr:g}, reg {reg:g}, batch {batch}": {"hidden": 50, "lr": lr, "reg": reg, "batch": batch}
    for lr, reg, batch in itertools.product((5e-4, 1e-3, 2.5e-3), (0.25, 0.5), (100, 200))
}
_S1_C_PUBLISHED = (0.451, 0.441, 0.433, 0.415, 0.451, 0.461, 0.431, 0.433)
_S1_D_PUBLISHED = (0.471, 0.470, 0.456, 0.468, 0.464, 0.479, 0.471, 0.488, 0.416, 0.483, 0.439, 0.485)


def _shown(settings: dict[str, Any], values: Sequence[float]) -> tuple[Published, ...]:
    return tuple(Published(name, value, "shown") for name, value in zip(settings, values, strict=True))


# S2: networks of any depth, update rules, random search.


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


def _s2e(data_dir: str | None, seed: int) -> dict[str, float]:
    data, rng = cifar10(data_dir, 49_000), np.random.default_rng(seed)
    best, test = -1.0, 0.0
    for _ in range(20):
        scale, lr, reg = (10 ** rng.uniform(*exponents) for exponents in ((-2, -1), (-5, -2), (-3, 3)))
        network = FullyConnectedNet([100, 100], weight_init=Normal(scale), reg=reg, seed=seed)
        try:
            solver = _trained(network, data, Adam(lr), seed, epochs=10, batch_size=200)
        except NonFiniteError:  # a draw too bold for its learning rate
            continue
        if solver.best_accuracy > best:
            best, test = solver.best_accuracy, solver.accuracy(data.test)
    return {"best validation accuracy": best, "its test accuracy": test}


_BY_ID = (
    Experiment(
        "S1-a",
        "two-layer network, lr 1e-4, reg 0.25, 1,000 steps on 49,000 images",
        (
            Published("validation accuracy", 0.288),
            Published("loss at step 0", 2.302963, "loss"),
            Published("loss at step 900", 1.924231, "batch loss"),
        ),
        _first_training(49_000),
    ),
    Experiment(
        "S1-b",
        "the same on 19,000 images",
        (Published("validation accuracy", 0.27),),
        _first_training(19_000),
    ),
    Experiment(
        "S1-c",
        "two-layer network, grid of 8 settings, 19,000 images, 1,000 steps",
        (
            Published("best validation accuracy", 0.461),
            Published("its test accuracy", 0.46),
            *_shown(_S1_C, _S1_C_PUBLISHED),
        ),
        _grid(19_000, 1000, _S1_C),
    ),
    Experiment(
        "S1-d",
        "two-layer network, grid of 12 settings, 49,000 images, 2,000 steps",
        (
            Published("best validation accuracy", 0.488),
            Published("its test accuracy", 0.498),
            Published("its training accuracy", 0.513, "shown"),
            *_shown(_S1_D, _S1_D_PUBLISHED),
        ),
        _grid(49_000, 2000, _S1_D),
    ),
    Experiment(
        "S2-a",
        "two-layer network, SGD lr 1e-3, 10 epochs of batch 100",
        (Published("best validation accuracy", 0.512),),
        _s2a,
    ),
    Experiment(
        "S2-b",
        "overfit 50 images with two and with four hidden layers",
        tuple(
            Published(f"epoch of 100 % training accuracy, {name} hidden layers", 11, "epoch")
            for name in ("two", "four")
        ),
        _s2b,
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
    ),
    Experiment(
        "S2-e",
        "random search, 20 draws of weight scale, learning rate and L2",
        (Published("best validation accuracy", 0.525), Published("its test accuracy", 0.513)),
        _s2e,
    ),
)
EXPERIMENTS: dict[str, Experiment] = {experiment.id: experiment for experiment in _BY_ID}
