"""Measuring a model on samples: losses and classes of an evaluation, samples that are not finite."""

from __future__ import annotations

import numpy as np

from plaingrad import ops
from plaingrad.data import Split
from plaingrad.model import Model, predict
from plaingrad.network import Objective

Array = np.ndarray


class Tally:
    """What the scores of an evaluation add up to, batch by batch.

    The loss is the model's objective if it has one, else the softmax cross-entropy of the scores; without L2.
    """

    def __init__(self, model: Model, classes: int) -> None:
        objective = getattr(model, "objective", None)  # a user's own model may call something else that
        self._objective = objective if isinstance(objective, Objective) else None
        self._loss, self._samples = 0.0, 0
        self._predicted, self._right, self._there = np.zeros((3, classes), dtype=np.int64)

    def add(self, scores: Array, y: Array, guesses: Array) -> None:
        """Take in scores (n, C), labels (n,) and the predicted classes (n,)."""
        classes = len(self._predicted)
        with np.errstate(all="ignore"):  # what is not finite is a fact
            if self._objective is None:
                loss = ops.softmax_cross_entropy_forward(scores, y)[0]
            else:
                loss = self._objective.forward(scores, y)[0]
        self._loss += float(loss) * len(y)
        self._samples += len(y)
        self._predicted += np.bincount(guesses, minlength=classes)[:classes]
        self._right += np.bincount(y[guesses == y], minlength=classes)
        self._there += np.bincount(y, minlength=classes)

    @property
    def loss(self) -> float:
        """The mean over all samples."""
        return self._loss / self._samples

    @property
    def predicted(self) -> tuple[int, ...]:
        """How often each class had the highest score."""
        return tuple(self._predicted.tolist())

    @property
    def per_class(self) -> tuple[float | None, ...]:
        """The accuracy of each class; None for one without samples."""
        counts = zip(self._right.tolist(), self._there.tolist(), strict=True)
        return tuple(right / there if there else None for right, there in counts)


def tally_of(model: Model, split: Split, samples: int, classes: int) -> Tally:
    """The tally of the first samples of a split, in evaluation mode."""
    X, y = split.batch(np.arange(min(samples, len(split))))
    tally = Tally(model, classes)
    tally.add(np.asarray(model.loss(X)), y, predict(model, X))
    return tally


def non_finite_samples(model: Model, X: Array) -> tuple[str | None, Array]:
    """What is not finite in evaluation mode, "input", "scores" or nothing, and for which samples (n,) bool."""
    for name, values in (("input", lambda: X), ("scores", lambda: np.asarray(model.loss(X)))):
        broken = np.array([not np.isfinite(own).all() for own in values()])
        if broken.any():
            return name, broken
    return None, np.zeros(len(X), dtype=bool)
