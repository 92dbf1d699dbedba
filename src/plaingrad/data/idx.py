"""MNIST and Fashion-MNIST in the IDX format, plain or gzip-compressed.

An IDX file is two zero bytes, one for the element type (8: unsigned byte), one for the number of
dimensions, each dimension as a big-endian 32-bit integer, and the elements in C order.

Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits", file formats.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

from plaingrad.data.dataset import Split
from plaingrad.data.files import DataFile, open_checked
from plaingrad.errors import DataError

LIMIT = 1 << 30  # elements; MNIST has 47 million


@dataclass(frozen=True)
class IdxFiles:
    """The four files of a data set in IDX format, gzip-compressed if their names end in ".gz"."""

    title: str
    train_images: DataFile
    train_labels: DataFile
    test_images: DataFile
    test_labels: DataFile


def read_idx_folder(folder: Path, files: IdxFiles) -> tuple[Split, Split]:
    """Training and test data: images uint8 (N, 1, H, W), labels int64 (N,).

    Each file's digest is checked where one is known.  Raises DataError naming the file at fault.
    """

    def read_part(images: DataFile, labels: DataFile) -> Split:
        arrays = []
        for expected, dimensions in ((images, 3), (labels, 1)):
            with open_checked(folder / expected.name, expected, files.title) as file:
                arrays.append(read_idx(file, folder / expected.name, dimensions))
        return Split(arrays[0][:, None], arrays[1].astype(np.int64))

    return read_part(files.train_images, files.train_labels), read_part(files.test_images, files.test_labels)


def read_idx(file: BufferedIOBase, path: Path, dimensions: int, *, limit: int = LIMIT) -> np.ndarray:
    """The uint8 array in an IDX file with that many dimensions; `path` names it and tells gzip by ".gz".

    No more is decompressed than the header announces, and no more than `limit` bytes are announced, so a
    gzip bomb does not fill memory.  Raises DataError for a wrong type or number of dimensions, for
    missing or surplus data, and for a damaged archive.
    """
    import gzip
    import zlib

    try:
        if path.suffix == ".gz":
            with gzip.open(file) as unpacked:
                return _read_array(unpacked, path, dimensions, limit)
        return _read_array(file, path, dimensions, limit)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a whole gzip file ({error}); download it again") from error


def _read_array(file: BufferedIOBase, path: Path, dimensions: int, limit: int) -> np.ndarray:
    header = file.read(4 + 4 * dimensions)
    wanted = bytes([0, 0, 8, dimensions])
    if header[:4] != wanted:
        raise DataError(
            f"{path}: begins with {header[:4].hex() or 'nothing'}, but an IDX file of bytes in {dimensions} "
            f"dimensions begins with {wanted.hex()}; images and labels may be exchanged"
        )
    if len(header) < 4 + 4 * dimensions:
        raise DataError(f"{path}: ends within the header; download it again")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    if not 0 < math.prod(shape) <= limit:
        raise DataError(f"{path}: announces an array of shape {shape}; 1 to {limit:,} elements are read")
    # The system hands out the pages of a fresh array only as they are filled, so a header that promises
    # more than the file holds costs nothing.
    array = np.empty(shape, dtype=np.uint8)
    rest = array.data.cast("B")
    while len(rest) and (count := file.readinto(rest[: 1 << 20])):
        rest = rest[count:]
    if len(rest) or file.read(1):
        problem = f"{len(rest):,} bytes are missing" if len(rest) else "there is more"
        raise DataError(f"{path}: announces an array of shape {shape}, but {problem}; download it again")
    return array


def _files(title: str, suffix: str, *known: dict[str, Any]) -> IdxFiles:
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    return IdxFiles(
        title, *(DataFile(name + suffix, **about) for name, about in zip(names, known, strict=True))
    )


# Digests on which several independent publications agree.  Sizes of uncompressed files: 16 or 8 bytes of
# header, then 60,000 or 10,000 samples.

MNIST_GZ = _files(
    "MNIST",
    ".gz",
    {"sha256": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", "size": 9_912_422},
    {"sha256": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", "size": 28_881},
    {"sha256": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", "size": 1_648_877},
    {"sha256": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", "size": 4_542},
)
MNIST_PLAIN = _files(
    "MNIST (uncompressed)",
    "",
    {"sha256": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", "size": 47_040_016},
    {"sha256": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", "size": 60_008},
    {"sha256": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", "size": 7_840_016},
    {"sha256": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", "size": 10_008},
)
FASHION_GZ = _files(
    "Fashion-MNIST",
    ".gz",
    {"sha256": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", "size": 26_421_880},
    {"sha256": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", "size": 29_515},
    {"sha256": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", "size": 4_422_102},
    {"sha256": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", "size": 5_148},
)
FASHION_PLAIN = _files(
    "Fashion-MNIST (uncompressed)",
    "",
    {"md5": "f4a8712d7a061bf5bd6d2ca38dc4d50a", "size": 47_040_016},
    {"md5": "9018921c3c673c538a1fc5bad174d6f9", "size": 60_008},
    {"md5": "8181f5470baa50b63fa0f6fddb340f0a", "size": 7_840_016},
    {"md5": "15d484375f8d13e6eb1aabb0c3f46965", "size": 10_008},
)
