"""What a trained run is worth: on its data, on other data, and on image files of any scale."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import plaingrad as pg
from plaingrad import metrics, predictions, training
from plaingrad.data import Normalization, Split
from plaingrad.errors import DataError, NonFiniteError, RecipeError, RunError, ShapeError
from plaingrad.evaluation import evaluate, measure, note_predictions, predict, write_report
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


def same(one, other):
    assert list(one) == list(other)
    for part in one:
        for name, value in vars(one[part]).items():
            np.testing.assert_array_equal(getattr(other[part], name), value, err_msg=f"{part} {name}")


def test_predictions_are_made_again_as_training_made_them(own, tmp_path):
    folder = RunFolder.open(own)
    before = folder.predictions()
    folder.predictions_file.unlink()
    same(note_predictions(own), before)
    same(folder.predictions(), before)
    moved = shutil.move(tmp_path / "data" / "own.npz", tmp_path / "moved.npz")
    folder.predictions_file.unlink()
    same(note_predictions(own, data_path=str(moved)), before)


def test_the_test_set_of_a_run_that_was_not_tested_stays_closed(own):
    lines = (own / "history.jsonl").read_text().splitlines()
    for end in ([], ['{"type": "end", "test_accuracy": null}']):
        kept = [line for line in lines if json.loads(line)["type"] != "end"]
        (own / "history.jsonl").write_text("\n".join([*kept, *end, ""]))
        assert list(note_predictions(own)) == ["validation"]
        assert list(RunFolder.open(own).predictions()) == ["validation"]


def test_predictions_on_other_data_are_not_the_runs(own, tmp_path):
    np.savez(tmp_path / "other.npz", images=BYTES[::-1], labels=LABELS)
    before = RunFolder.open(own).predictions()
    with pytest.raises(RunError, match="not the data that .* was trained on"):
        note_predictions(own, data_path=str(tmp_path / "other.npz"))
    same(RunFolder.open(own).predictions(), before)


def test_a_report_notes_the_predictions_that_are_missing(own, tmp_path):
    folder, said = RunFolder.open(own), []
    before = folder.predictions()
    folder.predictions_file.unlink()
    assert write_report(own, warn=said.append) == folder.report_file
    same(folder.predictions(), before)
    folder.predictions_file.write_bytes(b"damaged")
    write_report(own, warn=said.append)
    same(folder.predictions(), before)
    assert said.pop().endswith("predictions.safetensors is damaged; it is made anew")
    assert said == []

    np.savez(tmp_path / "data" / "own.npz", images=BYTES[::-1], labels=LABELS)
    write_report(own, warn=said.append)
    assert said == [], "what is there is not measured again"
    folder.predictions_file.unlink()
    assert write_report(own, warn=said.append).is_file()
    assert len(said) == 1
    assert "the page shows no samples of the newest weights" in said[0]
    with pytest.raises(RunError, match="not the data"):
        write_report(own, data_path=str(tmp_path / "data" / "own.npz"))


def test_a_report_measures_anew_what_has_learnt_since(own):
    folder = RunFolder.open(own)
    old = {part: replace(one, step=1) for part, one in folder.predictions().items()}
    predictions.save(folder.predictions_file, old)
    write_report(own)
    assert {one.step for one in folder.predictions().values()} == {folder.newest_checkpoint().values["step"]}


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


NAMES = ("a", "b", "c", "d", "e", "f")


def echo(objective=None):
    """A network whose scores are its input."""
    network = pg.Network(pg.Affine(6), 6, objective=objective, dtype=np.float64)
    network.params = {"affine1.weight": np.eye(6), "affine1.bias": np.zeros(6)}
    return network


@pytest.fixture
def scored():
    """Scores of eight samples, none of them of class f."""
    rng = np.random.default_rng(3)
    return Split(rng.standard_normal((8, 6)), rng.integers(0, 5, 8))


@pytest.fixture
def pictures():
    rng = np.random.default_rng(4)
    images = rng.random((7, 3, 4, 5), dtype=np.float32)
    # The mean image is not its own mirror image: it matters what comes first.
    return Split(images, rng.integers(0, 6, 7), Normalization.fit("mean-image", images))


def classifier(*layers, objective=None):
    return pg.Network(pg.Sequential(pg.Flatten(), pg.Affine(6), *layers), (3, 4, 5), objective=objective)


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("batch_size", [1, 3, 8, 500])
def test_measure_is_the_metrics_of_all_samples(scored, batch_size):
    scores, y = scored.images, scored.labels
    told = measure(echo(), scored, NAMES, batch_size=batch_size)
    assert told["accuracy"] == metrics.accuracy(scores, y)
    assert told["loss"] == pytest.approx(-np.log(softmax(scores)[np.arange(8), y]).mean())
    assert told["samples"] == 8
    assert (told["top_k"], told["top_k_accuracy"]) == (5, metrics.top_k_accuracy(scores, y, 5))
    assert told["ece"] == pytest.approx(metrics.expected_calibration_error(softmax(scores), y))
    assert told["confusion"] == metrics.confusion_matrix(y, scores.argmax(axis=1), 6).tolist()
    for index, name in enumerate(NAMES[:5]):
        own = y == index
        expected = (scores[own].argmax(axis=1) == index).mean() if own.any() else None
        assert told["per_class"][name] == expected
    assert told["per_class"]["f"] is None
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_measure_holds_no_more_than_a_batch(scored, monkeypatch):
    network, sizes = echo(), []
    scores = network.scores
    monkeypatch.setattr(network, "scores", lambda X: sizes.append(len(X)) or scores(X))
    measure(network, scored, NAMES, batch_size=3)
    assert sizes == [3, 3, 2]


def test_top_k(scored):
    assert measure(echo(), scored, NAMES, top_k=2)["top_k"] == 2
    for k, words in ((0, "1 or more, got 0"), (7, "at most 6, the number of classes, got 7")):
        with pytest.raises(RecipeError, match=words):
            measure(echo(), scored, NAMES, top_k=k)
    five = pg.Network(pg.Affine(5), 6)
    assert not {"top_k", "top_k_accuracy"} & measure(five, scored, NAMES[:5]).keys()
    assert measure(five, scored, NAMES[:5], top_k=5)["top_k_accuracy"] == 1


@pytest.mark.parametrize("objective", [pg.Hinge(), pg.MeanSquaredError()])
def test_scores_that_are_no_probabilities_have_no_calibration(scored, objective):
    assert measure(echo(objective), scored, NAMES)["ece"] is None


def test_flip_averages_the_scores_of_image_and_mirror_image(pictures):
    network, normalization = classifier(), pictures.normalization
    mirrored = np.ascontiguousarray(pictures.images[:, :, :, ::-1])
    mean = sum(network.scores(normalization.batch(images)) for images in (pictures.images, mirrored)) / 2
    told = measure(network, pictures, NAMES, flip=True, batch_size=4)
    log_p = np.log(softmax(mean))
    assert told["loss"] == pytest.approx(-log_p[np.arange(7), pictures.labels].mean(), rel=1e-5)
    assert told["confusion"] == metrics.confusion_matrix(pictures.labels, mean.argmax(axis=1), 6).tolist()
    plain = measure(network, pictures, NAMES)
    assert told["flip"]
    assert not plain["flip"]
    assert abs(told["loss"] - plain["loss"]) > 1e-3
    other_way_round = Split(mirrored, pictures.labels, normalization)
    assert measure(network, other_way_round, NAMES, flip=True)["loss"] == pytest.approx(told["loss"])


@pytest.mark.parametrize("flip", [False, True])
def test_softmax_at_the_end_of_the_network_or_in_its_loss_is_one(pictures, flip):
    inside = classifier(pg.LogSoftmax(), objective=pg.NegativeLogLikelihood())
    by_loss, by_layer = (measure(n, pictures, NAMES, flip=flip) for n in (classifier(), inside))
    assert by_loss.pop("per_class") == by_layer.pop("per_class")
    assert by_loss.pop("confusion") == by_layer.pop("confusion")
    assert by_loss == pytest.approx(by_layer, rel=1e-5)


def test_what_cannot_be_measured(scored):
    with pytest.raises(ShapeError, match=r"flip mirrors images .*shape \(6,\): measure without it"):
        measure(echo(), scored, NAMES, flip=True)
    with pytest.raises(DataError, match="nothing to measure"):
        measure(echo(), scored.first(0), NAMES)
    network = echo()
    network.params["affine1.weight"] = np.full((6, 6), 1e308)
    with pytest.raises(NonFiniteError, match="hold NaN or infinity.*look at the samples"):
        measure(network, Split(scored.images * [9, -9, 9, -9, 9, -9], scored.labels), NAMES)


def test_evaluate_and_predict_with_flip(own, files, tmp_path):
    network, normalization, classes = RunFolder.open(own).load()
    data = pg.load_data(str(tmp_path / "data" / "own.npz"), validation=12)
    split = Split(data.test.images, data.test.labels, normalization)
    assert evaluate(own, top_k=2, flip=True)["test"] == measure(network, split, classes, top_k=2, flip=True)

    images = BYTES[: len(files)]
    scores = [network.scores(normalization.batch(view)) for view in (images, images[..., ::-1])]
    got = [list(p.probabilities.values()) for p in predict(own, files, flip=True)]
    np.testing.assert_allclose(got, softmax(sum(scores) / 2), rtol=1e-5)
    assert not np.allclose(got, [list(p.probabilities.values()) for p in predict(own, files)], rtol=1e-3)
