"""The difference quotient itself, and how two gradients are compared."""

import numpy as np
import pytest

from plaingrad.insight import numeric_gradient, relative_error


def test_of_a_number():
    x = np.random.default_rng(0).standard_normal((2, 3))
    np.testing.assert_allclose(numeric_gradient(lambda x: (x**3).sum(), x), 3 * x**2, rtol=1e-8)


def test_of_an_array_with_an_upstream_gradient():
    rng = np.random.default_rng(0)
    x, w, dout = rng.standard_normal((4, 3)), rng.standard_normal((3, 2)), rng.standard_normal((4, 2))
    np.testing.assert_allclose(numeric_gradient(lambda x: x @ w, x, dout), dout @ w.T, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("x", [np.array(2.0), np.ones((2, 3, 1)), np.arange(12.0).reshape(3, 4).T[::2]])
def test_any_shape_and_memory_order(x):
    np.testing.assert_allclose(numeric_gradient(lambda x: (x**2).sum(), x), 2 * x, rtol=1e-8, atol=1e-8)


def test_x_is_restored_to_the_bit():
    x = np.array([0.1, 1e8, -1e-12, np.pi])
    before = x.tobytes()
    numeric_gradient(np.sum, x)
    assert x.tobytes() == before


def test_x_is_restored_when_f_raises():
    x = np.array([1.0, 2.0])
    before = x.tobytes()

    def f(x):
        if x[1] < 2:
            raise ZeroDivisionError
        return x.sum()

    with pytest.raises(ZeroDivisionError):
        numeric_gradient(f, x)
    assert x.tobytes() == before


def test_f_may_use_its_output_again():
    """Two references to one buffer would make every difference 0."""
    buffer, x = np.empty(3), np.array([1.0, 2.0, 3.0])
    gradient = numeric_gradient(lambda x: np.multiply(x, x, out=buffer), x, np.ones(3))
    np.testing.assert_allclose(gradient, 2 * x, rtol=1e-8)


def test_the_step_is_h():
    x = np.array([0.0])
    assert numeric_gradient(lambda x: (x**3).sum(), x, h=0.1) == pytest.approx([0.01])


@pytest.mark.parametrize("x", [np.array([1, 2]), [1.0, 2.0], 3.0])
def test_what_cannot_be_moved_a_little_is_refused(x):
    with pytest.raises(TypeError, match="NumPy array of floats"):
        numeric_gradient(np.sum, x)


def test_relative_error():
    assert relative_error([1.0, 2.0], [1.0, 2.0]) == 0
    assert relative_error(np.array([1.0, 4.0]), np.array([1.0, -4.0])) == 1
    assert relative_error(3.0, 1.0) == 0.5
    assert relative_error(1e-9, 0.0) == pytest.approx(0.1)  # below 1e-8 the difference counts, not the ratio
    assert relative_error(np.empty(0), np.empty(0)) == 0
