"""The batches of training: which samples, augmented, normalised, and ready before they are asked for."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Self

import numpy as np

from plaingrad.data import Augmentation, Split
from plaingrad.data.normalization import gathered
from plaingrad.errors import require_count
from plaingrad.sampling import Sampler

Batch = tuple[np.ndarray, np.ndarray]


class Batches:
    """The batch of each step: `batches(step)` gives X (N, ...) and y (N,), the samples at `sampler(step)`.

    With an augmentation, which is told that the epoch is step // steps_per_epoch, images are changed as they
    are stored and normalised afterwards, and while training is at one step, a thread makes the batch of the
    next.  What comes out is a function of the step alone, in whatever order steps are asked for.  What goes
    wrong in the thread is raised by the call that asks for that batch.

    Batches are to be asked for by one thread at a time.  `close`, or the end of a `with` block, ends the
    thread; a later call starts another.

    >>> with Batches(data.train, shuffled(50_000, 128, seed=0), 390, Augmentation(Flip(), Crop())) as batches:
    ...     X, y = batches(0)
    """

    def __init__(
        self, split: Split, sampler: Sampler, steps_per_epoch: int, augmentation: Augmentation | None = None
    ) -> None:
        require_count("steps_per_epoch", steps_per_epoch, 1)
        self.split, self.sampler = split, sampler
        self.steps_per_epoch, self.augmentation = steps_per_epoch, augmentation
        # One thread only, so samplers, which may keep an epoch's order, are never called twice at once.
        self._thread: ThreadPoolExecutor | None = None
        self._ahead: dict[int, Future[Batch]] = {}

    def __call__(self, step: int) -> Batch:
        """The samples of `step` and their labels, as `Split.batch` gives them."""
        if self.augmentation is None:
            return self._make(step)
        self._ahead = {s: self._ahead.get(s) or self._start(s) for s in (step, step + 1)}
        return self._ahead.pop(step).result()

    def close(self) -> None:
        """End the thread, if there is one, after the batch it is at."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
        self._thread = None
        self._ahead.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start(self, step: int) -> Future[Batch]:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="plaingrad-batches")
        # np.errstate, too, holds within a context: the caller's, here as if there were no thread.
        return self._thread.submit(copy_context().run, self._make, step)

    def _make(self, step: int) -> Batch:
        indices, split = self.sampler(step), self.split
        if self.augmentation is None:
            return split.batch(indices)
        images = self.augmentation(
            gathered(split.images, indices),
            indices=indices,
            epoch=step // self.steps_per_epoch,
            step=step,
        )
        if split.normalization is not None:
            images = split.normalization.batch(images)
        return images, split.labels[indices]
