"""CIFAR-10 and CIFAR-100, in the Python and the binary version.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009;
https://www.cs.toronto.edu/~kriz/cifar.html describes both formats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plaingrad.data.cifar_pickle import read_pickle
from plaingrad.data.dataset import Split
from plaingrad.data.files import DataFile, open_checked
from plaingrad.errors import DataError

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class CifarFiles:
    """What one version of CIFAR consists of: its files and the layout of their records.

    `train` and `test` are read in order, `train_records` and `test_records` images from each file.
    `label` is the key of the labels in the Python version; in the binary version each record begins with
    `label_bytes` bytes, of which the last is the label (CIFAR-100 puts the coarse label first).
    """

    title: str
    train: tuple[DataFile, ...]
    test: tuple[DataFile, ...]
    train_records: int
    test_records: int
    label: bytes = b"labels"
    label_bytes: int = 1


def read_python(folder: Path, files: CifarFiles) -> tuple[Split, Split]:
    """Training and test data from the Python version's batches in `folder`.

    Images are uint8 (N, 3, 32, 32), labels int64 (N,).  Each file's digest is checked, and then it is read
    without pickle (see `cifar_pickle`).  Raises DataError naming the file that is missing, truncated,
    altered, or of another data set.
    """

    def read_batch(path: Path, expected: DataFile, images: np.ndarray) -> np.ndarray:
        with open_checked(path, expected, files.title) as file:
            batch = read_pickle(file, path)
        data, labels = batch.get(b"data"), batch.get(files.label)
        shape = (len(images), PIXELS)
        if not isinstance(data, np.ndarray) or data.shape != shape or not isinstance(labels, list):
            raise DataError(
                f"{path}: holds {sorted(batch)}; expected images {shape} under b'data' and a list of labels "
                f"under {files.label!r}: it is not {files.title}'s {expected.name}"
            )
        if len(labels) != len(images) or any(type(label) is not int for label in labels):
            raise DataError(f"{path}: expected {len(images)} whole numbers under {files.label!r}")
        images[:] = data.reshape(images.shape)
        return np.array(labels, dtype=np.int64)

    return _read(folder, files, read_batch)


def read_binary(folder: Path, files: CifarFiles) -> tuple[Split, Split]:
    """Training and test data from the binary version's records in `folder`; otherwise as `read_python`."""
    record = files.label_bytes + PIXELS

    def read_batch(path: Path, expected: DataFile, images: np.ndarray) -> np.ndarray:
        with open_checked(path, expected, files.title) as file:
            # One byte more than expected is asked for, so that a longer file shows, whatever its size.
            content = file.read(record * len(images) + 1)
        if len(content) != record * len(images):
            raise DataError(
                f"{path}: expected {len(images)} records of {record} bytes; "
                f"it is truncated, or not {files.title}'s {expected.name}"
            )
        records = np.frombuffer(content, dtype=np.uint8).reshape(len(images), record)
        images[:] = records[:, files.label_bytes :].reshape(images.shape)
        return records[:, files.label_bytes - 1].astype(np.int64)

    return _read(folder, files, read_batch)


def _read(
    folder: Path, files: CifarFiles, read_batch: Callable[[Path, DataFile, np.ndarray], np.ndarray]
) -> tuple[Split, Split]:
    """Fill one array for training and one for test, file by file: no more than one file is held twice."""
    parts = []
    for expected, records in ((files.train, files.train_records), (files.test, files.test_records)):
        images = np.empty((len(expected) * records, *SHAPE), dtype=np.uint8)
        labels = [
            read_batch(folder / file.name, file, images[index * records : (index + 1) * records])
            for index, file in enumerate(expected)
        ]
        parts.append(Split(images, np.concatenate(labels)))
    return parts[0], parts[1]


# Digests.  CIFAR-10: of files whose published MD5 sums are right; those of the binary version, computed
# from the Python version's contents, equal the published ones.  CIFAR-100: several independent publications
# agree on the Python version; for the binary version only one was found, so its exact size and its
# structure are checked instead.

CIFAR10_PYTHON = CifarFiles(
    title="CIFAR-10 (Python version)",
    train=(
        DataFile(
            "data_batch_1", "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd", 31_035_704
        ),
        DataFile(
            "data_batch_2", "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8", 31_035_320
        ),
        DataFile(
            "data_batch_3", "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9", 31_035_999
        ),
        DataFile(
            "data_batch_4", "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b", 31_035_696
        ),
        DataFile(
            "data_batch_5", "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154", 31_035_623
        ),
    ),
    test=(
        DataFile(
            "test_batch", "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831", 31_035_526
        ),
    ),
    train_records=10_000,
    test_records=10_000,
)
CIFAR10_BINARY = CifarFiles(
    title="CIFAR-10 (binary version)",
    train=(
        DataFile(
            "data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5", 30_730_000
        ),
        DataFile(
            "data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed", 30_730_000
        ),
        DataFile(
            "data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67", 30_730_000
        ),
        DataFile(
            "data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48", 30_730_000
        ),
        DataFile(
            "data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add", 30_730_000
        ),
    ),
    test=(
        DataFile(
            "test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b", 30_730_000
        ),
    ),
    train_records=10_000,
    test_records=10_000,
)
CIFAR100_PYTHON = CifarFiles(
    title="CIFAR-100 (Python version)",
    train=(
        DataFile("train", "735e79b04f092ca3d2e6d07f368c0a7d70d48c48d28865950cc24454cf45129b", 155_249_918),
    ),
    test=(DataFile("test", "4b67687d9933c4db8f0831104447f15b93774f4f464bd0516f0f0f2ac83b7864"),),
    train_records=50_000,
    test_records=10_000,
    label=b"fine_labels",
)
CIFAR100_BINARY = CifarFiles(
    title="CIFAR-100 (binary version)",
    train=(DataFile("train.bin", size=153_700_000),),
    test=(DataFile("test.bin", size=30_740_000),),
    train_records=50_000,
    test_records=10_000,
    label_bytes=2,
)

# Class names for people and other programs; the loaders take them from `sources` instead.
CIFAR10_META = DataFile(
    "batches.meta", "f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb", 158
)
CIFAR100_META = DataFile("meta", "a5d4786345c961390f865e93b434dbd5c6904ce880667e0cb888c97d449f28b9", 1_473)
