"""Values where a careless formula overflows, divides by zero, loses its digits, or takes another side."""

import numpy as np
import pytest

from plaingrad import ops
from plaingrad.errors import ShapeError

pytestmark = pytest.mark.usefixtures("definitions")

ACTIVATIONS = ["relu", "leaky_relu", "elu", "sigmoid", "tanh", "gelu", "silu"]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(6,), (2, 3), (2, 3, 4, 5), (0, 3)])
def test_activations_take_any_shape(name, shape):
    x = np.linspace(-3, 3, int(np.prod(shape))).reshape(shape)
    out, cache = getattr(ops, f"{name}_forward")(x)
    flat, _ = getattr(ops, f"{name}_forward")(x.ravel())
    np.testing.assert_array_equal(out, flat.reshape(shape))
    assert getattr(ops, f"{name}_backward")(x, cache).shape == shape


def test_the_derivative_of_relu_at_zero_is_zero():
    _, cache = ops.relu_forward(np.array([-0.0, 0.0]))
    np.testing.assert_array_equal(ops.relu_backward(np.ones(2), cache), 0)


def test_elu_keeps_its_digits_near_zero():
    x = np.array([-1e-12])
    np.testing.assert_allclose(ops.elu_forward(x)[0], x, rtol=1e-11)  # exp(x) − 1 is off by 1e-5


def test_gelu_is_close_to_the_exact_form():
    from math import erf, sqrt

    x = np.linspace(-6, 6, 2001)
    exact = np.array([t * (1 + erf(t / sqrt(2))) / 2 for t in x])
    assert np.abs(ops.gelu_forward(x)[0] - exact).max() < 5e-4


def test_saturation_has_the_right_limits():
    x = np.array([-1e4, 1e4], np.float32)
    assert ops.sigmoid_forward(x)[0].tolist() == [0, 1]
    assert ops.silu_forward(x)[0].tolist() == [0, 1e4]
    assert ops.gelu_forward(x)[0].tolist() == [0, 1e4]
    assert ops.elu_forward(x)[0].tolist() == [-1, 1e4]


def test_softmax_ignores_what_all_scores_share():
    x = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(ops.softmax_forward(x + 1e4)[0], ops.softmax_forward(x)[0], rtol=1e-12)
    np.testing.assert_allclose(ops.log_softmax_forward(x - 1e4)[0], ops.log_softmax_forward(x)[0], rtol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (2, 5), (2, 3, 5)])
def test_softmax_takes_rows_of_any_number_of_axes(shape):
    p, _ = ops.softmax_forward(np.random.default_rng(0).standard_normal(shape))
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-12)


def test_cross_entropy_of_a_hopeless_score_is_exact():
    """p underflows to 0, its logarithm would be −∞; from the scores the loss is simply their distance."""
    scores = np.array([[1e4, -1e4]], np.float32)
    loss, cache = ops.softmax_cross_entropy_forward(scores, np.array([1]))
    assert loss == 2e4
    assert ops.softmax_cross_entropy_backward(1.0, cache).tolist() == [[1, -1]]


def test_smoothing_equals_smoothed_targets():
    scores, y = np.random.default_rng(0).standard_normal((3, 4)), np.array([0, 3, 1])
    smoothed = 0.8 * np.eye(4)[y] + 0.2 / 4
    by_keyword, _ = ops.softmax_cross_entropy_forward(scores, y, label_smoothing=0.2)
    by_hand, _ = ops.softmax_cross_entropy_forward(scores, smoothed)
    np.testing.assert_allclose(by_keyword, by_hand, rtol=1e-13)


def test_cross_entropy_is_log_softmax_then_negative_log_likelihood():
    scores, y = np.random.default_rng(0).standard_normal((3, 4)), np.array([0, 3, 1])
    logp, log_cache = ops.log_softmax_forward(scores)
    loss, nll_cache = ops.negative_log_likelihood_forward(logp, y)
    chained = ops.log_softmax_backward(ops.negative_log_likelihood_backward(1.0, nll_cache), log_cache)
    whole, cache = ops.softmax_cross_entropy_forward(scores, y)
    np.testing.assert_allclose(loss, whole, rtol=1e-13)
    np.testing.assert_allclose(chained, ops.softmax_cross_entropy_backward(1.0, cache), rtol=1e-12)


def test_upstream_gradient_of_a_loss_scales_its_gradient():
    scores, y = np.random.default_rng(0).standard_normal((3, 4)), np.array([0, 3, 1])
    for op in ("softmax_cross_entropy", "hinge", "negative_log_likelihood"):
        _, cache = getattr(ops, f"{op}_forward")(scores, y)
        backward = getattr(ops, f"{op}_backward")
        np.testing.assert_allclose(backward(-2.5, cache), -2.5 * backward(1.0, cache), rtol=1e-14)


@pytest.mark.parametrize("op", ["batchnorm", "layernorm"])
def test_normalising_gives_mean_zero_and_variance_one(op):
    x = 5 + 3 * np.random.default_rng(0).standard_normal((200, 100))
    axis = 0 if op == "batchnorm" else 1
    out, _ = getattr(ops, f"{op}_forward")(x, np.ones(100), np.zeros(100))
    np.testing.assert_allclose(out.mean(axis=axis), 0, atol=1e-12)
    np.testing.assert_allclose(out.var(axis=axis), 1, rtol=1e-5)


@pytest.mark.parametrize("op", ["batchnorm", "layernorm"])
def test_normalising_a_constant_gives_beta(op):
    """The variance is 0, and ε alone keeps the root from dividing by it."""
    beta = np.array([1.0, 2.0, 3.0])
    out, _ = getattr(ops, f"{op}_forward")(np.full((4, 3), 7.0), np.ones(3), beta)
    np.testing.assert_array_equal(out, np.tile(beta, (4, 1)))


def test_variance_keeps_its_digits_far_from_zero():
    """E[x²] − E[x]² would be negative here in float32; the mean of squared deviations cannot be."""
    x = (1e4 + np.random.default_rng(0).standard_normal((1000, 1))).astype(np.float32)
    out, cache = ops.batchnorm_forward(x, np.ones(1, np.float32), np.zeros(1, np.float32))
    np.testing.assert_allclose(cache.variance, x.astype(np.float64).var(axis=0), rtol=1e-3)
    assert 0.99 < out.std() < 1.01


@pytest.mark.parametrize("shape", [(6, 3), (6, 3, 2, 5)])
def test_eval_form_with_the_batch_statistics_equals_the_training_form(shape):
    rng = np.random.default_rng(0)
    x, gamma, beta = rng.standard_normal(shape), rng.standard_normal(3), rng.standard_normal(3)
    out, cache = ops.batchnorm_forward(x, gamma, beta)
    features = np.moveaxis(x, 1, -1).reshape(-1, 3)
    np.testing.assert_allclose(cache.mean, features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(cache.variance, features.var(axis=0), rtol=1e-12)
    same, _ = ops.batchnorm_eval_forward(x, gamma, beta, cache.mean, cache.variance)
    np.testing.assert_allclose(same, out, rtol=1e-12)


def test_normalising_groups_is_layer_and_instance_normalisation_at_its_ends():
    rng = np.random.default_rng(0)
    x, gamma, beta = rng.standard_normal((2, 4, 3, 5)), rng.standard_normal(4), rng.standard_normal(4)
    one, _ = ops.groupnorm_forward(x, gamma, beta, groups=1)
    whole, _ = ops.layernorm_forward(x.reshape(2, -1), np.repeat(gamma, 15), np.repeat(beta, 15))
    np.testing.assert_allclose(one.reshape(2, -1), whole, rtol=1e-12)
    all_apart, _ = ops.groupnorm_forward(x, gamma, beta, groups=4)
    for n in range(2):  # an instance is a batch of one
        instance, _ = ops.batchnorm_forward(x[n : n + 1], gamma, beta)
        np.testing.assert_allclose(all_apart[n : n + 1], instance, rtol=1e-12)


def test_normalising_groups_of_no_sample():
    x, ones = np.zeros((0, 4, 2, 3)), np.ones(4)
    out, cache = ops.groupnorm_forward(x, ones, ones, groups=2)
    assert ops.groupnorm_backward(out, cache)[0].shape == out.shape == x.shape


@pytest.mark.parametrize("groups", [0, -1, 3, 8])
def test_channels_must_divide_into_the_groups(groups):
    with pytest.raises(ShapeError, match=f"groupnorm: 4 channels do not divide into {groups} equal groups"):
        ops.groupnorm_forward(np.ones((1, 4, 2, 2)), np.ones(4), np.ones(4), groups=groups)


def test_flattened_pixels_are_in_order(engine):
    """Channel by channel, row by row: what a row of weights of an affine layer above means."""
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    out, _ = ops.flatten_forward(engine.array(x))
    assert engine.numpy(out).tolist() == [list(range(12)), list(range(12, 24))]


@pytest.mark.parametrize("shape", [(2, 0, 3), (0, 3, 4), (3,), (2, 5)])
def test_flattening_anything(shape):
    x = np.ones(shape)
    out, cache = ops.flatten_forward(x)
    assert out.shape == (shape[0], int(np.prod(shape[1:])))
    assert ops.flatten_backward(out, cache).shape == shape


def test_running_average_keeps_momentum_of_the_old_value():
    assert ops.running_average(np.array([10.0]), np.array([20.0]), momentum=0.9) == pytest.approx([11.0])


def test_one_hot(engine):
    like = engine.array(np.zeros((3, 4)))
    expected = [[False, False, True, False], [True, False, False, False], [False, False, False, True]]
    assert engine.numpy(ops.one_hot(engine.array(np.array([2, 0, 3])), like)).tolist() == expected
