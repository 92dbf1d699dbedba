"""Histories of other libraries: what they become, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import plaingrad as pg
from plaingrad.errors import DataError, PlaingradError, RecipeError
from plaingrad.insight.doctor import Evaluation, Evidence, NonFinite, from_histories


def test_losses_of_steps_and_accuracies_of_epochs():
    evidence = from_histories(
        losses=[3, 2.5, 2, 1.5], train_accuracy=[0.3, 0.6], val_accuracy=(0.2, 0.5), classes=10, lr=0.1
    )
    assert evidence.losses == (3.0, 2.5, 2.0, 1.5)
    assert evidence.evaluations == (
        Evaluation(2, 1, 0.1, 0.3, 0.2),
        Evaluation(4, 2, 0.1, 0.6, 0.5),
    )
    assert evidence.setup.steps_per_epoch == 2
    assert evidence.finished is None


def test_what_keras_leaves():
    history = {"loss": [2.0, 1.0], "val_loss": [2.1, 1.5], "accuracy": [0.2, 0.5], "val_accuracy": [0.2, 0.4]}
    evidence = from_histories(
        train_loss=history["loss"],
        val_loss=history["val_loss"],
        train_accuracy=history["accuracy"],
        val_accuracy=history["val_accuracy"],
        steps_per_epoch=100,
        batch_size=32,
    )
    assert [own.step for own in evidence.evaluations] == [100, 200]
    assert evidence.evaluations[1].val_loss == 1.5
    assert evidence.losses == ()


def test_arrays_of_any_library_will_do():
    import jax.numpy as jnp

    assert from_histories(losses=np.array([2, 1], dtype="f4")).losses == (2, 1)
    assert from_histories(losses=jnp.array([2.0, 1.0])).losses == (2, 1)
    assert from_histories(losses=[np.float32(2), jnp.float32(1)]).losses == (2, 1)


def test_the_first_loss_that_is_not_finite_ends_the_losses():
    evidence = from_histories(losses=[2.0, 9.0, math.nan, math.inf])
    assert evidence.losses == (2.0, 9.0)
    assert evidence.non_finite == NonFinite(2, "loss")


def test_an_evaluation_that_is_not_finite():
    evidence = from_histories(val_loss=[2.0, math.inf], train_accuracy=[0.1, 0.1], steps_per_epoch=5)
    assert evidence.non_finite == NonFinite(10, "val_loss")
    assert evidence.evaluations[1].val_loss is None
    assert evidence.evaluations[1].train_accuracy == 0.1


def test_what_was_not_measured():
    evidence = from_histories(val_loss=[2.0, None, 1.0], val_accuracy=[math.nan, 0.5, None])
    assert [own.val_loss for own in evidence.evaluations] == [2.0, None, 1.0]
    assert [own.val_accuracy for own in evidence.evaluations] == [None, 0.5, None]
    assert evidence.non_finite is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "nothing to diagnose"),
        ({"losses": []}, "losses is empty"),
        ({"losses": "2.3, 2.2"}, "losses must be a list of numbers, got str"),
        ({"losses": {1: 2.0}}, "losses must be a list of numbers, got dict"),
        ({"losses": 2.3}, "losses must be a list of numbers, got float"),
        ({"losses": [2.3, "2.2"]}, r"losses\[1\] is '2.2'"),
        ({"losses": [2.3, None]}, r"losses\[1\] is None"),
        ({"losses": ["x" * 10_000]}, r"^losses\[0\] is 'xxxxx.{,40}: give numbers alone$"),
        ({"losses": [True]}, r"losses\[0\] is True"),
        ({"losses": [[2.3]]}, r"losses\[0\] is \[2.3\]"),
        ({"losses": np.ones((2, 2))}, r"shape \(2, 2\)"),
        ({"losses": {2.3, 2.2}}, "losses must be a list of numbers, got set"),
        ({"losses": np.array(2.3)}, r"shape \(\)"),
        ({"losses": [10**400]}, r"losses\[0\] is too large"),
        ({"loss": [2.3]}, "no history or setting 'loss'; did you mean 'losses'"),
        ({"val_acc": [0.5]}, "did you mean 'val_accuracy'"),
        ({"train_loss": [1.0], "val_loss": [1.0, 2.0]}, "train_loss has 1, val_loss has 2"),
        ({"val_accuracy": [55.0]}, r"val_accuracy\[0\] is 55.*divide percentages by 100"),
        ({"val_accuracy": [-0.1]}, "fractions from 0 to 1"),
    ],
)
def test_bad_histories_are_named(wrong, says):
    with pytest.raises(DataError, match=says):
        pg.diagnose(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"classes": 0}, {"steps_per_epoch": 1.5}, {"batch_size": "100"}, {"lr": math.nan}, {"lr": "fast"}],
)
def test_bad_settings_are_named(wrong):
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        from_histories(losses=[1.0], **wrong)


def test_a_run_and_histories_together_are_refused():
    with pytest.raises(DataError, match="not both"):
        pg.diagnose(Evidence(), losses=[1.0])
    with pytest.raises(DataError, match="losses="):
        pg.diagnose([2.0, 1.0])


@pytest.mark.parametrize(
    "histories",
    [
        {"losses": [1e308] * 50},
        {"losses": [1e300, -1e308, 1e308] * 20, "classes": 10},
        {"losses": [1.0] * 50, "classes": 1},
        {"train_accuracy": [1.0] * 30, "train_loss": [0.0] * 30, "classes": 1},
        {"losses": [1.0] * 50, "val_loss": [1.0] * 10, "steps_per_epoch": 10**12},
    ],
)
def test_numbers_out_of_the_ordinary_are_diagnosed(histories):
    assert str(pg.diagnose(**histories))


@given(
    st.lists(st.floats(width=32), max_size=60),
    st.lists(st.tuples(st.floats(0, 1) | st.just(math.nan), st.floats(width=32)), max_size=20),
)
def test_any_numbers_can_be_diagnosed(losses, epochs):
    lists = {
        "losses": losses,
        "val_accuracy": [a for a, _ in epochs],
        "val_loss": [loss for _, loss in epochs],
    }
    try:
        diagnosis = pg.diagnose(**{name: values for name, values in lists.items() if values}, classes=10)
    except PlaingradError:
        assert losses == epochs == []
        return
    assert str(diagnosis)
