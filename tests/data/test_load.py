"""`load_data`: finding data by name or path, its splits, and what it says when there is nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import plaingrad.data
from plaingrad.data import default_dir, load_data
from plaingrad.data.cifar import CifarFiles, read_binary
from plaingrad.data.files import DataFile, Layout
from plaingrad.data.sources import Source
from plaingrad.errors import DataError


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A source "toy" of 20 training and 10 test records, in `tmp_path/toy`; each image is its number."""
    numbers = np.arange(30, dtype=np.uint8)
    records = np.repeat(numbers[:, None], 3073, axis=1)
    records[:, 0] %= 10
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "train").write_bytes(records[:20].tobytes())
    (tmp_path / "toy" / "test").write_bytes(records[20:].tobytes())
    files = CifarFiles("toy", (DataFile("train"),), (DataFile("test"),), 20, 10)

    def layout(*folders: str) -> Layout:
        return Layout("toy", folders, (*files.train, *files.test), lambda folder: read_binary(folder, files))

    source = Source(
        "toy", "", "", "", tuple("0123456789"), 5, layouts=(layout("toy", "TOY/raw"), layout("toy-bin"))
    )
    monkeypatch.setattr(plaingrad.data, "SOURCES", {"toy": source, **plaingrad.data.SOURCES})
    monkeypatch.setenv("PLAINGRAD_DATA_DIR", str(tmp_path))
    return tmp_path


def numbers(split) -> list[int]:
    return split.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    ("options", "train", "validation", "test"),
    [
        ({}, range(15), range(15, 20), range(20, 30)),
        ({"validation": 2}, range(18), range(18, 20), range(20, 30)),
        ({"train": 3, "validation": 2}, range(3), range(3, 5), range(20, 30)),
        ({"train": 3}, range(3), range(3, 8), range(20, 30)),
        ({"validation": 0, "test": 4}, range(20), [], range(20, 24)),
        ({"validation": 0.5, "test": 0.5}, range(10), range(10, 20), range(20, 25)),
    ],
)
def test_published_data_is_taken_in_order(toy, options, train, validation, test):
    data = load_data("toy", **options)
    assert [numbers(split) for split in data.splits.values()] == [list(train), list(validation), list(test)]
    assert data.train.labels.tolist() == [number % 10 for number in train]


@pytest.mark.parametrize("folder", ["toy", "TOY/raw", "toy-bin"])
@pytest.mark.parametrize("itself", [False, True])
def test_the_folder_or_the_one_that_holds_it(toy, folder, itself):
    moved = toy / "elsewhere" / folder
    moved.parent.mkdir(parents=True)
    (toy / "toy").rename(moved)
    assert len(load_data("toy", moved if itself else toy / "elsewhere").train) == 15


def test_the_complete_folder_is_preferred_to_one_just_begun(toy):
    (toy / "toy").rename(toy / "toy-bin")
    (toy / "toy").mkdir()
    (toy / "toy" / "train").write_bytes(b"")
    assert len(load_data("toy").test) == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation": 20}, "toy: 20 validation images asked for"),
        ({"train": 16}, "toy: 5 validation images after 16 training images"),
        ({"train": 0}, "leave at least one to train on"),
        ({"validation": 21}, "toy: validation: 21 images asked for, but there are 20"),
        ({"test": 11}, "toy: test: 11 images asked for, but there are 10"),
        ({"test": -1}, "toy: test: -1 images"),
        ({"size": (8, 8)}, "only a folder of images is resized"),
    ],
)
def test_impossible_wishes(toy, options, message):
    with pytest.raises(DataError, match=message):
        load_data("toy", **options)


def test_what_is_not_there(toy):
    with pytest.raises(DataError) as caught:
        load_data("toy", toy / "nowhere")
    message = str(caught.value)
    for piece in ("toy or toy-bin", str(toy / "nowhere"), "`plaingrad data fetch toy`", "--data-dir"):
        assert piece in message


def test_half_a_data_set_names_the_missing_file(toy):
    (toy / "toy" / "test").unlink()
    with pytest.raises(DataError, match=r"toy.test: cannot be read"):
        load_data("toy")


@pytest.mark.parametrize(
    ("name", "meant"), [("cifar-10", "cifar10"), ("MNIST", "mnist"), ("digit", "digits")]
)
def test_a_misspelt_name(name, meant):
    with pytest.raises(
        DataError, match=f"did you mean '{meant}'.*digits, cifar10, cifar100, mnist, fashion-mnist"
    ):
        load_data(name)


def test_an_unlike_name_gets_no_guess():
    with pytest.raises(DataError, match="no data set is called 'xyzzy': there are digits"):
        load_data("xyzzy")
    with pytest.raises(DataError, match=r"there is no such file|no data set"):
        load_data(Path("nothing.npz"))


def test_own_data_needs_one_path(tmp_path):
    with pytest.raises(DataError, match="images: give the path too"):
        load_data("images")
    with pytest.raises(DataError, match="is a path already"):
        load_data(tmp_path, tmp_path)


def test_a_name_wins_over_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("digits").mkdir()
    assert load_data("digits").name == "digits"


def test_default_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("PLAINGRAD_DATA_DIR", str(tmp_path))
    assert default_dir() == tmp_path
    monkeypatch.delenv("PLAINGRAD_DATA_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_dir() == tmp_path / "plaingrad" / "data"


def test_importing_it_imports_nothing_heavy():
    program = (
        "import sys, plaingrad.data;"
        "print(sorted({'PIL', 'pooch', 'requests', 'urllib3', 'tarfile', 'pickle'} & (set(sys.modules) - numpys)))"
    )
    program = f"import sys, numpy; numpys = set(sys.modules); {program}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
