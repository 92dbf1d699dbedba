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
        (np.where(IMAGES == 9, -1e300, IMAGES), LABELS, "image 2 holds values beyond the range of float32"),
        (IMAGES[:, 0, 0, 0], LABELS, r"images must be \(N, C, H, W\) or rows \(N, D\), got shape \(10,\)"),
        (IMAGES > 3, LABELS, "images must be numbers, got bool"),
        (IMAGES, np.array(3), r"labels must be integers of shape \(N,\), got int64 of shape \(\)"),
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
        dataset(IMAGES.view(np.int8), test=Split(IMAGES[:4].view(np.int8), LABELS[:4])),
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
    data = as_dataset({"X_train": IMAGES, "y_train": LABELS, "X_val": IMAGES[:2], "y_val": np.array([0, 1])})
    assert [len(split) for split in data.splits.values()] == [10, 2, 0]
    assert data.classes == ("0", "1")
    assert as_dataset(data) is data
    with pytest.raises(DataError, match="lacks y_train"):
        as_dataset({"X_train": IMAGES})


def test_a_label_that_training_does_not_know_is_refused_unless_named():
    parts = {"X_train": IMAGES, "y_train": LABELS, "X_val": IMAGES[:2], "y_val": np.array([0, 2])}
    with pytest.raises(
        DataError, match="validation: label 2 at index 1 is out of range; there are 2 classes"
    ):
        as_dataset(parts)
    assert as_dataset(parts | {"classes": ["a", "b", "c"]}).classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_train": list("abc") * 20}, "train: labels must be integers .* got <U1"),
        ({"X_train": [[1, 2], [3]]}, "X_train is no array: its rows differ in length"),
        ({"X_val": [[1, 2], [3]], "y_val": [0, 1]}, "X_val is no array"),
        ({"X_train": 5}, "images must be"),
        ({"y_train": 5}, "labels must be integers"),
        (
            {"y_train": np.where(LABELS, 3 * 10**7, 0)},
            "y_train: label 30000000 at index 1 asks for 30,000,001",
        ),
        ({"y_train": LABELS - 1}, "label -1 at index 0 is out of range; there are 1 classes"),
        ({"X_val": IMAGES[:2]}, "2 images but 0 labels"),
        ({"classes": 2}, "classes must be names"),
    ],
)
def test_a_dict_of_wrong_things(changed, message):
    with pytest.raises(DataError, match=message):
        as_dataset({"X_train": IMAGES, "y_train": LABELS} | changed)


def test_a_handful_of_samples_of_many_classes_is_fine():
    assert len(as_dataset({"X_train": IMAGES[:2], "y_train": np.array([3, 99])}).classes) == 100


def test_two_classes_of_one_name():
    with pytest.raises(DataError, match="twins: two classes are called 'a'"):
        Dataset("twins", ("a", "b", "a"), *(Split(IMAGES, LABELS),) * 3)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (IMAGES, IMAGES / 255.0, "test: images are float64, but the training images are uint8"),
        (IMAGES / 255.0, IMAGES, "test: images are uint8, but the training images are float64"),
        (IMAGES, IMAGES.astype(np.uint16), "test: images are uint16, but the training images are uint8"),
        (IMAGES / 39.0, IMAGES * 6.5, "test: images reach 253.5, but the training images 1;"),
        (IMAGES * 6.5, IMAGES / 39.0, "test: images reach 1, but the training images 253.5;"),
    ],
)
def test_splits_of_different_type_or_scale(train, test, message):
    with pytest.raises(DataError, match=message):
        dataset(train, test=Split(test, LABELS))


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (IMAGES / 39.0, (IMAGES / 39).astype(np.float32)),
        (IMAGES / 39.0, IMAGES / 30),  # scaled by what is the largest in training
        (IMAGES * 6.5, IMAGES * 0.0),
        (IMAGES - 20.0, IMAGES * 6.5),
        ((IMAGES / 39.0).reshape(10, 4), (IMAGES * 6.5).reshape(10, 4)),  # features may be anything
        (IMAGES.astype("<u2"), IMAGES.astype(">u2")),
    ],
)
def test_splits_that_are_alike(train, test):
    dataset(train, validation=Split(train[:0], LABELS[:0]), test=Split(test, LABELS))


def test_what_cannot_be_normalized_is_named():
    with pytest.raises(DataError, match="fake: normalization 'unit'"):
        dataset(IMAGES - 5.0, test=Split(IMAGES - 5.0, LABELS)).normalized("unit")


def test_names_of_files_stay_with_their_samples():
    names = tuple(f"{index}.png" for index in range(10))
    split = Split(IMAGES, LABELS, files=names)
    assert split.first(3).files == names[:3]
    assert split.first(None).files == names
    train, validation = hold_out(split, 2, train=5, name="x")
    assert (train.files, validation.files) == (names[:5], names[5:7])
    data = dataset(train=split)
    assert data.normalized("unit").train.files == names
    assert data.subset(train=4).train.files == names[:4]
    assert data.subset(train=4).test.files is None
    assert data.doubled().train.files == names + names
    assert dataset().doubled().train.files is None
    assert data.sha256 == dataset().sha256, "a digest is of images and labels, whatever they are called"


@pytest.mark.parametrize("count", [0, 9, 11])
def test_a_name_for_each_sample(count):
    with pytest.raises(DataError, match=f"{count} file names but 10 labels"):
        Split(IMAGES, LABELS, files=("a",) * count)


def test_doubled_is_followed_by_mirrored_copies():
    data = dataset().normalized("mean-image")
    doubled = data.doubled()
    np.testing.assert_array_equal(doubled.train.images[:10], IMAGES)
    for image, mirrored in zip(IMAGES, doubled.train.images[10:], strict=True):
        assert [row[::-1] for row in image[0].tolist()] == mirrored[0].tolist()
    assert doubled.train.labels.tolist() == [*LABELS, *LABELS]
    assert doubled.train.images.dtype == np.uint8
    assert doubled.train.normalization is data.train.normalization
    assert doubled.test is data.test
    assert len(data.train) == 10
    rows = as_dataset({"X_train": IMAGES.reshape(10, 4), "y_train": LABELS})
    with pytest.raises(DataError, match=r"data: only images .* the samples are of shape \(4,\)"):
        rows.doubled()
