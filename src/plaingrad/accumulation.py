"""The loss and the gradients of a batch, computed in parts where memory is short; and what spoilt them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from plaingrad.errors import ShapeError
from plaingrad.model import Model
from plaingrad.network import FlatDict
from plaingrad.optimizer import blend, require_gradients

Array = Any
Gradients = Mapping[str, Array]


def micro_batches(
    model: Model, X: Array, y: Array, *, step: int, count: int
) -> Iterator[tuple[Array, Array, float]]:
    """The batch of `step` in `count` parts of nearly one size (or one for each sample, if these are fewer),
    each with its share of the samples.

    Before each, the model's `step`, if it has one, is set to a number of the part's own, step · count for
    the first of them: dropout drops other units in each part.
    """
    size = len(y)
    parts = max(1, min(count, size))
    for i in range(parts):
        if isinstance(getattr(model, "step", None), int):
            model.step = step * count + i  # type: ignore[attr-defined]
        part = slice(size * i // parts, size * (i + 1) // parts)
        yield X[part], y[part], (part.stop - part.start) / size if parts > 1 else 1.0


def loss_and_gradients(
    model: Model, X: Array, y: Array, *, step: int, count: int = 1
) -> tuple[float, Gradients]:
    """The mean of the losses of `count` micro-batches, weighted by their samples, and of their gradients.

    For a loss that is a mean over samples, L2 added or not, this is the loss of the whole batch, and so are
    the gradients, unless samples see each other, as in batch normalisation, or random numbers are drawn.
    Raises ShapeError if the model returns something else than a loss and gradients.
    """
    loss, total = 0.0, {}
    for X_part, y_part, share in micro_batches(model, X, y, step=step, count=count):
        returned = model.loss(X_part, y_part)
        if not (isinstance(returned, tuple) and len(returned) == 2):
            raise ShapeError(
                f"the model's loss(X, y) must return (loss, gradients), got {type(returned).__name__}"
            )
        loss += share * float(returned[0])
        total = returned[1] if share == 1 else _with(total, returned[1], share, model)
    return loss, total


def first_non_finite(
    model: Model, X: Array, y: Array, *, step: int, count: int = 1
) -> tuple[str | None, str]:
    """The first layer whose output is not finite on a batch, None if it is not known, and a phrase that says it."""
    find = getattr(model, "first_non_finite", None)
    if not find:
        return None, "look at the scores"
    parts = micro_batches(model, X, y, step=step, count=count)
    layer = next((found for part, _, _ in parts if (found := find(part))), None)
    if layer:
        return layer, f"the first layer whose output is not finite is {layer}"
    return None, "the scores are finite, the loss is not"


def _with(total: Gradients, grads: Gradients, share: float, model: Model) -> Gradients:
    """The sum so far, empty at first, and the share of `grads`."""
    require_gradients(model.params, grads)
    if not isinstance(grads, FlatDict):
        return {name: total.get(name, 0.0) + share * g for name, g in grads.items()}
    if not isinstance(total, FlatDict):
        total = grads.like()
        total.flat[...] = 0
    blend(total.flat, 1, grads.flat, share)
    return total
