""".npz files, whole and wrong."""

from __future__ import annotations

import numpy as np
import pytest

from plaingrad.data import load_data
from plaingrad.errors import DataError

X = np.random.default_rng(0).integers(0, 256, (40, 3, 4, 5), dtype=np.uint8)
Y = np.arange(40, dtype=np.uint8) % 4


def write(tmp_path, **arrays):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    return path


def test_ready_made_parts(tmp_path):
    path = write(tmp_path, X_train=X, y_train=Y, X_val=X[:8], y_val=Y[:8], X_test=X[:4], y_test=Y[:4])
    data = load_data(path)
    assert data.name == "own"
    assert data.classes == ("0", "1", "2", "3")
    assert [len(split) for split in data.splits.values()] == [40, 8, 4]
    np.testing.assert_array_equal(data.train.images, X)
    assert data.train.labels.dtype == np.int64
    assert [
        len(split) for split in load_data("npz", path, train=5, validation=2, test=3).splits.values()
    ] == [
        5,
        2,
        3,
    ]


def test_a_missing_validation_set_is_split_off(tmp_path):
    data = load_data(write(tmp_path, X_train=X, y_train=Y, X_test=X[:4], y_test=Y[:4]), validation=8)
    assert [len(split) for split in data.splits.values()] == [32, 8, 4]
    np.testing.assert_array_equal(np.bincount(data.validation.labels), [2] * 4)
    np.testing.assert_array_equal(data.test.images, X[:4])


def test_images_and_labels_are_split_by_seed(tmp_path):
    path = write(tmp_path, images=X, labels=Y, classes=np.array(["a", "b", "c", "d"]))
    data = load_data(path, validation=0.1, test=0.2)
    assert data.classes == ("a", "b", "c", "d")
    assert [len(split) for split in data.splits.values()] == [28, 4, 8]
    joined = np.concatenate([split.images for split in data.splits.values()])
    assert {image.tobytes() for image in joined} == {image.tobytes() for image in X}
    assert load_data(path, seed=1).sha256 != load_data(path).sha256 == load_data(path).sha256


def test_grey_images_and_features(tmp_path):
    assert load_data(write(tmp_path, images=X[:, 0], labels=Y)).input_shape == (1, 4, 5)
    assert load_data(write(tmp_path, images=X.reshape(40, -1) / 255, labels=Y)).input_shape == (60,)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X_train": X}, "has no y_train and|has no y_train; it holds X_train, expected either"),
        ({"X_train": X, "y_train": Y}, "has no X_test and no y_test"),
        ({"X_train": X, "y_train": Y, "X_test": X, "y_test": Y, "X_val": X}, "has no y_val"),
        ({"data": X}, "has no images and no labels; it holds data"),
        ({"images": X, "labels": np.array(list("abcd") * 10, dtype=object)}, "Python objects"),
        ({"images": X, "labels": Y / 2}, "labels must be integers of shape"),
        ({"images": X, "labels": Y[:, None]}, r"labels must be integers of shape \(N,\)"),
        ({"images": X, "labels": Y[:-1]}, "images and labels: 40 images but 39 labels"),
        ({"images": X.transpose(0, 2, 3, 1), "labels": Y}, r"channels last; store images\.transpose"),
        ({"images": X[:, 0, 0, 0], "labels": Y}, r"has shape \(40,\)"),
        ({"images": X, "labels": Y, "classes": np.array(["a"])}, "there are 1 classes"),
        ({"images": X * np.nan, "labels": Y}, "holds NaN"),
        (
            {"images": X, "labels": Y, "classes": np.array(5)},
            r"classes must be names.* got int64 of shape \(\)",
        ),
        (
            {"images": X, "labels": Y, "classes": np.array(list("abcd"), "S")},
            r"classes must be names.* got \|S1",
        ),
        ({"images": X, "labels": Y, "classes": np.array(list("abca"))}, "two classes are called 'a'"),
        (
            {"X_train": X, "y_train": Y, "X_test": X / 255.0, "y_test": Y},
            "test: images are float64, .* uint8",
        ),
        (
            {"X_train": X, "y_train": Y, "X_test": X, "y_test": Y + 1},
            "y_test: label 4 at index 3 is out of range",
        ),
        (
            {"images": X, "labels": np.where(Y, 2**63 + 1, 0).astype(np.uint64)},
            f"label {2**63 + 1} at index 1",
        ),
    ],
)
def test_wrong_contents(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        load_data(write(tmp_path, **arrays))


def test_what_is_no_npz(tmp_path):
    whole = write(tmp_path, images=X, labels=Y).read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 3] ^= 255
    np.save(tmp_path / "array.npy", X)
    contents = {
        "empty.npz": b"",
        "text.npz": b"no data",
        "array.npz": (tmp_path / "array.npy").read_bytes(),
        "truncated.npz": whole[:-40],
        "damaged.npz": bytes(damaged),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            load_data(tmp_path / name)
    with pytest.raises(DataError, match="there is no such file"):
        load_data("npz", tmp_path / "none.npz")


def test_objects_are_never_unpickled(tmp_path, monkeypatch):
    class Payload:
        def __reduce__(self):
            return open, ("EXECUTED", "w")

    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, images=X, labels=np.array([Payload()] * 40, dtype=object))
    with pytest.raises(DataError, match="a pickle can run any program"):
        load_data(path)
    assert not (tmp_path / "EXECUTED").exists()


def test_an_absurd_label_is_refused_before_anything_is_made_of_it(tmp_path):
    labels = Y.astype(np.int64)
    labels[7] = 3 * 10**7
    with pytest.raises(DataError, match=r"labels: label 30000000 at index 7 asks for .* names as `classes`"):
        load_data(write(tmp_path, images=X, labels=labels))
    labels[7] = 40  # one more than forty samples can be numbered with
    with pytest.raises(DataError, match="label 40 at index 7"):
        load_data(write(tmp_path, images=X, labels=labels))
    named = write(tmp_path, images=X, labels=labels, classes=np.arange(41).astype(str))
    assert len(load_data(named).classes) == 41


@pytest.mark.parametrize("position", [3, 38])
def test_what_is_wrong_is_named_by_its_index_in_the_file(tmp_path, position):
    images, labels = X / 255.0, Y.astype(np.int64)
    images[position, 1, 2, 3] = np.nan
    with pytest.raises(DataError, match=rf"images and labels: image {position} holds NaN"):
        load_data(write(tmp_path, images=images, labels=labels))
    images[position, 1, 2, 3] = 1e300
    with pytest.raises(DataError, match=rf"image {position} holds values beyond the range of float32"):
        load_data(write(tmp_path, images=images, labels=labels))
    labels[position] = -1
    with pytest.raises(DataError, match=rf"images and labels: label -1 at index {position} "):
        load_data(write(tmp_path, images=X, labels=labels))


def test_a_zip_archive_of_other_things(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        archive.writestr("images", b"no array")
        archive.writestr("labels.txt", b"0 1 2")
    with pytest.raises(DataError, match="has no images and no labels; it holds nothing"):
        load_data(tmp_path / "own.npz")
