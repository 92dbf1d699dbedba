"""Which samples a step sees: functions from the step to indices, of seed and position alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from plaingrad.errors import RecipeError, suggestion

Sampler = Callable[[int], np.ndarray]

# Told apart from the other draws that start from the same seed.
_STREAM = 2
# Batches with replacement: a generator takes longer to make than to draw a batch from.
_DRAWN_AT_ONCE = 64


def shuffled(count: int, size: int, seed: int) -> Sampler:
    """Batches of `size` out of `count` samples in an order that is new in each epoch of ⌊count/size⌋ steps.

    What does not fill a batch is left out of that epoch.
    """
    steps = count // size

    @lru_cache(maxsize=1)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng((seed, _STREAM, epoch)).permutation(count)

    def sample(step: int) -> np.ndarray:
        epoch, position = divmod(step, steps)
        return order(epoch)[position * size : (position + 1) * size]

    return sample


def with_replacement(count: int, size: int, seed: int) -> Sampler:
    """Batches of `size` samples, each drawn from all `count`."""

    @lru_cache(maxsize=1)
    def drawn(block: int) -> np.ndarray:
        return np.random.default_rng((seed, _STREAM, block)).integers(count, size=(_DRAWN_AT_ONCE, size))

    def sample(step: int) -> np.ndarray:
        block, position = divmod(step, _DRAWN_AT_ONCE)
        return drawn(block)[position]

    return sample


SAMPLERS: dict[str, Callable[[int, int, int], Sampler]] = {
    "shuffle": shuffled,
    "replacement": with_replacement,
}


def sampler_of(sampling: str | Sampler, count: int, size: int, seed: int) -> Sampler:
    """The sampler of that name for batches of `size` out of `count`, or the function given.

    Raises RecipeError if there is none of that name.
    """
    if callable(sampling):
        return sampling
    if sampling not in SAMPLERS:
        raise RecipeError(f"sampling cannot be {sampling!r}; {suggestion(sampling, SAMPLERS)}, or a function")
    return SAMPLERS[sampling](count, size, seed)
