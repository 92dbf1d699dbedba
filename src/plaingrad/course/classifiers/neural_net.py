"""`classifiers.neural_net`: the two-layer network of the first assignment, which trains itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from plaingrad.callbacks import Callback, EpochRecord
from plaingrad.course.classifiers.base import CourseNetwork
from plaingrad.course.loop import CourseLoop, dataset
from plaingrad.optim import SGD

__all__ = ["TwoLayerNet"]

Array = np.ndarray


class TwoLayerNet(CourseNetwork):
    """affine – ReLU – affine – softmax in float64.

    half_reg: whether L2 is ½·reg·ΣW², as in later assignments, instead of reg·ΣW².
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        std: float = 1e-4,
        *,
        half_reg: bool = False,
    ) -> None:
        super().__init__([hidden_size], input_size, output_size, weight_scale=std)
        self.half_reg = half_reg

    def loss(self, X: Array, y: Array | None = None, reg: float = 0.0) -> Any:
        """Scores (N, C) without y; with y the loss, L2 of strength `reg` included, and its gradients."""
        self.reg = reg if self.half_reg else 2 * reg
        return super().loss(X) if y is None else super().loss(X, y)

    def train(
        self,
        X: Array,
        y: Array,
        X_val: Array,
        y_val: Array,
        learning_rate: float = 1e-3,
        learning_rate_decay: float = 0.95,
        reg: float = 5e-6,
        num_iters: int = 100,
        batch_size: int = 200,
        verbose: bool = False,
    ) -> dict[str, list[float]]:
        """Train by gradient descent on batches drawn with repetition.

        Every N / batch_size iterations, from the first on, accuracy is measured (on the batch just used
        and on the validation data) and the learning rate decays.  Returns loss_history,
        train_acc_history and val_acc_history; the network keeps its newest parameters.
        """
        training = _Training(
            SimpleNamespace(
                params=self.params,
                loss=lambda X, y: self.loss(X, y, reg),
                predict=self.predict,
                first_non_finite=self.first_non_finite,
            ),
            dataset(X, y, X_val, y_val),
            batch_size=batch_size,
            iterations=num_iters,
            rule=SGD(lr=learning_rate),
            schedule=lambda epoch, epochs: learning_rate_decay ** len(training.records),
            callback=_Printer(verbose),
        )
        records = training.train()
        return {
            "loss_history": training.loss_history,
            "train_acc_history": [record.train_accuracy for record in records],
            "val_acc_history": [record.val_accuracy or 0.0 for record in records],
        }


class _Training(CourseLoop):
    """plaingrad's loop, evaluating when and on which samples the first assignment does."""

    def evaluation_due(self) -> bool:
        """After the first step and every N / batch_size, not rounded, from there."""
        return (self.step - 1) % max(len(self.data.train) / self.batch_size, 1) == 0

    def training_subset(self) -> Array:
        """The batch just trained on."""
        return self.batch

    def restore_best(self) -> None:
        """Leave the newest parameters."""


class _Printer(Callback):
    def __init__(self, verbose: bool) -> None:
        self.verbose = verbose

    def on_step(self, solver: Any, loss: float) -> None:
        """A line every 100 iterations."""
        t = solver.step - 1
        if self.verbose and t % 100 == 0:
            print(f"iteration {t} / {solver.total_steps}: loss {loss:f}")

    def on_epoch(self, solver: Any, record: EpochRecord) -> None:
        """Nothing: the history is returned."""
