"""Network: the model that layers, an objective and a flat buffer make together."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from plaingrad import ops
from plaingrad.errors import ShapeError
from plaingrad.network import (
    Affine,
    BatchNorm,
    Dropout,
    Flatten,
    FullyConnectedNet,
    Layer,
    LayerNorm,
    MeanSquaredError,
    Network,
    Pass,
    ReLU,
    Sequential,
    Tanh,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 4)).astype(np.float32)
Y = np.array([0, 2, 1, 1, 0, 2])


def small(*layers: Layer, **settings) -> Network:
    return Network(Sequential(*(layers or (Affine(5), ReLU(), Affine(3)))), 4, **settings)


class TestNumbers:
    def test_parameters_are_named_by_layer_and_lie_in_one_buffer(self):
        net = small(Affine(5), BatchNorm(), ReLU(), Affine(3, name="head"))
        assert {name: value.shape for name, value in net.params.items()} == {
            "affine1.weight": (4, 5),
            "affine1.bias": (5,),
            "batchnorm1.weight": (5,),
            "batchnorm1.bias": (5,),
            "head.weight": (5, 3),
            "head.bias": (3,),
        }
        assert set(net.state) == {"batchnorm1.running_mean", "batchnorm1.running_var"}
        assert all(np.shares_memory(value, net.params.flat) for value in net.params.values())

    def test_only_weights_of_affine_layers_decay(self):
        net = small(Affine(5), BatchNorm(), ReLU(), Affine(3))
        net.params.flat[:] = 0
        net.params.flat[: net.params.size_first] = 1
        assert {name for name, value in net.params.items() if value.all()} == {
            "affine1.weight",
            "affine2.weight",
        }

    def test_regularisation_is_half_reg_times_the_squared_weights(self):
        free, held = small(dtype=np.float64), small(dtype=np.float64, reg=0.3)
        for net in (free, held):
            net.params["affine1.bias"] = np.ones(5)
        loss, grads = free.loss(X, Y)
        held_loss, held_grads = held.loss(X, Y)
        weights = [held.params["affine1.weight"], held.params["affine2.weight"]]
        assert held_loss - loss == pytest.approx(0.15 * sum((w**2).sum() for w in weights), rel=1e-12)
        for name, w in held.params.items():
            expected = 0.3 * w if name.endswith("weight") else np.zeros_like(w)
            np.testing.assert_allclose(held_grads[name] - grads[name], expected, atol=1e-14)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_every_number_has_the_networks_dtype(self, dtype):
        net = small(
            Affine(5), BatchNorm(), LayerNorm(), Dropout(0.2), Tanh(), Affine(3), dtype=dtype, reg=0.1
        )
        loss, grads, dx = net.loss_and_gradients(X.astype(np.float64), Y, needs_dx=True)
        assert isinstance(loss, float)
        for array in (net.params.flat, net.state.flat, grads.flat, dx, net.scores(X), net.probabilities(X)):
            assert array.dtype == dtype

    def test_gradients_have_the_layout_of_the_parameters(self):
        net = small()
        _, grads = net.loss(X, Y)
        assert list(grads) == list(net.params)
        net.params.flat -= 0.1 * grads.flat
        assert net.loss(X, Y)[0] < small().loss(X, Y)[0]

    def test_bytes_are_images_too(self):
        images = RNG.integers(0, 256, (5, 3, 4, 4), dtype=np.uint8)
        net = FullyConnectedNet([6], input_shape=(3, 4, 4))
        np.testing.assert_array_equal(net.scores(images), net.scores(images.astype(np.float32)))

    def test_initial_loss_is_the_logarithm_of_the_number_of_classes(self):
        """Small weights give equal scores, and p = 1/C each: a network's cheapest sanity check."""
        from plaingrad.network import TwoLayerNet

        net = TwoLayerNet(20, input_shape=50, classes=10, std=1e-4)
        loss, _ = net.loss(RNG.standard_normal((200, 50)), RNG.integers(10, size=200))
        assert loss == pytest.approx(np.log(10), abs=1e-4)

    def test_predictions_and_probabilities(self):
        net = small()
        scores = net.loss(X)
        np.testing.assert_array_equal(scores, net.scores(X))
        np.testing.assert_array_equal(net.predict(X), scores.argmax(axis=1))
        np.testing.assert_allclose(net.probabilities(X), ops.softmax_forward(scores)[0])

    def test_assigning_parameters_copies_them_in(self):
        net, other = small(seed=1), small(seed=2)
        buffer = net.params.flat
        net.params = other.params
        assert net.params.flat is buffer
        np.testing.assert_array_equal(net.scores(X), other.scores(X))
        with pytest.raises(ShapeError, match="missing"):
            net.params = {"affine1.weight": np.zeros((4, 5))}

    @pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])  # noqa: S301
    def test_copies_are_whole_and_independent(self, duplicate):
        net = small(Affine(5), BatchNorm(), Dropout(0.3), Affine(3), reg=0.1)
        net.loss(X, Y)
        other = duplicate(net)
        assert other.loss(X, Y)[0] == net.loss(X, Y)[0]
        np.testing.assert_array_equal(other.state.flat, net.state.flat)
        other.params.flat[:] = 0
        assert net.params.flat.any()

    def test_astype_is_a_copy(self):
        net = small(Affine(5), BatchNorm(), Affine(3))
        double = net.astype(np.float64)
        assert double.dtype == np.float64
        assert double.state.flat.dtype == np.float64
        np.testing.assert_array_equal(double.params.flat, net.params.flat)
        double.params.flat[:] = 0
        double.loss(X, Y)
        assert net.params.flat.any()
        assert not net.state["batchnorm1.running_mean"].any()
        assert repr(double).endswith("float64>")


class TestDropout:
    def test_the_same_step_draws_the_same_mask_another_step_another(self):
        net = small(Affine(50), Dropout(0.5), Affine(3))
        first, again = net.loss(X, Y)[0], net.loss(X, Y)[0]
        net.step = 1
        other = net.loss(X, Y)[0]
        net.step = 0
        assert first == again == net.loss(X, Y)[0]
        assert first != other

    def test_another_seed_draws_another_mask(self):
        ones = np.ones((1, 50))
        masks = [
            Pass({}, train=True, seed=(seed, 0)).forward(Dropout(0.5, name="dropout1"), ones)[0]
            for seed in (0, 1)
        ]
        assert (masks[0] != masks[1]).any()

    def test_two_layers_draw_different_masks(self):
        seen = {}
        net = Network(Sequential(Dropout(0.5), Dropout(0.5)), 200)
        run = Pass(
            net.params.groups, train=True, observe=lambda layer, out: seen.setdefault(layer.name, out.copy())
        )
        run.forward(net.layers, np.ones((1, 200)))
        kept_by_both = np.mean(seen["dropout2"] > 0)
        assert 0.1 < kept_by_both < 0.4, "one mask twice would keep half, two keep a quarter"

    def test_evaluation_drops_nothing(self):
        np.testing.assert_array_equal(small(Dropout(0.9)).scores(X), X)


class TestBatchNorm:
    def test_running_statistics_agree_with_pytorch(self):
        """PyTorch's momentum is the share of the new value, and its running variance is the unbiased one."""
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        theirs = torch.nn.BatchNorm1d(4, momentum=0.2, eps=1e-4, dtype=torch.float64)
        net = Network(BatchNorm(momentum=0.8, eps=1e-4), 4, dtype=np.float64, objective=MeanSquaredError())
        n, rng = 7, np.random.default_rng(1)
        for _ in range(3):
            batch = 2 + 3 * rng.standard_normal((n, 4))
            net.loss(batch, np.zeros((n, 4)))
            theirs(torch.as_tensor(batch))
        np.testing.assert_allclose(net.state["batchnorm1.running_mean"], theirs.running_mean, rtol=1e-12)
        kept = 0.8**3  # what is left of the initial variance, 1; the rest is off by (n − 1)/n
        gathered = net.state["batchnorm1.running_var"] - kept
        np.testing.assert_allclose(gathered * n / (n - 1), theirs.running_var.numpy() - kept, rtol=1e-12)

        theirs.running_var[:] = torch.as_tensor(net.state["batchnorm1.running_var"])
        expected = theirs.eval()(torch.as_tensor(batch)).detach().numpy()
        np.testing.assert_allclose(net.scores(batch), expected, rtol=1e-12)

    def test_only_training_gathers_statistics(self):
        net = small(BatchNorm(), Affine(3))
        before = net.state.flat.copy()
        net.scores(X)
        net.predict(X)
        net.first_non_finite(X)
        np.testing.assert_array_equal(net.state.flat, before)
        net.loss(X, Y)
        assert (net.state.flat != before).all()

    def test_evaluation_does_not_depend_on_the_batch(self):
        net = small(BatchNorm(), Affine(3))
        net.loss(X, Y)
        np.testing.assert_allclose(net.scores(X)[:1], net.scores(X[:1]), rtol=1e-6)


class TestDiagnosis:
    def test_summary_counts(self):
        shared = Affine(8, name="twin")
        net = Network(Sequential(Flatten(), Affine(8), BatchNorm(), shared, shared, Affine(3)), (2, 3, 4))
        rows = {line.split()[0]: line.split() for line in net.summary().splitlines()}
        assert rows["flatten1"][1:] == ["24", "0", "0"]
        assert rows["affine1"][1:] == ["8", "200", "192"]
        assert rows["batchnorm1"][1:] == ["8", "16", "0"]
        assert rows["total"][1:] == ["315", "344"]  # 200 + 16 + 72 + 27;  192 + 64 + 64 + 24
        twins = [line.split() for line in net.summary().splitlines() if line.startswith("twin")]
        assert twins == [["twin", "8", "72", "64"], ["twin", "8", "shared", "64"]]
        assert net.params.flat.size == 315

    def test_summary_of_images_shows_their_shape(self):
        assert "3 × 32 × 32" in Network(Sequential(ReLU(), Flatten(), Affine(2)), (3, 32, 32)).summary()

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_first_non_finite_names_the_layer(self, value):
        net = small(Affine(5), ReLU(), Affine(5, name="culprit"), Tanh(), Affine(3))
        assert net.first_non_finite(X) is None
        net.params["culprit.bias"][2] = value
        assert net.first_non_finite(X) == "culprit"

    def test_first_non_finite_blames_the_first_layer_for_the_input(self):
        assert small().first_non_finite(np.full((2, 4), np.nan)) == "affine1"
