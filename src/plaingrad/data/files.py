"""Files that are known beforehand: their digest is checked before a byte of them is interpreted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from plaingrad.data.dataset import Split
from plaingrad.errors import DataError


@dataclass(frozen=True)
class DataFile:
    """One file of a published data set.

    `sha256` is None where no independent sources for the digest are known; then `md5` tells it from other
    files, and where that is unknown too, the exact `size` in bytes and the structure are all that is
    checked.
    """

    name: str
    sha256: str | None = None
    size: int | None = None
    md5: str | None = None


@dataclass(frozen=True)
class Layout:
    """One way in which a data set lies on disk, and how it is read.

    `folders` are the names under which its folder is looked for in the data folder; a download goes to
    the first.  `files` are what is fetched and verified, and `read` takes the folder and returns the
    training and the test data.
    """

    title: str
    folders: tuple[str, ...]
    files: tuple[DataFile, ...]
    read: Callable[[Path], tuple[Split, Split]]


def open_checked(path: Path, expected: DataFile, title: str) -> BufferedReader:
    """Open `path` for reading from its start, after its size and digest were found as expected.

    Raises DataError, naming the file and what it should be, if it is missing, truncated, altered, or
    another file.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); it should be {title}'s {expected.name}"
        ) from error
    try:
        check_file(file, path, expected, title)
    except BaseException:
        file.close()
        raise
    return file


def check_file(file: BufferedReader, path: Path, expected: DataFile, title: str) -> None:
    """Compare an open file's size and digest with the expected ones, and rewind it.

    The size comes first: a file of the wrong size is refused before it is read.  Raises DataError.
    """
    advice = f"it is truncated, altered, or not {title}'s {expected.name}; replace it"
    size = os.fstat(file.fileno()).st_size
    if expected.size is not None and size != expected.size:
        raise DataError(f"{path}: has {size:,} bytes, expected {expected.size:,}: {advice}")
    for name, wanted in (("SHA-256", expected.sha256), ("MD5", expected.md5)):
        if wanted is not None:
            found = hashlib.file_digest(file, name.replace("-", "")).hexdigest()
            file.seek(0)
            if found != wanted:
                raise DataError(f"{path}: its {name} is {found}, expected {wanted}: {advice}")
