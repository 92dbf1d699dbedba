"""Gradient checker, pictures and data of the course's interface."""

import pickle
import random

import numpy as np
import pytest

from plaingrad.course import data_utils
from plaingrad.course.gradient_check import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    eval_numerical_gradient_blobs,
    eval_numerical_gradient_net,
    grad_check_sparse,
)
from plaingrad.course.vis_utils import vis_grid, vis_nn, visualize_grid
from plaingrad.errors import DataError, ShapeError


def test_eval_numerical_gradient_prints_each_element(capsys):
    x = np.array([[1.0, -2.0]])
    gradient = eval_numerical_gradient(lambda x: (x**3).sum(), x)
    np.testing.assert_allclose(gradient, 3 * x**2, rtol=1e-8)
    np.testing.assert_array_equal(x, [[1.0, -2.0]])
    assert capsys.readouterr().out == f"(0, 0) {gradient[0, 0]}\n(0, 1) {gradient[0, 1]}\n"
    eval_numerical_gradient(np.sum, x, verbose=False)
    assert not capsys.readouterr().out


def test_eval_numerical_gradient_array():
    x, df = np.array([0.5, 2.0]), np.array([3.0, -1.0])
    np.testing.assert_allclose(eval_numerical_gradient_array(np.square, x, df), 2 * x * df, rtol=1e-8)
    with pytest.raises(TypeError, match="floats"):
        eval_numerical_gradient_array(np.square, np.array([1, 2]), df)


def test_blobs_and_nets():
    class Blob:
        def __init__(self, values):
            self.vals, self.diffs = np.array(values), np.ones(len(values))

    class Net:
        def forward(self):
            out.vals = a.vals * b.vals

    a, b, out = Blob([1.0, 2.0]), Blob([3.0, 4.0]), Blob([0.0, 0.0])
    out.diffs = np.array([1.0, 10.0])

    def multiply(a, b, out):
        out.vals = a.vals * b.vals

    for da, db in (
        eval_numerical_gradient_blobs(multiply, (a, b), out),
        eval_numerical_gradient_net(Net(), (a, b), out),
    ):
        np.testing.assert_allclose(da, [3, 40], rtol=1e-8)
        np.testing.assert_allclose(db, [1, 20], rtol=1e-8)


def test_grad_check_sparse(capsys):
    random.seed(0)
    x = np.arange(6.0).reshape(2, 3)
    grad_check_sparse(lambda x: (x**2).sum(), x, 2 * x, num_checks=4)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    for line in lines:
        assert line.startswith("numerical: ")
        assert float(line.rpartition("relative error: ")[2]) < 1e-8
    grad_check_sparse(lambda x: (x**2).sum(), x + 1, 3 * (x + 1), num_checks=1)
    assert "relative error: 2.0" in capsys.readouterr().out
    np.testing.assert_array_equal(x, np.arange(6.0).reshape(2, 3))


def test_visualize_grid():
    images = np.random.default_rng(0).random((5, 4, 3, 2))
    grid = visualize_grid(images, ubound=10.0, padding=2)
    assert grid.shape == (3 * 4 + 2 * 2, 3 * 3 + 2 * 2, 2)
    for i, image in enumerate(images):
        top, left = i // 3 * 6, i % 3 * 5
        tile = 10 * (image - image.min()) / (image.max() - image.min())
        np.testing.assert_allclose(grid[top : top + 4, left : left + 3], tile)
        grid[top : top + 4, left : left + 3] = 0
    assert not grid.any()
    assert not visualize_grid(np.ones((1, 2, 2, 3))).any()  # a flat image, without a warning


def test_vis_grid_and_vis_nn():
    images = np.arange(2 * 2 * 3.0).reshape(2, 2, 3, 1)
    grid = vis_grid(images)
    assert grid.shape == (2 * 2 + 2, 2 * 3 + 2, 1)
    np.testing.assert_allclose(grid[:2, :3], images[0] / 11)
    np.testing.assert_allclose(grid[:2, 4:7], images[1] / 11)
    rows = vis_nn([[images[0], images[1]]])
    assert rows.shape == (2 + 1, 2 * 3 + 2, 1)
    np.testing.assert_allclose(rows[:2, 4:7], images[1] / 11)
    with pytest.raises(ShapeError, match="equally many"):
        vis_nn([[images[0]], [images[0], images[1]]])
    with pytest.raises(ShapeError, match=r"\(N, H, W, C\)"):
        visualize_grid(np.ones((2, 3, 4)))


def test_missing_data_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAINGRAD_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for read in (
        data_utils.get_CIFAR10_data,
        lambda: data_utils.load_CIFAR10("cs231n/datasets/cifar-10-batches-py"),
    ):
        with pytest.raises(DataError, match="plaingrad data fetch cifar10"):
            read()
    with pytest.raises(DataError, match="nowhere"):
        data_utils.load_CIFAR10("nowhere")
    with pytest.raises(DataError, match="cannot be read"):
        data_utils.load_CIFAR_batch("no_batch")


def test_a_batch_file_is_never_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("executed").touch, ())

    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps({b"data": Evil()}, protocol=2))
    with pytest.raises(DataError):
        data_utils.load_CIFAR_batch(path)
    assert not (tmp_path / "executed").exists()


def test_load_cifar_batch_and_cifar10(data_dir):
    folder = data_dir / "cifar-10-batches-py"
    X, y = data_utils.load_CIFAR_batch(folder / "test_batch")
    assert (X.shape, X.dtype, y.shape) == ((10000, 32, 32, 3), np.float64, (10000,))
    _, y_train, X_test, y_test = data_utils.load_CIFAR10("cs231n/datasets/cifar-10-batches-py")
    np.testing.assert_array_equal(X_test, X)
    np.testing.assert_array_equal(y_test, y)
    assert np.bincount(y_train).tolist() == [5000] * 10
    assert (X.min(), X.max()) == (0, 255)


def test_get_cifar10_data(data_dir, tmp_path, monkeypatch):
    data = data_utils.get_CIFAR10_data(num_training=400, num_validation=50, num_test=20)
    assert {name: array.shape for name, array in data.items()} == {
        "X_train": (400, 3, 32, 32), "y_train": (400,),
        "X_val": (50, 3, 32, 32), "y_val": (50,),
        "X_test": (20, 3, 32, 32), "y_test": (20,),
    }  # fmt: skip
    assert abs(data["X_train"].mean(axis=0)).max() < 1e-10
    # The course's usual folder, relative to the notebook, comes before plaingrad's.
    usual = tmp_path / "cs231n" / "datasets"
    usual.mkdir(parents=True)
    (usual / "cifar-10-batches-py").symlink_to(data_dir / "cifar-10-batches-py")
    monkeypatch.setenv("PLAINGRAD_DATA_DIR", str(tmp_path / "empty"))
    monkeypatch.chdir(tmp_path)
    raw = data_utils.get_CIFAR10_data(400, 50, 20, subtract_mean=False)
    np.testing.assert_allclose(raw["X_val"] - raw["X_train"].mean(axis=0), data["X_val"])
    assert raw["X_train"].dtype == np.float64
    direct = data_utils.get_CIFAR10_data(400, 50, 20, cifar10_dir=data_dir / "cifar-10-batches-py")
    np.testing.assert_array_equal(direct["X_test"], data["X_test"])


def test_published_training_log(data_dir, capsys):
    """A training log that course work of 2023 shows: 500 images, Adam, seed 231, line by line.

    Beyond these lines float32 rounding, which depends on the machine, moves the last digits.
    """
    from plaingrad.course.classifiers.fc_net import FullyConnectedNet
    from plaingrad.course.solver import Solver

    data = data_utils.get_CIFAR10_data()
    np.random.seed(231)
    small = {key: data[key][:500] if "train" in key else data[key] for key in data if "test" not in key}
    solver = Solver(
        FullyConnectedNet([500], dropout=1), small, num_epochs=5, batch_size=100, update_rule="adam",
        optim_config={"learning_rate": 5e-4}, print_every=100,
    )  # fmt: skip
    solver.train()
    assert solver.loss_history[0] == pytest.approx(7.856644, abs=1e-5)
    train = [0.260, 0.416, 0.482, 0.532, 0.600, 0.708]
    val = [0.184, 0.258, 0.276, 0.277, 0.271, 0.299]
    np.testing.assert_allclose(solver.train_acc_history, train, atol=0.005)
    np.testing.assert_allclose(solver.val_acc_history, val, atol=0.005)
