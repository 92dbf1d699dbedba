"""Pooling at every size, stride and padding; who wins a tie; what it complains about."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaingrad import ops
from plaingrad.errors import ShapeError

pytestmark = pytest.mark.usefixtures("definitions")

POOLS = [
    (ops.max_pool2d_forward, ops.max_pool2d_backward, "max_pool2d"),
    (ops.avg_pool2d_forward, ops.avg_pool2d_backward, "avg_pool2d"),
]
both_pools = pytest.mark.parametrize(("forward", "backward", "name"), POOLS, ids=["max", "avg"])


def pairs(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(least, most), st.integers(least, most))


@st.composite
def pools_and_images(draw):
    """Window, stride, padding, and images of few different whole numbers, so that there are ties."""
    window, stride = draw(pairs(1, 4)), draw(st.none() | pairs(1, 4))
    padding = tuple(draw(st.integers(0, n // 2)) for n in window)
    sizes = [max(1, n - 2 * p) + draw(st.integers(0, 6)) for n, p in zip(window, padding, strict=True)]
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 3)), *sizes)
    levels = draw(st.sampled_from([1, 3, 1000]))
    x = np.random.default_rng(draw(st.integers(0, 99))).integers(-levels, levels, shape)
    return {"window": window, "stride": stride, "padding": padding}, x.astype(np.float64)


@both_pools
@given(pools_and_images())
@settings(max_examples=100)
def test_any_pooling_is_that_of_pytorch(forward, backward, name, given):
    """Ties included: the gradient is in the same pixel."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    keywords, x = given
    leaf = torch.tensor(x, requires_grad=True)
    window, stride, padding = keywords.values()
    expected = getattr(torch.nn.functional, name)(leaf, window, stride, padding)
    dout = np.random.default_rng(1).standard_normal(expected.shape)
    expected.backward(torch.as_tensor(dout))

    out, cache = forward(x, **keywords)
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(backward(dout, cache), leaf.grad.numpy(), rtol=1e-13, atol=1e-13)


def test_of_equal_values_the_first_wins_row_by_row(engine):
    x = np.array([[7, 7, 1, 2], [7, 7, 2, 2]])[None, None].astype(np.float64)
    out, cache = ops.max_pool2d_forward(engine.array(x), window=2)
    assert engine.numpy(out).ravel().tolist() == [7, 2]
    dx = ops.max_pool2d_backward(engine.array(np.array([[[[5.0, 6.0]]]])), cache)
    assert engine.numpy(dx)[0, 0].tolist() == [[5, 0, 0, 6], [0, 0, 0, 0]]


def test_padding_never_wins_a_maximum_and_counts_as_zero_in_a_mean():
    x = np.full((1, 1, 2, 2), -4.0)
    largest, cache = ops.max_pool2d_forward(x, window=2, padding=1)
    assert (largest == -4).all()
    assert (ops.max_pool2d_backward(np.ones_like(largest), cache) == 1).all()
    mean, _ = ops.avg_pool2d_forward(x, window=2, padding=1)
    assert (mean == -1).all()


def test_a_pixel_that_wins_in_several_windows_gets_all_their_gradients():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1
    out, cache = ops.max_pool2d_forward(x, window=2, stride=1)
    dx = ops.max_pool2d_backward(np.arange(1.0, 5).reshape(out.shape), cache)
    assert dx[0, 0].tolist() == [[0, 0, 0], [0, 10, 0], [0, 0, 0]]


@both_pools
def test_the_gradient_of_pixels_that_no_window_sees_is_zero(forward, backward, name):
    out, cache = forward(np.ones((2, 1, 5, 7)), window=2, stride=3)
    assert out.shape == (2, 1, 2, 2)
    dx = backward(np.ones_like(out), cache)
    assert (dx.sum(axis=(2, 3)) == 4).all()
    assert not dx[:, :, 2].any()
    assert not dx[:, :, :, [2, 5, 6]].any()


@both_pools
def test_no_sample(forward, backward, name):
    x = np.zeros((0, 3, 4, 4))
    out, cache = forward(x, window=2)
    assert out.shape == (0, 3, 2, 2)
    assert backward(out, cache).shape == x.shape


def test_averages_of_the_whole_image_by_two_ways():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    windowed, _ = ops.avg_pool2d_forward(x, window=(4, 5))
    np.testing.assert_allclose(ops.global_avg_pool2d_forward(x)[0], windowed[:, :, 0, 0], rtol=1e-13)


@both_pools
@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"window": 0}, "window must be a whole number, 1 or more, or two of them, got 0"),
        ({"window": (2, -1)}, "window must be a whole number, 1 or more, or two of them, got (2, -1)"),
        ({"window": 2, "stride": 0}, "stride must be a whole number, 1 or more, or two of them, got 0"),
        ({"window": 2, "stride": (-1, 1)}, "stride must be a whole number, 1 or more, or two of them, got (-1, 1)"),
        ({"window": 2, "padding": -1}, "padding must be a whole number, 0 or more, or two of them, got -1"),
        ({"window": 3, "padding": 2}, "padding (2, 2) is more than half of the window (3, 3)"),
        ({"window": (4, 1), "padding": (2, 1)}, "padding (2, 1) is more than half of the window (4, 1)"),
        (
            {"window": (7, 8), "padding": (0, 1)},
            "a window that covers 7×8 pixels does not fit the image of 5×6, 5×8 with its padding",
        ),
    ],
)  # fmt: skip
def test_windows_that_cannot_be(forward, backward, name, keywords, said):
    with pytest.raises(ShapeError, match=re.escape(f"{name}: {said}")):
        forward(np.ones((1, 1, 5, 6)), **keywords)
