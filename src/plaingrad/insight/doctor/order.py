"""Which samples a run's batches hold: listened to as the sampler is asked, for asking twice may change it."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from plaingrad.insight.doctor.evidence import Order
from plaingrad.sampling import Sampler

Array = np.ndarray

STEPS = 50  # of each of the first two epochs
_FEWEST = 5
_DRAWS = 50  # batches drawn at random, for what chance gives


class Recorded:
    """A sampler, and what it said of the first steps of the first two epochs and of the newest ones."""

    def __init__(self, sampler: Sampler, steps_per_epoch: int) -> None:
        self.sampler, self.steps_per_epoch = sampler, steps_per_epoch
        self.epochs: tuple[dict[int, Array], dict[int, Array]] = {}, {}
        self._told: deque[tuple[int, Array]] = deque(maxlen=4)  # batches are made ahead, by two at most

    def __call__(self, step: int) -> Array:
        """The indices of that step."""
        indices = self.sampler(step)
        if step < self.steps_per_epoch + STEPS:
            epoch, position = divmod(step, self.steps_per_epoch)
            if epoch < 2 and position < STEPS:
                self.epochs[epoch][position] = np.array(indices)
        self._told.append((step, indices))
        return indices

    def newest(self, step: int) -> Array:
        """The indices of one of the last steps asked for."""
        return next(indices for own, indices in reversed(self._told) if own == step)

    def order(self, labels: Array, *, ended: bool = False) -> Order | None:
        """What is known of the order; None before the first steps of the first epoch have been taken.

        Of training that has ended before, fewer steps will do.
        """
        first, second = self.epochs
        wanted = min(STEPS, self.steps_per_epoch)
        if len(first) < (min(_FEWEST, wanted) if ended else wanted):
            return None
        order = _order([first[step] for step in sorted(first)], labels)
        if len(second) < wanted:
            return order
        same = all(np.array_equal(first[step], second[step]) for step in first)
        return replace(order, same_each_epoch=same)


def _order(batches: list[Array], labels: Array) -> Order:
    pairs = (
        [np.diff(batch) for batch in batches] if len(batches[0]) > 1 else [np.diff(np.concatenate(batches))]
    )
    neighbours = np.concatenate(pairs)
    rng = np.random.default_rng(0)
    random = [rng.choice(len(labels), len(batches[0])) for _ in range(_DRAWS)]
    return Order(
        consecutive=float((neighbours == 1).mean()) if neighbours.size else 0.0,
        same_each_epoch=None,
        largest_share=_largest_share(batches, labels),
        expected_share=_largest_share(random, labels),
    )


def _largest_share(batches: list[Array], labels: Array) -> float:
    """The mean share of the commonest label in a batch."""
    return float(np.mean([np.bincount(labels[batch]).max() / len(batch) for batch in batches]))
