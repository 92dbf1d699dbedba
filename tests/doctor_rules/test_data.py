"""Inputs, labels, splits and the order of samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from doctor_rules.runs import PER_EPOCH, bare, data, evaluations, healthy, setup
from plaingrad.insight.doctor.evidence import NonFinite, Order
from plaingrad.insight.doctor.rules import batches, examine, inputs, labels

MIXED = Order(consecutive=0.01, same_each_epoch=False, largest_share=0.2, expected_share=0.2)


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": 120.0, "std": 64.0, "low": 0.0, "high": 255.0, "test_mean": 121.0, "test_std": 64.0},
        {"mean": 0.002, "std": 0.001, "test_mean": 0.002, "test_std": 0.001},
        {"mean": 100.0, "std": 1.0, "test_mean": 100.0, "test_std": 1.0},
        {"test_mean": 2.0},
        {"test_std": 0.25},
    ],
)
def test_unnormalized_input(changes):
    run = healthy(data=data(**changes))
    finding = inputs.unnormalized_input(run)
    assert finding is not None
    assert finding.remedy == {"data.normalize": "standard"}


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": 0.47, "std": 0.25, "low": 0.0, "high": 1.0, "test_mean": 0.47, "test_std": 0.25},
        {
            "mean": 0.1,
            "std": 64.0,
            "test_mean": 0.2,
            "test_std": 64.0,
        },  # the course's mean image, from small weights
        {"test_mean": 0.1, "test_std": 1.1},
    ],
)
def test_normalised_well_enough(changes):
    assert not inputs.unnormalized_input(healthy(data=data(**changes)))


def test_inputs_that_are_not_finite_are_another_matter():
    run = healthy(data=data(mean=120.0, std=64.0), non_finite=NonFinite(3, "input"))
    assert not inputs.unnormalized_input(run)


def test_copies_of_test_samples_are_counted():
    finding = inputs.test_data_in_training(healthy(data=data(train_in_test=300)))
    assert finding is not None
    assert finding.sure == 1
    assert "300 of the 1,000 test samples" in finding.evidence[0]
    assert not inputs.test_data_in_training(healthy(data=data(train_in_test=4)))


def test_better_on_unseen_samples_is_label_noise():
    noisy = bare(evaluations=evaluations([0.55] * 10, [0.9] * 10))
    finding = labels.label_noise(noisy)
    assert finding is not None
    assert "39 %" in finding.what
    assert not labels.label_noise(bare(evaluations=evaluations([0.85] * 10, [0.87] * 10)))


def test_neighbours_that_agree_less_in_training_are_label_noise():
    assert labels.label_noise(healthy(data=data(neighbour_agreement=0.4, test_neighbour_agreement=0.6)))
    assert not labels.label_noise(healthy(data=data(neighbour_agreement=0.27, test_neighbour_agreement=0.29)))


def test_labels_at_chance_are_misaligned():
    learned = evaluations([0.3 + 0.05 * i for i in range(10)], [0.1] * 10)
    assert labels.misaligned_labels(bare(evaluations=learned))
    by_neighbours = healthy(data=data(neighbour_agreement=0.11), evaluations=learned)
    finding = labels.misaligned_labels(by_neighbours)
    assert finding is not None
    assert finding.sure == 0.95
    assert [f.condition for f in examine(by_neighbours)] == ["misaligned_labels"]


def test_what_carries_over_is_not_misaligned():
    assert not labels.misaligned_labels(healthy(data=data(neighbour_agreement=0.11)))


def test_a_class_that_is_never_predicted():
    predicted = (0, 112, 111, 111, 111, 111, 111, 111, 111, 111)
    known = evaluations([0.8] * 10, [0.78] * 10, predicted=predicted)
    finding = labels.class_never_predicted(healthy(evaluations=known))
    assert finding is not None
    assert finding.what == "Class 0 is never predicted."
    assert "since step 40" in finding.evidence[0]
    wobble = (*evaluations([0.8] * 9, [0.78] * 9), known[-1])
    assert not labels.class_never_predicted(healthy(evaluations=wobble))
    collapsed = evaluations([0.1] * 10, [0.1] * 10, predicted=(1000, *(0,) * 9))
    assert not labels.class_never_predicted(healthy(evaluations=collapsed))
    few = evaluations([0.8] * 10, [0.8] * 10, predicted=(0, *(3,) * 9))
    assert not labels.class_never_predicted(healthy(evaluations=few))


def test_imbalance_is_between_classes_that_have_samples():
    finding = labels.class_imbalance(healthy(data=data(class_counts=(1000, *(50,) * 9))))
    assert finding is not None
    assert finding.sure == 0.9
    assert not labels.class_imbalance(healthy(data=data(class_counts=(0, *(200,) * 9))))
    assert not labels.class_imbalance(healthy(data=data(class_counts=(300, *(200,) * 9))))


def test_of_a_class_that_was_not_measured_no_accuracy_is_evidence():
    uneven = data(class_counts=(1000, *(200,) * 8, 50))
    known = {share: healthy(data=uneven, evaluations=_with_last(share)) for share in (0.25, None)}
    measured, unmeasured = (labels.class_imbalance(evidence).evidence for evidence in known.values())
    assert measured[1] == "at step 400 the accuracy is 90 % for the one and 25 % for the other"
    assert len(unmeasured) == 1


def test_a_class_without_samples_to_measure_may_well_be_predicted():
    predicted = (*(111,) * 9, 0)
    for share in (0.0, None):
        known = evaluations([0.8] * 10, [0.78] * 10, predicted=predicted, per_class=(*(0.9,) * 9, share))
        assert bool(labels.class_never_predicted(healthy(evaluations=known))) == (share == 0.0)


def test_classes_are_called_by_their_names():
    named = setup(classes=("truck", *map(str, range(1, 9)), "a\x1b[31mred"))
    finding = labels.class_imbalance(healthy(data=data(class_counts=(1000, *(200,) * 8, 50)), setup=named))
    assert finding.evidence[0].startswith(
        r"class 'truck' has 1000 training samples, class 'a\x1b[31mred' has 50: 20 times"
    )
    known = evaluations([0.8] * 10, [0.78] * 10, predicted=(0, 0, *(125,) * 8))
    finding = labels.class_never_predicted(healthy(evaluations=known, setup=named))
    assert finding.what == "Class 'truck', 1 is never predicted."


def _with_last(share):
    """Evaluations that measured 0.9 for each class but the last."""
    return evaluations([0.9] * 10, [0.9] * 10, per_class=(*(0.9,) * 9, share))


@pytest.mark.parametrize("changes", [{"consecutive": 1.0}, {"same_each_epoch": True}, {"largest_share": 0.9}])
def test_batches_in_order_are_not_shuffled(changes):
    assert batches.no_shuffling(healthy(order=replace(MIXED, **changes)))
    assert not batches.no_shuffling(healthy(order=MIXED))


def test_the_same_batches_show_in_the_losses_alone():
    rng = np.random.default_rng(0)
    trend = np.linspace(2.3, 1.0, 10 * PER_EPOCH)
    pattern = np.tile(rng.normal(0, 0.1, PER_EPOCH), 10)
    fresh = rng.normal(0, 0.1, 10 * PER_EPOCH)
    known = setup(steps_per_epoch=PER_EPOCH)
    assert batches.no_shuffling(bare(losses=tuple(trend + pattern + fresh / 3), setup=known))
    assert not batches.no_shuffling(bare(losses=tuple(trend + fresh), setup=known))


def test_batches_too_small_for_batch_normalisation():
    assert batches.batch_too_small_for_batchnorm(healthy(setup=setup(batch_size=2, batchnorm=True)))
    assert not batches.batch_too_small_for_batchnorm(healthy(setup=setup(batch_size=16, batchnorm=True)))
    parted = batches.batch_too_small_for_batchnorm(
        healthy(setup=setup(batch_size=16, accumulate=8, batchnorm=True))
    )
    assert parted
    assert "2 samples, for those of 16 go through in 8 parts" in parted.evidence[0]
    assert not batches.batch_too_small_for_batchnorm(healthy(setup=setup(batch_size=2, batchnorm=False)))
