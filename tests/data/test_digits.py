"""The digits inside the package."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import numpy as np
import pytest

from plaingrad.data import load_data
from plaingrad.data.splits import stratified_order


def test_the_split():
    data = load_data("digits")
    assert [len(split) for split in data.splits.values()] == [1_297, 200, 300]
    assert data.input_shape == (1, 8, 8)
    assert data.train.images.dtype == np.uint8
    assert data.train.labels.dtype == np.int64
    assert (data.train.images.min(), data.train.images.max()) == (0, 255)
    for split in data.splits.values():
        share = np.bincount(split.labels, minlength=10) / len(split)
        np.testing.assert_allclose(share, 0.1, atol=0.01)
    rows = np.concatenate([split.images for split in data.splits.values()]).reshape(1_797, 64)
    assert len(np.unique(rows, axis=0)) == 1_797, "an image occurs in two parts"


def test_it_never_changes():
    digest = hashlib.sha256()
    for split in load_data("digits").splits.values():
        digest.update(split.images.tobytes() + split.labels.astype("<i8").tobytes())
    assert digest.hexdigest() == "0b574778fd90d53d59efb98aaed7d191a599569d59cc96a574f5baa7f4caef50"


def test_it_is_what_scikit_learn_holds_in_the_documented_order():
    datasets = pytest.importorskip("sklearn.datasets", reason="needs scikit-learn to compare with")
    original = datasets.load_digits()
    data = load_data("digits")
    order = stratified_order(original.target, seed=0)
    images = np.concatenate([split.images for split in data.splits.values()])
    labels = np.concatenate([split.labels for split in data.splits.values()])
    np.testing.assert_array_equal(labels, original.target[order])
    np.testing.assert_array_equal(images[:, 0], np.rint(original.images[order] * 255 / 16))
    with files("plaingrad.data").joinpath("digits.npz").open("rb") as file:
        np.testing.assert_array_equal(np.load(file)["index"], order)


def test_the_licence_travels_with_the_data():
    text = files("plaingrad.data").joinpath("digits.LICENSE").read_text(encoding="utf-8")
    assert "Alpaydin" in text
    assert "CC BY 4.0" in text
