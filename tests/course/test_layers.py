"""The layers at the course's reference values, and their gradients by its own checker."""

import numpy as np
import pytest

from plaingrad.course import conventions
from plaingrad.course.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from plaingrad.course.layer_utils import *  # noqa: F403
from plaingrad.course.layer_utils import (
    affine_backward,
    affine_bn_relu_backward,
    affine_bn_relu_forward,
    affine_forward,
    affine_ln_relu_backward,
    affine_ln_relu_forward,
    affine_relu_backward,
    affine_relu_dropout_backward,
    affine_relu_dropout_forward,
    affine_relu_forward,
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
    relu_backward,
    relu_forward,
    softmax_loss,
    svm_loss,
)
from plaingrad.errors import DataError, ShapeError

from .reference import AFFINE_OUT, RELU_OUT, check, rel_error


@pytest.fixture
def scores():
    np.random.seed(231)
    return 0.001 * np.random.randn(50, 10), np.random.randint(10, size=50)


def test_affine_forward_reference():
    x = np.linspace(-0.1, 0.5, 240).reshape(2, 4, 5, 6)
    w = np.linspace(-0.2, 0.3, 360).reshape(120, 3)
    out, _ = affine_forward(x, w, np.linspace(-0.3, 0.1, 3))
    assert rel_error(out, AFFINE_OUT) <= 1e-9


def test_affine_gradients():
    np.random.seed(231)
    inputs = np.random.randn(10, 2, 3), np.random.randn(6, 5), np.random.randn(5)
    check(affine_forward, affine_backward, inputs, 1e-9)
    # The published protocol, with its own draws.
    np.random.seed(231)
    x, w, b, dout = (np.random.randn(*s) for s in ((10, 2, 3), (6, 5), (5,), (10, 5)))
    dx, dw, db = affine_backward(dout, affine_forward(x, w, b)[1])
    assert (
        rel_error(eval_numerical_gradient_array(lambda x: affine_forward(x, w, b)[0], x, dout), dx) <= 1e-10
    )
    assert (
        rel_error(eval_numerical_gradient_array(lambda w: affine_forward(x, w, b)[0], w, dout), dw) <= 1e-10
    )
    assert (
        rel_error(eval_numerical_gradient_array(lambda b: affine_forward(x, w, b)[0], b, dout), db) <= 1e-10
    )


def test_relu_reference_and_gradient():
    out, _ = relu_forward(np.linspace(-0.5, 0.5, 12).reshape(3, 4))
    assert rel_error(out, RELU_OUT) <= 5e-8  # eight digits were published
    np.random.seed(231)
    x, dout = np.random.randn(10, 10), np.random.randn(10, 10)
    dx = relu_backward(dout, relu_forward(x)[1])
    assert rel_error(eval_numerical_gradient_array(lambda x: relu_forward(x)[0], x, dout), dx) <= 1e-11


def test_affine_relu_gradients():
    np.random.seed(231)
    x, w, b = np.random.randn(2, 3, 4), np.random.randn(12, 10), np.random.randn(10)
    dout = np.random.randn(2, 10)
    gradients = affine_relu_backward(dout, affine_relu_forward(x, w, b)[1])
    for array, gradient in zip((x, w, b), gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: affine_relu_forward(x, w, b)[0], array, dout)
        assert rel_error(numeric, gradient) <= 1e-10


@pytest.mark.parametrize(
    ("loss", "value", "error"),
    [(svm_loss, 8.999602749096233, 1.4e-9), (softmax_loss, 2.302545844500738, 9.4e-9)],
    ids=["svm", "softmax"],
)
def test_losses_reference(loss, value, error, scores):
    x, y = scores
    result, dx = loss(x, y)
    assert result == pytest.approx(value, rel=1e-14)
    assert rel_error(eval_numerical_gradient(lambda x: loss(x, y)[0], x, verbose=False), dx) <= error * 1.1


@pytest.mark.parametrize("loss", [svm_loss, softmax_loss])
def test_losses_refuse_what_does_not_fit(loss, scores):
    x, y = scores
    with pytest.raises(DataError, match="label 10 is out of range"):
        loss(x, np.where(y == 0, 10, y))
    with pytest.raises(ShapeError, match="50 samples need labels"):
        loss(x, y[:3])
    with pytest.raises(ShapeError, match=r"scores of shape \(N, C\)"):
        loss(x[0], y[:1])


def test_batchnorm_statistics_of_the_notebook():
    np.random.seed(231)
    X, W1, W2 = np.random.randn(200, 50), np.random.randn(50, 60), np.random.randn(60, 3)
    a = np.maximum(0, X.dot(W1)).dot(W2)
    np.testing.assert_allclose(a.mean(axis=0), [-2.3814598, -13.18038246, 1.91780462], rtol=1e-7)
    gamma, beta = np.array([1.0, 2.0, 3.0]), np.array([11.0, 12.0, 13.0])
    out, _ = batchnorm_forward(a, gamma, beta, {"mode": "train"})
    np.testing.assert_allclose(out.mean(axis=0), beta, atol=1e-12)
    np.testing.assert_allclose(out.std(axis=0), gamma, atol=2e-8)


def test_batchnorm_running_averages_are_kept_in_the_dict():
    np.random.seed(231)
    W1, W2 = np.random.randn(50, 60), np.random.randn(60, 3)
    gamma, beta, bn_param = np.ones(3), np.zeros(3), {"mode": "train"}
    for _ in range(50):
        batchnorm_forward(np.maximum(0, np.random.randn(200, 50).dot(W1)).dot(W2), gamma, beta, bn_param)
    bn_param["mode"] = "test"
    a = np.maximum(0, np.random.randn(200, 50).dot(W1)).dot(W2)
    out, cache = batchnorm_forward(a, gamma, beta, bn_param)
    # What the notebook prints.
    np.testing.assert_allclose(out.mean(axis=0), [-0.03927354, -0.04349152, -0.10452688], atol=1e-8)
    np.testing.assert_allclose(out.std(axis=0), [1.01531428, 1.01238373, 0.97819988], atol=1e-8)
    # In test mode the statistics are constants, for the gradient too.
    dout = np.random.randn(*a.shape)
    np.testing.assert_allclose(
        batchnorm_backward(dout, cache)[0], dout / np.sqrt(bn_param["running_var"] + 1e-5)
    )


@pytest.mark.parametrize("backward", [batchnorm_backward, batchnorm_backward_alt])
def test_batchnorm_gradients(backward):
    np.random.seed(231)
    inputs = 5 * np.random.randn(4, 5) + 12, np.random.randn(5), np.random.randn(5)
    check(lambda *a: batchnorm_forward(*a, {"mode": "train"}), backward, inputs, 1e-8)


def test_layernorm_gradients_and_eps():
    np.random.seed(231)
    inputs = 5 * np.random.randn(4, 5) + 12, np.random.randn(5), np.random.randn(5)
    check(lambda *a: layernorm_forward(*a, {}), layernorm_backward, inputs, 1e-8)
    flat, _ = layernorm_forward(inputs[0], np.ones(5), np.zeros(5), {"eps": 1e6})
    assert abs(flat).max() < 0.1


@pytest.mark.parametrize(
    ("forward", "backward", "param"),
    [
        (affine_bn_relu_forward, affine_bn_relu_backward, {"mode": "train"}),
        (affine_ln_relu_forward, affine_ln_relu_backward, {}),
    ],
)
def test_normalised_sandwiches(forward, backward, param):
    np.random.seed(3)
    inputs = [np.random.randn(*s) for s in ((4, 2, 3), (6, 5), (5,), (5,), (5,))]
    out, cache = forward(*inputs, param)
    dout = np.random.randn(*out.shape)
    for array, gradient in zip(inputs, backward(dout, cache), strict=True):
        numeric = eval_numerical_gradient_array(lambda _: forward(*inputs, param)[0], array, dout)
        np.testing.assert_allclose(gradient, numeric, atol=1e-7)


def test_dropout_sandwich():
    np.random.seed(3)
    inputs = [np.random.randn(*s) for s in ((4, 6), (6, 5), (5,))]
    param = {"mode": "train", "p": 0.6, "seed": 5}
    check(lambda *a: affine_relu_dropout_forward(*a, param), affine_relu_dropout_backward, inputs, 1e-7)


@pytest.mark.parametrize("p", [0.25, 0.4, 0.7])
def test_dropout_keeps_with_probability_p(p):
    np.random.seed(231)
    x = np.random.randn(500, 500) + 10
    out, _ = dropout_forward(x, {"mode": "train", "p": p})
    assert (out == 0).mean() == pytest.approx(1 - p, abs=0.005)
    assert out.mean() == pytest.approx(x.mean(), abs=0.2)
    again, _ = dropout_forward(x, {"mode": "train", "p": p})
    assert (out != again).any()
    same, cache = dropout_forward(x, {"mode": "test", "p": p})
    assert same is x
    assert dropout_backward(x, cache) is x


def test_dropout_seed_and_gradient():
    np.random.seed(231)
    x, dout = np.random.randn(10, 10) + 10, np.random.randn(10, 10)
    param = {"mode": "train", "p": 0.2, "seed": 123}
    before = np.random.get_state()[2]
    out, cache = dropout_forward(x, param)
    assert np.random.get_state()[2] == before  # the global generator is left alone
    np.testing.assert_array_equal(out, dropout_forward(x, param)[0])
    numeric = eval_numerical_gradient_array(lambda x: dropout_forward(x, param)[0], x, dout)
    assert rel_error(numeric, dropout_backward(dout, cache)) < 1e-10


def test_dropout_of_the_older_years():
    np.random.seed(0)
    x = np.ones((400, 400))
    conventions.set_dropout_p("drop")
    try:
        out, _ = dropout_forward(x, {"mode": "train", "p": 0.3})
        with pytest.raises(ValueError, match="at least 0 and below 1"):
            dropout_forward(x, {"mode": "train", "p": 1})
    finally:
        conventions.set_dropout_p("keep")
    assert (out == 0).mean() == pytest.approx(0.3, abs=0.01)
    with pytest.raises(ValueError, match='dropout_p="drop"'):
        dropout_forward(x, {"mode": "train", "p": 0})
    with pytest.raises(ValueError, match='"keep" or "drop"'):
        conventions.set_dropout_p("both")


def test_wrong_input_is_named():
    x, w, b = np.ones((2, 3, 4)), np.ones((11, 5)), np.ones(5)
    with pytest.raises(ShapeError, match=r"rows \(2, 12\), but w is \(11, 5\)"):
        affine_forward(x, w, b)
    with pytest.raises(ShapeError, match=r"w must be \(features, units\)"):
        affine_forward(np.float64(1.0), w, b)
    with pytest.raises(ValueError, match=r'bn_param\["mode"\] must be "train" or "test", got None'):
        batchnorm_forward(np.ones((2, 3)), np.ones(3), np.ones(3), {})
    with pytest.raises(ShapeError, match="batchnorm needs x"):
        batchnorm_forward(np.ones((2, 3)), np.ones(4), np.ones(4), {"mode": "train"})
    with pytest.raises(ShapeError, match="layernorm needs x"):
        layernorm_forward(np.ones((2, 3, 4)), np.ones(4), np.ones(4), {})
    with pytest.raises(ValueError, match="dropout_param"):
        dropout_forward(np.ones(3), {"p": 0.5, "mode": "Train"})
