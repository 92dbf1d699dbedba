"""The checker checked on op pairs and layers: planted bugs, kinks, and what is nobody's fault."""

from __future__ import annotations

import numpy as np
import pytest

from plaingrad import ops
from plaingrad.insight import check_gradients
from plaingrad.network import Affine, BatchNorm, FullyConnectedNet, Sequential, Tanh
from plaingrad.ops.normalization import standardize_backward

both_methods = pytest.mark.parametrize("method", ["elementwise", "projection"])
RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 5))
Y = np.array([0, 2, 1, 1, 0, 2])
W, B = RNG.standard_normal((5, 5)), RNG.standard_normal(5)  # square: a missing transpose keeps its shape
GAMMA, BETA = RNG.uniform(0.5, 2, 5), RNG.standard_normal(5)


def affine_transposed(dout, cache):
    dx, dw, db = ops.affine_backward(dout, cache)
    return dx, dw.T, db


def batchnorm_statistics_as_constants(dout, cache):
    return cache.gamma * dout * cache.rstd, (dout * cache.xhat).sum(axis=0), dout.sum(axis=0)


def batchnorm_without_gamma(dout, cache):
    dx, dgamma, dbeta = ops.batchnorm_backward(dout, cache)
    return dx / cache.gamma, dgamma, dbeta


def batchnorm_without_the_mean(dout, cache):
    g = cache.gamma * dout
    dx = (g - cache.xhat * (g * cache.xhat).mean(axis=0)) * cache.rstd
    return dx, (dout * cache.xhat).sum(axis=0), dout.sum(axis=0)


def layernorm_over_the_wrong_axis(dout, cache):
    xhat, gamma, rstd = cache
    return standardize_backward(gamma * dout, xhat, rstd, 0), (dout * xhat).sum(axis=0), dout.sum(axis=0)


WRONG_PAIRS = {
    "affine: transposed": (ops.affine_forward, affine_transposed, (X, W, B)),
    "affine: w for wᵀ": (
        ops.affine_forward,
        lambda d, c: (d @ c[1], c[0].T @ d, d.sum(axis=0)),
        (X, W, B),
    ),
    "relu: no mask": (ops.relu_forward, lambda dout, cache: dout, (X,)),
    "relu: mask of dout": (ops.relu_forward, lambda dout, cache: dout * (dout > 0), (X,)),
    "tanh: 1 − tanh": (ops.tanh_forward, lambda dout, cache: dout * (1 - cache), (X,)),
    "sigmoid: without 1 − σ": (ops.sigmoid_forward, lambda dout, cache: dout * cache, (X,)),
    "softmax: diagonal only": (ops.softmax_forward, lambda dout, p: dout * p * (1 - p), (X,)),
    "log-softmax: without the sum": (ops.log_softmax_forward, lambda dout, cache: dout, (X,)),
    "batchnorm: statistics as constants": (
        ops.batchnorm_forward,
        batchnorm_statistics_as_constants,
        (X, GAMMA, BETA),
    ),
    "batchnorm: no γ": (ops.batchnorm_forward, batchnorm_without_gamma, (X, GAMMA, BETA)),
    "batchnorm: no mean": (ops.batchnorm_forward, batchnorm_without_the_mean, (X, GAMMA, BETA)),
    "layernorm: wrong axis": (ops.layernorm_forward, layernorm_over_the_wrong_axis, (X, GAMMA, BETA)),
    "dropout: no scale": (
        lambda x: ops.dropout_forward(x, rate=0.4, seed=1),
        lambda dout, mask: dout * (mask > 0),
        (X,),
    ),
    "cross-entropy: no 1/N": (
        lambda x: ops.softmax_cross_entropy_forward(x, Y),
        lambda dloss, cache: 6 * ops.softmax_cross_entropy_backward(dloss, cache),
        (X,),
    ),
    "cross-entropy: dloss forgotten": (
        lambda x: ops.softmax_cross_entropy_forward(x, Y),
        lambda dloss, cache: ops.softmax_cross_entropy_backward(1.0, cache),
        (X,),
    ),
}


class TestPairs:
    @both_methods
    @pytest.mark.parametrize("name", WRONG_PAIRS)
    def test_planted_bugs(self, name, method):
        report = check_gradients(*WRONG_PAIRS[name], method=method)
        assert not report.ok, report

    def test_arrays_have_the_names_of_the_arguments(self):
        report = check_gradients(ops.affine_forward, ops.affine_backward, (X, W, B))
        assert report.ok, report
        assert [row.name for row in report.rows] == ["x", "w", "b"]
        report = check_gradients(lambda *xs: ops.affine_forward(*xs), ops.affine_backward, (X, W, B))
        assert [row.name for row in report.rows] == ["input1", "input2", "input3"]

    def test_integers_need_no_gradient_and_none_leaves_an_input_out(self):
        cross_entropy = ops.softmax_cross_entropy_forward, ops.softmax_cross_entropy_backward
        report = check_gradients(*cross_entropy, (X, Y))
        assert report.ok, report
        assert [row.name for row in report.rows] == ["scores"]

        def without_dx(dout, cache):
            return ops.affine_backward(dout, cache, needs_dx=False)

        assert [row.name for row in check_gradients(ops.affine_forward, without_dx, (X, W, B)).rows] == [
            "w",
            "b",
        ]

    def test_inputs_in_float32_are_checked_in_float64_and_left_alone(self):
        x = X.astype(np.float32)
        report = check_gradients(ops.tanh_forward, ops.tanh_backward, (x,))
        assert report.ok, report
        np.testing.assert_array_equal(x, X.astype(np.float32))

    def test_too_few_gradients(self):
        report = check_gradients(ops.affine_forward, lambda dout, cache: dout, (X, W, B))
        assert report.problems == (
            "backward returned 1 gradients for 3 inputs of floats (x, w, b): return one for each, None for "
            "those that need none.",
        )

    def test_nothing_to_check_is_not_a_pass(self):
        report = check_gradients(ops.relu_forward, lambda dout, cache: None, (X,))
        assert not report.ok
        assert "nothing to check" in str(report)

    @pytest.mark.parametrize("victim", ["x", "the upstream gradient"])
    def test_changing_an_argument_is_a_bug(self, victim):
        def forward(x):
            out = np.maximum(x, 0)
            if victim == "x":
                x[x < 0] = 0
            return out, out

        def backward(dout, cache):
            if victim != "x":
                dout[cache == 0] = 0
            return dout * (cache > 0)

        report = check_gradients(forward, backward, (X,))
        assert not report.ok
        assert f"changes {victim} in place" in str(report)

    def test_randomness_without_a_seed(self):
        rng = np.random.default_rng()

        def forward(x):
            mask = rng.random(x.shape) < 0.5
            return x * mask, mask

        report = check_gradients(forward, lambda dout, mask: dout * mask, (X,))
        assert "make randomness a function of a seed" in str(report)

    def test_a_function_that_ends_within_the_step_fails(self):
        with np.errstate(all="ignore"):
            report = check_gradients(
                lambda x: (np.sqrt(x), x), lambda dout, x: dout * 0, (np.array([1e-9, 1.0]),)
            )
        assert report["x"].index == (0,)
        assert not report.ok

    def test_tiny_gradients_beside_others_do_not_fail_for_rounding(self):
        """exp(−25) is 10⁻¹¹: no difference of numbers around 1 can see it."""
        report = check_gradients(
            lambda x: (1 + np.exp(x), x), lambda dout, x: dout * np.exp(x), (np.array([-25.0, 0.0]),)
        )
        assert report.ok, report

    def test_the_upstream_gradient_is_not_the_data(self):
        """Data drawn by default_rng(0), as here, must not meet itself: a mask by dout would be one by x."""
        for seed in range(3):
            x = np.random.default_rng(seed).standard_normal((6, 5))
            report = check_gradients(ops.relu_forward, lambda dout, _: dout * (dout > 0), (x,), seed=seed)
            assert not report.ok

    def test_an_error_of_a_thousandth_percent_is_seen(self):
        report = check_gradients(
            ops.tanh_forward, lambda dout, cache: 1.00001 * ops.tanh_backward(dout, cache), (X,)
        )
        assert not report.ok


class TestKinks:
    def test_at_the_kink_is_neither_right_nor_wrong(self):
        x = np.array([[-1.0, 0.0, 2.0]])
        report = check_gradients(ops.relu_forward, ops.relu_backward, (x,))
        assert report.ok, report
        assert (report["x"].checked, report["x"].kinks) == (2, 1)
        assert "1 at a kink" in str(report)

    def test_closer_to_the_kink_than_the_step(self):
        x = np.array([3e-6, -3e-6, 9e-6, -1e-7, 1.0])
        report = check_gradients(ops.relu_forward, ops.relu_backward, (x,))
        assert report.ok, report
        assert report["x"].checked >= 4, "a shorter step, clear of the kink, decides"

    def test_a_bug_beside_a_kink_is_still_a_bug(self):
        x = np.array([0.0, 3e-6, 1.0])
        report = check_gradients(ops.relu_forward, lambda dout, cache: 3 * dout * (cache > 0), (x,))
        assert not report.ok

    def test_strong_curvature_is_not_taken_for_a_kink(self):
        """tanh(1000 x) bends within 10⁻³; an error of 1 % must not hide in its bend."""
        x = np.array([3e-4, -5e-4, 1e-3])

        def backward(wrong):
            return lambda dout, t: wrong * dout * 1000 * (1 - t * t)

        def forward(x):
            t = np.tanh(1000 * x)
            return t, t

        assert check_gradients(forward, backward(1.0), (x,), tolerance=1e-4).ok
        assert not check_gradients(forward, backward(1.01), (x,), tolerance=1e-4).ok

    @both_methods
    def test_a_network_whose_units_all_start_at_a_kink(self, method):
        net = FullyConnectedNet([4], input_shape=5, classes=3)
        report = check_gradients(net, np.zeros((6, 5)), np.array([0, 0, 1, 1, 0, 2]), method=method)
        assert report.ok, report
        assert report["affine1.bias"].kinks > 0

    def test_leaky_relu_and_hinge_at_their_kinks(self):
        leaky = check_gradients(ops.leaky_relu_forward, ops.leaky_relu_backward, (np.zeros((2, 2)),))
        assert leaky.ok
        assert leaky["x"].kinks == 4
        hinge = check_gradients(
            ops.hinge_forward, ops.hinge_backward, (np.array([[1.0, 0.0, -2.0]]), np.array([0]))
        )
        assert hinge.ok
        assert hinge["scores"].kinks == 2  # s₀ − s₁ = 1 is exactly the margin


class TestLayers:
    def test_parameters_are_drawn_away_from_their_initial_values(self):
        """With γ = 1, dx without its factor γ would pass."""

        class NoGamma(BatchNorm):
            def backward(self, dout, cache, *, needs_dx):
                dx, gradients = super().backward(dout, cache, needs_dx=needs_dx)
                return dx / cache.gamma, gradients

        assert check_gradients(BatchNorm(), X).ok
        report = check_gradients(NoGamma(), X)
        assert [row.name for row in report.rows if not row.ok] == ["x"]

    def test_a_missing_gradient(self):
        class Forgetful(Affine):
            def backward(self, dout, cache, *, needs_dx):
                _, gradients = super().backward(dout, cache, needs_dx=needs_dx)
                return None, {"weight": gradients["weight"]}

        report = check_gradients(Forgetful(3), X)
        assert [row.problem for row in report.rows if not row.ok] == [
            "There is no gradient of forgetful1.bias.",
            "There is no gradient of x.",
        ]

    def test_x_is_left_alone(self):
        x = X.copy()
        check_gradients(Sequential(Affine(3), Tanh()), x)
        np.testing.assert_array_equal(x, X)


def test_next_to_where_the_function_ends():
    """No step of the size of the whole array stays where the root is defined."""
    x = np.array([1e-9, 1e-6, 1.0, 2.0])
    with np.errstate(invalid="ignore"):
        right = check_gradients(lambda x: (np.sqrt(x), x), lambda d, x: d / (2 * np.sqrt(x)), (x,))
        wrong = check_gradients(lambda x: (np.sqrt(x), x), lambda d, x: d / np.sqrt(x), (x,))
    assert right.ok, right
    assert wrong.findings
