"""The contenders.  Each trains the same network for so many steps, and everything that a step needs is
inside: choosing and gathering the batch, forward, backward, update."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from itertools import pairwise

import numpy as np

from benchmarks.workloads import Workload, centred_rows, images


class Contender(ABC):
    """A way to train a workload.  `engine` groups settings of one library; `setting` tells them apart."""

    engine = ""

    def __init__(self, workload: Workload, setting: str = "") -> None:
        self.workload, self.setting = workload, setting

    @property
    def name(self) -> str:
        return f"{self.engine} {self.setting}".strip()

    @abstractmethod
    def run(self, steps: int) -> None:
        """Train for `steps` steps."""


class Plaingrad(Contender):
    """plaingrad, NumPy alone: Solver, uint8 images, mean image subtracted as batches are made."""

    engine = "plaingrad"

    def __init__(self, workload: Workload, setting: str = "") -> None:
        super().__init__(workload, setting)
        import plaingrad as pg
        from plaingrad.data import Split

        pixels, labels = images()
        none = Split(pixels[:0], labels[:0])
        classes = tuple("0123456789")
        data = pg.Dataset("random", classes, Split(pixels, labels), none, none).normalized("mean-image")
        rules = {"sgd": pg.SGD, "momentum": pg.Momentum, "adam": pg.Adam}
        self.solver = pg.Solver(
            getattr(pg, workload.network)(**workload.arguments),
            data,
            rule=rules[workload.rule](workload.lr),
            iterations=0,
            batch_size=workload.batch,
            train_samples=1,
            augmentation=_augmentation() if "augmented" in setting else None,
        )
        self.solver.evaluation_due = lambda: False  # only steps are timed, for every contender

    def run(self, steps: int) -> None:
        self.solver.total_steps += steps
        self.solver.train()


def _augmentation():
    from plaingrad.data import Augmentation, Crop, Cutout, Flip

    return Augmentation(Flip(), Crop(4), Cutout(8))


class PyTorch(Contender):
    """PyTorch on the CPU: eager or compiled, the update as it comes or fused, samples kept as float32 or as
    uint8, images in channels-first or channels-last memory."""

    engine = "PyTorch"

    def __init__(self, workload: Workload, setting: str) -> None:
        super().__init__(workload, setting)
        import torch
        from torch import nn

        import plaingrad as pg
        from benchmarks.pytorch import module

        torch.manual_seed(0)
        words = setting.split(", ")
        model = module(getattr(pg, workload.network)(**workload.arguments))
        self.format = torch.channels_last if "channels-last" in words else torch.contiguous_format
        if workload.hidden is None:
            model = model.to(memory_format=self.format)
        kinds = {"sgd": torch.optim.SGD, "momentum": torch.optim.SGD, "adam": torch.optim.Adam}
        more = {"momentum": 0.9} if workload.rule == "momentum" else {}
        self.optimizer = kinds[workload.rule](
            model.parameters(), lr=workload.lr, fused="fused" in words, **more
        )
        criterion = nn.CrossEntropyLoss()

        def loss(x, y):
            return criterion(model(x), y)

        self.loss = torch.compile(loss) if "compiled" in words else loss
        self.bytes = "uint8" in words
        pixels, labels = images()
        if self.bytes:
            self.x = torch.from_numpy(pixels.reshape(-1, 3072))
            self.mean = self.x.float().mean(0)
        else:
            self.x = torch.from_numpy(centred_rows("float32"))
        self.y = torch.from_numpy(labels)

    def run(self, steps: int) -> None:
        import torch

        for _ in range(steps):
            chosen = torch.randint(len(self.y), (self.workload.batch,))
            x = self.x[chosen]
            if self.bytes:
                x = x.float().sub_(self.mean)
            if self.workload.hidden is None:
                x = x.view(-1, 3, 32, 32).contiguous(memory_format=self.format)
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(x, self.y[chosen]).backward()
            self.optimizer.step()


class ScikitLearn(Contender):
    """scikit-learn's MLPClassifier, float32 rows, one `partial_fit` per batch."""

    engine = "scikit-learn"

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        from sklearn.neural_network import MLPClassifier

        settings = {"solver": "adam"} if workload.rule == "adam" else {"solver": "sgd", "momentum": 0.0}
        self.model = MLPClassifier(
            workload.hidden, batch_size=workload.batch, learning_rate_init=workload.lr, **settings
        )
        self.x, self.y = centred_rows("float32"), images()[1]
        self.model.partial_fit(self.x[: workload.batch], self.y[: workload.batch], classes=np.arange(10))

    def run(self, steps: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(steps):
                chosen = np.random.randint(len(self.y), size=self.workload.batch)  # noqa: NPY002
                self.model.partial_fit(self.x[chosen], self.y[chosen])


class CourseNumPy(Contender):
    """NumPy as the coursework writes it: float64, one array a parameter, rows gathered from the float64 set."""

    engine = "course NumPy"

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload, "float64")
        sizes = [3072, *workload.hidden, 10]
        rng = np.random.default_rng(0)
        self.params = {}
        for i, (into, out) in enumerate(pairwise(sizes)):
            self.params[f"W{i}"] = np.sqrt(2 / into) * rng.standard_normal((into, out))
            self.params[f"b{i}"] = np.zeros(out)
        self.moments = {name: (np.zeros_like(p), np.zeros_like(p)) for name, p in self.params.items()}
        self.depth, self.t = len(sizes) - 1, 0
        self.x, self.y = centred_rows("float64"), images()[1]

    def run(self, steps: int) -> None:
        for _ in range(steps):
            chosen = np.random.choice(len(self.y), self.workload.batch)  # noqa: NPY002
            grads = self.gradients(self.x[chosen], self.y[chosen])
            self.t += 1
            for name, w in self.params.items():
                if self.workload.rule == "sgd":
                    self.params[name] = w - self.workload.lr * grads[name]
                else:
                    self.params[name] = self.adam(name, w, grads[name])

    def adam(self, name: str, w: np.ndarray, dw: np.ndarray) -> np.ndarray:
        m, v = self.moments[name]
        m = 0.9 * m + 0.1 * dw
        v = 0.999 * v + 0.001 * dw**2
        self.moments[name] = m, v
        corrected, spread = m / (1 - 0.9**self.t), v / (1 - 0.999**self.t)
        return w - self.workload.lr * corrected / (np.sqrt(spread) + 1e-8)

    def gradients(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        inputs = [x]
        for i in range(self.depth):
            out = inputs[-1].dot(self.params[f"W{i}"]) + self.params[f"b{i}"]
            inputs.append(np.maximum(0, out) if i < self.depth - 1 else out)
        scores = inputs.pop()
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        d = e / e.sum(axis=1, keepdims=True)
        self.loss = -np.log(d[np.arange(len(y)), y]).mean()
        d[np.arange(len(y)), y] -= 1
        d /= len(y)
        grads = {}
        for i in reversed(range(self.depth)):
            grads[f"W{i}"], grads[f"b{i}"] = inputs[i].T.dot(d), d.sum(axis=0)
            if i:
                d = d.dot(self.params[f"W{i}"].T)
                d[inputs[i] <= 0] = 0
        return grads


DENSE_SETTINGS = (
    "eager",
    "compiled",
    "eager, fused",
    "compiled, fused",
    "eager, fused, uint8",
    "compiled, fused, uint8",
)
IMAGE_SETTINGS = ("eager, fused", "eager, fused, channels-last")


def contenders(workload: Workload) -> list[Contender]:
    """Everybody, plaingrad first."""
    if workload.hidden is None:
        torches = [PyTorch(workload, setting) for setting in IMAGE_SETTINGS]
        return [Plaingrad(workload), Plaingrad(workload, "augmented"), *torches]
    torches = [PyTorch(workload, setting) for setting in DENSE_SETTINGS]
    return [Plaingrad(workload), *torches, ScikitLearn(workload), CourseNumPy(workload)]
