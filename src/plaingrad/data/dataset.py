"""What a data set is: three splits of images and labels, kept as they were stored until a batch is made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from plaingrad.data.normalization import Normalization
from plaingrad.errors import DataError


# eq=False: arrays do not compare to one truth value.  Dataset.sha256 compares contents.
@dataclass(frozen=True, eq=False)
class Split:
    """Images (N, C, H, W), uint8 or float, or feature rows (N, D); labels (N,), int64 from every loader.

    With a `normalization`, batches are normalised as they are made; the images stay as they are.
    """

    images: np.ndarray
    labels: np.ndarray
    normalization: Normalization | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int | None) -> Split:
        """The first `count` samples, as a view; all of them for None."""
        return (
            self if count is None else replace(self, images=self.images[:count], labels=self.labels[:count])
        )

    def batch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The samples at `indices` and their labels; float32, or as stored without a normalisation."""
        if self.normalization is None:
            return self.images[indices], self.labels[indices]
        return self.normalization.batch(self.images, indices), self.labels[indices]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set.  Labels index `classes`; `train`, `validation` and `test` do not overlap.

    Raises DataError when images and labels do not belong together, a label is out of range, or a
    float image holds NaN or infinity.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split

    def __post_init__(self) -> None:
        for part, split in self.splits.items():
            _check(f"{self.name}: {part}", split, len(self.classes), self.train.images.shape[1:])
        if not len(self.train):
            raise DataError(f"{self.name}: the training set is empty; give it at least one image")

    @property
    def splits(self) -> dict[str, Split]:
        """The three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample, such as (3, 32, 32)."""
        return tuple(self.train.images.shape[1:])

    @cached_property
    def sha256(self) -> str:
        """A digest of every image and label in order, written into a run's recipe."""
        digest = hashlib.sha256()
        for split in self.splits.values():
            for array in (split.images, split.labels):
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def subset(
        self, *, train: int | None = None, validation: int | None = None, test: int | None = None
    ) -> Dataset:
        """The same data set with the first `train`, `validation` and `test` samples of each split.

        Raises DataError if a split has fewer samples than asked for.
        """
        wanted = {"train": train, "validation": validation, "test": test}
        for part, count in wanted.items():
            if count is not None and count > len(self.splits[part]):
                raise DataError(
                    f"{self.name}: {count} {part} images asked for, but there are {len(self.splits[part])}"
                )
        return replace(self, **{part: self.splits[part].first(count) for part, count in wanted.items()})

    def normalized(self, kind: str) -> Dataset:
        """The same data set, its batches normalised by what the training images say; see Normalization."""
        fitted = Normalization.fit(kind, self.train.images)
        return replace(
            self, **{part: replace(split, normalization=fitted) for part, split in self.splits.items()}
        )


def as_dataset(data: Dataset | Mapping[str, Any]) -> Dataset:
    """A data set as it is, or made of a dict of arrays X_train, y_train and, optionally, X_val, ... y_test.

    Raises DataError if X_train or y_train is missing, or the arrays do not fit together.
    """
    if isinstance(data, Dataset):
        return data
    missing = [key for key in ("X_train", "y_train") if key not in data]
    if missing:
        raise DataError(f"data lacks {' and '.join(missing)}; it has {', '.join(sorted(data)) or 'nothing'}")
    X, y = np.asarray(data["X_train"]), np.asarray(data["y_train"])
    none = {"X": X[:0], "y": y[:0]}

    def split(part: str) -> Split:
        images, labels = (np.asarray(data.get(f"{letter}_{part}", none[letter])) for letter in "Xy")
        return Split(images, labels)

    labels = [split(part).labels for part in ("train", "val", "test")]
    classes = max((int(own.max()) for own in labels if own.size), default=-1) + 1
    return Dataset("data", tuple(map(str, range(classes))), Split(X, y), split("val"), split("test"))


def hold_out(split: Split, validation: int, *, train: int | None = None, name: str) -> tuple[Split, Split]:
    """Split training data in order: the first `train` samples train, the next `validation` validate.

    `train=None` trains on all but the last `validation` samples.  Both parts are views: nothing is
    copied.  Raises DataError if there are too few samples or none would be left to train on.
    """
    count = len(split) - validation if train is None else train
    if validation < 0 or count < 1 or count + validation > len(split):
        wanted = f"{validation} validation images" + (
            "" if train is None else f" after {train} training images"
        )
        raise DataError(
            f"{name}: {wanted} asked for, but there are {len(split)} to share out; "
            "ask for fewer, and leave at least one to train on"
        )
    rest = Split(split.images[count:], split.labels[count:])
    return split.first(count), rest.first(validation)


def _check(where: str, split: Split, classes: int, sample_shape: tuple[int, ...]) -> None:
    images, labels = split.images, split.labels
    if len(images) != len(labels):
        raise DataError(f"{where}: {len(images)} images but {len(labels)} labels; give one label per image")
    if images.shape[1:] != sample_shape:
        raise DataError(
            f"{where}: images of shape {images.shape[1:]}, but the training images are {sample_shape}; "
            "give all splits one shape"
        )
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{where}: labels must be integers of shape (N,), got {labels.dtype} of shape {labels.shape}"
        )
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        worst = int(np.flatnonzero((labels < 0) | (labels >= classes))[0])
        raise DataError(
            f"{where}: label {labels[worst]} at index {worst} is out of range; "
            f"there are {classes} classes, so labels run from 0 to {classes - 1}"
        )
    if np.issubdtype(images.dtype, np.floating):
        finite = np.isfinite(images).all(axis=tuple(range(1, images.ndim)))
        if not finite.all():
            raise DataError(
                f"{where}: image {int(np.flatnonzero(~finite)[0])} holds NaN or infinity; "
                f"{int((~finite).sum())} such images in all: remove or repair them"
            )
    elif not np.issubdtype(images.dtype, np.integer):
        raise DataError(f"{where}: images must be numbers, got {images.dtype}")
