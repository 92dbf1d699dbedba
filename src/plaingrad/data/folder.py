"""A folder of images, one subfolder per class."""

from __future__ import annotations

import math
import os
from collections import Counter
from pathlib import Path

import numpy as np

from plaingrad.data.dataset import Dataset, Split
from plaingrad.data.image import SUFFIXES, describe_image, read_image
from plaingrad.data.splits import stratified_split
from plaingrad.errors import DataError

VALIDATION = 0.1
TEST = 0.1
_PART_FOLDERS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}


def read_folder(
    folder: str | Path,
    *,
    validation: int | float = VALIDATION,
    test: int | float = TEST,
    seed: int = 0,
    size: tuple[int, int] | None = None,
) -> Dataset:
    """The images `folder/CLASS/*`, or `folder/{train,validation or val,test}/CLASS/*`, as a Dataset.

    The classes are the subfolders' names in alphabetical order; images are taken in the order of their
    names.  Without a "train" folder all images are split, with one the missing parts are taken from it:
    stratified, by `seed`, `validation` and `test` being counts, or fractions if they are floats.  Images
    are uint8 (N, 3, H, W), or (N, 1, H, W) if all are grey, and all of one size, or resized to `size`
    (H, W).  Each split's `files` say where its images lie under `folder`.  Hidden files and files that no
    image suffix marks are skipped.

    Raises DataError naming the folder that holds no images or an unknown class, the image that cannot be
    read, or the one whose size differs from the others', and if the images would not fit into memory.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder of images")
    parts = _part_folders(folder)
    classes = tuple(child.name for child in _subfolders(parts["train"]))
    if not classes:
        raise DataError(
            f"{folder}: no class folders; put the images into {folder / 'CLASS'}, one folder per class"
        )
    listed = {part: _list_images(place, classes) for part, place in parts.items()}
    everything = [path for paths, _ in listed.values() for path in paths]
    (height, width), channels = _common_format(everything, size)
    _check_memory(folder, (len(everything), channels, height, width))

    paths, labels = listed.pop("train")
    missing = {"validation": validation, "test": test} | dict.fromkeys(listed, 0)
    split = stratified_split(labels, **missing, seed=seed, name=str(folder))
    for part, indices in split.items():
        if part not in listed:
            listed[part] = [paths[index] for index in indices], labels[indices]

    splits = {}
    for part, (chosen, chosen_labels) in listed.items():
        images = np.empty((len(chosen), channels, height, width), dtype=np.uint8)
        for image, path in zip(images, chosen, strict=True):
            image[:] = read_image(path, channels=channels, size=size)
        names = tuple(path.relative_to(folder).as_posix() for path in chosen)
        splits[part] = Split(images, chosen_labels, files=names)
    return Dataset(folder.name, classes, **splits)


def _part_folders(folder: Path) -> dict[str, Path]:
    """Where the parts lie: the folder itself, unless it has a "train" folder that has folders in it.

    (A folder "train" with images in it is a class: trains.)
    """
    if not (folder / "train").is_dir() or not _subfolders(folder / "train"):
        return {"train": folder}
    return {
        part: folder / name
        for part, names in _PART_FOLDERS.items()
        for name in names
        if (folder / name).is_dir()
    }


def _subfolders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))


def _list_images(folder: Path, classes: tuple[str, ...]) -> tuple[list[Path], np.ndarray]:
    """The images of each class and their labels, in the order of the names."""
    paths: list[Path] = []
    labels: list[int] = []
    for child in _subfolders(folder):
        if child.name not in classes:
            raise DataError(f"{child}: no class of the training images; there are {', '.join(classes)}")
        # Besides hidden files this skips the "._NAME" that macOS leaves on foreign disks.
        found = sorted(
            path
            for path in child.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        )
        if not found:
            raise DataError(f"{child}: no images; add some, or remove the folder")
        paths += found
        labels += [classes.index(child.name)] * len(found)
    return paths, np.array(labels, dtype=np.int64)


def _common_format(paths: list[Path], size: tuple[int, int] | None) -> tuple[tuple[int, int], int]:
    """The one size (H, W) of all images and their channels, from their headers alone."""
    sizes, greys = zip(*(describe_image(path) for path in paths), strict=True)
    usual, count = Counter(sizes).most_common(1)[0]  # so that it is the odd one out that is named
    if size is None and count < len(paths):
        odd, found = next((path, each) for path, each in zip(paths, sizes, strict=True) if each != usual)
        raise DataError(
            f"{odd}: is {found[0]}x{found[1]} (height x width), but {paths[sizes.index(usual)]} is "
            f"{usual[0]}x{usual[1]}; give a size to resize all images to"
        )
    return size or usual, 1 if all(greys) else 3


def _check_memory(folder: Path, shape: tuple[int, int, int, int]) -> None:
    """Raise DataError if uint8 images of this shape (N, C, H, W) take more than the machine's memory."""
    total, memory = math.prod(shape), _memory()
    if total > memory:
        raise DataError(
            f"{folder}: {shape[0]:,} images of {shape[2]}x{shape[3]} (height x width) in {shape[1]} channels "
            f"take {total:,} bytes, but this machine has {memory:,}; give a smaller size to resize them to"
        )


def _memory() -> int:
    """The bytes of main memory; where the system does not tell, more than most machines have."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 64 * 2**30
