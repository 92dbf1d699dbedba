"""The layers for images at the course's reference values, and their gradients by its own checker."""

import numpy as np
import pytest

from plaingrad.course import fast_layers, layer_utils, layers
from plaingrad.course.gradient_check import eval_numerical_gradient_array
from plaingrad.course.im2col import col2im_indices, get_im2col_indices, im2col_indices
from plaingrad.course.layer_utils import (
    conv_bn_relu_backward,
    conv_bn_relu_forward,
    conv_relu_backward,
    conv_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
)
from plaingrad.course.layers import (
    conv_backward_naive,
    conv_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)
from plaingrad.errors import ShapeError

from .reference import CONV_OUT, POOL_OUT, check, rel_error

TWO_BY_TWO = {"pool_height": 2, "pool_width": 2, "stride": 2}


def draws(*shapes):
    np.random.seed(231)
    return [np.random.randn(*shape) for shape in shapes]


def test_conv_forward_reference():
    x, w = np.linspace(-0.1, 0.5, 96).reshape(2, 3, 4, 4), np.linspace(-0.2, 0.3, 144).reshape(3, 3, 4, 4)
    b, conv_param = np.linspace(-0.1, 0.2, num=3), {"stride": 2, "pad": 1}
    out, cache = conv_forward_naive(x, w, b, conv_param)
    assert rel_error(out, CONV_OUT) <= 2.3e-8  # eight digits were published
    for ours, given in zip(cache, (x, w, b, conv_param), strict=True):
        assert ours is given


def test_conv_cell_by_cell():
    x, w, b = draws((2, 3, 7, 6), (4, 3, 2, 3), (4,))
    out, _ = conv_forward_naive(x, w, b, {"stride": 3, "pad": 1})
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    assert out.shape == (2, 4, 3, 2)
    for n, f, i, j in np.ndindex(out.shape):
        patch = padded[n, :, 3 * i : 3 * i + 2, 3 * j : 3 * j + 3]
        assert out[n, f, i, j] == pytest.approx((patch * w[f]).sum() + b[f], rel=1e-12)


@pytest.mark.parametrize(
    ("shapes", "stride", "pad"),
    [
        (((4, 3, 5, 5), (2, 3, 3, 3), (2,)), 1, 1),  # the published protocol
        (((2, 3, 6, 7), (4, 3, 3, 2), (4,)), 2, 0),
        (((2, 1, 4, 5), (3, 1, 1, 3), (3,)), 3, 2),
    ],
)
def test_conv_gradients(shapes, stride, pad):
    param = {"stride": stride, "pad": pad}
    check(lambda *a: conv_forward_naive(*a, param), conv_backward_naive, draws(*shapes), 2e-8)


def test_max_pool_reference():
    out, _ = max_pool_forward_naive(np.linspace(-0.3, 0.4, 96).reshape(2, 3, 4, 4), TWO_BY_TWO)
    assert rel_error(out, POOL_OUT) <= 4.2e-8


@pytest.mark.parametrize("size", [(2, 2, 2), (3, 2, 1), (2, 3, 2)])
def test_max_pool_gradients(size):
    param = dict(zip(("pool_height", "pool_width", "stride"), size, strict=True))
    x = draws((3, 2, 8, 8))
    out, _ = max_pool_forward_naive(*x, param)
    assert out.shape == (3, 2, *((8 - n) // size[2] + 1 for n in size[:2]))
    check(lambda x: max_pool_forward_naive(x, param), max_pool_backward_naive, x, 1e-10)


def test_of_equal_values_the_first_has_the_gradient():
    _, cache = max_pool_forward_naive(np.ones((1, 1, 2, 2)), TWO_BY_TWO)
    np.testing.assert_array_equal(
        max_pool_backward_naive(np.full((1, 1, 1, 1), 3.0), cache), [[[[3, 0], [0, 0]]]]
    )


def test_spatial_batchnorm_statistics_of_the_notebook():
    (x,) = draws((2, 3, 4, 5))
    x, axes, bn_param = 4 * x + 10, (0, 2, 3), {"mode": "train"}
    np.testing.assert_allclose(x.mean(axis=axes), [9.33463814, 8.90909116, 9.11056338], rtol=1e-8)
    gamma, beta = np.array([3.0, 4.0, 5.0]), np.array([6.0, 7.0, 8.0])
    out, _ = spatial_batchnorm_forward(x, gamma, beta, bn_param)
    np.testing.assert_allclose(out.mean(axis=axes), beta, atol=1e-12)
    np.testing.assert_allclose(out.std(axis=axes), [2.99999885, 3.99999804, 4.99999798], atol=1e-8)
    np.testing.assert_allclose(bn_param["running_mean"], 0.1 * x.mean(axis=axes))
    np.testing.assert_allclose(bn_param["running_var"], 0.1 * x.var(axis=axes))


def test_spatial_batchnorm_in_test_mode():
    np.random.seed(231)
    gamma, beta, bn_param = np.ones(4), np.zeros(4), {"mode": "train"}
    for _ in range(50):
        spatial_batchnorm_forward(2.3 * np.random.randn(10, 4, 11, 12) + 13, gamma, beta, bn_param)
    bn_param["mode"] = "test"
    out, cache = spatial_batchnorm_forward(2.3 * np.random.randn(10, 4, 11, 12) + 13, gamma, beta, bn_param)
    # What the notebook prints.
    np.testing.assert_allclose(
        out.mean(axis=(0, 2, 3)), [-0.08034406, 0.07562881, 0.05716371, 0.04378383], atol=1e-8
    )
    np.testing.assert_allclose(
        out.std(axis=(0, 2, 3)), [0.96718744, 1.0299714, 1.02887624, 1.00585577], atol=1e-8
    )
    dx = spatial_batchnorm_backward(np.ones_like(out), cache)[0]
    np.testing.assert_allclose(dx[0, :, 0, 0], 1 / np.sqrt(bn_param["running_var"] + 1e-5))


def test_spatial_batchnorm_gradients():
    x, gamma, beta = draws((2, 3, 4, 5), (3,), (3,))
    check(
        lambda *a: spatial_batchnorm_forward(*a, {"mode": "train"}),
        spatial_batchnorm_backward,
        (5 * x + 12, gamma, beta),
        1e-6,
    )


def test_spatial_groupnorm_statistics_of_the_notebook():
    (x,) = draws((2, 6, 4, 5))
    x = 4 * x + 10
    np.testing.assert_allclose(
        x.reshape(4, -1).mean(axis=1), [9.72505327, 8.51114185, 8.9147544, 9.43448077], rtol=1e-8
    )
    gamma, beta = np.ones((1, 6, 1, 1)), np.zeros((1, 6, 1, 1))
    out = spatial_groupnorm_forward(x, gamma, beta, 2, {"mode": "train"})[0].reshape(4, -1)
    np.testing.assert_allclose(out.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(out.std(axis=1), [0.99999963, 0.99999948, 0.99999973, 0.99999968], atol=1e-8)
    flat, _ = spatial_groupnorm_forward(x, gamma, beta, 2, {"eps": 1e6})
    assert abs(flat).max() < 0.1


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_spatial_groupnorm_gradients(groups):
    """Those of gamma and beta have their shape, (1, C, 1, 1)."""
    x, gamma, beta = draws((2, 6, 4, 5), (1, 6, 1, 1), (1, 6, 1, 1))
    check(
        lambda *a: spatial_groupnorm_forward(*a, groups, {}),
        spatial_groupnorm_backward,
        (5 * x + 12, gamma, beta),
        1e-6,
    )


def test_conv_sandwiches():
    conv_param, shapes = {"stride": 1, "pad": 1}, ((2, 3, 8, 6), (4, 3, 3, 3), (4,), (4,), (4,))
    *conv, gamma, beta = draws(*shapes)
    check(lambda *a: conv_relu_forward(*a, conv_param), conv_relu_backward, conv, 2e-7)
    check(lambda *a: conv_relu_pool_forward(*a, conv_param, TWO_BY_TWO), conv_relu_pool_backward, conv, 2e-7)
    # By absolute difference: the bias has no gradient, since the normalisation takes it away again.
    inputs, bn_param = (*conv, gamma, beta), {"mode": "train"}
    out, cache = conv_bn_relu_forward(*inputs, conv_param, bn_param)
    assert "running_mean" in bn_param
    dout = np.random.randn(*out.shape)
    for array, gradient in zip(inputs, conv_bn_relu_backward(dout, cache), strict=True):
        numeric = eval_numerical_gradient_array(
            lambda _: conv_bn_relu_forward(*inputs, conv_param, bn_param)[0], array, dout
        )
        np.testing.assert_allclose(gradient, numeric, atol=1e-7)


def test_the_fast_layers_are_the_layers():
    for name in fast_layers.__all__:
        kind, way, _ = name.rsplit("_", 2)
        assert getattr(fast_layers, name) is getattr(layers, f"{kind}_{way}_naive")
        assert name in layer_utils.__all__


@pytest.mark.parametrize(
    ("shape", "size", "padding", "stride"),
    [((2, 3, 5, 5), (3, 3), 1, 2), ((3, 2, 6, 4), (2, 2), 0, 2), ((1, 2, 6, 7), (2, 3), 1, 1)],
)
def test_im2col(shape, size, padding, stride):
    (x,) = draws(shape)
    (N, C, H, W), (fh, fw) = shape, size
    cols = im2col_indices(x, fh, fw, padding, stride)
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    places = [
        (i, j)
        for i in range(0, H + 2 * padding - fh + 1, stride)
        for j in range(0, W + 2 * padding - fw + 1, stride)
    ]
    expected = [padded[n, :, i : i + fh, j : j + fw].ravel() for i, j in places for n in range(N)]
    np.testing.assert_array_equal(cols, np.transpose(expected))
    # As the course's own im2col uses the indices.
    k, i, j = get_im2col_indices(shape, fh, fw, padding, stride)
    assert k.shape == (C * fh * fw, 1)
    np.testing.assert_array_equal(padded[:, k, i, j].transpose(1, 2, 0).reshape(C * fh * fw, -1), cols)
    # The adjoint: Σ im2col(x) · p = Σ x · col2im(p) for every x and p.
    p = np.random.randn(*cols.shape)
    image = col2im_indices(p, shape, fh, fw, padding, stride)
    assert image.shape == shape
    assert (cols * p).sum() == pytest.approx((x * image).sum())


def test_wrong_input_is_named():
    x, w, b = np.ones((2, 3, 5, 5)), np.ones((4, 3, 3, 3)), np.ones(4)
    conv_param = {"stride": 1, "pad": 1}
    for wrong in ((x[0], w, b), (x, w[0], b), (x[:, :2], w, b), (x, w, b[:3])):
        with pytest.raises(ShapeError, match=r"conv needs x \(N, C, H, W\), w \(F, C, HH, WW\) and b \(F,\)"):
            conv_forward_naive(*wrong, conv_param)
    with pytest.raises(ValueError, match="conv_param needs stride, pad; missing: pad"):
        conv_forward_naive(x, w, b, {"stride": 1})
    with pytest.raises(ShapeError, match="does not fit the image of 5×5"):
        conv_forward_naive(x, np.ones((4, 3, 6, 3)), b, {"stride": 1, "pad": 0})
    with pytest.raises(ShapeError, match="max_pool needs"):
        max_pool_forward_naive(x[0], TWO_BY_TWO)
    with pytest.raises(ValueError, match="pool_param needs .*missing: pool_width, stride"):
        max_pool_forward_naive(x, {"pool_height": 2})
    with pytest.raises(ShapeError, match=r"spatial_batchnorm needs .*gamma \(C,\)"):
        spatial_batchnorm_forward(x, np.ones(2), np.ones(2), {"mode": "train"})
    with pytest.raises(ShapeError, match="spatial_batchnorm needs"):
        spatial_batchnorm_forward(x[0], np.ones(3), np.ones(3), {"mode": "train"})
    with pytest.raises(ValueError, match="bn_param"):
        spatial_batchnorm_forward(x, np.ones(3), np.ones(3), {})
    with pytest.raises(ShapeError, match=r"spatial_groupnorm needs .*gamma \(1, C, 1, 1\)"):
        spatial_groupnorm_forward(x, np.ones(3), np.ones(3), 1, {})
    with pytest.raises(ShapeError, match="3 channels do not divide into 2 equal groups"):
        spatial_groupnorm_forward(x, np.ones((1, 3, 1, 1)), np.ones((1, 3, 1, 1)), 2, {})
