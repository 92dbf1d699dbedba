"""A step across several kinks at once: raw pixels move a ReLU's input a hundred times as far as the weight."""

import numpy as np
import pytest

import plaingrad as pg


@pytest.mark.parametrize("seed", range(4))
def test_large_inputs_and_small_weights_are_not_accused(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.uniform(-128, 128, (40, 300)), rng.integers(0, 10, 40)
    net = pg.TwoLayerNet(30, input_shape=300, std=1e-4, seed=seed, dtype=np.float64)
    report = pg.check_gradients(net, X, y)
    assert report.ok, report


def test_a_small_mistake_there_is_still_found():
    rng = np.random.default_rng(0)
    X, y = rng.uniform(-128, 128, (40, 300)), rng.integers(0, 10, 40)
    net = pg.TwoLayerNet(30, input_shape=300, std=1e-4, dtype=np.float64)

    class Wrong:
        params = net.params

        def loss(self, X, y):
            loss, grads = net.loss(X, y)
            grads["affine1.weight"] = grads["affine1.weight"] * 1.001
            return loss, grads

    assert not pg.check_gradients(Wrong(), X, y).ok
