"""Dropout's mask: a function of the seed, with the rate and the scale it promises."""

import numpy as np
import pytest

from plaingrad.ops import dropout_backward, dropout_forward


def test_the_same_seed_drops_the_same_elements_everywhere(engine):
    x = np.ones((6, 7))
    expected, _ = dropout_forward(x, rate=0.4, seed=(3, 5))
    out, cache = dropout_forward(engine.array(x), rate=0.4, seed=(3, 5))
    np.testing.assert_array_equal(engine.numpy(out), expected)
    np.testing.assert_array_equal(engine.numpy(dropout_backward(engine.array(x), cache)), expected)


@pytest.mark.parametrize("other", [(3, 6), (4, 5), 3, (5, 3)])
def test_another_seed_drops_others(other):
    x = np.ones((6, 7))
    assert (dropout_forward(x, rate=0.4, seed=(3, 5))[0] != dropout_forward(x, rate=0.4, seed=other)[0]).any()


def test_the_mask_does_not_depend_on_the_dtype():
    single, _ = dropout_forward(np.ones(50, np.float32), rate=0.5, seed=1)
    double, _ = dropout_forward(np.ones(50), rate=0.5, seed=1)
    np.testing.assert_array_equal(single, double)


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_rate_and_scale(rate):
    """Within five standard errors of the binomial: by chance this fails once in two million seeds."""
    count = 100_000
    out, _ = dropout_forward(np.ones(count), rate=rate, seed=11)
    assert set(np.unique(out)) == {0, 1 / (1 - rate)}
    standard_error = np.sqrt(rate * (1 - rate) / count)
    assert abs(np.mean(out == 0) - rate) < 5 * standard_error
    assert abs(out.mean() - 1) < 5 * standard_error / (1 - rate), "evaluation needs no other scale"


def test_rate_zero_keeps_everything():
    x = np.random.default_rng(0).standard_normal((5, 6))
    np.testing.assert_array_equal(dropout_forward(x, rate=0.0, seed=0)[0], x)
