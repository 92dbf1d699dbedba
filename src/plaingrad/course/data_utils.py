"""`data_utils`: CIFAR-10 in the course's arrays, read by `plaingrad.data`: no pickle is ever executed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plaingrad.data import Dataset, default_dir, load_data
from plaingrad.data.cifar_pickle import read_pickle
from plaingrad.errors import DataError

__all__ = ["get_CIFAR10_data", "load_CIFAR10", "load_CIFAR_batch"]

Array = np.ndarray

_FOLDER = "cifar-10-batches-py"
_USUAL = tuple(Path(course, "datasets", _FOLDER) for course in ("cs231n", "cs682"))


def load_CIFAR_batch(filename: str | Path) -> tuple[Array, Array]:
    """One batch file of the Python version: images float64 (N, 32, 32, 3) from 0 to 255, labels (N,)."""
    path = Path(filename)
    try:
        with path.open("rb") as file:
            batch = read_pickle(file, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    data, labels = batch.get(b"data"), batch.get(b"labels")
    if not isinstance(data, np.ndarray) or data.shape[1:] != (3072,) or not isinstance(labels, list):
        raise DataError(f"{path}: holds {sorted(batch)}; expected images (N, 3072) and labels: not CIFAR-10")
    return _channels_last(data.reshape(-1, 3, 32, 32)), np.array(labels)


def load_CIFAR10(ROOT: str | Path) -> tuple[Array, Array, Array, Array]:
    """X_train (50000, 32, 32, 3), y_train, X_test (10000, ...), y_test from a folder; images are float64.

    Where ROOT is the course's usual folder and is not there, plaingrad's data folder is looked in.
    """
    data = _cifar10(ROOT)
    train, test = data.train, data.test
    return _channels_last(train.images), train.labels, _channels_last(test.images), test.labels


def get_CIFAR10_data(
    num_training: int = 49000,
    num_validation: int = 1000,
    num_test: int = 1000,
    subtract_mean: bool = True,
    *,
    cifar10_dir: str | Path | None = None,
) -> dict[str, Array]:
    """X_train, y_train, X_val, y_val, X_test, y_test: images float64 (N, 3, 32, 32) less the mean training image.

    The first `num_training` images train and the next `num_validation` validate.  The data lies in
    `cifar10_dir`, else in the course's usual folder below the working directory, else in plaingrad's
    data folder ($PLAINGRAD_DATA_DIR, or the user's cache).  Raises DataError if it is not there.
    """
    if cifar10_dir is None:
        cifar10_dir = next((usual for usual in _USUAL if usual.is_dir()), None)
    data = _cifar10(cifar10_dir, train=num_training, validation=num_validation, test=num_test)
    arrays: dict[str, Array] = {}
    for name, split in (("train", data.train), ("val", data.validation), ("test", data.test)):
        arrays[f"X_{name}"], arrays[f"y_{name}"] = split.images.astype(np.float64), split.labels
    if subtract_mean:
        mean_image = arrays["X_train"].mean(axis=0)
        for name in ("train", "val", "test"):
            arrays[f"X_{name}"] -= mean_image
    return arrays


def _cifar10(
    folder: str | Path | None, *, train: int | None = None, validation: int = 0, test: int | None = None
) -> Dataset:
    if folder is not None and not Path(folder).is_dir() and Path(folder).name == _FOLDER:
        folder = default_dir()
    return load_data("cifar10", folder, train=train, validation=validation, test=test)


def _channels_last(images: Array) -> Array:
    return images.transpose(0, 2, 3, 1).astype(np.float64, order="C")
