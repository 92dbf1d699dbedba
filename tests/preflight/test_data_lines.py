"""The lines about data: each with data that it passes and with a planted trouble."""

import numpy as np
import pytest

import plaingrad as pg
from plaingrad.data import Dataset, Normalization, Split
from plaingrad.insight.preflight import preflight
from preflight.runs import blobs, digits, line
from preflight.test_data_facts import spoilt

LINES = ["values", "features", "normalization", "classes", "duplicates", "labels"]


@pytest.mark.parametrize("data", [digits(), digits("channels"), blobs()], ids=["digits", "channels", "blobs"])
@pytest.mark.parametrize("name", LINES)
def test_sound_data_passes(name, data):
    found = line(name, data)
    assert found.state == "pass", found
    assert found.advice == ""
    assert found.numbers


def test_not_finite():
    data = blobs()
    images = data.train.images.copy()
    broken = spoilt(data, train_images=images)
    images[5, 5] = np.nan
    found = line("values", broken, lambda: pg.FullyConnectedNet((4,), input_shape=12, classes=4))
    assert (found.state, found.numbers["not_finite"]) == ("fail", 1)


def test_an_outlier():
    data = blobs(train=2000)
    images = data.train.images.copy()
    images[7, 0] = -9999
    found = line("values", spoilt(data, train_images=images))
    assert found.state == "warn"
    assert "standard deviations from the mean" in found.finding


def moved(by=0.0, times=1.0):
    """Blobs as they are stored, moved and scaled, and not normalised."""
    data = blobs()
    splits = (Split((s.images * times + by).astype(np.float32), s.labels) for s in data.splits.values())
    return Dataset("moved", data.classes, *splits)


def test_nothing_varies():
    data = moved(by=3.0, times=0.0)
    assert line("values", data).state == "fail"
    assert line("features", data).state == "fail"
    assert line("normalization", data).state == "skipped"


def test_constant_features():
    data = blobs()
    images = data.train.images.copy()
    images[:, :3] = 1
    found = line("features", spoilt(data, train_images=images))
    assert (found.state, found.numbers["constant_features"]) == ("pass", 0.25)
    images[:, :9] = 1
    assert line("features", spoilt(data, train_images=images)).state == "warn"


def test_inputs_that_are_not_centred():
    found = line("normalization", moved(by=30.0))
    assert found.state == "warn"
    assert "not centred" in found.finding
    assert line("normalization", moved(by=30.0).normalized("standard")).state == "pass"


def test_inputs_of_the_wrong_scale_unless_a_layer_mends_it():
    data = digits("mean-image")
    found = line("normalization", data)
    assert found.state == "warn"
    assert "no layer normalises" in found.finding

    def normalizing():
        return pg.FullyConnectedNet((20,), input_shape=(1, 8, 8), normalization="batchnorm")

    assert line("normalization", data, normalizing).state == "pass"


def test_features_of_unlike_scales():
    unlike = moved(times=np.geomspace(1e-3, 1, 12)).normalized("standard")
    found = line("normalization", unlike)
    assert found.state == "warn"
    assert "single features" in found.finding


@pytest.mark.parametrize("change", [lambda X: X * 5, lambda X: X + 2, lambda X: X / 255])
def test_test_data_on_another_scale(change):
    data = blobs()
    found = line("normalization", spoilt(data, test_images=change(data.test.images)))
    assert found.state == "warn"
    assert "but the test inputs" in found.finding


def test_a_normalisation_that_only_the_training_set_has():
    data = digits()
    raw = Normalization(np.float32(0), np.float32(1))
    found = line("normalization", spoilt(data, test_normalization=raw))
    assert found.state == "warn"


def test_classes_without_samples_or_with_too_many():
    data = blobs()
    y = data.train.labels
    found = line("classes", spoilt(data, train_labels=np.where(y == 2, 0, y)))
    assert found.state == "warn"
    assert "1 of 4 classes have no training sample: c" in found.finding
    rare = np.where((y == 1) & (np.arange(240) > 20), 0, y)
    found = line("classes", spoilt(data, train_labels=rare))
    assert found.state == "warn"
    assert "training samples each" in found.finding


def test_duplicates():
    data = digits()
    images = data.test.images.copy()
    images[0] = data.train.images[0]
    found = line("duplicates", spoilt(data, test_images=images))
    assert (found.state, found.numbers["train_in_test"]) == ("warn", 1)
    images[:30] = data.train.images[:30]
    found = line("duplicates", spoilt(data, test_images=images))
    assert (found.state, found.numbers["train_in_test"]) == ("fail", 30)
    assert "30 of 300 test samples" in found.finding
    validation = data.validation.images.copy()
    validation[:20] = data.train.images[:20]
    found = line("duplicates", spoilt(data, validation_images=validation))
    assert (found.state, found.numbers["train_in_validation"]) == ("fail", 20)
    train = data.train.images.copy()
    train[:400] = train[400:800]
    found = line("duplicates", spoilt(data, train_images=train))
    assert (found.state, found.numbers["training_twice"]) == ("warn", 400)


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_labels(seed):
    shuffled = np.random.default_rng(seed).permutation
    data = digits()
    found = line("labels", spoilt(data, train_labels=shuffled(data.train.labels)))
    assert found.state == "warn", found
    found = line("labels", spoilt(data, test_labels=shuffled(data.test.labels)))
    assert found.state == "fail", found
    assert "test images" in found.advice


def test_labels_of_one_class_say_nothing():
    data = blobs()
    found = line("labels", spoilt(data, train_labels=np.zeros(240, int)))
    assert found.state == "skipped"


def test_data_without_a_held_out_part():
    data = blobs()
    alone = Dataset("alone", data.classes, data.train, data.train.first(0), data.train.first(0))
    assert [line(name, alone).state for name in LINES] == ["pass"] * 6
    assert "nothing held out" in line("duplicates", alone).finding


def test_data_of_ones_own_as_a_dict():
    data = blobs()
    images = data.test.images.copy()
    images[:5] = data.train.images[:5]
    arrays = {
        "X_train": data.train.images,
        "y_train": data.train.labels,
        "X_val": images,
        "y_val": data.test.labels,
    }

    def make():
        return pg.Solver(pg.FullyConnectedNet((4,), input_shape=12, classes=4), arrays)

    found = preflight(make, only=["duplicates"])["duplicates"]
    assert "5 of 80 validation samples" in found.finding
