"""Batches: what the thread makes is what would be made without it, and the thread ends when it should."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaingrad import batches as batches_module
from plaingrad.batches import Batches
from plaingrad.data import Augmentation, ColorJitter, Crop, Cutout, Flip, Split
from plaingrad.data.augmentation import Transform
from plaingrad.data.normalization import Normalization
from plaingrad.errors import DataError, RecipeError
from plaingrad.kernels import compiled
from plaingrad.sampling import shuffled, with_replacement

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 3, 8, 8), dtype=np.uint8)
STORED = Split(IMAGES, np.arange(50) % 7)
SPLIT = Split(STORED.images, STORED.labels, Normalization.fit("standard", IMAGES))
AUGMENTATION = Augmentation(Flip("alternating"), Crop(2), Cutout(3), ColorJitter(0.2), seed=3)
SECONDS = 20  # more than any of these waits takes, unless it waits for ever
EPOCH = 6  # steps


def expected(step, split=SPLIT, augmentation=AUGMENTATION):
    """The batch of `step`, made without batches.py from samplers that have seen nothing yet."""
    indices = shuffled(50, 8, seed=5)(step)
    images = augmentation(split.images[indices], indices=indices, epoch=step // EPOCH, step=step)
    if split.normalization is not None:
        images = (images.astype(np.float32) - split.normalization.shift) * split.normalization.scale
    return images, split.labels[indices]


def assert_same(batch, other):
    for got, wanted in zip(batch, other, strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("plaingrad-batches")]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    gc.collect()
    for thread in threads():
        thread.join(SECONDS)
        assert not thread.is_alive()


@pytest.mark.parametrize("split", [SPLIT, STORED], ids=["normalized", "stored"])
def test_batches_of_two_epochs_are_those_made_without_a_thread(split):
    with Batches(split, shuffled(50, 8, seed=5), EPOCH, AUGMENTATION) as batches:
        for step in range(2 * EPOCH + 1):
            assert_same(batches(step), expected(step, split))


SAMPLERS = pytest.mark.parametrize("sampling", [shuffled, with_replacement])


@SAMPLERS
def test_small_batches_without_an_augmentation_are_made_without_a_thread(sampling):
    batches = Batches(SPLIT, sampling(50, 8, seed=5), EPOCH)
    for step in (0, 1, 9):
        assert_same(batches(step), SPLIT.batch(sampling(50, 8, seed=5)(step)))
    assert not threads()
    batches.close()


@SAMPLERS
def test_large_ones_are_made_ahead_and_are_the_same(sampling, monkeypatch):
    monkeypatch.setattr(batches_module, "_LARGE", 8 * 3 * 8 * 8)
    monkeypatch.setattr(compiled, "available", True)
    monkeypatch.setattr(batches_module, "processors", lambda: 2)
    with Batches(SPLIT, sampling(50, 8, seed=5), EPOCH) as batches:
        for step in (0, 1, 2, 3, 9, 4, 4, 130):
            assert_same(batches(step), SPLIT.batch(sampling(50, 8, seed=5)(step)))
        assert len(threads()) == 1
    monkeypatch.setattr(batches_module, "processors", lambda: 1)
    with Batches(SPLIT, sampling(50, 8, seed=5), EPOCH) as batches:
        batches(0), batches(1)
        assert not threads()


@given(st.lists(st.integers(0, 20), max_size=12))
def test_a_batch_depends_on_its_step_alone(steps):
    with Batches(SPLIT, shuffled(50, 8, seed=5), EPOCH, AUGMENTATION) as batches:
        for step in steps:
            assert_same(batches(step), expected(step))


def test_the_next_batch_is_made_before_it_is_asked_for_once_and_in_one_thread():
    made, second = [], threading.Event()

    def sampler(step):
        made.append((step, threading.current_thread()))
        if step == 1:
            second.set()
        return np.arange(4)

    with Batches(SPLIT, sampler, EPOCH, AUGMENTATION) as batches:
        batches(0)
        assert second.wait(SECONDS)
        batches(1)
        batches(2)
    steps, makers = zip(*made, strict=True)
    assert steps[:3] == (0, 1, 2)
    assert set(steps) <= {0, 1, 2, 3}
    assert len(set(steps)) == len(steps)
    assert len(set(makers)) == 1
    assert threading.current_thread() not in makers


def test_an_error_is_raised_by_the_call_that_asks_for_that_batch():
    def sampler(step):
        if step == 2:
            raise IndexError("nothing left")
        return np.arange(4)

    with Batches(SPLIT, sampler, EPOCH, AUGMENTATION) as batches:
        batches(0)
        batches(1)
        for _ in range(2):
            with pytest.raises(IndexError, match="nothing left"):
                batches(2)
        assert_same(batches(3)[1:], (SPLIT.labels[:4],))


def test_images_that_do_not_fit_a_transform():
    batches = Batches(SPLIT, shuffled(50, 8, seed=5), EPOCH, Augmentation(Crop(8)))
    with batches, pytest.raises(DataError, match="Crop: images of 8×8"):
        batches(0)


class Divide(Transform):
    def transform(self, images, *, indices, epoch, rng):
        return images / np.zeros_like(images)


def test_the_thread_warns_of_what_the_caller_would_be_warned_of():
    batches = Batches(STORED, shuffled(50, 8, seed=5), EPOCH, Augmentation(Divide()))
    with batches:
        with np.errstate(all="ignore"):
            assert not np.isfinite(batches(0)[0]).any()
        with np.errstate(all="raise"), pytest.raises(FloatingPointError):
            batches(5)


def test_closed_batches_have_no_thread_and_may_be_asked_again():
    batches = Batches(SPLIT, shuffled(50, 8, seed=5), EPOCH, AUGMENTATION)
    batches(0)
    assert len(threads()) == 1
    batches.close()
    batches.close()
    assert not threads()
    with batches:
        assert_same(batches(1), expected(1))
    assert not threads()


def test_batches_that_are_dropped_while_one_is_made_leave_no_thread():
    go_on, begun = threading.Event(), threading.Event()

    def sampler(step):
        if step == 1:
            begun.set()
            assert go_on.wait(SECONDS)
        return np.arange(4)

    batches = Batches(SPLIT, sampler, EPOCH, AUGMENTATION)
    batches(0)
    assert begun.wait(SECONDS)
    (thread,) = threads()
    del batches
    go_on.set()
    thread.join(SECONDS)
    assert not thread.is_alive()


def test_a_program_ends_with_batches_open():
    program = (
        "import numpy as np\n"
        "from plaingrad.batches import Batches\n"
        "from plaingrad.data import Augmentation, Flip, Split\n"
        "split = Split(np.zeros((4, 1, 2, 2), np.uint8), np.zeros(4, int))\n"
        "batches = Batches(split, lambda step: np.arange(4), 1, Augmentation(Flip()))\n"
        "print(batches(0)[0].shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "(4, 1, 2, 2)\n", "")


def test_an_epoch_has_a_step():
    with pytest.raises(RecipeError, match="steps_per_epoch must be a whole number, 1 or more, got 0"):
        Batches(SPLIT, shuffled(50, 8, seed=5), 0)


def test_batches_of_a_view_do_not_copy_the_whole_set():
    """An image set that is a transposed view of a large array: a batch costs a batch."""
    import tracemalloc

    stored = np.zeros((4000, 16, 16, 3), np.uint8)
    split = Split(stored.transpose(0, 3, 1, 2), np.zeros(4000, np.int64))
    batches = Batches(split, lambda step: np.arange(step, step + 8), 500, Augmentation(Flip(), seed=0))
    normalized = Split(
        split.images, split.labels, Normalization.fit("unit", np.zeros((1, 3, 16, 16), np.uint8))
    )
    tracemalloc.start()
    with batches:
        batches(0)
    normalized.batch(np.arange(8))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < stored.nbytes / 4
