"""What the course's two training loops share, on top of `plaingrad.solver`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from plaingrad import solver
from plaingrad.callbacks import Callback
from plaingrad.data import Dataset, as_dataset
from plaingrad.optim import Rule
from plaingrad.schedules import Schedule

Array = np.ndarray


def dataset(X: Any, y: Any, X_val: Any, y_val: Any) -> Dataset:
    """The four arrays as a data set; a class that few training samples lack may still be validated."""
    largest = max((int(np.max(labels)) for labels in (y, y_val) if np.size(labels)), default=0)
    classes = [str(label) for label in range(largest + 1)]
    return as_dataset({"X_train": X, "y_train": y, "X_val": X_val, "y_val": y_val, "classes": classes})


class CourseLoop(solver.Solver):
    """plaingrad's loop with batches drawn as the course draws them, from NumPy's global generator.

    `batch` holds the indices of the newest one.  Where plaingrad stops because the loss is not a number,
    the course goes on; so does this, with a warning.
    """

    def __init__(
        self,
        model: Any,
        data: Dataset,
        *,
        batch_size: int,
        iterations: int = 0,
        rule: Rule | None = None,
        schedule: Schedule | None = None,
        callback: Callback,
    ) -> None:
        super().__init__(
            model,
            data,
            batch_size=batch_size,
            iterations=iterations,
            rule=rule,
            schedule=schedule,
            sampling=self._draw,
            callbacks=[callback],
        )
        self._warned = False

    def _draw(self, step: int) -> Array:
        self.batch = np.random.choice(len(self.data.train), self.batch_size)
        return self.batch

    def on_non_finite(self, problem: str) -> None:
        """Warn the first time, and go on."""
        if not self._warned:
            self._warned = True
            warnings.warn(f"{problem}; training goes on, as in the course", RuntimeWarning, stacklevel=2)
