"""The course's Solver: protocol, prints, checkpoints, any model and any rule."""

import re

import numpy as np
import pytest

import plaingrad.solver
from plaingrad import checkpoint
from plaingrad.course import optim
from plaingrad.course.classifiers.fc_net import (
    FullyConnectedNet,
    TwoLayerNet,
    affine_backward,
    affine_forward,
)
from plaingrad.course.layers import softmax_loss
from plaingrad.course.solver import Solver
from plaingrad.errors import DataError, RecipeError, ShapeError

from .reference import small_images


class Linear:
    """A model as a student writes one: params and loss, plain arrays."""

    def __init__(self, features=12, classes=10):
        self.params = {"W": 1e-2 * np.random.randn(features, classes), "b": np.zeros(classes)}

    def loss(self, X, y=None):
        scores, cache = affine_forward(X, self.params["W"], self.params["b"])
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        _, dw, db = affine_backward(dscores, cache)
        return loss, {"W": dw, "b": db}


@pytest.fixture
def rows():
    return small_images(count=60, validation=30, shape=(12,))


def protocol(model, data, rule, config, *, lr_decay, batch_size, epochs, train_samples, val_samples):
    """The course's training, written out once more as the oracle: what is drawn, when, in what order."""
    X, y, X_val, y_val = (data[key] for key in ("X_train", "y_train", "X_val", "y_val"))

    def accuracy(X, y, samples):
        if len(X) > samples:
            chosen = np.random.choice(len(X), samples)
            X, y = X[chosen], y[chosen]
        return (model.loss(X).argmax(axis=1) == y).mean()

    per_epoch = max(len(X) // batch_size, 1)
    configs = {name: dict(config) for name in model.params}
    losses, train, val, best = [], [], [], (0, {})
    for t in range(epochs * per_epoch):
        batch = np.random.choice(len(X), batch_size)
        loss, grads = model.loss(X[batch], y[batch])
        losses.append(loss)
        for name, w in model.params.items():
            model.params[name], configs[name] = rule(w, grads[name], configs[name])
        ends = (t + 1) % per_epoch == 0
        if ends:
            for own in configs.values():
                own["learning_rate"] *= lr_decay
        if t == 0 or ends:
            train.append(accuracy(X, y, train_samples))
            val.append(accuracy(X_val, y_val, val_samples))
            if val[-1] > best[0]:
                best = val[-1], {name: w.copy() for name, w in model.params.items()}
    return losses, train, val, best


@pytest.mark.parametrize(
    ("rule", "lr"), [("sgd", 1e-3), ("sgd_momentum", 1e-3), ("rmsprop", 1e-2), ("adam", 1e-2)]
)
def test_protocol_draw_by_draw(rule, lr, rows, capsys):
    settings = {"lr_decay": 0.9, "batch_size": 16}
    np.random.seed(3)
    losses, train, val, (best_val, best) = protocol(
        Linear(), rows, getattr(optim, rule), {"learning_rate": lr}, epochs=4, train_samples=20,
        val_samples=10, **settings,
    )  # fmt: skip
    np.random.seed(3)
    model = Linear()
    solver = Solver(
        model, rows, update_rule=rule, optim_config={"learning_rate": lr}, num_epochs=4, print_every=5,
        num_train_samples=20, num_val_samples=10, **settings,
    )  # fmt: skip
    solver.train()
    assert solver.loss_history == losses
    assert (solver.train_acc_history, solver.val_acc_history) == (train, val)
    assert solver.best_val_acc == best_val
    assert solver.optim_configs["W"]["learning_rate"] == pytest.approx(lr * 0.9**4, rel=1e-14)
    assert solver.epoch == 4
    for name, expected in best.items():
        np.testing.assert_array_equal(solver.best_params[name], expected)
        np.testing.assert_array_equal(model.params[name], expected)

    lines = [f"(Iteration {t} / 12) loss: {losses[t - 1]:f}" for t in (1, 6, 11)]
    epochs = [f"(Epoch {e} / 4) train acc: {train[e]:f}; val_acc: {val[e]:f}" for e in range(5)]
    expected = [lines[0], *epochs[:2], lines[1], *epochs[2:4], lines[2], epochs[4]]
    assert capsys.readouterr().out.splitlines() == expected


def test_prints_have_the_published_form(rows, capsys):
    Solver(Linear(), rows, num_epochs=1, batch_size=30).train()
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\(Iteration 1 / 2\) loss: \d\.\d{6}", first)
    assert re.fullmatch(r"\(Epoch 0 / 1\) train acc: 0\.\d{6}; val_acc: 0\.\d{6}", second)
    Solver(Linear(), rows, num_epochs=1, verbose=False).train()
    assert not capsys.readouterr().out


@pytest.mark.parametrize("depth", [2, 4])
def test_fifty_images_are_learned_by_heart(depth):
    np.random.seed(0)
    model = FullyConnectedNet([100] * depth, weight_scale=1e-1, dtype=np.float64)
    solver = Solver(
        model, small_images(), update_rule="sgd", optim_config={"learning_rate": 1e-3}, num_epochs=20,
        batch_size=25, verbose=False,
    )  # fmt: skip
    solver.train()
    assert max(solver.train_acc_history) == 1.0
    assert len(solver.loss_history) == 40


def test_any_model_trains_with_either_solver(rows):
    np.random.seed(0)
    ours, theirs = Linear(), Linear()
    Solver(ours, rows, optim_config={"learning_rate": 1e-2}, batch_size=20, verbose=False).train()
    plaingrad.solver.Solver(theirs, rows, batch_size=20).train()
    for model in (ours, theirs):
        assert (model.loss(rows["X_train"]).argmax(axis=1) == rows["y_train"]).mean() > 0.3


def test_a_rule_of_your_own(rows):
    calls = []

    def sign_sgd(w, dw, config):
        config = config or {}
        config["steps"] = config.get("steps", 0) + 1
        calls.append(w.shape)
        w -= config["learning_rate"] * np.sign(dw)  # in place, as a student may
        return w, config

    np.random.seed(0)
    for model in (Linear(), TwoLayerNet(12, 20)):
        solver = Solver(
            model, rows, update_rule=sign_sgd, optim_config={"learning_rate": 1e-3}, lr_decay=0.5,
            num_epochs=2, batch_size=20, verbose=False,
        )  # fmt: skip
        solver.train()
        assert {config["steps"] for config in solver.optim_configs.values()} == {6}
        assert solver.loss_history[-1] < solver.loss_history[0]
    assert len(calls) == 6 * 2 + 6 * 4


def test_training_can_go_on(rows, capsys):
    np.random.seed(1)
    solver = Solver(Linear(), rows, update_rule="adam", num_epochs=2, batch_size=20, print_every=100)
    solver.train()
    solver.train()
    assert solver.epoch == 4
    assert len(solver.loss_history) == 12
    assert solver.optim_configs["W"]["t"] == 12
    assert solver.best_val_acc == max(solver.val_acc_history)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 4
    assert lines[4].startswith("(Iteration 1 / 6)")
    assert lines[-1].startswith("(Epoch 4 / 2)")
    solver._reset()
    assert solver.loss_history == solver.val_acc_history == []


def test_check_accuracy(rows):
    np.random.seed(0)
    model = Linear()
    solver = Solver(model, rows)
    right = model.loss(rows["X_val"]).argmax(axis=1) == rows["y_val"]
    assert solver.check_accuracy(rows["X_val"], rows["y_val"], batch_size=7) == right.mean()
    np.random.seed(8)
    chosen = np.random.choice(30, 10)
    np.random.seed(8)
    assert solver.check_accuracy(rows["X_val"], rows["y_val"], num_samples=10) == right[chosen].mean()


def test_checkpoints_are_safetensors(rows, tmp_path, capsys):
    name = str(tmp_path / "run")
    np.random.seed(0)
    model = Linear()
    solver = Solver(
        model, rows, update_rule="adam", num_epochs=2, batch_size=20, checkpoint_name=name,
        optim_config={"learning_rate": np.float32(1e-3)}, num_val_samples=np.int64(25),
    )  # fmt: skip
    solver.train()
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"run_epoch_{e}.safetensors" for e in range(3)]
    assert f'Saving checkpoint to "{name}_epoch_2.safetensors"' in capsys.readouterr().out
    saved = checkpoint.load(tmp_path / "run_epoch_2.safetensors")
    assert saved.values["epoch"] == 2
    assert saved.values["update_rule"] == "adam"
    assert saved.values["optim_configs"]["W"]["t"] == 6
    assert saved.values["optim_configs"]["W"]["learning_rate"] == pytest.approx(1e-3)
    assert saved.values["num_val_samples"] == 25
    assert saved.values["loss_history"] == solver.loss_history
    assert saved.values["val_acc_history"] == solver.val_acc_history
    assert saved.arrays["optimizer/W/m"].shape == (12, 10)
    np.testing.assert_array_equal(saved.arrays["best-params/W"], model.params["W"])


def test_divergence_warns_and_goes_on(rows):
    np.random.seed(0)
    model = FullyConnectedNet([5], 12, weight_scale=1)
    solver = Solver(model, rows, optim_config={"learning_rate": 1e30}, num_epochs=3, verbose=False)
    with pytest.warns(RuntimeWarning, match=r"the first layer whose output is not finite.*1e\+30"):
        solver.train()
    assert np.isnan(solver.loss_history[-1])
    assert len(solver.loss_history) == len(solver.val_acc_history) == 3  # a step per epoch


class TestWrongCalls:
    def test_rules(self, rows):
        with pytest.raises(RecipeError, match="'sdg'; did you mean 'sgd'"):
            Solver(Linear(), rows, update_rule="sdg")
        for name in ("np", "_step", "SGD"):
            with pytest.raises(RecipeError, match="no update rule"):
                Solver(Linear(), rows, update_rule=name)

    def test_unknown_argument(self, rows):
        with pytest.raises(TypeError, match="learning_rate"):
            Solver(Linear(), rows, learning_rate=1e-3)

    def test_data(self, rows):
        with pytest.raises(DataError, match="missing or empty: X_val, y_val"):
            Solver(Linear(), {"X_train": rows["X_train"], "y_train": rows["y_train"]})
        with pytest.raises(DataError, match="60 images but 59 labels"):
            Solver(Linear(), {**rows, "y_train": rows["y_train"][1:]})
        for name in ("batch_size", "print_every", "num_train_samples", "num_val_samples"):
            with pytest.raises(RecipeError, match=f"{name} must be at least 1, got 0"):
                Solver(Linear(), rows, **{name: 0})

    def test_missing_gradient(self, rows):
        model = Linear()
        model.params["c"] = np.zeros(3)
        with pytest.raises(ShapeError, match="no gradient of c"):
            Solver(model, rows, verbose=False).train()

    def test_decay_without_learning_rate(self, rows):
        solver = Solver(Linear(), rows, update_rule=lambda w, dw, c: (w, c), lr_decay=0.5, verbose=False)
        with pytest.raises(RecipeError, match="lr_decay needs a learning_rate"):
            solver.train()
