"""Data sets in NumPy's .npz format, read without pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plaingrad.data.checks import check_form, check_values
from plaingrad.data.dataset import Dataset, Split, named_classes, numbered_classes
from plaingrad.data.splits import stratified_split
from plaingrad.errors import DataError

VALIDATION = 0.1
TEST = 0.1
_KEYS = "either X_train, y_train, X_test and y_test (X_val and y_val too, if you like), or images and labels"


def read_npz(
    path: str | Path, *, validation: int | float = VALIDATION, test: int | float = TEST, seed: int = 0
) -> Dataset:
    """The data set in an .npz file.

    It holds X_train, y_train, X_test, y_test and, optionally, X_val, y_val; or images, labels, which are
    split stratified by `seed`.  Without X_val the validation set is split off the training set in the
    same way.  `validation` and `test` are counts, or fractions if they are floats.  X and images are
    (N, C, H, W), (N, H, W) for grey images, or features (N, D); y and labels are integers (N,).
    "classes", optional, names the classes; otherwise they are called "0", "1", ... up to the largest
    label of the training set.

    Raises DataError for a file that is no .npz or is damaged, for missing arrays, for arrays of Python
    objects, which only pickle could read, and for values that cannot be used, by their index in the file.
    """
    path = Path(path)
    arrays = _load_arrays(path)
    keys = {"train": ("images", "labels")}
    if "X_train" in arrays:
        keys = {"train": ("X_train", "y_train"), "test": ("X_test", "y_test")}
        if "X_val" in arrays:
            keys["validation"] = ("X_val", "y_val")
    stored = {part: _take(arrays, *pair, path) for part, pair in keys.items()}
    classes = _classes(arrays, stored["train"].labels, f"{path}: {keys['train'][1]}", path)
    # Dataset checks too, but after a split an index says nothing about the user's file.
    for part, split in stored.items():
        check_values(f"{path}: {' and '.join(keys[part])}", split, len(classes))
    parts = {part: Split(split.images, split.labels.astype(np.int64)) for part, split in stored.items()}

    whole = parts["train"]
    shares = {"validation": validation, "test": test} | dict.fromkeys(parts.keys() - {"train"}, 0)
    split = stratified_split(whole.labels, **shares, seed=seed, name=str(path))
    if len(split["train"]) < len(whole):
        parts = {part: Split(whole.images[i], whole.labels[i]) for part, i in split.items()} | {
            part: given for part, given in parts.items() if part != "train"
        }
    nothing = Split(whole.images[:0], whole.labels[:0])
    return Dataset(path.stem, classes, **({"validation": nothing, "test": nothing} | parts))


def _classes(arrays: dict[str, np.ndarray], labels: np.ndarray, where: str, path: Path) -> tuple[str, ...]:
    """The classes that the file names, or else numbers."""
    if "classes" not in arrays:
        return numbered_classes(where, labels, len(labels))
    return named_classes(str(path), arrays["classes"])


def _load_arrays(path: Path) -> dict[str, np.ndarray]:
    import zipfile
    import zlib

    try:
        # np.load would also take a single array or a pickle, and says little about either.
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path}: {'not an .npz file' if path.is_file() else 'there is no such file'}")
        with np.load(path, allow_pickle=False) as stored:
            found = {key: stored[key] for key in stored.files}
    # RuntimeError: an archive that is encrypted, or compressed in a way that Python does not know.
    except (
        OSError,
        EOFError,
        ValueError,
        MemoryError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        if isinstance(error, DataError):
            raise
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path}: holds an array of Python objects, which would need pickle, "
                "and a pickle can run any program; store numbers, and class names as strings (dtype str)"
            ) from error
        raise DataError(
            f"{path}: cannot be read as an .npz file ({error}); it is damaged or too large"
        ) from error
    # What lies in the archive but is no array comes as bytes.
    return {key: array for key, array in found.items() if isinstance(array, np.ndarray)}


def _take(arrays: dict[str, np.ndarray], x: str, y: str, path: Path) -> Split:
    missing = [key for key in (x, y) if key not in arrays]
    if missing:
        raise DataError(
            f"{path}: has no {' and no '.join(missing)}; it holds {', '.join(arrays) or 'nothing'}, "
            f"expected {_KEYS}"
        )
    images, labels = arrays[x], arrays[y]
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim not in (2, 4):
        raise DataError(f"{path}: {x} has shape {images.shape}; expected (N, C, H, W), (N, H, W) or (N, D)")
    if images.ndim == 4 and images.shape[3] in (1, 3) and images.shape[1] not in (1, 3):
        raise DataError(
            f"{path}: {x} has shape {images.shape}, its channels last; "
            f"store {x}.transpose(0, 3, 1, 2) instead"
        )
    split = Split(images, labels)
    check_form(f"{path}: {x} and {y}", split)
    return split
