"""Dropout's mask: a function of the seed, with the rate and the scale it promises."""

import numpy as np
import pytest

from plaingrad.ops import dropout2d_backward, dropout2d_forward, dropout_backward, dropout_forward

pytestmark = pytest.mark.usefixtures("definitions")


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


def test_channels_are_dropped_whole(engine):
    x = np.random.default_rng(0).standard_normal((4, 6, 3, 5))
    out, cache = dropout2d_forward(engine.array(x), rate=0.5, seed=(3, 5))
    factors = engine.numpy(out) / x
    assert set(np.unique(factors.round(12))) == {0, 2}
    assert (np.ptp(factors, axis=(2, 3)) < 1e-12).all()
    assert np.ptp(factors[:, :, 0, 0], axis=0).any(), "each image drops channels of its own"
    dx = dropout2d_backward(engine.array(x), cache)
    np.testing.assert_array_equal(engine.numpy(dx), engine.numpy(out))
