"""Folders of images by class."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from plaingrad.data import load_data
from plaingrad.data.folder import read_folder
from plaingrad.errors import DataError


def save(path, value: int, size=(3, 2), mode="RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, (value,) * 3 if mode == "RGB" else value).save(path)


@pytest.fixture
def zoo(tmp_path):
    """Twenty cats and ten dogs; the first pixel of a cat is below 100."""
    folder = tmp_path / "zoo"
    for index in range(20):
        save(folder / "cat" / f"{index:02}.png", index)
    for index in range(10):
        save(folder / "dog" / f"{index:02}.PNG", 100 + index)
    return folder


def values(split) -> list[int]:
    return split.images[:, 0, 0, 0].tolist()


def test_split_by_seed(zoo):
    data = load_data(zoo, validation=0.2, test=3)
    assert data.name == "zoo"
    assert data.classes == ("cat", "dog")
    assert [len(split) for split in data.splits.values()] == [21, 6, 3]
    assert data.input_shape == (3, 2, 3)
    for split in data.splits.values():
        assert split.labels.dtype == np.int64
        assert [int(value >= 100) for value in values(split)] == split.labels.tolist()
    everything = [value for split in data.splits.values() for value in values(split)]
    assert sorted(everything) == [*range(20), *range(100, 110)]
    assert values(load_data(zoo, validation=0.2, test=3).train) == values(data.train)
    assert values(load_data("images", zoo, validation=0.2, test=3, seed=1).train) != values(data.train)


def test_each_sample_knows_its_file(zoo):
    for split in load_data(zoo, validation=0.2, test=3, train=9).splits.values():
        assert len(split.files) == len(split)
        for name, value in zip(split.files, values(split), strict=True):
            assert name == (f"cat/{value:02}.png" if value < 100 else f"dog/{value - 100:02}.PNG")


def test_the_first_images_to_train_on_are_of_all_classes(zoo):
    assert set(load_data(zoo, train=6).train.labels) == {0, 1}


@pytest.mark.parametrize("validation_name", ["validation", "val"])
def test_ready_made_parts(tmp_path, validation_name):
    for part, count in (("train", 4), (validation_name, 2), ("test", 3)):
        for index in range(count):
            save(tmp_path / part / "a" / f"{index}.png", index)
            save(tmp_path / part / "b" / f"{index}.png", 50 + index)
    data = load_data(tmp_path)
    assert [len(split) for split in data.splits.values()] == [8, 4, 6]
    for folder, split in zip(("train", validation_name, "test"), data.splits.values(), strict=True):
        for name, value in zip(split.files, values(split), strict=True):
            assert name == f"{folder}/{'ab'[value // 50]}/{value % 50}.png"
    assert values(data.test) == [0, 1, 2, 50, 51, 52]
    assert len(load_data(tmp_path, train=3, test=2).test) == 2


def test_missing_parts_are_taken_from_train(tmp_path):
    for index in range(10):
        save(tmp_path / "train" / "a" / f"{index}.png", index)
        save(tmp_path / "train" / "b" / f"{index}.png", 50 + index)
    save(tmp_path / "test" / "b" / "0.png", 99)
    data = load_data(tmp_path, validation=4)
    assert [len(split) for split in data.splits.values()] == [16, 4, 1]
    assert sorted(values(data.train) + values(data.validation)) == [*range(10), *range(50, 60)]
    assert data.test.labels.tolist() == [1]


def test_a_class_may_be_called_train(tmp_path):
    save(tmp_path / "train" / "thomas.png", 1)
    save(tmp_path / "car" / "herbie.png", 2)
    assert load_data(tmp_path, validation=0, test=0).classes == ("car", "train")


def test_other_files_are_skipped(zoo):
    (zoo / "cat" / "._00.png").write_bytes(b"\0\5\x16\7")
    (zoo / "cat" / ".hidden.png").write_bytes(b"")
    (zoo / "cat" / "Thumbs.db").write_bytes(b"")
    (zoo / ".cache").mkdir()
    (zoo / "readme.txt").write_text("a zoo")
    assert sum(len(split) for split in load_data(zoo).splits.values()) == 30


def test_grey_only_if_all_are(tmp_path):
    for index in range(5):
        save(tmp_path / "a" / f"{index}.png", index, mode="L")
    assert load_data(tmp_path).input_shape == (1, 2, 3)
    save(tmp_path / "a" / "9.png", 9)
    assert load_data(tmp_path).input_shape == (3, 2, 3)


def test_differing_sizes(zoo):
    save(zoo / "dog" / "tall.png", 5, size=(3, 9))
    with pytest.raises(DataError, match=r"tall\.png: is 9x3 \(height x width\), but .*00\.png is 2x3"):
        load_data(zoo)
    assert load_data(zoo, size=(4, 6)).input_shape == (3, 4, 6)


def test_an_empty_class_is_named(zoo):
    (zoo / "unicorn").mkdir()
    (zoo / "unicorn" / "note.txt").write_text("none found")
    with pytest.raises(DataError, match="unicorn: no images"):
        load_data(zoo)


def test_an_unknown_class_in_a_part_is_named(tmp_path):
    save(tmp_path / "train" / "a" / "0.png", 0)
    save(tmp_path / "test" / "b" / "0.png", 0)
    with pytest.raises(DataError, match=r"b: no class of the training images; there are a"):
        load_data(tmp_path)


def test_an_unreadable_image_is_named(zoo):
    (zoo / "dog" / "03.PNG").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"03\.PNG: cannot be read as an image"):
        load_data(zoo)


def test_no_folder_no_classes_no_training_images(zoo, tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_folder(tmp_path / "none")
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match=r"no class folders; put the images into .*CLASS"):
        read_folder(tmp_path / "bare")
    with pytest.raises(DataError, match="leave none to train on"):
        read_folder(zoo, test=30)


def test_an_absurd_size_is_refused_before_memory_is_asked_for(zoo, monkeypatch):
    with pytest.raises(
        DataError, match=r"30 images of 9000000x9000000 .* take 7,290,000,000,000,000 bytes, but"
    ):
        load_data(zoo, size=(9_000_000, 9_000_000))
    monkeypatch.setattr("plaingrad.data.folder._memory", lambda: 540)
    assert load_data(zoo).input_shape == (3, 2, 3)
    with pytest.raises(DataError, match="take 720 bytes, but this machine has 540; give a smaller size"):
        load_data(zoo, size=(2, 4))


def test_a_size_of_nothing(zoo):
    with pytest.raises(DataError, match="cannot be resized to 0x4"):
        load_data(zoo, size=(0, 4))
