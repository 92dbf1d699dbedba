"""The lines about the first step: each with a network that it passes and with planted troubles."""

import math

import numpy as np
import pytest

import plaingrad as pg
from insight.student import Student
from plaingrad.data import Dataset, Split
from plaingrad.insight.preflight import start_lines
from plaingrad.network.layers import Activation
from preflight.runs import blobs, digits, line


def net(*layers, data=None, **settings):
    shape = (data or blobs()).input_shape
    return lambda: pg.Network(pg.Sequential(*layers), shape, **settings)


def deep(depth=5, width=50, **settings):
    return lambda: pg.FullyConnectedNet((width,) * depth, input_shape=(1, 8, 8), **settings)


def student(bug="", **settings):
    """A run of a model of one's own on rows of five features in three classes."""
    rng = np.random.default_rng(0)
    split = Split(rng.standard_normal((90, 5)), rng.integers(3, size=90))
    data = Dataset("rows", ("a", "b", "c"), split, split.first(0), split.first(0))
    return {"data": data, "model": lambda: Student(bug, **settings), "rule": pg.SGD(1e-3)}


@pytest.mark.parametrize("name", ["initial-loss", "gradients", "activations", "gradient-flow"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"data": digits(), "model": deep()},
        {"data": digits(), "model": deep(3, normalization="batchnorm", dropout=0.3)},
        {"data": digits(), "model": deep(3, activation="tanh", weight_init=pg.Xavier(), reg=0.1)},
        {"data": digits("mean-image"), "model": lambda: pg.TwoLayerNet(input_shape=(1, 8, 8))},
    ],
    ids=["blobs", "deep", "batchnorm", "tanh", "two-layer"],
)
def test_sound_networks_pass(name, settings):
    found = line(name, **settings)
    assert found.state == "pass", found


class TestInitialLoss:
    def test_is_apart_from_regularisation(self):
        plain = line("initial-loss")
        found = line(
            "initial-loss", model=lambda: pg.FullyConnectedNet((24,), input_shape=12, classes=4, reg=2.0)
        )
        assert found.numbers["loss"] == pytest.approx(plain.numbers["loss"], rel=1e-5)
        assert found.numbers["regularization"] > 1
        assert found.numbers["expected"] == math.log(4)

    def test_of_the_hinge_loss_is_one_less_than_the_classes(self):
        model = net(pg.Affine(4, weight_init=pg.Normal(1e-3)), objective=pg.Hinge(), reg=0.5)
        found = line("initial-loss", model=model)
        assert found.state == "pass"
        assert found.numbers["expected"] == 3
        assert found.numbers["loss"] == pytest.approx(3, rel=0.01)

    def test_of_the_squared_error_is_not_known(self):
        model = net(pg.Affine(4), objective=pg.MeanSquaredError())
        assert line("initial-loss", model=model).state == "skipped"

    def test_of_large_weights(self):
        found = line("initial-loss", model=net(pg.Affine(4, weight_init=pg.Normal(10.0))))
        assert found.state == "warn"
        assert "sure of what it cannot know" in found.finding

    def test_of_raw_scores(self):
        found = line("initial-loss", model=net(pg.Affine(4), objective=pg.NegativeLogLikelihood()))
        assert found.state == "fail"
        assert "raw scores" in found.finding
        layers = (pg.Affine(4), pg.LogSoftmax())
        assert line("initial-loss", model=net(*layers, objective=pg.NegativeLogLikelihood())).state == "pass"

    def test_of_a_network_that_knows_the_answer(self):
        def trained():
            network = pg.FullyConnectedNet((24,), input_shape=12, classes=4)
            pg.Solver(network, blobs(), rule=pg.Adam(1e-2), epochs=20).train()
            return network

        found = line("initial-loss", model=trained)
        assert found.state == "warn"
        assert "nothing was learnt yet" in found.finding

    def test_that_is_not_finite(self):
        def broken():
            network = pg.FullyConnectedNet((24,), input_shape=12, classes=4)
            network.params["affine1.weight"][0, 0] = np.inf
            return network

        assert line("initial-loss", model=broken).state == "fail"

    def test_of_probabilities(self):
        class Softmax(Activation):
            pair = (pg.ops.softmax_forward, pg.ops.softmax_backward)

        found = line("initial-loss", model=net(pg.Affine(4), Softmax()))
        assert found.state == "fail"
        assert "probabilities already" in found.finding

    def test_of_a_model_of_ones_own_with_regularisation(self):
        found = line("initial-loss", **student())
        assert found.state == "pass"
        W1, _, W2, _ = Student().params.values()
        assert found.numbers["regularization"] == pytest.approx(0.25 * ((W1**2).sum() + (W2**2).sum()))
        assert found.numbers["expected"] == math.log(3)

    def test_of_a_sum(self):
        class Sum(Student):
            def loss(self, X, y=None):
                if y is None:
                    return super().loss(X)
                loss, grads = super().loss(X, y)
                return len(X) * loss, {name: len(X) * g for name, g in grads.items()}

        found = line("initial-loss", **{**student(), "model": lambda: Sum(reg=0.0)})
        assert found.state == "warn"
        assert "average the loss" in found.advice


class TestGradients:
    def test_of_a_model_of_ones_own(self):
        assert line("gradients", **student()).state == "pass"

    @pytest.mark.parametrize(
        "bug", ["wrong sign", "missing 1/N", "no mask", "missing regularisation", "one element"]
    )
    def test_that_are_wrong(self, bug):
        found = line("gradients", **student(bug))
        assert found.state == "fail"
        assert found.numbers["wrong"]
        assert "--gradients" in found.advice

    def test_of_a_layer_with_a_mistake(self):
        class Doubled(pg.Affine):
            def backward(self, dout, cache, *, needs_dx):
                return super().backward(2 * dout, cache, needs_dx=needs_dx)

        found = line("gradients", model=net(pg.Affine(8), pg.ReLU(), Doubled(4)))
        assert found.state == "fail"
        assert "affine" in found.finding or "doubled" in found.finding

    def test_that_take_too_long(self, monkeypatch):
        monkeypatch.setattr(start_lines, "GRADIENT_SECONDS", 1e-9)
        found = line("gradients")
        assert found.state == "skipped"
        assert "to compare 4 arrays" in found.finding

    def test_that_are_many_are_compared_along_directions(self, monkeypatch):
        monkeypatch.setattr(start_lines, "_DIRECTIONS", 10**9)
        assert line("gradients").state == "pass"
        assert line("gradients", **student("wrong sign")).state == "fail"

    def test_that_cannot_be_compared(self):
        class Single(Student):
            def __init__(self):
                super().__init__(dtype=np.float32)
                self.params = Stubborn(self.params)

        class Stubborn(dict):
            def __setitem__(self, name, value):
                super().__setitem__(name, value.astype(np.float32))

        found = line("gradients", **{**student(), "model": Single})
        assert found.state == "skipped"
        assert "float64" in found.finding


class TestActivations:
    def test_are_skipped_for_a_model_of_ones_own(self):
        found = line("activations", **student())
        assert found.state == "skipped"
        assert "Network" in found.finding

    def test_dead(self):
        def with_dead(count):
            def make():
                network = pg.FullyConnectedNet((20,), input_shape=12, classes=4)
                network.params["affine1.bias"][:count] = -1000
                return network

            return make

        assert line("activations", model=with_dead(3)).state == "pass"
        found = line("activations", model=with_dead(12))
        assert found.state == "warn"
        assert "60 %" in found.finding
        assert line("activations", model=with_dead(20)).state == "fail"

    @pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
    def test_saturated(self, activation):
        found = line("activations", digits("mean-image"), deep(2, activation=activation))
        assert found.state == "fail"
        assert "saturated in" in found.finding
        assert line("activations", digits(), deep(2, activation=activation)).state == "pass"

    def test_not_finite(self):
        def broken():
            network = deep(2)()
            network.params["affine2.weight"][0, 0] = np.nan
            return network

        found = line("activations", digits(), broken)
        assert found.state == "fail"
        assert "affine2" in found.finding

    @pytest.mark.parametrize(("std", "verb"), [(0.01, "shrink"), (1.5, "grow")])
    def test_shrinking_and_growing(self, std, verb):
        found = line("activations", digits(), deep(6, weight_init=pg.Normal(std)))
        assert found.state == "warn"
        assert verb in found.finding


class TestGradientFlow:
    def test_of_a_model_of_ones_own(self):
        found = line("gradient-flow", **student())
        assert found.state == "pass"
        assert list(found.numbers["relative"]) == ["W1", "W2"]

    def test_vanishing(self):
        sigmoids = {"activation": "sigmoid", "weight_init": pg.Xavier()}
        assert line("gradient-flow", digits(), deep(2, **sigmoids)).state == "pass"
        found = line("gradient-flow", digits(), deep(6, **sigmoids))
        assert found.state == "warn"
        assert "vanish" in found.finding
        assert line("gradient-flow", digits(), deep(12, **sigmoids)).state == "fail"

    def test_exploding(self):
        found = line("gradient-flow", digits(), deep(6, weight_init=pg.Normal(1.5)))
        assert found.state == "warn"
        assert "explode" in found.finding

    def test_too_small_altogether(self):
        found = line("gradient-flow", digits(), deep(6, weight_init=pg.Normal(0.01)))
        assert found.state == "warn"
        assert "no learning rate" in found.finding

    def test_none_at_all(self):
        class Blocked(pg.ReLU):
            def backward(self, dout, cache, *, needs_dx):
                return 0 * dout, {}

        found = line("gradient-flow", model=net(pg.Affine(8), Blocked(), pg.Affine(4)))
        assert found.state == "fail"
        assert "affine1.weight" in found.finding

    def test_not_finite(self):
        def broken():
            network = deep(2)()
            network.params["affine2.weight"][0, 0] = np.nan
            return network

        assert line("gradient-flow", digits(), broken).state == "fail"
