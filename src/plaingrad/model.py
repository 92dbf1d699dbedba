"""The narrow waist: all that training, checking and measuring need of a model."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Protocol

import numpy as np


class Model(Protocol):
    """Anything with `params` and `loss`.

    Extras are found by name where a tool has use for them: `state` (running statistics, a dict like
    params), `predict`, `step` (the position in training, which a Solver sets before each call of `loss`),
    `first_non_finite`, `astype`, `loss_and_gradients`.  `Network` has them all.
    """

    @property
    def params(self) -> MutableMapping[str, Any]:
        """Parameters by name; training changes them."""
        ...

    def loss(self, X: Any, y: Any = None) -> Any:
        """Scores (N, C) without y; (loss, gradients keyed like params) with y."""
        ...


def predict(model: Model, X: Any) -> Any:
    """The class of each sample, integers (N,): by the model's own `predict`, or where its scores are highest."""
    own = getattr(model, "predict", None)
    return own(X) if own else np.asarray(model.loss(X)).argmax(axis=1)
