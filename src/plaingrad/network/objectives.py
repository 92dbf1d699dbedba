"""What a network is trained towards: each objective binds a loss of `ops` to scores and labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plaingrad import ops
from plaingrad.errors import DataError, ShapeError

Array = Any


@dataclass(frozen=True)
class Objective(ABC):
    """A loss at the end of a network: `forward(scores, y) -> loss, cache`, `backward(cache) -> dscores`."""

    @abstractmethod
    def forward(self, scores: Array, y: Array) -> tuple[Array, Any]:
        """The loss, a scalar, and what `backward` needs."""

    @abstractmethod
    def backward(self, cache: Any) -> Array:
        """The gradient of the loss with respect to the scores."""

    def diagnose(self, losses: Sequence[float]) -> str | None:
        """What the losses of a training run that failed prove to be wrong with it, and what to do; or None."""
        return None


def check_labels(scores: Array, y: Array) -> None:
    """Raise if y (N,) are not class numbers of scores (N, C): a wrong label would train in silence."""
    if scores.ndim != 2:
        raise ShapeError(
            f"the network must end in scores (N, C), got {tuple(scores.shape)}: put Flatten() before its end"
        )
    count, classes = scores.shape
    if y.shape != (count,):
        raise ShapeError(f"{count} samples need labels of shape ({count},), got {tuple(y.shape)}")
    if y.dtype.kind not in "iu":
        raise DataError(f"labels must be integers, got {y.dtype}")
    if count and (y.min() < 0 or y.max() >= classes):
        wrong = int(y[(y < 0) | (y >= classes)][0])
        raise DataError(f"label {wrong} is out of range: {classes} scores are for labels 0 to {classes - 1}")


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Objective):
    """Softmax, then cross-entropy with labels (N,) or probabilities (N, C) whose rows sum to 1."""

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be from 0 to below 1, got {self.label_smoothing}")

    def forward(self, scores: Array, y: Array) -> tuple[Array, Any]:
        """As `ops.softmax_cross_entropy_forward`."""
        if y.ndim == 1:
            check_labels(scores, y)
        elif y.shape != scores.shape:
            raise ShapeError(f"scores {scores.shape} need labels (N,) or probabilities (N, C), got {y.shape}")
        else:
            y = y.astype(scores.dtype, copy=False)
        return ops.softmax_cross_entropy_forward(scores, y, label_smoothing=self.label_smoothing)

    def backward(self, cache: Any) -> Array:
        """As `ops.softmax_cross_entropy_backward`."""
        return ops.softmax_cross_entropy_backward(1.0, cache)


@dataclass(frozen=True)
class Hinge(Objective):
    """The multiclass SVM loss."""

    margin: float = 1.0

    def forward(self, scores: Array, y: Array) -> tuple[Array, Any]:
        """As `ops.hinge_forward`."""
        check_labels(scores, y)
        return ops.hinge_forward(scores, y, margin=self.margin)

    def backward(self, cache: Any) -> Array:
        """As `ops.hinge_backward`."""
        return ops.hinge_backward(1.0, cache)


@dataclass(frozen=True)
class NegativeLogLikelihood(Objective):
    """Of log-probabilities: the network must end in LogSoftmax."""

    def forward(self, scores: Array, y: Array) -> tuple[Array, Any]:
        """As `ops.negative_log_likelihood_forward`."""
        check_labels(scores, y)
        return ops.negative_log_likelihood_forward(scores, y)

    def backward(self, cache: Any) -> Array:
        """As `ops.negative_log_likelihood_backward`."""
        return ops.negative_log_likelihood_backward(1.0, cache)

    def diagnose(self, losses: Sequence[float]) -> str | None:
        """Raw scores, if a loss was below 0: log-probabilities are not above 0, so theirs cannot be."""
        lowest = min(losses, default=0.0)
        if not lowest < 0:
            return None
        return (
            f"the loss fell to {lowest:.3g}, and of log-probabilities it cannot be below 0; this is the negative "
            "log-likelihood of raw scores: put log-softmax before it, or use cross-entropy"
        )


@dataclass(frozen=True)
class MeanSquaredError(Objective):
    """Against targets of the scores' shape, or labels (N,) as one-hot targets."""

    def forward(self, scores: Array, y: Array) -> tuple[Array, Any]:
        """As `ops.mean_squared_error_forward`."""
        if y.ndim == 1 and scores.ndim == 2:
            check_labels(scores, y)
            y = ops.one_hot(y, scores)
        if y.shape != scores.shape:
            raise ShapeError(
                f"scores {scores.shape} need targets of their shape or labels (N,), got {y.shape}"
            )
        return ops.mean_squared_error_forward(scores, y.astype(scores.dtype, copy=False))

    def backward(self, cache: Any) -> Array:
        """As `ops.mean_squared_error_backward`."""
        return ops.mean_squared_error_backward(1.0, cache)
