"""Data sets: their checks, views and digest."""

from __future__ import annotations

import numpy as np
import pytest

from plaingrad.data import Dataset, Split, as_dataset
from plaingrad.data.dataset import hold_out
from plaingrad.errors import DataError

IMAGES = np.arange(40, dtype=np.uint8).reshape(10, 1, 2, 2)
LABELS = np.arange(10) % 2


def dataset(images=IMAGES, labels=LABELS, **parts) -> Dataset:
    given = {
        "train": Split(images, labels),
        "validation": Split(IMAGES[:0], LABELS[:0]),
        "test": Split(IMAGES[:4], LABELS[:4]),
    }
    return Dataset("fake", ("even", "odd"), **(given | parts))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES, LABELS[:-1], "10 images but 9 labels"),
        (IMAGES, LABELS * 1.0, "labels must be integers"),
        (IMAGES, LABELS[:, None], "labels must be integers of shape"),
        (IMAGES, LABELS + 1, "label 2 at index 1 is out of range"),
        (IMAGES, LABELS - 1, "label -1 at index 0 is out of range"),
        (IMAGES[:0], LABELS[:0], "training set is empty"),
        (IMAGES.astype(str), LABELS, "images must be numbers"),
        (IMAGES[:, :, 0], LABELS, "give all splits one shape"),
        (np.where(IMAGES == 9, np.nan, IMAGES), LABELS, "image 2 holds NaN"),
    ],
)
def test_checks(images, labels, message):
    with pytest.raises(DataError, match=message):
        dataset(images, labels)


def test_subset_is_the_first_samples_without_a_copy():
    small = dataset().subset(train=3, test=2)
    assert [len(split) for split in small.splits.values()] == [3, 0, 2]
    assert np.shares_memory(small.train.images, IMAGES)
    assert small.input_shape == (1, 2, 2)
    with pytest.raises(DataError, match="5 test images asked for, but there are 4"):
        dataset().subset(test=5)


def test_the_digest_sees_every_value_shape_and_type():
    original = dataset().sha256
    assert dataset(IMAGES.copy()).sha256 == original
    changed = IMAGES.copy()
    changed[3, 0, 1, 1] ^= 1
    flipped = LABELS.copy()
    flipped[7] ^= 1
    others = [
        dataset(changed),
        dataset(labels=flipped),
        dataset(IMAGES.view(np.int8)),
        dataset(test=Split(IMAGES[:3], LABELS[:3])),
    ]
    assert len({original, *(other.sha256 for other in others)}) == 5
    strided = np.ascontiguousarray(IMAGES[..., ::-1])[..., ::-1]
    assert dataset(strided).sha256 == original


@pytest.mark.parametrize(
    ("train", "validation", "expected"),
    [(None, 3, (7, 3)), (4, 3, (4, 3)), (10, 0, (10, 0)), (None, 0, (10, 0))],
)
def test_hold_out_keeps_the_order(train, validation, expected):
    first, second = hold_out(Split(IMAGES, LABELS), validation, train=train, name="x")
    assert (len(first), len(second)) == expected
    np.testing.assert_array_equal(first.images, IMAGES[: expected[0]])
    np.testing.assert_array_equal(second.images, IMAGES[expected[0] : sum(expected)])
    assert np.shares_memory(first.images, IMAGES)


@pytest.mark.parametrize(("train", "validation"), [(None, 10), (None, -1), (8, 3), (0, 3), (11, 0)])
def test_hold_out_of_too_much(train, validation):
    with pytest.raises(DataError, match=r"x: .*there are 10"):
        hold_out(Split(IMAGES, LABELS), validation, train=train, name="x")


def test_normalized_batches():
    data = dataset().normalized("unit")
    images, labels = data.train.batch(np.array([9, 0]))
    np.testing.assert_allclose(images, IMAGES[[9, 0]] / 255, rtol=1e-6)
    assert images.dtype == np.float32
    assert labels.tolist() == [1, 0]
    assert data.train.images is IMAGES
    stored, _ = dataset().train.batch(np.array([9]))
    assert stored.dtype == np.uint8


def test_a_dict_of_arrays_is_a_data_set():
    data = as_dataset({"X_train": IMAGES, "y_train": LABELS, "X_val": IMAGES[:2], "y_val": np.array([0, 2])})
    assert [len(split) for split in data.splits.values()] == [10, 2, 0]
    assert data.classes == ("0", "1", "2")
    assert as_dataset(data) is data
    with pytest.raises(DataError, match="lacks y_train"):
        as_dataset({"X_train": IMAGES})
