"""The course's networks: reference values, the dict of parameters, training."""

import copy

import numpy as np
import pytest

import plaingrad.solver
from plaingrad.course import conventions
from plaingrad.course.classifiers import cnn, fc_net, neural_net
from plaingrad.course.classifiers.fc_net import FullyConnectedNet
from plaingrad.errors import DataError, ShapeError
from plaingrad.insight import check_gradients
from plaingrad.optim import Adam

from .reference import FC_SCORES, TOY_SCORES, numeric_errors, small_images, toy_data


def toy_net(**kwargs):
    np.random.seed(0)
    return neural_net.TwoLayerNet(4, 10, 3, std=1e-1, **kwargs)


class TestNeuralNet:
    def test_scores(self):
        X, _ = toy_data()
        assert np.abs(toy_net().loss(X) - TOY_SCORES).sum() < 1e-7

    @pytest.mark.parametrize(("half_reg", "reg"), [(False, 0.05), (True, 0.1)])
    def test_loss_in_both_conventions(self, half_reg, reg):
        X, y = toy_data()
        loss, _ = toy_net(half_reg=half_reg).loss(X, y, reg=reg)
        assert abs(loss - 1.30378789133) < 1e-12

    @pytest.mark.parametrize("half_reg", [False, True])
    def test_gradients(self, half_reg):
        (X, y), net = toy_data(), toy_net(half_reg=half_reg)
        _, grads = net.loss(X, y, reg=0.05)
        errors = numeric_errors(net, lambda: net.loss(X, y, reg=0.05), grads)
        assert list(errors) == ["W1", "W2", "b1", "b2"]
        assert max(errors.values()) < 1e-8, errors

    def test_initial_parameters(self):
        net = toy_net()
        assert list(net.params) == ["W1", "b1", "W2", "b2"]
        np.random.seed(0)
        np.testing.assert_array_equal(net.params["W1"], 0.1 * np.random.randn(4, 10))
        np.testing.assert_array_equal(net.params["W2"], 0.1 * np.random.randn(10, 3))
        assert {array.dtype for array in net.params.values()} == {np.dtype(np.float64)}
        assert not net.params["b1"].any()

    @pytest.mark.parametrize(("batch_size", "published"), [(10, 0.0193), (200, 0.017149607938732)])
    def test_toy_training(self, batch_size, published):
        X, y = toy_data()
        net = toy_net()
        stats = net.train(X, y, X, y, learning_rate=1e-1, reg=5e-6, num_iters=100, batch_size=batch_size)
        assert stats["loss_history"][-1] < 0.02
        # The reports did not say where the generator stood; from here it comes out as published.
        assert stats["loss_history"][-1] == pytest.approx(published, rel=5e-3)
        assert len(stats["loss_history"]) == len(stats["val_acc_history"]) == 100
        assert stats["train_acc_history"][-1] == stats["val_acc_history"][-1] == 1.0
        np.testing.assert_array_equal(net.predict(X), y)

    def test_protocol_step_by_step(self, capsys):
        """Batches, decay and accuracies as an independent loop on this page computes them."""
        data = small_images(count=45, validation=20, shape=(12,))
        X, y, X_val, y_val = data["X_train"], data["y_train"], data["X_val"], data["y_val"]

        def new():
            np.random.seed(5)
            return neural_net.TwoLayerNet(12, 8, 10, std=1e-2)

        net, expected, lr = new(), {"loss": [], "train": [], "val": []}, 1e-2
        for it in range(120):
            batch = np.random.choice(45, 10)
            loss, grads = net.loss(X[batch], y[batch], reg=0.1)
            for name in net.params:
                net.params[name] = net.params[name] - lr * grads[name]
            expected["loss"].append(loss)
            if it % 4.5 == 0:
                expected["train"].append((net.predict(X[batch]) == y[batch]).mean())
                expected["val"].append((net.predict(X_val) == y_val).mean())
                lr *= 0.9
        trained = new()
        stats = trained.train(
            X, y, X_val, y_val, learning_rate=1e-2, learning_rate_decay=0.9, reg=0.1, num_iters=120,
            batch_size=10, verbose=True,
        )  # fmt: skip
        np.testing.assert_allclose(stats["loss_history"], expected["loss"], rtol=1e-10)
        assert stats["train_acc_history"] == expected["train"]
        assert stats["val_acc_history"] == expected["val"]
        np.testing.assert_allclose(trained.params["W1"], net.params["W1"], rtol=1e-9)
        assert capsys.readouterr().out.splitlines() == [
            f"iteration {it} / 120: loss {expected['loss'][it]:f}" for it in (0, 100)
        ]

    def test_divergence_warns_and_goes_on(self):
        net, (X, y) = toy_net(), toy_data()
        with pytest.warns(RuntimeWarning, match="smaller learning rate.*as in the course"):
            stats = net.train(X, y, X, y, learning_rate=1e6, num_iters=30)
        assert len(stats["loss_history"]) == 30
        assert np.isnan(stats["loss_history"][-1])

    def test_wrong_data_is_named(self):
        net, (X, y) = toy_net(), toy_data()
        with pytest.raises(ShapeError, match=r"expects X of shape \(N, 4\), got \(5, 3\)"):
            net.loss(X[:, :3])
        with pytest.raises(ShapeError, match="expects X"):
            net.loss(np.float64(3))
        with pytest.raises(DataError, match="5 images but 4 labels"):
            net.train(X, y[:4], X, y)


class TestTwoLayerNet:
    def net(self):
        np.random.seed(231)
        D, H, C = 5, 50, 7
        model = fc_net.TwoLayerNet(input_dim=D, hidden_dim=H, num_classes=C, weight_scale=1e-3)
        assert abs(model.params["W1"].std() - 1e-3) < 1e-4
        assert not model.params["b1"].any()
        model.params["W1"] = np.linspace(-0.7, 0.3, num=D * H).reshape(D, H)
        model.params["b1"] = np.linspace(-0.1, 0.9, num=H)
        model.params["W2"] = np.linspace(-0.3, 0.4, num=H * C).reshape(H, C)
        model.params["b2"] = np.linspace(-0.9, 0.1, num=C)
        return model, np.linspace(-5.5, 4.5, num=15).reshape(D, 3).T, np.array([0, 5, 1])

    def test_scores_and_losses(self):
        model, X, y = self.net()
        assert np.abs(model.loss(X) - FC_SCORES).sum() < 1e-6
        assert abs(model.loss(X, y)[0] - 3.4702243556) < 1e-10
        model.reg = 1.0
        assert abs(model.loss(X, y)[0] - 26.5948426952) < 1e-10

    @pytest.mark.parametrize(
        ("reg", "published"),
        [
            (0.0, {"W1": 1.83e-8, "W2": 3.1e-10, "b1": 9.8e-9, "b2": 4.33e-10}),
            (0.7, {"W1": 2.53e-7, "W2": 8e-8, "b1": 1.4e-8, "b2": 7.8e-10}),
        ],
    )
    def test_gradients(self, reg, published):
        model, X, y = self.net()
        model.reg = reg
        errors = numeric_errors(model, lambda: model.loss(X, y), model.loss(X, y)[1])
        for name, error in errors.items():
            assert error <= max(2 * published[name], 1e-8), errors


class TestFullyConnectedNet:
    def test_reference(self):
        np.random.seed(231)
        X, y = np.random.randn(2, 15), np.random.randint(10, size=(2,))
        for reg, published in ((0, 2.3004790897684924), (3.14, 7.052114776533016)):
            model = FullyConnectedNet(
                [20, 30], input_dim=15, num_classes=10, reg=reg, weight_scale=5e-2, dtype=np.float64
            )
            loss, grads = model.loss(X, y)
            assert loss == pytest.approx(published, rel=1e-14)
            for name, error in numeric_errors(model, lambda m=model: m.loss(X, y), grads).items():
                assert error <= (1e-4 if (reg, name) == (0, "W2") else 1e-6), name

    @pytest.mark.parametrize("normalization", ["batchnorm", "layernorm", None])
    @pytest.mark.parametrize("keep", [1, 0.75])
    def test_gradients_with_every_option(self, normalization, keep):
        np.random.seed(231)
        X, y = np.random.randn(4, 3, 5), np.random.randint(10, size=4)
        model = FullyConnectedNet(
            [20, 30], 15, 10, dropout=keep, normalization=normalization, reg=0.1, weight_scale=5e-2,
            dtype=np.float64, seed=123,
        )  # fmt: skip
        assert check_gradients(model, X, y, max_elements=40).ok
        names = ["W1", "b1", "gamma1", "beta1", "W2", "b2", "gamma2", "beta2", "W3", "b3"]
        expected = names if normalization else ["W1", "b1", "W2", "b2", "W3", "b3"]
        assert list(model.params) == list(model.loss(X, y)[1]) == expected
        assert model.num_layers == 3
        assert model.use_dropout == (keep != 1)

    def test_parameters_are_views_that_every_kind_of_change_reaches(self):
        np.random.seed(0)
        model, X = FullyConnectedNet([6, 5], 4, 3, weight_scale=0.5), np.ones((2, 4))
        saved = {name: array.copy() for name, array in model.params.items()}
        first = model.loss(X)
        held = model.params["W3"]
        model.params["W3"] = np.zeros((5, 3))
        assert not model.loss(X).any()
        assert not held.any()
        held += 1
        np.testing.assert_array_equal(model.params["W3"], 1)
        model.params = saved
        np.testing.assert_array_equal(model.loss(X), first)
        model.params["b3"][:] = 7
        assert (model.loss(X) == first + np.float32(7)).all()

        twin = copy.deepcopy(model)
        twin.params["b3"] = np.zeros(3)
        np.testing.assert_array_equal(twin.loss(X), first)
        assert (model.loss(X) != first).all()

        with pytest.raises(KeyError, match="no array named 'W4'"):
            model.params["W4"] = np.ones(3)
        with pytest.raises(ShapeError, match=r"W1 has shape \(4, 6\)"):
            model.params["W1"] = np.ones(3)
        with pytest.raises(ShapeError, match="names do not agree"):
            model.params = {"W1": saved["W1"]}

    def test_dtype(self):
        X, y = np.ones((2, 4)), np.array([0, 1])
        model = FullyConnectedNet([5], 4, 3)
        assert model.loss(X).dtype == np.float32
        assert model.loss(X, y)[1]["W1"].dtype == np.float32

    def test_running_statistics(self):
        np.random.seed(1)
        X, y = np.random.randn(30, 4), np.random.randint(3, size=30)
        model = FullyConnectedNet([6, 5], 4, 3, normalization="batchnorm", dtype=np.float64, weight_scale=1)
        assert [set(p) for p in model.bn_params] == [{"running_mean", "running_var"}] * 2
        assert not model.bn_params[0]["running_var"].any()
        model.loss(X, y)
        a = X @ model.params["W1"]
        np.testing.assert_allclose(model.bn_params[0]["running_mean"], 0.1 * a.mean(axis=0))
        np.testing.assert_allclose(model.bn_params[0]["running_var"], 0.1 * a.var(axis=0))
        assert FullyConnectedNet([6], 4, 3).bn_params == []
        assert FullyConnectedNet([6, 5], 4, 3, normalization="layernorm").bn_params == [{}, {}]
        assert FullyConnectedNet([6], 4, 3, use_batchnorm=True).normalization == "batchnorm"

    def test_dropout_masks(self):
        X, y = np.ones((5, 4)), np.arange(5) % 3
        fixed = FullyConnectedNet([50], 4, 3, dropout_keep_ratio=0.5, weight_scale=1, seed=3)
        assert fixed.loss(X, y)[0] == fixed.loss(X, y)[0]
        fresh = FullyConnectedNet([50], 4, 3, dropout=0.5, weight_scale=1)
        assert fresh.loss(X, y)[0] != fresh.loss(X, y)[0]
        np.testing.assert_array_equal(fresh.loss(X), fresh.loss(X))  # none in test mode

    def test_dropout_is_named_unmistakably(self):
        with pytest.raises(ValueError, match="two names of one number"):
            FullyConnectedNet([5], 4, 3, dropout=0.5, dropout_keep_ratio=0.5)
        with pytest.raises(ValueError, match="dropout_keep_ratio must be"):
            FullyConnectedNet([5], 4, 3, dropout_keep_ratio=0)
        with pytest.raises(ValueError, match='dropout_p="drop"'):
            FullyConnectedNet([5], 4, 3, dropout=0)
        conventions.set_dropout_p("drop")
        try:
            assert not FullyConnectedNet([5], 4, 3, dropout=0).use_dropout
            assert not FullyConnectedNet([5], 4, 3).use_dropout
            assert FullyConnectedNet([5], 4, 3, dropout=0.25).use_dropout
        finally:
            conventions.set_dropout_p("keep")

    def test_the_library_trains_it_too(self):
        np.random.seed(0)
        model = FullyConnectedNet([30], weight_scale=1e-2, normalization="batchnorm")
        plaingrad.solver.Solver(model, small_images(), rule=Adam(1e-3), epochs=10, batch_size=25).train()
        assert (model.predict(small_images()["X_train"]) == small_images()["y_train"]).mean() == 1


@pytest.mark.parametrize(
    ("module", "nets"), [(fc_net, ["FullyConnectedNet", "TwoLayerNet"]), (cnn, ["ThreeLayerConvNet"])]
)
def test_star_imports_bring_the_layers(module, nets):
    layers = [
        "affine_forward",
        "affine_relu_backward",
        "conv_forward_fast",
        "conv_forward_naive",
        "softmax_loss",
    ]
    for name in nets + layers:
        assert name in module.__all__
        assert hasattr(module, name)
