"""Data: where it comes from, how it is read, how it is augmented, and how it is normalised.

`load_data` gives any of the data sets in `SOURCES`, a folder of images or an .npz file as a `Dataset`; `fetch`
downloads and `verify` checks the published ones.
"""

from __future__ import annotations

from pathlib import Path

from plaingrad.data.augmentation import (
    Augmentation,
    ColorJitter,
    Crop,
    Cutout,
    Flip,
    Transform,
)
from plaingrad.data.dataset import Dataset, Split, as_dataset, hold_out
from plaingrad.data.fetch import fetch, verify
from plaingrad.data.image import read_image
from plaingrad.data.locate import default_dir, find_source, locate
from plaingrad.data.normalization import Normalization
from plaingrad.data.sources import SOURCES, Source
from plaingrad.data.splits import resolve_count
from plaingrad.errors import DataError

__all__ = [
    "SOURCES",
    "Augmentation",
    "ColorJitter",
    "Crop",
    "Cutout",
    "Dataset",
    "Flip",
    "Normalization",
    "Source",
    "Split",
    "Transform",
    "as_dataset",
    "default_dir",
    "fetch",
    "load_data",
    "read_image",
    "verify",
]


def load_data(
    name: str | Path,
    path: str | Path | None = None,
    *,
    validation: int | float | None = None,
    train: int | None = None,
    test: int | float | None = None,
    seed: int = 0,
    size: tuple[int, int] | None = None,
) -> Dataset:
    """Load a data set: a name in `SOURCES`, or the path of an .npz file or of a folder of images.

    `path` is the data folder that holds the published data set, or that set's own folder (default:
    `default_dir()`); for the names "images" and "npz", your folder or file.

    A published data set keeps its order, as the experiments' reports do: the first `train` images train
    (default: all but those that validate), the next `validation` validate (default: the source's), and
    the first `test` of the test images test (default: all).  Your own data is split by `seed`, unless it
    comes in parts; there `train` shortens the training part.  A float `validation` or `test` is a
    fraction.  `size` (H, W) resizes a folder's images.

    Images are uint8 (N, C, H, W), or as an .npz file stores them; labels are int64 (N,).  Raises DataError
    when the data is unknown, not there, damaged, or too small; the message says what to do.
    """
    if isinstance(name, Path) or (name not in SOURCES and Path(name).exists()):
        if path is not None:
            raise DataError(f"{name} is a path already; leave out the second one, {path}")
        name, path = ("images" if Path(name).is_dir() else "npz"), name
    source = find_source(name, SOURCES)
    if size is not None and name != "images":
        raise DataError(f"{name}: only a folder of images is resized; leave out the size")
    if name in ("images", "npz"):
        return _load_own(name, path, validation, train, test, seed, size)

    pool, tests = _read_published(source, path)
    held_out = (
        source.validation
        if validation is None
        else resolve_count(validation, len(pool), f"{name}: validation")
    )
    if test is not None:
        tests = tests.first(resolve_count(test, len(tests), f"{name}: test"))
    training, validating = hold_out(pool, held_out, train=train, name=name)
    return Dataset(name, source.classes, training, validating, tests)


def _load_own(
    kind: str,
    path: str | Path | None,
    validation: int | float | None,
    train: int | None,
    test: int | float | None,
    seed: int,
    size: tuple[int, int] | None,
) -> Dataset:
    from plaingrad.data.folder import read_folder
    from plaingrad.data.npz import read_npz

    if path is None:
        raise DataError(f"{kind}: give the path too; the source is {SOURCES[kind].summary}")
    shares = {key: value for key, value in (("validation", validation), ("test", test)) if value is not None}
    dataset = (
        read_folder(path, seed=seed, size=size, **shares)
        if kind == "images"
        else read_npz(path, seed=seed, **shares)
    )
    # A part that came ready-made is still as long as it was.
    counts = {part: count for part, count in shares.items() if isinstance(count, int)}
    return dataset.subset(train=train, **counts)


def _read_published(source: Source, path: str | Path | None) -> tuple[Split, Split]:
    if source.embedded is not None:
        return source.embedded()
    root = default_dir() if path is None else Path(path)
    found = locate(source, root)
    if found is None:
        folders = " or ".join(dict.fromkeys(layout.folders[0] for layout in source.layouts))
        raise DataError(
            f"{source.name}: there is no {folders} in {root}; "
            f"download it with `plaingrad data fetch {source.name}`, "
            "or name the folder that holds it with --data-dir"
        )
    layout, folder = found
    return layout.read(folder)
