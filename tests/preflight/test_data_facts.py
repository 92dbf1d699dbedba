"""Facts of data against direct computations."""

import dataclasses

import numpy as np
import pytest

from plaingrad.data import Dataset, Split
from plaingrad.insight.data_facts import data_facts
from preflight.runs import blobs, digits


def spoilt(data, **parts):
    """The data with other images or labels: train_images=..., test_labels=..."""
    splits = {}
    for key, value in parts.items():
        part, _, what = key.partition("_")
        splits[part] = dataclasses.replace(splits.get(part, data.splits[part]), **{what: value})
    return dataclasses.replace(data, **splits)


@pytest.mark.parametrize("data", [digits("mean-image"), blobs()], ids=["digits", "blobs"])
def test_statistics_are_those_of_the_batches(data):
    facts = data_facts(data)
    X = data.train.batch(np.arange(len(data.train)))[0].astype(float).reshape(len(data.train), -1)
    T = data.test.batch(np.arange(len(data.test)))[0].astype(float)
    deviations = [X[:, j].std() for j in range(X.shape[1]) if X[:, j].std() > 1e-5]
    assert (facts.train, facts.validation, facts.test) == tuple(map(len, data.splits.values()))
    assert facts.class_counts == tuple((data.train.labels == c).sum() for c in range(len(data.classes)))
    assert [facts.mean, facts.std, facts.low, facts.high] == pytest.approx(
        [X.mean(), X.std(), X.min(), X.max()], abs=1e-5
    )
    assert [facts.smallest_std, facts.largest_std] == pytest.approx(
        [min(deviations), max(deviations)], rel=1e-5
    )
    assert facts.constant_features == np.mean([len(set(X[:, j])) == 1 for j in range(X.shape[1])])
    assert facts.offset == pytest.approx(
        max(abs(X[:, j].mean()) for j in range(X.shape[1])) / X.std(), abs=1e-5
    )
    assert [facts.test_mean, facts.test_std] == pytest.approx([T.mean(), T.std()], abs=1e-5)
    assert (facts.not_finite, facts.training_twice, facts.train_in_test, facts.train_in_validation) == (
        0,
        0,
        0,
        0,
    )


def test_neighbours_are_the_nearest():
    data = blobs(apart=0.8, test=60)
    facts = data_facts(data)
    X, y = data.train.batch(np.arange(240))
    T, t = data.test.batch(np.arange(60))

    def agreement(queries, labels, itself):
        agree = []
        for i, q in enumerate(queries):
            far = [np.inf if itself and i == j else float(((q - x) ** 2).sum()) for j, x in enumerate(X)]
            agree.append(y[int(np.argmin(far))] == labels[i])
        return np.mean(agree)

    assert facts.neighbour_agreement == pytest.approx(agreement(X, y, True))
    assert facts.test_neighbour_agreement == pytest.approx(agreement(T, t, False))
    assert 0.3 < facts.neighbour_agreement < 0.8, "or the test would prove little"
    assert facts.neighbour_chance == pytest.approx(59 / 239, abs=0.01)
    assert facts.neighbour_error == pytest.approx(np.sqrt(0.25 * 0.75 / 240), rel=0.3)


def test_chance_allows_for_classes_of_unequal_size():
    data = blobs()
    y = np.where(np.random.default_rng(0).random(240) < 0.9, 0, data.train.labels)
    share = np.bincount(y) / 240
    facts = data_facts(spoilt(data, train_labels=y))
    assert facts.neighbour_chance == pytest.approx((share**2).sum(), abs=0.01)


def test_duplicates_are_counted():
    data = digits()
    images = data.train.images.copy()
    images[10:15] = images[0:5]
    images[20] = images[0]
    test = data.test.images.copy()
    test[:7] = images[30:37]
    test[7] = test[8] = images[30]
    validation = data.validation.images.copy()
    validation[3] = images[50]
    facts = data_facts(spoilt(data, train_images=images, test_images=test, validation_images=validation))
    assert (facts.training_twice, facts.train_in_test, facts.train_in_validation) == (6, 9, 1)


def test_duplicates_do_not_pass_for_neighbours():
    data = blobs(apart=0.0)
    assert data_facts(data).neighbour_agreement < 0.4
    twice = spoilt(
        data, train_images=np.tile(data.train.images, (2, 1)), train_labels=np.tile(data.train.labels, 2)
    )
    facts = data_facts(twice)
    assert facts.training_twice == 240
    assert facts.neighbour_agreement < 0.4


def test_a_value_in_another_float_type_is_the_same_sample():
    data = blobs()
    test = data.test.images.astype(np.float64)
    test[0] = data.train.images[0]
    assert data_facts(spoilt(data, test_images=test)).train_in_test == 1


def test_what_is_not_finite_is_counted_and_hides_nothing():
    data = blobs()
    before = data_facts(data)
    images = data.train.images.copy()
    broken = spoilt(data, train_images=images)
    images[3, 4], images[3, 5], images[9, 0] = np.nan, np.inf, -np.inf  # after the check that Dataset makes
    facts = data_facts(broken)
    assert facts.not_finite == 3
    assert facts.mean == pytest.approx(before.mean, abs=0.01)
    assert facts.neighbour_agreement == pytest.approx(before.neighbour_agreement, abs=0.05)


def test_few_or_constant_samples_are_no_trouble():
    one = Split(np.ones((1, 3)), np.zeros(1, int))
    facts = data_facts(Dataset("one", ("a",), one, one.first(0), one.first(0)))
    assert (facts.std, facts.constant_features, facts.offset) == (0, 1, 0)
    assert facts.neighbour_agreement is facts.train_in_test is facts.test_mean is None
    blank = Split(np.zeros((20, 1, 4, 4), np.uint8), np.arange(20) % 2)
    facts = data_facts(Dataset("blank", ("a", "b"), blank, blank, blank))
    assert (facts.constant_features, facts.training_twice, facts.train_in_test) == (1, 19, 20)


def test_a_sample_is_drawn_from_large_data():
    data = blobs(train=800)
    facts = data_facts(data, samples=200)
    assert facts.train == 800
    assert facts == data_facts(data, samples=200)
    assert facts != data_facts(data, samples=200, seed=1)
    assert facts.mean == pytest.approx(data_facts(data).mean, abs=0.1)
