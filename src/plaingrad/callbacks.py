"""What may watch a training run, and what it is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plaingrad.data import Split
    from plaingrad.solver import Solver


@dataclass(frozen=True)
class EpochRecord:
    """What is known when the model has been evaluated: after each epoch, and at the end.

    `step` counts updates done; `loss` is the mean over the steps since the record before; `seconds`
    is training time so far, over all sittings.  Accuracies are fractions; without a validation set
    `val_accuracy` is None.
    """

    epoch: float
    step: int
    lr: float
    loss: float
    train_accuracy: float
    val_accuracy: float | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


class Callback:
    """Base for watchers: override what you need.  The solver is at hand; do not change its step.

    `counted_as` is the name under which the solver counts the seconds that the callback takes.
    """

    counted_as = "callbacks"

    def on_start(self, solver: Solver) -> None:
        """Before the first step of this sitting."""

    def on_step(self, solver: Solver, loss: float) -> None:
        """After each update, with the loss before it; `solver.step` counts it already."""

    def on_epoch(self, solver: Solver, record: EpochRecord) -> None:
        """After each evaluation."""

    def on_scores(self, solver: Solver, split: Split, scores: Any, y: Any) -> None:
        """While accuracy is measured, batch by batch: scores (n, C) of samples of `split`, their labels (n,).

        Not told of a model whose own `predict` gives classes alone.
        """

    def on_non_finite(self, solver: Solver, where: str | None, X: Any, y: Any) -> None:
        """When the loss of a batch X, y is not finite, or with X and y None a parameter, before training stops.

        `where` is the first layer whose output is not finite, or the parameter; None where that is not known.
        """

    def on_end(self, solver: Solver) -> None:
        """When training ends by itself, before the best parameters are put back into the model."""
