"""IDX files, plain and compressed, whole and damaged."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from plaingrad.data.files import DataFile
from plaingrad.data.idx import (
    FASHION_GZ,
    FASHION_PLAIN,
    MNIST_GZ,
    MNIST_PLAIN,
    IdxFiles,
    read_idx,
    read_idx_folder,
)
from plaingrad.errors import DataError


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def read(content: bytes, name: str = "file", dimensions: int = 3, **options) -> np.ndarray:
    return read_idx(io.BytesIO(content), Path(name), dimensions, **options)


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@given(arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, max_side=7)), st.booleans())
def test_round_trip(array, packed):
    content = gzip.compress(idx(array)) if packed else idx(array)
    np.testing.assert_array_equal(read(content, "file.gz" if packed else "file", array.ndim), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (idx(IMAGES)[:3], "begins with 000008"),
        (idx(IMAGES)[:10], "within the header"),
        (idx(IMAGES, kind=9), "begins with 00000903"),
        (idx(IMAGES[0]), "begins with 00000802.*exchanged"),
        (idx(IMAGES)[:-1], "1 bytes are missing"),
        (idx(IMAGES)[:-24], "24 bytes are missing"),
        (idx(IMAGES) + b"\0", "there is more"),
        (idx(IMAGES[:0]), "announces an array of shape"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "announces an array of shape"),
    ],
)
@pytest.mark.parametrize("name", ["file", "file.gz"])
def test_wrong_contents(content, message, name):
    with pytest.raises(DataError, match=f"{name}: .*{message}"):
        read(gzip.compress(content) if name.endswith("gz") else content, name)


@pytest.mark.parametrize(
    "content", [b"no gzip", gzip.compress(idx(IMAGES))[:-9], b"\x1f\x8b\x08" + b"\xff" * 40]
)
def test_damaged_gzip(content):
    with pytest.raises(DataError, match=r"file\.gz: "):
        read(content, "file.gz")


def test_a_gzip_bomb_is_decompressed_no_further_than_announced():
    class Counting(io.BytesIO):
        taken = 0

        def read(self, size=-1):
            data = super().read(size)
            self.taken += len(data)
            return data

    bomb = Counting(gzip.compress(idx(IMAGES) + bytes(200 << 20)))
    with pytest.raises(DataError, match="there is more"):
        read_idx(bomb, Path("bomb.gz"), 3)
    assert bomb.taken < len(bomb.getvalue()) / 2


def test_the_limit_counts_what_is_announced():
    assert read(idx(IMAGES), limit=24).shape == (2, 3, 4)
    with pytest.raises(DataError, match="1 to 23 elements"):
        read(idx(IMAGES), limit=23)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder(tmp_path, suffix):
    contents = [idx(IMAGES), idx(np.array([3, 1], np.uint8)), idx(IMAGES[:1]), idx(np.array([9], np.uint8))]
    files = []
    for name, content in zip(("images", "labels", "test-images", "test-labels"), contents, strict=True):
        stored = gzip.compress(content) if suffix else content
        (tmp_path / (name + suffix)).write_bytes(stored)
        files.append(DataFile(name + suffix, hashlib.sha256(stored).hexdigest()))
    expected = IdxFiles("fake digits", *files)
    train, test = read_idx_folder(tmp_path, expected)
    np.testing.assert_array_equal(train.images, IMAGES[:, None])
    assert train.labels.tolist() == [3, 1]
    assert train.labels.dtype == np.int64
    assert test.images.shape == (1, 1, 3, 4)

    (tmp_path / files[3].name).write_bytes(b"altered")
    with pytest.raises(DataError, match=r"SHA-256.*fake digits's test-labels"):
        read_idx_folder(tmp_path, expected)
    (tmp_path / files[3].name).unlink()
    with pytest.raises(DataError, match=r"test-labels.*cannot be read"):
        read_idx_folder(tmp_path, expected)


def test_a_file_is_told_from_another_of_its_size_by_md5_where_that_is_all_that_is_known(tmp_path):
    contents = {
        "i": idx(IMAGES),
        "l": idx(np.zeros(2, np.uint8)),
        "j": idx(IMAGES),
        "m": idx(np.ones(2, np.uint8)),
    }
    files = [DataFile(name, size=len(c), md5=hashlib.md5(c).hexdigest()) for name, c in contents.items()]
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    assert read_idx_folder(tmp_path, IdxFiles("fake", *files))[1].labels.tolist() == [1, 1]
    (tmp_path / "m").write_bytes(contents["l"])
    with pytest.raises(DataError, match="m: its MD5 is"):
        read_idx_folder(tmp_path, IdxFiles("fake", *files))


def test_mnist_and_fashion_mnist_are_told_apart():
    for files in (MNIST_PLAIN, FASHION_PLAIN):
        listed = (files.train_images, files.train_labels, files.test_images, files.test_labels)
        assert [file.size for file in listed] == [
            16 + 60_000 * 784,
            8 + 60_000,
            16 + 10_000 * 784,
            8 + 10_000,
        ]
        assert all(file.sha256 or file.md5 for file in listed)
    digests = {
        file.sha256 for files in (MNIST_GZ, FASHION_GZ) for file in (files.train_images, files.test_images)
    }
    assert len(digests) == 4
