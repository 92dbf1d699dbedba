"""CIFAR-10 and CIFAR-100: fakes of a few records, and the real files where they are."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plaingrad.data import load_data
from plaingrad.data.cifar import (
    CIFAR10_BINARY,
    CIFAR10_META,
    CIFAR10_PYTHON,
    CIFAR100_BINARY,
    CIFAR100_PYTHON,
    PIXELS,
    CifarFiles,
    read_binary,
    read_python,
)
from plaingrad.data.files import DataFile
from plaingrad.errors import DataError

from .conftest import pickled_batch

RECORDS = 4


def known(name: str, content: bytes) -> DataFile:
    return DataFile(name, hashlib.sha256(content).hexdigest(), len(content))


@pytest.fixture
def batches():
    random = np.random.default_rng(0)
    return [
        (random.integers(0, 256, (RECORDS, PIXELS), dtype=np.uint8), random.integers(0, 10, RECORDS).tolist())
        for _ in range(3)
    ]


def write(folder, contents: dict[str, bytes], label: bytes = b"labels", label_bytes: int = 1) -> CifarFiles:
    files = [known(name, content) for name, content in contents.items()]
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return CifarFiles("a fake", tuple(files[:-1]), tuple(files[-1:]), RECORDS, RECORDS, label, label_bytes)


@pytest.fixture
def python_version(tmp_path, batches):
    return write(tmp_path, {f"batch_{i}": pickled_batch(*batch) for i, batch in enumerate(batches)})


def check(parts, batches):
    train, test = parts
    assert train.images.shape == (2 * RECORDS, 3, 32, 32)
    assert train.images.dtype == np.uint8
    assert train.images.flags.c_contiguous
    assert train.labels.dtype == np.int64
    np.testing.assert_array_equal(
        train.images.reshape(-1, PIXELS), np.concatenate([b[0] for b in batches[:2]])
    )
    np.testing.assert_array_equal(train.labels, batches[0][1] + batches[1][1])
    np.testing.assert_array_equal(test.images.reshape(-1, PIXELS), batches[2][0])
    np.testing.assert_array_equal(test.labels, batches[2][1])


def test_python_version(tmp_path, python_version, batches):
    check(read_python(tmp_path, python_version), batches)


def test_fine_labels_of_cifar100(tmp_path, batches):
    contents = {str(i): pickled_batch(*batch, key=b"fine_labels") for i, batch in enumerate(batches)}
    check(read_python(tmp_path, write(tmp_path, contents, label=b"fine_labels")), batches)


@pytest.mark.parametrize("label_bytes", [1, 2])
def test_binary_version_takes_the_last_label_byte(tmp_path, batches, label_bytes):
    contents = {}
    for index, (images, labels) in enumerate(batches):
        head = np.full((RECORDS, label_bytes), 99, dtype=np.uint8)
        head[:, -1] = labels
        contents[f"{index}.bin"] = np.hstack([head, images]).tobytes()
    check(read_binary(tmp_path, write(tmp_path, contents, label_bytes=label_bytes)), batches)


@pytest.mark.parametrize("change", ["truncated", "altered", "missing", "another file", "longer"])
def test_a_wrong_file_is_named(tmp_path, python_version, change):
    path = tmp_path / "batch_1"
    content = path.read_bytes()
    if change == "missing":
        path.unlink()
    else:
        middle = len(content) // 2
        path.write_bytes(
            {
                "truncated": content[:-1],
                "altered": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
                "another file": (tmp_path / "batch_0").read_bytes(),
                "longer": content + b"\0",
            }[change]
        )
    with pytest.raises(DataError, match=r"batch_1: .*a fake's batch_1"):
        read_python(tmp_path, python_version)


def test_another_data_set_in_its_place_is_named_even_without_a_digest(tmp_path, batches):
    contents = {str(i): pickled_batch(*batch, key=b"fine_labels") for i, batch in enumerate(batches)}
    files = write(tmp_path, contents)
    undigested = replace(files, train=tuple(DataFile(f.name) for f in files.train))
    with pytest.raises(DataError, match=r"0: holds \[b'data', b'fine_labels'\].*a fake's 0"):
        read_python(tmp_path, undigested)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((RECORDS + 1, PIXELS), np.uint8), [0] * RECORDS, "expected images"),
        (np.zeros((RECORDS, PIXELS - 1), np.uint8), [0] * RECORDS, "expected images"),
        (np.zeros((RECORDS, PIXELS), np.uint8), [0] * (RECORDS - 1), "4 whole numbers"),
    ],
)
def test_contents_of_another_size_are_refused(tmp_path, images, labels, message):
    contents = {name: pickled_batch(images, labels) for name in ("0", "1", "2")}
    with pytest.raises(DataError, match=message):
        read_python(tmp_path, write(tmp_path, contents))


@pytest.mark.parametrize("size", [3073 * RECORDS - 1, 3073 * RECORDS + 1])
def test_binary_records_of_another_length_are_refused(tmp_path, size):
    files = write(tmp_path, {name: bytes(size) for name in ("0", "1", "2")})
    with pytest.raises(DataError, match="4 records of 3073 bytes"):
        read_binary(tmp_path, files)


def test_a_file_of_the_wrong_size_is_not_read(tmp_path, python_version, monkeypatch):
    with (tmp_path / "batch_0").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte, of which the disk holds nothing
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("read a file of the wrong size"))
    with pytest.raises(DataError, match="1,099,511,627,776 bytes"):
        read_python(tmp_path, python_version)


def test_a_malicious_file_of_the_right_digest_is_still_not_executed(tmp_path, python_version, monkeypatch):
    attack = b"\x80\x02cos\nsystem\nU\x0etouch EXECUTED\x85R."
    (tmp_path / "batch_0").write_bytes(attack)
    files = replace(python_version, train=(known("batch_0", attack),))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"batch_0: asks for os\.system"):
        read_python(tmp_path, files)
    assert not (tmp_path / "EXECUTED").exists()


@pytest.mark.parametrize(
    ("files", "images"),
    [
        (CIFAR10_PYTHON, 50_000),
        (CIFAR10_BINARY, 50_000),
        (CIFAR100_PYTHON, 50_000),
        (CIFAR100_BINARY, 50_000),
    ],
)
def test_the_published_files_add_up(files, images):
    assert len(files.train) * files.train_records == images
    assert len(files.test) * files.test_records == 10_000
    for file in (*files.train, *files.test):
        assert file.sha256 is not None or file.size is not None
        if file.name.endswith(".bin"):
            records = files.test_records if file in files.test else files.train_records
            assert file.size == records * (files.label_bytes + PIXELS)


MD5 = {  # as published with the data set
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}


class TestRealFiles:
    def test_our_sha256_sums_are_those_of_the_published_md5_sums(self, cifar10_folder):
        for file in (*CIFAR10_PYTHON.train, *CIFAR10_PYTHON.test, CIFAR10_META):
            content = (cifar10_folder / file.name).read_bytes()
            assert hashlib.md5(content).hexdigest() == MD5[file.name]
            assert hashlib.sha256(content).hexdigest() == file.sha256
            assert len(content) == file.size

    def test_experiments_split(self, cifar10_folder):
        data = load_data("cifar10", cifar10_folder, train=19_000, validation=1_000, test=1_000)
        assert [len(split) for split in data.splits.values()] == [19_000, 1_000, 1_000]
        whole = load_data("cifar10", cifar10_folder.parent, validation=0)
        np.testing.assert_array_equal(data.validation.images, whole.train.images[19_000:20_000])
        np.testing.assert_array_equal(np.bincount(whole.train.labels), [5_000] * 10)
        np.testing.assert_array_equal(np.bincount(whole.test.labels), [1_000] * 10)

    def test_the_binary_version_holds_the_same(self, cifar10_folder, tmp_path):
        train, test = read_python(cifar10_folder, CIFAR10_PYTHON)
        for part, files in ((train, CIFAR10_BINARY.train), (test, CIFAR10_BINARY.test)):
            for index, file in enumerate(files):
                rows = slice(index * 10_000, (index + 1) * 10_000)
                labels = part.labels[rows, None].astype(np.uint8)
                np.hstack([labels, part.images[rows].reshape(-1, PIXELS)]).tofile(tmp_path / file.name)
        again, _ = read_binary(tmp_path, CIFAR10_BINARY)  # checks the digests published for it
        np.testing.assert_array_equal(again.images, train.images)

    def test_memory(self, cifar10_folder):
        # Not getrusage: its peak is inherited from the process that started this one.
        if not Path("/proc/self/status").exists():
            pytest.skip("this system does not report a process's peak memory in /proc")
        program = (
            "import re, sys; from plaingrad.data import load_data; data = load_data('cifar10', sys.argv[1]);"
            "print(re.search(r'VmHWM:\\s*(\\d+) kB', open('/proc/self/status').read())[1])"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(cifar10_folder)], capture_output=True, text=True, check=True
        )
        peak = int(done.stdout) * 1024
        assert peak < 300e6, f"{peak / 1e6:.0f} MB"
