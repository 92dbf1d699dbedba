"""The batches of training: which samples, augmented, normalised, and ready before they are asked for."""

from __future__ import annotations

import contextlib
import threading
import weakref
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, Self

import numpy as np

from plaingrad.data import Augmentation, Split
from plaingrad.data.normalization import gathered
from plaingrad.errors import require_count
from plaingrad.kernels import compiled
from plaingrad.machine import processors
from plaingrad.sampling import Sampler

Batch = tuple[np.ndarray, np.ndarray]

# Numbers in a batch: fewer are gathered and normalised faster than a thread is told to.  Without compiled code,
# which lets go of the interpreter once for a batch, the thread would hold the step up.
_LARGE = 1 << 18


class Batches:
    """The batch of each step: `batches(step)` gives X (N, ...) and y (N,), the samples at `sampler(step)`.

    With an augmentation, which is told that the epoch is step // steps_per_epoch, images are changed as they
    are stored and normalised afterwards.  While training is at one step, a thread makes the batch of the next,
    unless that is done in no time.  What comes out is a function of the step alone, in whatever order steps are
    asked for.  What goes wrong in the thread is raised by the call that asks for that batch.

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
        self._worth_a_thread = augmentation is not None  # without one, the first batch shows
        # One thread only, so samplers, which may keep an epoch's order, are never called twice at once.
        self._thread: threading.Thread | None = None
        self._orders: SimpleQueue[Any] = SimpleQueue()
        self._ahead: dict[int, SimpleQueue[Any]] = {}

    def __call__(self, step: int) -> Batch:
        """The samples of `step` and their labels, as `Split.batch` gives them."""
        if not self._worth_a_thread:
            X, y = self._make(step)
            self._worth_a_thread = X.size >= _LARGE and processors() > 1 and compiled.available
            return X, y
        self._ahead = {s: self._ahead.get(s) or self._order(s) for s in (step, step + 1)}
        batch, error = self._ahead.pop(step).get()
        if error is not None:
            raise error
        return batch

    def close(self) -> None:
        """End the thread, if there is one, after the batch it is at."""
        if self._thread is not None:
            with contextlib.suppress(Empty):
                while True:
                    self._orders.get_nowait()
            self._orders.put(None)
            self._thread.join()
        self._thread = None
        self._ahead.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _order(self, step: int) -> SimpleQueue[Any]:
        """Have the thread make that batch; it, or else the error, will be in the queue."""
        if self._thread is None:
            # A daemon does not keep a program from ending, and Batches that are gone end it.
            self._thread = threading.Thread(
                target=_serve, args=(self._orders,), name="plaingrad-batches", daemon=True
            )
            weakref.finalize(self, self._orders.put, None)
            self._thread.start()
        made: SimpleQueue[Any] = SimpleQueue()
        # np.errstate, too, holds within a context: the caller's, here as if there were no thread.
        self._orders.put((copy_context(), self._make, step, made))
        return made

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


def _serve(orders: SimpleQueue[Any]) -> None:
    """Make what is ordered, until None is."""
    while (order := orders.get()) is not None:
        context, make, step, made = order
        try:
            made.put((context.run(make, step), None))
        except BaseException as error:
            made.put((None, error))
        del order, context, make, made  # or Batches that nobody uses any more would live on in here
