"""What the course's two training loops share, on top of `plaingrad.solver`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from plaingrad import solver
from plaingrad.callbacks import Callback
from plaingrad.data import Dataset
from plaingrad.optim import Rule
from plaingrad.schedules import Schedule

Array = np.ndarray


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

    def on_non_finite(self, loss: float, X: Array) -> None:
        """Warn the first time, and go on."""
        if not self._warned:
            self._warned = True
            what = self._what_is_not_finite(loss, X)
            warnings.warn(f"{what}; training goes on, as in the course", RuntimeWarning, stacklevel=2)
