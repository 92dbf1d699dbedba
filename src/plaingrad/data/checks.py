"""What images and labels must hold: every way in which they cannot be used is a DataError that says where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plaingrad.errors import DataError

if TYPE_CHECKING:
    from plaingrad.data.dataset import Split

_LARGEST = float(np.finfo(np.float32).max)  # training computes in float32
_SURELY_NO_UNIT = 100  # a pixel above this is not on a scale from 0 to 1


def check_form(where: str, split: Split) -> None:
    """Raise DataError, beginning with `where`, unless images and labels are arrays that belong together."""
    images, labels = split.images, split.labels
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"{where}: labels must be integers of shape (N,), got {labels.dtype} of shape {labels.shape}; "
            "number the classes 0, 1, 2, ..."
        )
    if images.dtype.kind not in "iuf":
        raise DataError(f"{where}: images must be numbers, got {images.dtype}; store them as uint8 or float")
    if images.ndim < 2:
        raise DataError(
            f"{where}: images must be (N, C, H, W) or rows (N, D), got shape {images.shape}; reshape them"
        )
    if len(images) != len(labels):
        raise DataError(f"{where}: {len(images)} images but {len(labels)} labels; give one label per image")


def check_values(where: str, split: Split, classes: int) -> None:
    """Raise DataError, beginning with `where`, for a label out of range or a float that cannot be used."""
    images, labels = split.images, split.labels
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        worst = int(np.flatnonzero((labels < 0) | (labels >= classes))[0])
        raise DataError(
            f"{where}: label {labels[worst]} at index {worst} is out of range; "
            f"there are {classes} classes, so labels run from 0 to {classes - 1}: correct it, or give the "
            "names of all classes"
        )
    if images.dtype.kind != "f":
        return
    low, high = _range(images)
    if not (low >= -_LARGEST and high <= _LARGEST):  # so put that NaN fails too
        inner = tuple(range(1, images.ndim))
        finite = np.isfinite(images).all(axis=inner)
        bad = ~finite if not finite.all() else (np.abs(images) > _LARGEST).any(axis=inner)
        what = (
            "NaN or infinity" if not finite.all() else f"values beyond the range of float32 ({_LARGEST:.1e})"
        )
        raise DataError(
            f"{where}: image {int(np.flatnonzero(bad)[0])} holds {what}; "
            f"{int(bad.sum())} such images in all: remove, repair or scale them"
        )


def check_alike(where: str, images: np.ndarray, train: np.ndarray) -> None:
    """Raise DataError unless a value of `images` can mean what it means in the training images."""
    if images.shape[1:] != train.shape[1:]:
        raise DataError(
            f"{where}: images of shape {images.shape[1:]}, but the training images are {train.shape[1:]}; "
            "give all splits one shape"
        )
    if not images.size or not train.size or images is train:
        return
    types = images.dtype.newbyteorder("="), train.dtype.newbyteorder("=")
    if types[0] != types[1] and {dtype.kind for dtype in types} != {"f"}:
        raise DataError(
            f"{where}: images are {types[0]}, but the training images are {types[1]}; "
            "give all splits one type and one scale"
        )
    # Features may well lie far from those in the training set; pixels all follow one scale.
    if images.dtype.kind != "f" or images.ndim != 4:
        return
    low, high = _range(images)
    # Most often this is the end: the training images, many more, need not be looked through.
    if low >= 0 and (0 < high <= 1 or high > _SURELY_NO_UNIT):
        train_low, train_high = _range(train)
        smaller, larger = sorted((high, train_high))
        if train_low >= 0 and 0 < smaller <= 1 and larger > _SURELY_NO_UNIT:
            raise DataError(
                f"{where}: images reach {high:g}, but the training images {train_high:g}; "
                "give all splits one scale, such as 0 to 1"
            )


def _range(images: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest value; NaN if there is one among them."""
    if not images.size:
        return 0.0, 0.0
    with np.errstate(all="ignore"):
        return float(images.min()), float(images.max())
