"""scikit-learn as a contender."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from plaingrad.bench.contenders import Contender
from plaingrad.bench.workloads import Workload, centred_rows, images


class ScikitLearn(Contender):
    """MLPClassifier, float32 rows, one `partial_fit` for each batch."""

    library = "scikit-learn"

    def __init__(self, workload: Workload, setting: str = "") -> None:
        super().__init__(workload, setting)
        settings: dict[str, Any] = {"solver": "adam", "batch_size": workload.batch}
        if workload.rule != "adam":
            settings |= {"solver": "sgd", "momentum": 0.9 if workload.rule == "momentum" else 0.0}
        self.model = MLPClassifier(
            tuple(workload.hidden or ()),
            alpha=0.0,
            learning_rate_init=workload.lr,
            random_state=0,
            **settings,
        )
        self.rng = np.random.default_rng(0)
        self.x, self.y = centred_rows("float32"), images()[1]
        first = slice(workload.batch)  # the first call makes the weights, and must know the classes
        self.model.partial_fit(self.x[first], self.y[first], classes=np.arange(10))
        self.parameters = sum(array.size for array in (*self.model.coefs_, *self.model.intercepts_))

    @classmethod
    def settings(cls, workload: Workload) -> Sequence[str]:
        """For fully-connected networks."""
        return ("",) if workload.hidden is not None else ()

    def run(self, steps: int) -> float:
        """A batch is all that a `partial_fit` sees."""
        for _ in range(steps):
            chosen = self.rng.integers(0, len(self.y), self.workload.batch)
            self.model.partial_fit(self.x[chosen], self.y[chosen])
        return float(self.model.loss_)
