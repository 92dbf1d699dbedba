"""The named networks: what they are made of, and the numbers that courses published for them."""

from __future__ import annotations

import numpy as np
import pytest

from plaingrad.insight import numeric_gradient, relative_error
from plaingrad.network import FullyConnectedNet, He, Normal, TwoLayerNet, Uniform, Xavier


def kinds(net):
    return [layer.name for layer, _ in net.layers.leaves(net.input_shape)]


def test_layers_in_order():
    net = FullyConnectedNet([20, 10], normalization="batchnorm", activation="gelu", dropout=0.2)
    hidden = [["affine", "batchnorm", "gelu", "dropout"]] * 2
    expected = [f"{kind}{i + 1}" for i, layer in enumerate(hidden) for kind in layer]
    assert kinds(net) == ["flatten1", *expected, "affine3"]
    assert kinds(FullyConnectedNet([], input_shape=7)) == ["affine1"]
    assert kinds(TwoLayerNet(input_shape=(7,))) == ["affine1", "relu1", "affine2"]


def test_choices_are_listed():
    with pytest.raises(ValueError, match="no activation 'rleu'; choose one of relu, leaky-relu"):
        FullyConnectedNet([5], activation="rleu")
    with pytest.raises(
        ValueError, match="no normalization 'batch'; choose one of batchnorm, layernorm, or None"
    ):
        FullyConnectedNet([5], normalization="batch")


def test_weights_come_from_the_seed_alone():
    first, again, other = (FullyConnectedNet([9], input_shape=8, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.params.flat, again.params.flat)
    assert (first.params["affine1.weight"] != other.params["affine1.weight"]).all()
    assert not first.params["affine1.bias"].any()


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [(He(), 2 / 300), (Uniform(), 1 / 900), (Xavier(), 2 / (300 + 400)), (Normal(0.3), 0.09)],
    ids=repr,
)
def test_initial_variance(initializer, variance):
    """The sample variance of n normals has relative standard error √(2/n); five of them."""
    w = initializer(np.random.default_rng(0), (300, 400), 300, 400)
    assert w.shape == (300, 400)
    assert abs(w.mean()) < 5 * np.sqrt(variance / w.size)
    assert w.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / w.size))


def test_he_keeps_the_variance_through_twenty_relu_layers():
    x = np.random.default_rng(0).standard_normal((100, 200))
    kept = FullyConnectedNet([200] * 20, input_shape=200, classes=200)
    lost = FullyConnectedNet([200] * 20, input_shape=200, classes=200, weight_init=Normal(0.01))
    assert 0.1 < kept.scores(x).var() / 2 < 10
    assert lost.scores(x).var() < 1e-20


class TestToyModelOfTheTwoLayerNet:
    """Published values for np.random.seed(0); TwoLayerNet(4, 10, 3, std=0.1), data from np.random.seed(1)."""

    @pytest.fixture
    def net(self):
        return TwoLayerNet(
            10, input_shape=4, classes=3, std=0.1, reg=0.1, dtype=np.float64, rng=np.random.RandomState(0)
        )

    X = 10 * np.random.RandomState(1).randn(5, 4)
    y = np.array([0, 1, 2, 2, 1])

    def test_scores(self, net):
        published = [
            [-0.81233741, -1.27654624, -0.70335995],
            [-0.17129677, -1.18803311, -0.47310444],
            [-0.51590475, -1.01354314, -0.8504215],
            [-0.15419291, -0.48629638, -0.52901952],
            [-0.00618733, -0.12435261, -0.15226949],
        ]
        assert np.abs(net.scores(self.X) - published).sum() < 1e-7

    def test_loss(self, net):
        assert abs(net.loss(self.X, self.y)[0] - 1.30378789133) < 1e-12

    def test_gradients(self, net):
        _, grads = net.loss(self.X, self.y)
        for name, array in net.params.items():
            numeric = numeric_gradient(lambda _: net.loss(self.X, self.y)[0], array)
            assert relative_error(numeric, grads[name]) < 1e-8, name


class TestTwoLayerNetByLinspace:
    @pytest.fixture
    def net(self):
        net = TwoLayerNet(50, input_shape=5, classes=7, dtype=np.float64)
        net.params = {
            "affine1.weight": np.linspace(-0.7, 0.3, 250).reshape(5, 50),
            "affine1.bias": np.linspace(-0.1, 0.9, 50),
            "affine2.weight": np.linspace(-0.3, 0.4, 350).reshape(50, 7),
            "affine2.bias": np.linspace(-0.9, 0.1, 7),
        }
        return net

    X = np.linspace(-5.5, 4.5, 15).reshape(5, 3).T
    y = np.array([0, 5, 1])

    def test_scores(self, net):
        published = [
            [11.53165108, 12.2917344, 13.05181771, 13.81190102, 14.57198434, 15.33206765, 16.09215096],
            [12.05769098, 12.74614105, 13.43459113, 14.1230412, 14.81149128, 15.49994135, 16.18839143],
            [12.58373087, 13.20054771, 13.81736455, 14.43418138, 15.05099822, 15.66781506, 16.2846319],
        ]
        assert np.abs(net.scores(self.X) - published).sum() < 1e-6

    @pytest.mark.parametrize(("reg", "published"), [(0, 3.4702243556), (1, 26.5948426952)])
    def test_loss(self, net, reg, published):
        net.reg = reg
        assert abs(net.loss(self.X, self.y)[0] - published) < 1e-10

    @pytest.mark.parametrize("reg", [0.0, 0.7])
    def test_gradients(self, net, reg):
        """Published were up to 2.5e-7, at an element near 0 where the order of summation decides."""
        net.reg = reg
        _, grads = net.loss(self.X, self.y)
        for name, array in net.params.items():
            numeric = numeric_gradient(lambda _: net.loss(self.X, self.y)[0], array)
            assert relative_error(numeric, grads[name]) < 5e-7, name


def test_fully_connected_net_from_the_global_generator():
    """One stream of numbers: X, y, the first net's weights layer by layer, then the second's."""
    rng = np.random.RandomState(231)
    X, y = rng.randn(2, 15), rng.randint(10, size=(2,))
    for reg, published in [(0, 2.3004790897684924), (3.14, 7.052114776533016)]:
        net = FullyConnectedNet(
            [20, 30], input_shape=15, weight_init=Normal(5e-2), reg=reg, dtype=np.float64, rng=rng
        )
        loss, grads = net.loss(X, y)
        assert loss == pytest.approx(published, rel=1e-14)
        for name, array in net.params.items():
            numeric = numeric_gradient(lambda _, net=net: net.loss(X, y)[0], array)
            # The published error for the second weight matrix without regularisation is 1e-4: a kink is near.
            assert relative_error(numeric, grads[name]) < (1e-4 if name == "affine2.weight" else 1e-6), name
