"""A contender trains a workload for so many steps.  Everything that a step needs is inside: choosing and
gathering the batch, forward, loss, backward, update.  Here: plaingrad, and NumPy as the coursework has it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np

from plaingrad.bench.workloads import Workload, centred_rows, images
from plaingrad.data import Augmentation, Crop, Cutout, Dataset, Flip, Split
from plaingrad.optim import SGD, Adam, Momentum
from plaingrad.solver import Solver


class Contender(ABC):
    """A way to train a workload, ready for the first step.

    setting: one of `settings(workload)`; it tells several contenders of one library apart.
    parameters: how many the network has, in every contender the same.
    """

    library: ClassVar[str]
    parameters: int

    def __init__(self, workload: Workload, setting: str = "") -> None:
        self.workload, self.setting = workload, setting

    @classmethod
    def settings(cls, workload: Workload) -> Sequence[str]:
        """What is tried on a workload; nothing where the library has no such network."""
        return ("",)

    @property
    def name(self) -> str:
        """Library and setting."""
        return f"{self.library} {self.setting}".strip()

    @abstractmethod
    def run(self, steps: int) -> float:
        """Train for `steps` steps, all of them done on return; the loss of the last."""


class Plaingrad(Contender):
    """plaingrad: Solver, uint8 images, mean image subtracted as batches are made.

    "augmented": with flips, crops and cutout besides, made on a thread.
    """

    library = "plaingrad"

    def __init__(self, workload: Workload, setting: str = "") -> None:
        super().__init__(workload, setting)
        pixels, labels = images()
        none = Split(pixels[:0], labels[:0])
        data = Dataset("random", tuple("0123456789"), Split(pixels, labels), none, none)
        rules = {"sgd": SGD, "momentum": Momentum, "adam": Adam}
        network = workload.build()
        self.parameters = network.params.flat.size
        self.solver = Solver(
            network,
            data.normalized("mean-image"),
            rule=rules[workload.rule](workload.lr),
            iterations=0,
            batch_size=workload.batch,
            train_samples=1,
            augmentation=Augmentation(Flip(), Crop(4), Cutout(8)) if setting == "augmented" else None,
        )
        self.solver.evaluation_due = lambda: False  # only steps are timed, for every contender

    @classmethod
    def settings(cls, workload: Workload) -> Sequence[str]:
        """Images also augmented."""
        return ("", "augmented") if workload.hidden is None else ("",)

    def run(self, steps: int) -> float:
        """The Solver goes on from where it was."""
        self.solver.total_steps += steps
        self.solver.train()
        return self.solver.loss_history[-1]


class CourseNumPy(Contender):
    """NumPy as the coursework writes it: float64, one array a parameter, rows gathered from the float64 set."""

    library = "course NumPy"

    def __init__(self, workload: Workload, setting: str = "float64") -> None:
        super().__init__(workload, setting)
        sizes = [3072, *(workload.hidden or ()), 10]
        rng = np.random.default_rng(0)
        self.params = {}
        for i, (into, out) in enumerate(pairwise(sizes)):
            self.params[f"W{i}"] = np.sqrt(2 / into) * rng.standard_normal((into, out))
            self.params[f"b{i}"] = np.zeros(out)
        self.parameters = sum(p.size for p in self.params.values())
        self.moments = {name: (np.zeros_like(p), np.zeros_like(p)) for name, p in self.params.items()}
        self.depth, self.t = len(sizes) - 1, 0
        self.rng = np.random.RandomState(0)
        self.x, self.y = centred_rows("float64"), images()[1]

    @classmethod
    def settings(cls, workload: Workload) -> Sequence[str]:
        """For fully-connected networks."""
        return ("float64",) if workload.hidden is not None else ()

    def run(self, steps: int) -> float:
        """The coursework's loop."""
        loss = np.nan
        for _ in range(steps):
            chosen = self.rng.choice(len(self.y), self.workload.batch)
            loss, grads = self.loss_and_gradients(self.x[chosen], self.y[chosen])
            self.t += 1
            for name, w in self.params.items():
                if self.workload.rule == "sgd":
                    self.params[name] = w - self.workload.lr * grads[name]
                else:
                    self.params[name] = self.adam(name, w, grads[name])
        return float(loss)

    def adam(self, name: str, w: np.ndarray, dw: np.ndarray) -> np.ndarray:
        """The next w."""
        m, v = self.moments[name]
        m = 0.9 * m + 0.1 * dw
        v = 0.999 * v + 0.001 * dw**2
        self.moments[name] = m, v
        corrected, spread = m / (1 - 0.9**self.t), v / (1 - 0.999**self.t)
        return w - self.workload.lr * corrected / (np.sqrt(spread) + 1e-8)

    def loss_and_gradients(self, x: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        """Of a batch."""
        inputs = [x]
        for i in range(self.depth):
            out = inputs[-1].dot(self.params[f"W{i}"]) + self.params[f"b{i}"]
            inputs.append(np.maximum(0, out) if i < self.depth - 1 else out)
        scores = inputs.pop()
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        d = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(d[np.arange(len(y)), y]).mean()
        d[np.arange(len(y)), y] -= 1
        d /= len(y)
        grads = {}
        for i in reversed(range(self.depth)):
            grads[f"W{i}"], grads[f"b{i}"] = inputs[i].T.dot(d), d.sum(axis=0)
            if i:
                d = d.dot(self.params[f"W{i}"].T)
                d[inputs[i] <= 0] = 0
        return loss, grads
