"""The update rules at the course's reference values."""

import numpy as np
import pytest

from plaingrad.course.optim import adam, rmsprop, sgd, sgd_momentum
from plaingrad.errors import ShapeError

from .reference import rel_error


def between(low, high):
    return np.linspace(low, high, 20).reshape(4, 5)


W, DW = between(-0.4, 0.6), between(-0.6, 0.4)


def assert_runs(array, first, last, tolerance):
    """The first three and the last value, as published."""
    assert rel_error(array.ravel()[[0, 1, 2, -1]], np.array([*first, last])) <= tolerance


def test_sgd():
    next_w, config = sgd(W, DW, {"learning_rate": 0.5})
    np.testing.assert_array_equal(next_w, W - 0.5 * DW)
    assert config == {"learning_rate": 0.5}
    assert sgd(W, DW)[1] == {"learning_rate": 1e-2}


def test_sgd_momentum():
    config = {"learning_rate": 1e-3, "velocity": between(0.6, 0.9)}
    next_w, config = sgd_momentum(W, DW, config)
    assert_runs(next_w, (0.1406, 0.20738947, 0.27417895), 1.4096, 1e-8)
    assert rel_error(config["velocity"].ravel()[[0, 1, -1]], np.array([0.5406, 0.55475789, 0.8096])) <= 1e-8


def test_rmsprop():
    next_w, config = rmsprop(W, DW, {"learning_rate": 1e-2, "cache": between(0.6, 0.9)})
    assert_runs(next_w, (-0.39223849, -0.34037513, -0.28849239), 0.59576619, 1e-7)
    assert rel_error(config["cache"].ravel()[[0, 1, -1]], np.array([0.5976, 0.6126277, 0.8926])) <= 1e-7


def test_adam():
    config = {"learning_rate": 1e-2, "m": between(0.6, 0.9), "v": between(0.7, 0.5), "t": 5}
    next_w, config = adam(W, DW, config)
    assert_runs(next_w, (-0.40094747, -0.34836187, -0.29577703), 0.59801459, 1e-6)
    assert rel_error(config["v"].ravel()[[0, 1, -1]], np.array([0.69966, 0.68908382, 0.49966])) <= 1e-6
    assert rel_error(config["m"].ravel()[[0, 1, -1]], np.array([0.48, 0.49947368, 0.85])) <= 1e-6
    assert config["t"] == 6


@pytest.mark.parametrize(
    ("rule", "filled"),
    [
        (sgd_momentum, {"learning_rate", "momentum", "velocity"}),
        (rmsprop, {"learning_rate", "decay_rate", "epsilon", "cache"}),
        (adam, {"learning_rate", "beta1", "beta2", "epsilon", "m", "v", "t"}),
    ],
)
def test_config_is_filled_in_place_and_w_untouched(rule, filled):
    w, config = W.copy(), {}
    next_w, returned = rule(w, DW, config)
    assert returned is config
    assert set(config) == filled
    np.testing.assert_array_equal(w, W)
    assert next_w.dtype == w.dtype
    assert rule(W.astype(np.float32), DW.astype(np.float32))[0].dtype == np.float32


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"gradient has shape \(3,\)"):
        sgd(W, np.ones(3))
    with pytest.raises(ValueError, match="momentum must be"):
        sgd_momentum(W, DW, {"momentum": 1.5})
