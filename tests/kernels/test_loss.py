"""Softmax cross-entropy where tests/kernels/test_kernels.py does not look: extreme scores, odd labels, many shapes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from plaingrad import ops
from plaingrad.kernels import available

pytestmark = pytest.mark.skipif(not available, reason="Numba is not installed")

FORWARD = ops.softmax_cross_entropy_forward
EXTREME = np.array([0, -0.0, 1e-45, 80, -80, 1e4, -1e4, 1e30, -1e30, 1e38, -1e38, np.inf, -np.inf, np.nan])


def assert_as_the_formula(scores, y, **keywords):
    assert FORWARD.kernel_for(scores, y, **keywords) is not None
    with np.errstate(all="ignore"):
        expected, (logp, target) = FORWARD.formula(scores, y, **keywords)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss, cache = FORWARD(scores, y, **keywords)
    assert type(loss) is type(expected) is np.float32
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(cache[0], logp, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(cache[1], target, rtol=1e-6)
    for got, right in zip(cache, (logp, target), strict=True):
        assert got.dtype == right.dtype == np.float32


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (7, 1), (3, 17), (130, 10), (5, 1000)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_shapes(shape, smoothing):
    rng = np.random.default_rng(0)
    scores = (3 * rng.standard_normal(shape)).astype(np.float32)
    assert_as_the_formula(scores, rng.integers(0, shape[1], shape[0]), label_smoothing=smoothing)
    targets = rng.dirichlet(np.ones(shape[1]), shape[0]).astype(np.float32)
    assert_as_the_formula(scores, targets, label_smoothing=smoothing)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("extreme", EXTREME)
def test_extreme_scores(extreme, place):
    """Row by row, so that what a row makes NaN does not hide the others."""
    scores = np.array([[0.5, -1.5, 2.0]], np.float32)
    scores[0, place] = extreme
    for label in range(3):
        assert_as_the_formula(scores, np.array([label]))
    both = np.concatenate([scores, -scores, scores[:, ::-1]])
    assert_as_the_formula(both, np.array([0, 1, 2]))


@pytest.mark.parametrize("extreme", EXTREME)
def test_rows_of_one_number(extreme):
    assert_as_the_formula(np.full((2, 4), extreme, np.float32), np.array([0, 3]))


def test_labels_that_are_none_have_no_target():
    """They are trusted, but do not reach beyond the scores' memory."""
    assert_as_the_formula(np.zeros((3, 4), np.float32), np.array([-1, 4, 1 << 40]))


@pytest.mark.parametrize(
    ("scores", "y"),
    [
        (np.zeros((4, 3)), np.arange(4) % 3),
        (np.zeros((4, 3), np.float32), (np.arange(4) % 3).astype(np.int32)),
        (np.zeros((4, 3), np.float32), np.full((4, 3), 1 / 3)),
        (np.zeros((4, 6), np.float32)[:, ::2], np.arange(4) % 3),
        (np.zeros((0, 3), np.float32), np.arange(0)),
        (np.zeros((4, 3), np.float32), np.arange(8)[::2]),
    ],
)
def test_left_to_the_formula(scores, y):
    assert FORWARD.kernel_for(scores, y) is None
