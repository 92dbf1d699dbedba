"""What a network said of each sample: kept, shown in pictures, and read back without trust."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import plaingrad as pg
from plaingrad import checkpoint, metrics, ops, predictions
from plaingrad.data import Normalization, Split
from plaingrad.errors import DataError, RunError
from plaingrad.network import Hinge, NegativeLogLikelihood, SoftmaxCrossEntropy
from plaingrad.predictions import Collector, Predictions

CLASSES = ("cat", "dog", "<script>")
RNG = np.random.default_rng(0)
SCORES = RNG.standard_normal((90, 3)).astype(np.float32) * 3
LABELS = RNG.integers(0, 3, 90)
PIXELS = RNG.integers(0, 256, (90, 3, 4, 5), dtype=np.uint8)


def said(scores=SCORES, labels=LABELS, images=PIXELS, *, batch=25, objective=None, classes=CLASSES, **more):
    """Predictions gathered in batches."""
    collector = Collector()
    for start in range(0, len(labels), batch):
        collector.add(scores[start : start + batch], labels[start : start + batch])
    split = Split(images, labels, **more)
    return collector.predictions("test", split, classes, objective or SoftmaxCrossEntropy(), 7)


def arrays(own):
    return {
        name: getattr(own, name)
        for name in ("labels", "predicted", "confidence", "truth", "chosen", "images")
    }


def assert_same(one, other):
    for name, array in arrays(one).items():
        np.testing.assert_array_equal(getattr(other, name), array, err_msg=name)
        assert getattr(other, name).dtype == array.dtype
    for name in ("part", "classes", "probabilistic", "files", "step"):
        assert getattr(other, name) == getattr(one, name), name


def test_it_says_what_the_scores_say():
    own, p = said(), ops.softmax_forward(SCORES)[0]
    np.testing.assert_array_equal(own.predicted, SCORES.argmax(axis=1))
    np.testing.assert_allclose(own.confidence, p.max(axis=1), rtol=1e-6)
    np.testing.assert_allclose(own.truth, p[np.arange(90), LABELS], rtol=1e-6)
    assert len(own) == 90
    assert own.accuracy == metrics.accuracy(SCORES, LABELS)
    np.testing.assert_array_equal(own.confusion, metrics.confusion_matrix(LABELS, own.predicted, 3))
    np.testing.assert_array_equal(own.per_class, metrics.per_class_accuracy(own.confusion))
    np.testing.assert_allclose(own.calibration, metrics.calibration_bins(p, LABELS), rtol=1e-6)
    assert own.calibration_error == pytest.approx(metrics.expected_calibration_error(p, LABELS), rel=1e-6)
    assert_same(own, said(batch=90))


def test_log_probabilities_are_probabilities_and_margins_are_not():
    logarithms = ops.log_softmax_forward(SCORES)[0]
    own = said(logarithms, objective=NegativeLogLikelihood())
    np.testing.assert_allclose(own.confidence, said().confidence, rtol=1e-5)
    assert own.probabilistic
    margins = said(objective=Hinge())
    assert not margins.probabilistic
    assert margins.calibration_error is None


def test_mistakes_come_most_confident_first():
    own = said()
    wrong = np.flatnonzero(own.predicted != LABELS)
    assert sorted(own.mistakes()) == wrong.tolist()
    assert (np.diff(own.confidence[own.mistakes()]) <= 0).all()
    for true in range(3):
        for predicted in range(3):
            cell = own.mistakes(true, predicted)
            assert len(cell) == (0 if true == predicted else own.confusion[true, predicted])
            assert (LABELS[cell] == true).all()
            assert (own.predicted[cell] == predicted).all()
    assert len(own.mistakes(true=1)) == own.confusion[1].sum() - own.confusion[1, 1]
    assert len(own.mistakes(predicted=1)) == own.confusion[:, 1].sum() - own.confusion[1, 1]


def test_scores_that_are_no_numbers_are_no_probabilities():
    scores = SCORES.copy()
    scores[3], scores[4, 0] = np.nan, np.inf
    own = said(scores)
    assert own.confidence[3] == own.truth[3] == own.confidence[4] == 0


def test_nothing_is_said_where_scores_are_missing():
    class Sure:
        """Its own `predict` gives classes alone."""

        def __init__(self):
            self.params = {"W": np.zeros((5, 3))}

        def loss(self, X, y=None):
            return X @ self.params["W"] if y is None else (0.0, self.params)

        def predict(self, X):
            return np.zeros(len(X), dtype=int)

    data = {"X_train": np.ones((4, 5)), "y_train": np.arange(4) % 3}
    solver, collector = pg.Solver(Sure(), data), Collector()
    solver.callbacks.append(collector)
    solver.accuracy(solver.data.train)
    assert collector.predictions("test", solver.data.train, CLASSES, None) is None


def test_a_split_measured_in_part_is_not_taken_for_the_whole():
    collector = Collector()
    collector.add(SCORES[:50], LABELS[:50])
    assert collector.predictions("test", Split(PIXELS, LABELS), CLASSES, SoftmaxCrossEntropy()) is None


def large(count, classes, seed=1):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    scores = rng.standard_normal((count, classes)).astype(np.float32)
    scores[np.arange(count), labels] += 2
    names = tuple(map(str, range(classes)))
    return said(scores, labels, np.zeros((count, 1, 2, 2), np.uint8), classes=names, batch=500)


def test_pictures_are_kept_of_every_cell_of_the_surest_mistakes_and_as_they_come():
    own = large(5000, 10)
    assert len(own.chosen) <= 600
    chosen = set(own.chosen.tolist())
    assert chosen >= set(own.mistakes()[:60].tolist())
    assert chosen >= set(own.as_they_come().tolist())
    assert len(own.as_they_come()) == 40
    assert own.as_they_come()[0] == 0
    assert own.as_they_come()[-1] == 4999
    for true in range(10):
        for predicted in range(10):
            cell = np.flatnonzero((own.labels == true) & (own.predicted == predicted))
            surest = cell[np.argsort(-own.confidence[cell], kind="stable")][:4]
            assert chosen >= set(surest.tolist()), (true, predicted)


def test_more_cells_than_pictures():
    own = large(4000, 200)
    assert (own.confusion > 0).sum() > 600
    assert 500 <= len(own.chosen) <= 600


def test_a_small_split_is_kept_whole():
    own = said(SCORES[:10], LABELS[:10], PIXELS[:10])
    np.testing.assert_array_equal(own.chosen, np.arange(10))
    np.testing.assert_array_equal(own.images, PIXELS[:10])


def test_where_pictures_of_samples_are():
    own = large(5000, 10)
    kept, missing = own.chosen[[5, 2]], np.setdiff1d(np.arange(5000), own.chosen)[-1]
    samples, places = own.pictured(np.array([kept[0], missing, kept[1]]))
    assert samples.tolist() == kept.tolist()
    assert places.tolist() == [5, 2]


@pytest.mark.parametrize(
    ("images", "full"),
    [
        (PIXELS / 255, 1.0),
        ((PIXELS / 255).astype(np.float32), 1.0),
        (PIXELS.astype(np.uint16) * 257, 65535.0),
        (np.asfortranarray(PIXELS), None),
    ],
)
def test_pictures_are_bytes_on_the_scale_of_the_data(images, full):
    own = said(images=images, normalization=Normalization(0, 1, full))
    assert own.images.dtype == np.uint8
    np.testing.assert_array_equal(own.images, PIXELS[own.chosen])


def test_of_images_on_no_known_scale_the_brightest_value_is_white():
    own = said(images=np.where(PIXELS < 128, -3.0, 2.0))
    assert set(np.unique(own.images)) == {0, 255}
    flat = said(images=np.full(PIXELS.shape, 5.0))
    assert (flat.images == flat.images[0]).all()


def test_large_images_are_shrunk_in_their_proportions():
    images = np.zeros((90, 1, 96, 192), np.uint8)
    images[:, :, :, 96:] = 200
    own = said(images=images)
    assert own.images.shape[1:] == (1, 32, 64)
    assert (own.images[:, :, :, :32] == 0).all()
    assert (own.images[:, :, :, 32:] == 200).all()
    assert said(images=np.zeros((90, 1, 1, 784), np.uint8)).images.shape[1:] == (1, 1, 64)


@pytest.mark.parametrize("images", [np.zeros((90, 20)), np.zeros((90, 2, 4, 4)), np.zeros((90, 4, 4))])
def test_features_have_no_pictures(tmp_path, images):
    own = said(images=images)
    assert len(own.chosen) == len(own.images) == 0
    predictions.save(tmp_path / "p", {"test": own})
    assert_same(predictions.read(tmp_path / "p")["test"], own)


def test_round_trip_with_names_of_any_kind(tmp_path):
    names = tuple(f"<b>&\udcff/{index}.png" for index in range(90))
    own = said(files=names)
    assert own.files == tuple(names[index] for index in own.chosen)
    predictions.save(tmp_path / "p", {"validation": said(batch=90), "test": own})
    read = predictions.read(tmp_path / "p")
    assert list(read) == ["validation", "test"]
    assert_same(read["test"], own)
    assert read["test"].classes == CLASSES


def test_a_part_that_a_later_version_adds_is_passed_over(tmp_path):
    predictions.save(tmp_path / "p", {"test": said(), "attack": said()})
    assert list(predictions.read(tmp_path / "p")) == ["test"]


DAMAGE = [
    {"labels": LABELS.astype(np.int32)},
    {"labels": LABELS[:-1]},
    {"labels": LABELS[:, None]},
    {"labels": LABELS + 1},
    {"labels": LABELS - 1},
    {"predicted": np.full(90, 10**9)},
    {"predicted": None},
    {"confidence": np.full(90, np.nan, np.float32)},
    {"confidence": np.full(90, 1.5, np.float32)},
    {"truth": np.full(90, -0.1, np.float32)},
    {"truth": np.zeros(90)},
    {"chosen": np.arange(90)[::-1].copy()},
    {"chosen": np.arange(1, 91)},
    {"chosen": np.zeros(90, np.int64)},
    {"images": PIXELS.astype(np.float32)},
    {"images": PIXELS[:5]},
    {"images": PIXELS[:, :2]},
    {"images": PIXELS.reshape(90, -1)},
    {"images": np.zeros((90, 3, 65, 4), np.uint8)},
    {"images": np.zeros((90, 3, 0, 4), np.uint8)},
    {"classes": ["cat", "dog", 3]},
    {"classes": ["cat"]},
    {"classes": 3},
    {"classes": []},
    {"classes": "cat"},
    {"files": ["a.png"]},
    {"files": [None] * 90},
    {"files": None},
    {"step": "seven"},
    {"step": True},
    {"probabilistic": "yes"},
]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: next(iter(damage)))
def test_what_is_read_is_not_trusted(tmp_path, damage):
    """Files with a digest that fits, as somebody else may make them."""
    own = said()
    values = {"classes": CLASSES, "probabilistic": True, "files": (), "step": 7}
    held = {**arrays(own), **{name: value for name, value in damage.items() if name not in values}}
    said_too = {name: value for name, value in damage.items() if name in values}
    checkpoint.save(
        tmp_path / "p",
        {f"test/{name}": array for name, array in held.items() if array is not None},
        {"test": values | said_too},
    )
    with pytest.raises(RunError, match=r"p is damaged or no file of predictions: .*; delete it") as caught:
        predictions.read(tmp_path / "p")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [{"test": 3}, {"test": None}, {"test": {}}, ["test"]])
def test_a_head_that_is_something_else(tmp_path, values):
    checkpoint.save(tmp_path / "p", {"test/labels": LABELS}, values)
    with pytest.raises(RunError, match="damaged or no file of predictions"):
        predictions.read(tmp_path / "p")


def test_a_file_that_was_cut_altered_or_is_something_else(tmp_path):
    path = tmp_path / "p"
    predictions.save(path, {"test": said()})
    whole = path.read_bytes()
    for content in (whole[:-10], whole[:20], b"", b"no" * 50, whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(content)
        with pytest.raises(RunError, match="damaged"):
            predictions.read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(RunError, match="damaged"):
        predictions.read(path)


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3", "BOOL"])
def test_a_kind_of_number_that_numpy_lacks(tmp_path, kind):
    head = {"test/labels": {"dtype": kind, "shape": [0], "data_offsets": [0, 0]}}
    head["__metadata__"] = {"values": "[" * 100_000, "sha256": ""}
    text = json.dumps(head).encode()
    (tmp_path / "p").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(RunError, match="damaged"):
        predictions.read(tmp_path / "p")


def test_arrays_that_do_not_belong_together_are_refused_when_they_are_made():
    with pytest.raises(DataError, match=re.escape("labels must be from 0 to 2, got 0 to 7")):
        Predictions(
            "test", CLASSES, probabilistic=True, **(arrays(said()) | {"labels": np.r_[7, LABELS[1:]]})
        )


def test_a_disk_that_is_full_leaves_what_stood_there(tmp_path, monkeypatch):
    predictions.save(tmp_path / "p", {"test": said()})
    before = (tmp_path / "p").read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        predictions.save(tmp_path / "p", {"test": said(batch=90)})
    assert (tmp_path / "p").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["p"]


def test_colours_stay_in_their_channels():
    red = np.zeros((90, 3, 128, 128), np.uint8)
    red[:, 0] = 255
    own = said(images=red)
    picture = Image.fromarray(own.images[0].transpose(1, 2, 0))
    assert picture.size == (64, 64)
    assert picture.getpixel((3, 3)) == (255, 0, 0)
