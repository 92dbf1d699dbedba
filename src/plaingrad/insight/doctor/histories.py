"""Evidence from nothing but lists of losses and accuracies, as any library's training leaves them."""

from __future__ import annotations

import itertools
import math
import reprlib
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from plaingrad.errors import DataError, require_count, require_number
from plaingrad.insight.doctor.evidence import Evaluation, Evidence, NonFinite, Setup

_MOST = 10_000_000  # numbers in a list


def from_histories(
    *,
    losses: Sequence[float] | None = None,
    train_accuracy: Sequence[float | None] | None = None,
    val_accuracy: Sequence[float | None] | None = None,
    train_loss: Sequence[float | None] | None = None,
    val_loss: Sequence[float | None] | None = None,
    classes: int | None = None,
    steps_per_epoch: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    finished: bool | None = None,
) -> Evidence:
    """Evidence of a run that was trained with another library.

    losses: of each step, oldest first.  train_accuracy, val_accuracy (fractions), train_loss, val_loss: of
    each evaluation, one after each epoch: lists of one length, with None where nothing was measured.
    Anything may be left out, but not everything.  Lists, tuples and arrays of numbers will do; a loss of NaN
    or infinity is what a run showed, an accuracy of NaN was not measured.  finished: whether the run got to
    its planned end.

    Raises DataError for a list that is empty, holds something else than numbers, or does not fit the others,
    and for accuracies that are no fractions; RecipeError for a setting out of range.
    """
    for name, count in (
        ("classes", classes),
        ("steps_per_epoch", steps_per_epoch),
        ("batch_size", batch_size),
    ):
        if count is not None:
            require_count(name, count, 1)
    if lr is not None:
        require_number("lr", lr, lambda value: 0 <= value < math.inf, "0 or more")
    steps = [] if losses is None else [_number("losses", i, value) for i, value in _items("losses", losses)]
    given = {
        name: [None if value is None else _number(name, i, value) for i, value in _items(name, values)]
        for name, values in {
            "train_accuracy": train_accuracy,
            "val_accuracy": val_accuracy,
            "train_loss": train_loss,
            "val_loss": val_loss,
        }.items()
        if values is not None
    }
    if losses is None and not given:
        raise DataError(
            "there is nothing to diagnose: give losses (of each step), or train_loss, val_loss, train_accuracy "
            "or val_accuracy (of each epoch)"
        )
    epochs = _one_length(given)
    for name in given.keys() & {"train_accuracy", "val_accuracy"}:
        _check_fractions(name, given[name])
    per_epoch = steps_per_epoch or (max(1, round(len(steps) / epochs)) if epochs else None)
    where = [(per_epoch or 1) * epoch for epoch in range(1, epochs + 1)]
    whole = next((i for i, loss in enumerate(steps) if not math.isfinite(loss)), None)
    broken = [NonFinite(whole, "loss")] if whole is not None else []
    for name in given.keys() & {"train_loss", "val_loss"}:
        pairs = zip(where, given[name], strict=True)
        broken += [
            NonFinite(step, name) for step, loss in pairs if loss is not None and not math.isfinite(loss)
        ]

    def known(name: str, epoch: int) -> float | None:
        value = given[name][epoch] if name in given else None
        return value if value is not None and math.isfinite(value) else None

    evaluations = [
        Evaluation(
            step=where[i],
            epoch=i + 1,
            lr=lr,
            train_accuracy=known("train_accuracy", i),
            val_accuracy=known("val_accuracy", i),
            train_loss=known("train_loss", i),
            val_loss=known("val_loss", i),
        )
        for i in range(epochs)
    ]
    return Evidence(
        losses=tuple(steps[:whole]),
        evaluations=tuple(evaluations),
        classes=classes,
        setup=Setup(lr=lr, batch_size=batch_size, steps_per_epoch=per_epoch),
        non_finite=min(broken, key=lambda own: (own.step, own.where), default=None),
        finished=finished,
    )


def _items(name: str, values: Any) -> list[tuple[int, Any]]:
    """The values, numbered, of what is a list."""
    if isinstance(values, str | bytes | dict | set) or not hasattr(values, "__iter__"):
        raise DataError(f"{name} must be a list of numbers, got {type(values).__name__}")
    shape = getattr(values, "shape", None)  # of an array of any library
    if shape is not None and len(shape) != 1:
        raise DataError(f"{name} must be a list of numbers, got an array of shape {tuple(shape)}")
    items = list(enumerate(itertools.islice(values, _MOST + 1)))
    if len(items) > _MOST:
        raise DataError(f"{name} holds more than {_MOST:,} numbers; give every tenth")
    if not items:
        raise DataError(f"{name} is empty; leave it out, or give at least one number")
    return items


def _number(name: str, index: int, value: Any) -> float:
    if not isinstance(value, Real) and getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()  # a scalar of some array library
    if not isinstance(value, Real) or isinstance(value, bool):
        raise DataError(f"{name}[{index}] is {reprlib.repr(value)}: give numbers alone")
    try:
        return float(value)
    except OverflowError:
        raise DataError(
            f"{name}[{index}] is too large for a number: what is infinite is given as inf"
        ) from None


def _one_length(given: Mapping[str, Sequence[Any]]) -> int:
    lengths = {name: len(values) for name, values in given.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        raise DataError(
            f"lists with a number for each epoch must have one length, but {told}; put None where nothing was measured"
        )
    return next(iter(lengths.values()), 0)


def _check_fractions(name: str, values: Sequence[float | None]) -> None:
    for index, value in enumerate(values):
        if value is not None and (value < 0 or value > 1):
            advice = "; divide percentages by 100" if 1 < value <= 100 else ""
            raise DataError(f"{name}[{index}] is {value:g}, but accuracies are fractions from 0 to 1{advice}")
