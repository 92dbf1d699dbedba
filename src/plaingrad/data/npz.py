"""Data sets in NumPy's .npz format, read without pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plaingrad.data.dataset import Dataset, Split
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
    "classes", optional, names the classes; otherwise they are called "0", "1", ...

    Raises DataError for a file that is no .npz or is damaged, for missing arrays, and for arrays of
    Python objects, which only pickle could read.
    """
    path = Path(path)
    arrays = _load_arrays(path)
    if "X_train" in arrays:
        parts = {
            "train": _take(arrays, "X_train", "y_train", path),
            "test": _take(arrays, "X_test", "y_test", path),
        }
        if "X_val" in arrays:
            parts["validation"] = _take(arrays, "X_val", "y_val", path)
    else:
        parts = {"train": _take(arrays, "images", "labels", path)}

    whole = parts["train"]
    shares = {"validation": validation, "test": test} | dict.fromkeys(parts.keys() - {"train"}, 0)
    split = stratified_split(whole.labels, **shares, seed=seed, name=str(path))
    if len(split["train"]) < len(whole):
        parts = {part: Split(whole.images[i], whole.labels[i]) for part, i in split.items()} | {
            part: given for part, given in parts.items() if part != "train"
        }
    nothing = Split(whole.images[:0], whole.labels[:0])
    parts = {"validation": nothing, "test": nothing} | parts

    if "classes" in arrays:
        classes = tuple(str(name) for name in arrays["classes"].tolist())
    else:
        most = max((int(part.labels.max()) for part in parts.values() if len(part)), default=-1)
        classes = tuple(str(label) for label in range(most + 1))
    return Dataset(path.stem, classes, **parts)


def _load_arrays(path: Path) -> dict[str, np.ndarray]:
    import zipfile
    import zlib

    try:
        # np.load would also take a single array or a pickle, and says little about either.
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path}: {'not an .npz file' if path.is_file() else 'there is no such file'}")
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except (OSError, EOFError, ValueError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, DataError):
            raise
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path}: holds an array of Python objects, which would need pickle, "
                "and a pickle can run any program; store numbers, and class names as strings (dtype str)"
            ) from error
        raise DataError(f"{path}: cannot be read as an .npz file ({error}); it is damaged") from error


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
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{path}: {y} must be integers of shape (N,), got {labels.dtype} of shape {labels.shape}"
        )
    if len(images) != len(labels):
        raise DataError(f"{path}: {len(images)} images in {x} but {len(labels)} labels in {y}")
    return Split(images, labels.astype(np.int64))
