"""Convolution at every size, stride, padding, dilation and number of groups, and what it complains about."""

from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaingrad import ops
from plaingrad.errors import ShapeError
from plaingrad.ops.window import _pair

pytestmark = pytest.mark.usefixtures("definitions")


def pairs(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(least, most), st.integers(least, most))


windows = st.builds(
    ops.Window, size=pairs(1, 4), stride=pairs(1, 3), padding=pairs(0, 3), dilation=pairs(1, 3)
)


@st.composite
def windows_and_images(draw):
    """A window, and (N, C, H, W) of images that it fits, down to one place."""
    window = draw(windows)
    least = [max(1, n - 2 * p) for n, p in zip(window.span, window.padding, strict=True)]
    height, width = (n + draw(st.integers(0, 6)) for n in least)
    return window, (draw(st.integers(1, 3)), draw(st.integers(1, 3)), height, width)


@given(windows_and_images(), st.integers(1, 3), st.integers(1, 3), st.booleans())
@settings(max_examples=100)
def test_any_convolution_is_that_of_pytorch(given, groups, filters, bias):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    window, (count, channels, *image) = given
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, channels * groups, *image))
    w = rng.standard_normal((filters * groups, channels, *window.size))
    inputs = (x, w, rng.standard_normal(filters * groups)) if bias else (x, w)
    _, stride, padding, dilation = window

    leaves = [torch.tensor(value, requires_grad=True) for value in inputs]
    b = leaves[2] if bias else None
    expected = torch.nn.functional.conv2d(*leaves[:2], b, stride, padding, dilation, groups)
    dout = rng.standard_normal(expected.shape)
    expected.backward(torch.as_tensor(dout))

    out, cache = ops.conv2d_forward(*inputs, stride=stride, padding=padding, dilation=dilation, groups=groups)
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    gradients = ops.conv2d_backward(dout, cache)
    for gradient, leaf in zip(gradients[: len(inputs)], leaves, strict=True):
        np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=1e-12, atol=1e-12)


@given(windows_and_images())
def test_fold_is_the_adjoint_of_unfold(given):
    """Σ unfold(x) · p = Σ x · fold(p), for every x and p."""
    window, shape = given
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    patches = ops.unfold(x, window)
    assert patches.shape == (*shape[:2], *window.size, *window.steps(shape[2:]))
    p = rng.standard_normal(patches.shape)
    folded = ops.fold(p, window, shape[2:])
    assert folded.shape == x.shape
    assert np.vdot(patches, p) == pytest.approx(np.vdot(x, folded), rel=1e-11, abs=1e-11)


@given(windows_and_images())
def test_unfold_cuts_out_what_its_docstring_says(given):
    window, shape = given
    x = np.random.default_rng(0).standard_normal(shape)
    (sh, sw), (ph, pw), (dh, dw) = window[1:]
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=-math.inf)
    patches = ops.unfold(x, window, fill=-math.inf)
    for *_, i, j, row, column in np.ndindex(1, 1, *patches.shape[2:]):
        np.testing.assert_array_equal(
            patches[:, :, i, j, row, column], padded[:, :, row * sh + i * dh, column * sw + j * dw]
        )


def test_folding_ones_counts_the_patches_that_see_a_pixel():
    counts = ops.fold(np.ones((1, 1, 3, 3, 3, 3)), ops.Window((3, 3), padding=(1, 1)), (3, 3))
    assert counts[0, 0].tolist() == [[4, 6, 4], [6, 9, 6], [4, 6, 4]]


def test_no_sample():
    """The last batch of nothing: no error, and gradients of 0 for the filters."""
    x, w, b = np.zeros((0, 4, 5, 6)), np.ones((6, 2, 3, 3)), np.ones(6)
    out, cache = ops.conv2d_forward(x, w, b, groups=2)
    assert out.shape == (0, 6, 3, 4)
    dx, dw, db = ops.conv2d_backward(out, cache)
    assert dx.shape == x.shape
    assert dw.shape == w.shape
    assert not dw.any()
    assert not db.any()


def test_without_bias_and_without_dx():
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(shape) for shape in ((2, 3, 5, 4), (4, 3, 2, 3), (4,)))
    out, cache = ops.conv2d_forward(x, w)
    with_bias, _ = ops.conv2d_forward(x, w, b)
    np.testing.assert_allclose(out + b[:, None, None], with_bias, rtol=1e-13)
    dout = rng.standard_normal(out.shape)
    dx, dw, db = ops.conv2d_backward(dout, cache, needs_dx=False)
    assert dx is None
    whole = ops.conv2d_backward(dout, cache)
    np.testing.assert_array_equal(dw, whole[1])
    np.testing.assert_array_equal(db, whole[2])


def test_one_pixel_filters_are_an_affine_map_of_each_pixel():
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(shape) for shape in ((2, 3, 4, 5), (6, 3, 1, 1), (6,)))
    out, _ = ops.conv2d_forward(x, w, b)
    pixels = np.moveaxis(x, 1, 3).reshape(-1, 3)
    by_pixel, _ = ops.affine_forward(pixels, w[:, :, 0, 0].T, b)
    np.testing.assert_allclose(np.moveaxis(out, 1, 3).reshape(-1, 6), by_pixel, rtol=1e-13)


def test_filters_of_the_image_s_size_are_an_affine_map_of_the_image():
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(shape) for shape in ((2, 3, 4, 5), (6, 3, 4, 5), (6,)))
    out, _ = ops.conv2d_forward(x, w, b)
    flat, _ = ops.affine_forward(x.reshape(2, -1), w.reshape(6, -1).T, b)
    np.testing.assert_allclose(out[:, :, 0, 0], flat, rtol=1e-12)


@pytest.mark.parametrize(
    ("filters", "groups", "named"),
    [
        ((4, 3, 2, 2), 1, ["5 channels", r"\(4, 3, 2, 2\)", "1 groups"]),
        ((4, 2, 2, 2), 2, ["5 channels", r"\(4, 2, 2, 2\)", "2 groups"]),
        ((4, 1, 2, 2), 5, ["5 channels", r"\(4, 1, 2, 2\)", "5 groups"]),
        ((4, 5, 2, 2), 0, ["0 groups"]),
        ((4, 5, 2, 2), -1, ["-1 groups"]),
    ],
)
def test_channels_and_filters_must_divide_into_the_groups(filters, groups, named):
    with pytest.raises(ShapeError, match=".*".join(["^conv2d", *named])):
        ops.conv2d_forward(np.ones((1, 5, 4, 4)), np.ones(filters), groups=groups)


def test_filters_larger_than_the_padded_image():
    with pytest.raises(ShapeError, match=r"^conv2d: .*covers 9×3 pixels.*of 5×6, 7×6 with its padding"):
        ops.conv2d_forward(np.ones((1, 1, 5, 6)), np.ones((1, 1, 5, 3)), padding=(1, 0), dilation=(2, 1))


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("stride", 0, 1),
        ("stride", (1, -2), 1),
        ("padding", -1, 0),
        ("padding", (0, -3), 0),
        ("dilation", 0, 1),
        ("dilation", (-1, 1), 1),
    ],
)
def test_numbers_that_move_no_window(name, value, least):
    said = f"^conv2d: {name} must be a whole number, {least} or more, .* got {value}".replace("(", r"\(")
    with pytest.raises(ShapeError, match=said.replace(")", r"\)")):
        ops.conv2d_forward(np.ones((1, 1, 5, 5)), np.ones((1, 1, 2, 2)), **{name: value})


def test_filters_without_cells():
    with pytest.raises(ShapeError, match=r"^conv2d: size must be .* 1 or more, .* got \(0, 3\)"):
        ops.conv2d_forward(np.ones((1, 1, 5, 5)), np.ones((1, 1, 0, 3)))


@pytest.mark.parametrize("value", [1.5, "ab", (1, 2, 3), (1,), None, (1, 1.5)])
def test_a_window_of_something_else(value):
    """Types are checked before that here, but not where plaingrad is used; hence without the check."""
    with pytest.raises(ShapeError, match=re.escape(f"or two of them, got {value!r}")):
        inspect.unwrap(_pair)("conv2d", "stride", value, 1)


@pytest.mark.parametrize("value", [[2, 3], (np.int64(2), np.int32(3))])
def test_lists_as_in_recipes_and_integers_of_numpy_are_numbers_too(value):
    assert inspect.unwrap(_pair)("conv2d", "stride", value, 1) == (2, 3)
