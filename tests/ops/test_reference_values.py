"""Numbers that courses published for single layers and losses, with the errors they published or better."""

import numpy as np
import pytest

from plaingrad import ops
from plaingrad.insight import numeric_gradient, relative_error

pytestmark = pytest.mark.usefixtures("definitions")


def test_affine_forward():
    x = np.linspace(-0.1, 0.5, 2 * 120).reshape(2, 120)
    w, b = np.linspace(-0.2, 0.3, 360).reshape(120, 3), np.linspace(-0.3, 0.1, 3)
    out, _ = ops.affine_forward(x, w, b)
    expected = [[1.49834967, 1.70660132, 1.91485297], [3.25553199, 3.5141327, 3.77273342]]
    assert relative_error(out, expected) < 1e-9


def test_affine_backward():
    rng = np.random.RandomState(231)
    x, w, b, dout = rng.randn(10, 6), rng.randn(6, 5), rng.randn(5), rng.randn(10, 5)
    gradients = ops.affine_backward(dout, ops.affine_forward(x, w, b)[1])
    for moved, gradient in zip((x, w, b), gradients, strict=True):
        numeric = numeric_gradient(lambda _: ops.affine_forward(x, w, b)[0], moved, dout)
        assert relative_error(gradient, numeric) < 1e-9


def test_relu():
    x = np.linspace(-0.5, 0.5, 12).reshape(3, 4)
    out, _ = ops.relu_forward(x)
    expected = [
        [0, 0, 0, 0],
        [0, 0, 0.04545454545, 0.13636363636],
        [0.22727272727, 0.31818181818, 0.40909090909, 0.5],
    ]
    assert relative_error(out, expected) < 1e-10
    x, dout = np.random.RandomState(231).randn(2, 10, 10)
    gradient = ops.relu_backward(dout, ops.relu_forward(x)[1])
    numeric = numeric_gradient(lambda x: ops.relu_forward(x)[0], x, dout)
    assert relative_error(gradient, numeric) < 1e-10


@pytest.mark.parametrize(
    ("op", "published_loss", "published_error"),
    [("hinge", 8.999602749096233, 1.45e-9), ("softmax_cross_entropy", 2.302545844500738, 9.45e-9)],
)
def test_classification_losses(op, published_loss, published_error):
    """The published errors are rounded to two digits, 1.4e-9 and 9.4e-9, hence the halves."""
    rng = np.random.RandomState(231)
    x, y = 0.001 * rng.randn(50, 10), rng.randint(10, size=50)
    forward, backward = getattr(ops, f"{op}_forward"), getattr(ops, f"{op}_backward")
    loss, cache = forward(x, y)
    assert loss == pytest.approx(published_loss, rel=1e-13)
    numeric = numeric_gradient(lambda x: forward(x, y)[0], x)
    assert relative_error(backward(1.0, cache), numeric) <= published_error


def test_softmax():
    p, _ = ops.softmax_forward(np.array([0.4, 2.0, 0.001, 0.32]))
    np.testing.assert_allclose(p, [0.13250053, 0.65627943, 0.08890663, 0.12231341], atol=5e-9)


@pytest.mark.parametrize(
    ("op", "published"),
    [
        ("squared_error", 0.811803),
        ("cross_entropy", 2.3227867799039226),
        ("log_likelihood", 3.3510744405468786),
    ],
)
def test_losses_on_probabilities(op, published):
    prediction, answer = np.array([0.001, 0.9, 0.001, 0.098]), np.array([0.0, 0.0, 0.0, 1.0])
    loss, _ = getattr(ops, f"{op}_forward")(prediction, answer)
    assert loss == pytest.approx(published, rel=1e-14)
