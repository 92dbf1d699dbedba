"""Stratified orders and splits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plaingrad.data.splits import resolve_count, stratified_order, stratified_split
from plaingrad.errors import DataError

LABELS = arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 5))


@given(LABELS, st.integers(0, 99))
def test_an_order_holds_every_sample_once_and_each_class_first(labels, seed):
    order = stratified_order(labels, seed=seed)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(labels)))
    classes = np.unique(labels)
    assert set(labels[order[: len(classes)]]) == set(classes)


@given(LABELS, st.data())
def test_every_stretch_is_in_proportion(labels, data):
    order = stratified_order(labels, seed=0)
    start = data.draw(st.integers(0, len(labels)))
    stop = data.draw(st.integers(start, len(labels)))
    positions = {c: np.flatnonzero(labels[order] == c) / len(labels) for c in np.unique(labels)}
    for label, where in positions.items():
        share = (labels == label).mean()
        found = np.count_nonzero((where >= start / len(labels)) & (where < stop / len(labels)))
        # Each class is spread evenly, so both ends of the stretch are off by less than the number of classes.
        assert abs(found - share * (stop - start)) <= len(positions) + 1


def test_the_seed_decides():
    labels = np.arange(100) % 3
    order = stratified_order(labels, seed=1)
    np.testing.assert_array_equal(order, stratified_order(labels, seed=1))
    assert (order != stratified_order(labels, seed=2)).any()


def test_a_split_is_disjoint_complete_and_in_proportion():
    labels = np.repeat([0, 1, 2], [100, 60, 40])
    split = stratified_split(labels, validation=0.1, test=50, seed=0, name="x")
    assert [len(split[part]) for part in ("train", "validation", "test")] == [130, 20, 50]
    np.testing.assert_array_equal(np.sort(np.concatenate(list(split.values()))), np.arange(200))
    np.testing.assert_allclose(np.bincount(labels[split["test"]]), [25, 15, 10], atol=2)
    np.testing.assert_allclose(np.bincount(labels[split["validation"]]), [10, 6, 4], atol=2)


def test_every_class_trains_however_small():
    labels = np.array([0] * 50 + [1])
    for seed in range(20):
        split = stratified_split(labels, validation=0.3, test=0.3, seed=seed, name="x")
        assert 1 in labels[split["train"]]


def test_nothing_left_to_train_on():
    with pytest.raises(DataError, match="x: 5 validation and 5 test images of 10 leave none"):
        stratified_split(np.zeros(10, int), validation=5, test=0.5, seed=0, name="x")


@pytest.mark.parametrize(("share", "count"), [(0, 0), (7, 7), (10, 10), (0.0, 0), (0.25, 2), (0.99, 10)])
def test_counts(share, count):
    assert resolve_count(share, 10, "x") == count


@pytest.mark.parametrize("share", [-1, 11, -0.1, 1.0, 2.5, float("nan")])
def test_impossible_counts(share):
    with pytest.raises(DataError, match="x: "):
        resolve_count(share, 10, "x")
