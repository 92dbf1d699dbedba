"""What could not be compared is not right: it is compared nearby, or the report says so."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from plaingrad import ops
from plaingrad.insight import check_gradients
from plaingrad.network import FullyConnectedNet, Normal

both_methods = pytest.mark.parametrize("method", ["elementwise", "projection"])
X = np.random.default_rng(0).standard_normal((6, 5))
Y = np.array([0, 2, 1, 1, 0, 2])


def claiming(net, name, change):
    """The network as a model whose gradient called `name` is changed."""

    def loss(X, y):
        value, gradients = net.loss(X, y)
        return value, {**gradients, name: change(gradients[name])}

    return SimpleNamespace(params=net.params, loss=loss)


def zero_weights():
    net = FullyConnectedNet([4], input_shape=5, classes=3, dtype=np.float64)
    net.params["affine1.weight"][...] = 0
    return net


class TestAtAKink:
    @pytest.mark.parametrize("factor", [100, -1, 0.5, 1.001])
    def test_bends_everywhere_excuse_nothing(self, factor):
        def backward(dout, x):
            return factor * dout * (x > 0)

        report = check_gradients(lambda x: (np.maximum(x, 0), x), backward, (np.zeros((3, 4)),))
        assert not report.ok
        assert report.findings[0].likely in ("scaled", "sign", "unknown")

    @pytest.mark.parametrize("at_0", [100.0, -1.0, 1.5])
    def test_a_value_that_is_not_between_the_slopes_is_wrong(self, at_0):
        report = check_gradients(
            lambda x: (np.maximum(x, 0), x), lambda d, x: d * (x > 0) + at_0 * d * (x == 0), (np.zeros(4),)
        )
        assert not report.ok

    @pytest.mark.parametrize("at_0", [0.0, 0.3, 1.0])
    def test_any_value_between_them_is_a_convention(self, at_0):
        report = check_gradients(
            lambda x: (np.maximum(x, 0), x), lambda d, x: d * (x > 0) + at_0 * d * (x == 0), (np.zeros(4),)
        )
        assert report.ok, report
        assert (report["x"].checked, report["x"].kinks, report["x"].nearby) == (0, 4, 4)
        assert "4 at a kink, 4 compared nearby" in str(report)

    @both_methods
    def test_weights_of_zero(self, method):
        net = zero_weights()
        assert check_gradients(net, X, Y, method=method).ok
        wrong = claiming(net, "affine1.weight", lambda g: g + 5)
        assert not check_gradients(wrong, X, Y, method=method).ok

    def test_a_function_that_does_not_exist_nearby(self):
        """Then nothing has been compared, and that is not a pass."""

        def forward(x):
            if np.abs(x).max() > 1e-3:
                raise ValueError("too large")
            return np.maximum(x, 0), x

        report = check_gradients(forward, lambda dout, x: dout * (x > 0), (np.zeros(3),))
        assert "gradient of x could not be checked: the function bends" in report["x"].problem

    def test_arrays_are_restored(self):
        net = zero_weights()
        model = SimpleNamespace(params=dict(net.params), loss=net.loss)
        before = net.params.flat.tobytes()
        check_gradients(model, X, Y)
        assert net.params.flat.tobytes() == before


class TestRounding:
    @pytest.mark.parametrize("factor", [0, 1, 2])
    @pytest.mark.parametrize("offset", [1e17])
    @both_methods
    def test_an_offset_that_hides_the_slopes(self, factor, offset, method):
        def backward(dout, x):
            return factor * dout * np.ones_like(x)

        report = check_gradients(lambda x: (x.sum() + offset, x), backward, (X,), method=method)
        assert "gradient of x could not be checked: rounding" in report["x"].problem
        assert report["x"].checked == 0

    def test_a_small_function_is_measured_all_the_same(self):
        assert check_gradients(lambda x: (1e-10 * x**2, x), lambda d, x: 2e-10 * d * x, (X,)).ok
        assert not check_gradients(lambda x: (1e-10 * x**2, x), lambda d, x: 1e-10 * d * x, (X,)).ok

    @pytest.mark.parametrize("factor", [1, 2])
    @both_methods
    def test_float32_inside(self, factor, method):
        rng = np.random.default_rng(1)
        params = {"W": rng.standard_normal((5, 3)), "b": rng.standard_normal(3)}

        def loss(X, y):
            W, b = (params[name].astype(np.float32) for name in ("W", "b"))
            x = X.astype(np.float32)
            value, cache = ops.softmax_cross_entropy_forward(x @ W + b, y)
            scores = factor * ops.softmax_cross_entropy_backward(np.float32(1), cache)
            return value, {"W": x.T @ scores, "b": scores.sum(axis=0)}

        report = check_gradients(SimpleNamespace(params=params, loss=loss), X, Y, method=method)
        assert not report.ok
        if factor == 1 and method == "elementwise":
            assert report.findings[0].likely == "wrong_g_dtype"

    def test_a_gradient_of_zero_is_no_problem(self):
        net = FullyConnectedNet([4], input_shape=5, classes=3, normalization="batchnorm")
        report = check_gradients(net, X, Y)
        assert report.ok, report
        assert report["affine1.bias"].checked == 4
        assert check_gradients(ops.relu_forward, ops.relu_backward, (-1 - X**2,)).ok


class TestTinyWeights:
    """Of the order of the step or below, so that all kinks are closer than it."""

    @both_methods
    @pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
    @pytest.mark.parametrize("std", [1e-4, 1e-5, 1e-6, 1e-7])
    def test_are_not_accused(self, std, normalization, method):
        net = FullyConnectedNet(
            [4, 4], input_shape=5, classes=3, normalization=normalization, weight_init=Normal(std)
        )
        report = check_gradients(net, X, Y, method=method)
        assert report.ok, report

    @both_methods
    @pytest.mark.parametrize("name", ["affine1.weight", "affine2.weight", "affine2.bias", "affine3.weight"])
    @pytest.mark.parametrize("factor", [1.001, 2, -1])
    def test_do_not_hide_mistakes(self, name, factor, method):
        net = FullyConnectedNet([4, 4], input_shape=5, classes=3, weight_init=Normal(1e-5), dtype=np.float64)
        report = check_gradients(claiming(net, name, lambda g: factor * g), X, Y, method=method)
        assert not report[name].ok


def test_a_projection_sees_gradients_that_add_up_to_zero():
    """Along (1, 1, 1) they have no slope, and any multiple of them would look right."""
    for seed in range(8):
        report = check_gradients(
            lambda b: ops.softmax_cross_entropy_forward(b[None], np.array([1])),
            lambda dout, cache: 2 * ops.softmax_cross_entropy_backward(dout, cache)[0],
            (np.array([0.1, 0.4, -0.2]),),
            method="projection",
            seed=seed,
        )
        assert not report.ok
