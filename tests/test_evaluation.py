"""What a trained run is worth: on its data, on other data, and on image files of any scale."""

import shutil

import numpy as np
import pytest
from PIL import Image

from plaingrad import training
from plaingrad.errors import DataError, RunError
from plaingrad.evaluation import evaluate, predict
from plaingrad.recipe import read_recipe
from plaingrad.run_folder import RunFolder

QUICK = ["network.hidden=[8]", "training.epochs=2", "training.checkpoint_seconds=0", "data.validation=12"]
BYTES = np.random.default_rng(0).integers(0, 256, (60, 3, 4, 5), dtype=np.uint8)
LABELS = np.arange(60) % 3


def train(out, path, normalize="standard", **more):
    recipe = read_recipe("digits", [*QUICK, f"data.normalize={normalize}"], {"data.name": str(path), **more})
    return training.train(recipe, out)


def train_on(folder, images, labels=LABELS, normalize="standard"):
    folder.mkdir(exist_ok=True)
    np.savez(folder / "own.npz", images=images, labels=labels)
    train(folder / "run", folder / "own.npz", normalize)
    return folder / "run"


@pytest.fixture
def own(tmp_path):
    return train_on(tmp_path / "data", BYTES)


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{index}.png" for index in range(5)]
    for path, image in zip(paths, BYTES, strict=False):
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
    return paths


@pytest.mark.parametrize(
    "images",
    [BYTES, BYTES / 255, (BYTES / 255).astype(np.float32), BYTES.astype(np.uint16) * 257],
    ids=["bytes", "float64", "float32", "uint16"],
)
@pytest.mark.parametrize("normalize", ["standard", "none", "unit"])
def test_predict_sees_what_training_saw(tmp_path, files, images, normalize):
    run = train_on(tmp_path / "data", images, normalize=normalize)
    network, normalization, _ = RunFolder.open(run).load()
    expected = network.probabilities(normalization.batch(images[: len(files)]))
    got = [list(p.probabilities.values()) for p in predict(run, files)]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("images", [BYTES * 1.0, BYTES.astype(np.int64), BYTES / 255 - 0.5])
def test_predict_does_not_guess_the_scale(tmp_path, files, images):
    run = train_on(tmp_path / "data", images)
    with pytest.raises(RunError, match=r"scale is not known.*; train on uint8 images or on floats in"):
        predict(run, files)


@pytest.mark.parametrize("images", [BYTES.reshape(60, -1), np.repeat(BYTES, 2, axis=1)])
def test_predict_needs_a_run_on_images(tmp_path, files, images):
    run = train_on(tmp_path / "data", images)
    with pytest.raises(RunError, match="not on grey or colour images"):
        predict(run, files)


def test_predict_passes_over_what_systems_leave_beside_files(own, files, tmp_path):
    (tmp_path / "._0.png").write_bytes(b"no image")
    mixed = [tmp_path / "._0.png", files[2], str(tmp_path / "._0.png"), files[0]]
    assert predict(own, mixed) == predict(own, [files[2], files[0]])
    assert [p.image for p in predict(own, mixed)] == [str(files[2]), str(files[0])]
    for nothing in ([], [tmp_path / "._0.png"]):
        with pytest.raises(DataError, match="there is no image among the files"):
            predict(own, nothing)


def test_predict_takes_one_file_and_more_than_one_batch(own, files, monkeypatch):
    together = predict(own, files)
    monkeypatch.setattr("plaingrad.evaluation.BATCH", 2)
    apart = predict(own, files)
    assert [p.image for p in apart] == [str(file) for file in files]
    assert [p.probability for p in apart] == pytest.approx([p.probability for p in together])
    assert predict(own, str(files[0])) == predict(own, [files[0]])


def test_own_arrays_that_have_moved(own, tmp_path):
    before = evaluate(own)
    (tmp_path / "attic").mkdir()
    moved = shutil.move(tmp_path / "data" / "own.npz", tmp_path / "attic" / "own.npz")
    with pytest.raises(DataError, match=r"own\.npz"):
        evaluate(own)
    said = []
    for place in (moved, tmp_path / "attic"):
        assert evaluate(own, data_path=str(place), warn=said.append) == before
    assert not said


def test_own_images_that_have_moved(tmp_path):
    for index, image in enumerate(BYTES):
        path = tmp_path / "photos" / "abc"[index % 3] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
    train(tmp_path / "run", tmp_path / "photos")
    before = evaluate(tmp_path / "run")
    (tmp_path / "photos").rename(tmp_path / "pictures")
    said = []
    assert evaluate(tmp_path / "run", data_path=str(tmp_path / "pictures"), warn=said.append) == before
    assert not said
    (tmp_path / "pictures" / "b").rename(tmp_path / "pictures" / "d")
    with pytest.raises(
        RunError, match=r"trained on 3 classes \(a, b, c\), but pictures has 3 classes \(a, c, d\)"
    ):
        evaluate(tmp_path / "run", data_path=str(tmp_path / "pictures"))


def test_other_data_is_measured_with_a_warning(own, tmp_path):
    np.savez(tmp_path / "other.npz", images=BYTES[::-1], labels=LABELS)
    said = []
    measured = evaluate(own, data_path=str(tmp_path / "other.npz"), warn=said.append)
    assert measured["test"]["samples"] == 6
    assert len(said) == 1
    assert "the digests differ" in said[0]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (BYTES, LABELS % 2, r"trained on 3 classes \(0, 1, 2\), but other has 2 classes \(0, 1\)"),
        (BYTES[:, :1], LABELS, r"samples of shape \(3, 4, 5\), but those of other have shape \(1, 4, 5\)"),
    ],
)
def test_data_the_run_cannot_have_been_trained_on(own, tmp_path, images, labels, message):
    np.savez(tmp_path / "other.npz", images=images, labels=labels)
    with pytest.raises(RunError, match=message):
        evaluate(own, data_path=str(tmp_path / "other.npz"))


def test_nothing_to_measure_on(tmp_path):
    np.savez(
        tmp_path / "own.npz", X_train=BYTES, y_train=LABELS, X_val=BYTES[:0], y_val=LABELS[:0],
        X_test=BYTES[:0], y_test=LABELS[:0],
    )  # fmt: skip
    recipe = read_recipe(
        "digits", [*QUICK[:3], "data.validation=0"], {"data.name": str(tmp_path / "own.npz")}
    )
    training.train(recipe, tmp_path / "run")
    with pytest.raises(DataError, match="there is nothing to measure"):
        evaluate(tmp_path / "run")
