"""What a data set is: three splits of images and labels, kept as they were stored until a batch is made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from plaingrad.data.checks import check_alike, check_form, check_values
from plaingrad.data.normalization import Normalization
from plaingrad.errors import DataError

_ARRAYS = ("X_train", "y_train", "X_val", "y_val", "X_test", "y_test")
_ALWAYS_FINE = 1000  # so many classes, however few samples there are


# eq=False: arrays do not compare to one truth value.  Dataset.sha256 compares contents.
@dataclass(frozen=True, eq=False)
class Split:
    """Images (N, C, H, W), uint8 or float, or feature rows (N, D); labels (N,), int64 from every loader.

    With a `normalization`, batches are normalised as they are made; the images stay as they are.
    files: where each sample was read from, relative to the data folder, with "/" in between; None where samples
    have no files of their own.  Raises DataError for another number of names.
    """

    images: np.ndarray
    labels: np.ndarray
    normalization: Normalization | None = None
    files: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.files is not None and len(self.files) != len(self.labels):
            raise DataError(
                f"{len(self.files)} file names but {len(self.labels)} labels; give one per sample"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int | None) -> Split:
        """The first `count` samples, as a view; all of them for None."""
        return self.part(slice(count))

    def part(self, which: slice) -> Split:
        """A stretch of the samples, as a view."""
        files = self.files and self.files[which]
        return replace(self, images=self.images[which], labels=self.labels[which], files=files)

    def batch(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The samples at `indices` and their labels; float32, or as stored without a normalisation."""
        if self.normalization is None:
            return self.images[indices], self.labels[indices]
        return self.normalization.batch(self.images, indices), self.labels[indices]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set.  Labels index `classes`; `train`, `validation` and `test` do not overlap.

    Raises DataError when images and labels do not belong together, a label is out of range, two classes
    have one name, a float image holds NaN, infinity or what float32 cannot, or the splits' images differ
    in shape, type or scale.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split

    def __post_init__(self) -> None:
        if len(set(self.classes)) < len(self.classes):
            twice = next(name for name in self.classes if self.classes.count(name) > 1)
            raise DataError(f"{self.name}: two classes are called {twice!r}; give each its own name")
        for part, split in self.splits.items():
            check_form(f"{self.name}: {part}", split)
            check_values(f"{self.name}: {part}", split, len(self.classes))
            check_alike(f"{self.name}: {part}", split.images, self.train.images)
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
        try:
            fitted = Normalization.fit(kind, self.train.images)
        except DataError as error:
            raise DataError(f"{self.name}: {error}") from None
        return replace(
            self, **{part: replace(split, normalization=fitted) for part, split in self.splits.items()}
        )

    def doubled(self) -> Dataset:
        """The same data set, its training images followed by a mirrored (left-right) copy of each.

        Raises DataError if the samples are no images but rows of features.
        """
        images, labels = self.train.images, self.train.labels
        if images.ndim != 4:
            raise DataError(
                f"{self.name}: only images (C, H, W) have a mirror image, but the samples are of shape "
                f"{self.input_shape}; train without doubling"
            )
        both = np.concatenate([images, images[..., ::-1]])
        files = self.train.files and 2 * self.train.files
        return replace(self, train=replace(self.train, images=both, labels=np.tile(labels, 2), files=files))


def as_dataset(data: Dataset | Mapping[str, Any]) -> Dataset:
    """A data set as it is, or made of a dict of arrays X_train, y_train and, optionally, X_val, ... y_test.

    The dict's "classes", optional, names the classes; otherwise they are "0", "1", ... up to the largest
    label in y_train.  Raises DataError if X_train or y_train is missing, an entry is no array of numbers,
    or the arrays do not fit together.
    """
    if isinstance(data, Dataset):
        return data
    missing = [key for key in ("X_train", "y_train") if key not in data]
    if missing:
        raise DataError(f"data lacks {' and '.join(missing)}; it has {', '.join(sorted(data)) or 'nothing'}")
    given = {key: _as_array(key, data[key]) for key in _ARRAYS if key in data}
    train = Split(given["X_train"], given["y_train"])
    check_form("data: train", train)  # before anything is computed from it
    nothing = train.first(0)

    def split(part: str) -> Split:
        return Split(given.get(f"X_{part}", nothing.images), given.get(f"y_{part}", nothing.labels))

    # Course code may overfit a handful of images of many classes: only absurd labels are refused.
    classes = (
        named_classes("data", _as_array("classes", data["classes"]))
        if data.get("classes") is not None
        else numbered_classes("data: y_train", train.labels, max(len(train), _ALWAYS_FINE))
    )
    return Dataset("data", classes, train, split("val"), split("test"))


def named_classes(where: str, names: np.ndarray) -> tuple[str, ...]:
    """The classes' names from an array (C,) of strings.  Raises DataError, beginning with `where`."""
    if names.ndim != 1 or not names.size or names.dtype.kind not in "Uiu":
        raise DataError(
            f"{where}: classes must be names, an array of strings of shape (C,), "
            f"got {names.dtype} of shape {names.shape}"
        )
    return tuple(map(str, names.tolist()))


def numbered_classes(where: str, labels: np.ndarray, most: int) -> tuple[str, ...]:
    """The names "0", "1", ... up to the largest of the labels (N,), integers.

    Raises DataError, which begins with `where`, if these would be more than `most` classes.
    """
    largest = int(labels.max()) if labels.size else 0
    if largest >= max(most, 1):
        raise DataError(
            f"{where}: label {largest} at index {int(labels.argmax())} asks for {largest + 1:,} classes, for "
            f"{len(labels):,} samples; number the classes 0, 1, 2, ..., or give all their names as `classes`"
        )
    return tuple(map(str, range(max(largest, 0) + 1)))


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
    return split.first(count), split.part(slice(count, count + validation))


def _as_array(key: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise DataError(
            f"data: {key} is no array: its rows differ in length ({error}); give an array of numbers"
        ) from None
