"""Copies of what training changes in a model, and their moving average."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from plaingrad.model import Model
from plaingrad.network import FlatDict
from plaingrad.optimizer import blend

Array = np.ndarray
Parts = Mapping[str, MutableMapping[str, Array]]


def parts_of(model: Model) -> Parts:
    """What training changes in a model: its "params", and its "state" if it has one."""
    held = {"params": model.params, "state": getattr(model, "state", None)}
    return {part: arrays for part, arrays in held.items() if arrays}


def copy_of(parts: Parts) -> dict[str, dict[str, Array]]:
    """The same names with arrays of their own."""
    return {part: {name: a.copy() for name, a in arrays.items()} for part, arrays in parts.items()}


def named(parts: Parts) -> dict[str, Array]:
    """All arrays of parts in one dict, by names such as "params/W1"."""
    return {f"{part}/{name}": array for part, own in parts.items() for name, array in own.items()}


def parted(arrays: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """What `named` made one dict of."""
    parts: dict[str, dict[str, Array]] = {}
    for key, array in arrays.items():
        part, _, name = key.partition("/")
        parts.setdefault(part, {})[name] = array
    return parts


def put(target: Parts, values: Mapping[str, Mapping[str, Array]]) -> None:
    """Copy values in, into the same memory where the target is made of views."""
    for part, arrays in target.items():
        if isinstance(arrays, FlatDict):
            arrays.assign(values[part])
        else:
            arrays.update({name: value.copy() for name, value in values[part].items()})


class MovingAverage:
    """The exponential moving average of a model's parameters and state: less noisy than the newest ones.

    After update t = 1, 2, ...:  a ← d · a + (1 − d) · w  with d = min(`decay`, (1 + t) / (10 + t)), so that
    in the beginning, too, it is about the last tenth of the updates that counts, and the initial values,
    from which it starts, are soon forgotten.  `parts` holds the averages as the model holds its own.

    The state is averaged as well: running statistics of the newest weights' activations would not fit the
    averaged weights.  Those of averaged weights do not equal their average either, but are near.

    Sources: Polyak & Juditsky 1992, SIAM J. Control Optim. 30(4), for averaging; TensorFlow's
    tf.train.ExponentialMovingAverage for the smaller d of the beginning.
    """

    def __init__(self, model: Model, decay: float) -> None:
        self.model, self.decay = model, decay
        self.parts: Parts = copy.deepcopy(parts_of(model))

    def update(self, t: int) -> None:
        """Move towards the model's numbers, after update t."""
        d = min(self.decay, (1 + t) / (10 + t))
        for part, held in parts_of(self.model).items():
            own = self.parts[part]
            if isinstance(held, FlatDict) and isinstance(own, FlatDict):
                blend(own.flat, d, held.flat, 1 - d)
            else:
                for name, w in held.items():
                    own[name] = d * own[name] + (1 - d) * w

    @contextmanager
    def in_model(self) -> Iterator[Any]:
        """Within the `with` block the model holds the averages, after it its own numbers again."""
        held = parts_of(self.model)
        newest = copy_of(held)
        put(held, self.parts)
        try:
            yield
        finally:
            put(held, newest)
