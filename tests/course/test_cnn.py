"""The course's convolutional network: reference values, gradients, training."""

import numpy as np
import pytest

from plaingrad.course.classifiers import cnn
from plaingrad.course.classifiers.cnn import ThreeLayerConvNet
from plaingrad.course.data_utils import get_CIFAR10_data
from plaingrad.course.solver import Solver
from plaingrad.insight import check_gradients

from .reference import numeric_errors, small_images


@pytest.mark.parametrize(("dtype", "error"), [(np.float64, 1e-13), (np.float32, 1e-6)])
def test_initial_losses(dtype, error):
    """The draws, and so the losses, of a notebook that runs its cells in order."""
    np.random.seed(231)
    for shape in ((2, 3, 8, 8), (3, 3, 3, 3), (3,), (2, 3, 8, 8)):  # the cell before
        np.random.randn(*shape)
    model = ThreeLayerConvNet(dtype=dtype)
    X, y = np.random.randn(50, 3, 32, 32), np.random.randint(10, size=50)
    assert model.loss(X, y)[0] == pytest.approx(2.302586071243987, rel=error)
    model.reg = 0.5
    assert model.loss(X, y)[0] == pytest.approx(
        2.508255638232932, rel=max(error, 2e-8)
    )  # summed in single precision
    assert model.loss(X).dtype == model.params["W1"].dtype == dtype
    assert ThreeLayerConvNet().dtype == np.float32


def test_initial_parameters():
    np.random.seed(4)
    model = ThreeLayerConvNet((2, 8, 6), 5, 3, 7, 4, weight_scale=0.1, dtype=np.float64)
    shapes = {"W1": (5, 2, 3, 3), "b1": (5,), "W2": (60, 7), "b2": (7,), "W3": (7, 4), "b3": (4,)}
    assert {name: array.shape for name, array in model.params.items()} == shapes
    np.random.seed(4)
    for name in ("W1", "W2", "W3"):
        np.testing.assert_array_equal(model.params[name], 0.1 * np.random.randn(*shapes[name]))
    assert not any(model.params[name].any() for name in ("b1", "b2", "b3"))


def test_it_is_these_layers():
    np.random.seed(2)
    model = ThreeLayerConvNet((3, 8, 8), 4, 5, 6, 5, weight_scale=0.3, dtype=np.float64)
    for name in ("b1", "b2", "b3"):
        model.params[name] = np.random.randn(*model.params[name].shape)
    X, p = np.random.randn(3, 3, 8, 8), model.params
    pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    hidden, _ = cnn.conv_relu_pool_forward(X, p["W1"], p["b1"], {"stride": 1, "pad": 2}, pool_param)
    hidden, _ = cnn.affine_relu_forward(hidden, p["W2"], p["b2"])
    scores, _ = cnn.affine_forward(hidden, p["W3"], p["b3"])
    np.testing.assert_allclose(model.loss(X), scores, rtol=1e-10)


@pytest.mark.parametrize("reg", [0.0, 0.7])
def test_gradients(reg):
    np.random.seed(231)
    X, y = np.random.randn(2, 3, 8, 8), np.random.randint(10, size=2)
    model = ThreeLayerConvNet((3, 8, 8), 3, 3, 7, weight_scale=0.1, reg=reg, dtype=np.float64)
    loss, grads = model.loss(X, y)
    assert list(grads) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    errors = numeric_errors(model, lambda: model.loss(X, y), grads)
    assert max(errors.values()) < 1e-5, errors
    assert check_gradients(model, X, y, max_elements=20).ok
    squares = sum((model.params[name] ** 2).sum() for name in ("W1", "W2", "W3"))
    model.reg = 0
    assert loss == pytest.approx(model.loss(X, y)[0] + 0.5 * reg * squares)


def test_a_small_set_is_learned_by_heart():
    np.random.seed(0)
    model = ThreeLayerConvNet((3, 8, 8), 8, 3, 20, weight_scale=1e-2)
    solver = Solver(
        model, small_images(shape=(3, 8, 8)), num_epochs=30, batch_size=10, update_rule="adam",
        optim_config={"learning_rate": 2e-3}, verbose=False,
    )  # fmt: skip
    solver.train()
    assert max(solver.train_acc_history) == 1


def test_training_on_real_images_as_published(data_dir):
    np.random.seed(231)
    data = get_CIFAR10_data(cifar10_dir=data_dir / "cifar-10-batches-py")
    data |= {"X_train": data["X_train"][:100], "y_train": data["y_train"][:100]}
    solver = Solver(
        ThreeLayerConvNet(weight_scale=1e-2), data, num_epochs=2, batch_size=50, update_rule="adam",
        optim_config={"learning_rate": 1e-3}, verbose=False,
    )  # fmt: skip
    solver.train()
    # In single precision, so not to the last digit.
    assert solver.loss_history == pytest.approx([2.414060, 3.102925, 2.270330, 2.096705], rel=1e-4)
    assert solver.train_acc_history == pytest.approx([0.2, 0.14, 0.24], abs=0.011)
    assert solver.val_acc_history == pytest.approx([0.137, 0.087, 0.094], abs=0.003)
