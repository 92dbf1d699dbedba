"""What tests/kernels/test_kernels.py cannot see of the compiled loops: parts on threads, extreme numbers, digits."""

from __future__ import annotations

import numpy as np
import pytest

from cases import CASES
from plaingrad import ops, plain
from plaingrad.kernels import compiled

from .test_kernels import assert_kernels_agree, channels_last, upstream

pytestmark = pytest.mark.skipif(not compiled.available, reason="Numba is not installed")

ACTIVATIONS = ("relu", "gelu", "sigmoid", "silu", "tanh")
LOOPS = (*ACTIVATIONS, "batchnorm", "batchnorm_activation", "max_pool2d", "avg_pool2d")
LOOP_CASES = [case for case in CASES if case.op in LOOPS]


@pytest.fixture
def always_in_parts(monkeypatch):
    """Work is shared out among threads however little it is."""
    from plaingrad.kernels import numba_activation, numba_batchnorm, numba_pool

    for module in (numba_activation, numba_batchnorm, numba_pool):
        monkeypatch.setattr(module, "_LARGE", 0)


@pytest.mark.usefixtures("always_in_parts")
@pytest.mark.parametrize(
    ("case", "size"),
    [
        (case, size)
        for case in LOOP_CASES
        for size in ((1, 1), (4, 5), (70, 33), (33, 260))
        # Of one standardised sample nothing is left but rounding.
        if size != (1, 1) or not case.op.startswith("batchnorm")
    ],
    ids=str,
)
def test_in_parts(case, size):
    inputs = tuple(map(channels_last, case.make(*size, dtype=np.float32)))
    assert_kernels_agree(case, inputs)


@pytest.mark.parametrize("channels", [1, 2, 3, 15, 16, 17, 24, 33, 511, 512, 513, 1030])
@pytest.mark.parametrize("op", ["batchnorm", "batchnorm_activation"])
def test_any_number_of_channels(op, channels):
    """Wide rows of one row or of many, and a last one that is not full."""
    rng = np.random.default_rng(0)
    for shape in ((67, channels), (5, channels, 3, 7)):
        x = channels_last(rng.standard_normal(shape).astype(np.float32))
        gamma, beta = (rng.uniform(0.5, 2, channels).astype(np.float32) for _ in range(2))
        assert_kernels_agree(next(case for case in CASES if case.op == op), (x, gamma, beta))


@pytest.fixture(scope="module")
def exp():
    """eˣ of every number of an array."""
    from plaingrad.kernels.exponential import exp

    @compiled.compiled
    def every(x, out):
        for i in range(x.size):
            out[i] = exp(x[i])

    def run(x):
        out = np.empty_like(x)
        every(x, out)
        return out

    return run


class TestExponential:
    def test_is_off_by_less_than_one_unit_in_the_last_place(self, exp):
        """Over the whole range of normal numbers, and close to 0, where eˣ is close to 1."""
        edges = np.array([-87.33654, 88.72283, 0.0, -0.0, 1e-30, 0.34657, 0.34658, -0.34657], np.float32)
        for low, high in ((-87.3365, 88.7228), (-1, 1), (-1e-6, 1e-6)):
            x = np.concatenate([np.linspace(low, high, 3_000_001, dtype=np.float32), edges])
            exact = np.exp(x.astype(np.float64))
            unit = np.spacing(exact.astype(np.float32)).astype(np.float64)
            assert (np.abs(exp(x) - exact) / unit).max() < 1

    def test_beyond_the_range(self, exp):
        x = np.array([-np.inf, -1e30, -104, -87.4, 88.8, 1e30, np.inf, np.nan], np.float32)
        np.testing.assert_array_equal(exp(x), [0, 0, 0, 0, np.inf, np.inf, np.inf, np.nan])


@pytest.mark.parametrize("op", ACTIVATIONS)
def test_activations_of_extreme_numbers_are_those_of_the_formula(op):
    """Infinite, too large to be cubed, or not a number: forward, and the derivative."""
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e4, -1e4, 1e-30, -1e-30, 95, -95], np.float32)
    x = np.concatenate([x, np.linspace(-20, 20, 1001, dtype=np.float32)])
    forward, backward = getattr(ops, f"{op}_forward"), getattr(ops, f"{op}_backward")
    out, cache = forward(x)
    dx = backward(np.ones_like(x), cache)
    with plain(), np.errstate(all="ignore"):
        expected, cache = forward(x)
        wanted = backward(np.ones_like(x), cache)
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(dx, wanted, rtol=1e-6, atol=5e-6)  # |x| units of rounding, here of 20


def test_gelu_keeps_its_digits_where_it_is_small():
    """The formula's 1 + tanh u cancels there."""
    x = np.linspace(-6, -3, 1000, dtype=np.float32)
    exact = x.astype(np.float64)
    u = np.sqrt(2 / np.pi) * (exact + 0.044715 * exact**3)
    np.testing.assert_allclose(ops.gelu_forward(x)[0], exact / (1 + np.exp(-2 * u)), rtol=2e-5)


@pytest.mark.parametrize("mean", [0, 100, 1e4])
@pytest.mark.parametrize("kind", ["alike", "one image apart", "one pixel apart"])
def test_statistics_keep_their_digits(mean, kind):
    """Far from zero, and where the first numbers that are seen say nothing about the others."""
    x = np.random.default_rng(0).standard_normal((40, 3, 16, 16))
    if kind == "alike":
        x += mean
    elif kind == "one image apart":
        x[1:] += mean
    else:
        x[0, :, 0, 0] += mean
    x = channels_last(x.astype(np.float32))
    ones = np.ones(3, np.float32)
    _, cache = ops.batchnorm_forward(x, ones, ones)
    exact = x.astype(np.float64)
    unit = np.finfo(np.float32).eps
    np.testing.assert_allclose(
        cache.mean, exact.mean(axis=(0, 2, 3)), rtol=2 * unit, atol=2 * unit * exact.std()
    )
    np.testing.assert_allclose(cache.variance, exact.var(axis=(0, 2, 3)), rtol=20 * unit)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_normalising_far_from_zero_is_no_worse_than_the_formula(activation):
    rng = np.random.default_rng(0)
    x = channels_last((rng.standard_normal((32, 5, 9, 8)) + 100).astype(np.float32))
    gamma, beta = (rng.uniform(0.5, 2, 5).astype(np.float32) for _ in range(2))
    settings = {"activation": activation}
    out, _ = ops.batchnorm_activation_forward(x, gamma, beta, **settings)
    with plain():
        by_formula, _ = ops.batchnorm_activation_forward(x, gamma, beta, **settings)
        exact, _ = ops.batchnorm_activation_forward(
            *(array.astype(np.float64) for array in (x, gamma, beta)), **settings
        )
    assert np.abs(out - exact).max() <= np.abs(by_formula - exact).max()


def test_of_values_that_are_not_numbers_the_first_wins():
    x = np.array([[1, np.nan], [np.nan, 5]], np.float32)[None, None]
    out, cache = ops.max_pool2d_forward(x, window=2)
    assert np.isnan(out).all()
    assert cache.winner.item() == 1
    assert ops.max_pool2d_backward(np.ones_like(out), cache).ravel().tolist() == [0, 1, 0, 0]


def test_a_window_of_minus_infinity_has_a_winner_inside_the_image():
    x = np.full((1, 1, 2, 2), -np.inf, np.float32)
    out, cache = ops.max_pool2d_forward(x, window=2, padding=1)
    assert (out == -np.inf).all()
    assert (ops.max_pool2d_backward(np.ones_like(out), cache) == 1).all()


def test_windows_too_large_for_a_byte_are_left_to_others():
    x = np.random.default_rng(0).standard_normal((2, 3, 20, 20)).astype(np.float32)
    case = next(case for case in CASES if case.op == "max_pool2d")
    for window in (17, (1, 17), (16, 16)):
        out, cache = ops.max_pool2d_forward(x, window=window, stride=1)
        with plain():
            expected, right = ops.max_pool2d_forward(x, window=window, stride=1)
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(cache.winner, right.winner)
        assert ops.max_pool2d_backward(upstream(out), cache).shape == x.shape
    assert case.forward.kernel_for(x, window=[2, 2]) is not None
