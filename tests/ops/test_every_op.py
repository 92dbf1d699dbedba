"""Every row of tests/cases.py against every array library, numeric differences and oracles."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from case import channels_last
from cases import CASES, Case
from image_cases import IMAGE_CASES
from plaingrad import ops
from plaingrad.insight import check_gradients

pytestmark = pytest.mark.usefixtures("definitions")

every_case = pytest.mark.parametrize("case", CASES, ids=str)


def upstream(shape, dtype=np.float64):
    """A random upstream gradient: a constant one is blind wherever outputs add up to a constant."""
    return np.asarray(np.random.default_rng(1).standard_normal(shape), dtype)


def check_by_differences(case: Case, inputs, **settings):
    differentiable, constants = case.split(inputs)
    return check_gradients(
        lambda *xs: case.run((*xs, *constants)), case.gradients, differentiable, **settings
    )


def test_every_op_has_a_case():
    forwards = {name.removesuffix("_forward") for name in ops.__all__ if name.endswith("_forward")}
    backwards = {name.removesuffix("_backward") for name in ops.__all__ if name.endswith("_backward")}
    assert forwards == backwards == {case.op for case in CASES}


@every_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_dtypes_and_arguments(case, engine, dtype):
    inputs = case.make(dtype=dtype)
    arrays = engine.arrays(inputs)
    out, cache = case.run(arrays)
    dout = engine.array(upstream(np.shape(engine.numpy(out)), dtype))
    gradients = case.gradients(dout, cache)

    assert engine.numpy(out).dtype == dtype
    differentiable, _ = case.split(inputs)
    assert len(gradients) == len(differentiable)
    for x, gradient in zip(differentiable, gradients, strict=True):
        assert engine.numpy(gradient).shape == x.shape
        assert engine.numpy(gradient).dtype == dtype
    for before, after in zip(inputs, arrays, strict=True):
        np.testing.assert_array_equal(engine.numpy(after), before)
    np.testing.assert_array_equal(engine.numpy(dout), upstream(np.shape(engine.numpy(out)), dtype))
    for once, again in zip(gradients, case.gradients(dout, cache), strict=True):  # the cache is whole
        np.testing.assert_array_equal(engine.numpy(once), engine.numpy(again))


@pytest.mark.parametrize("case", IMAGE_CASES, ids=str)
def test_channels_last(case, engine):
    """An image is the same image whether its memory runs along the channels or along the rows."""
    inputs = case.make()
    expected, cache = case.run(engine.arrays(inputs))
    dout = upstream(np.shape(engine.numpy(expected)))
    wanted = case.gradients(engine.array(dout), cache)

    out, cache = case.run(tuple(engine.array(channels_last(x)) for x in inputs))
    np.testing.assert_allclose(engine.numpy(out), engine.numpy(expected), rtol=1e-12, atol=1e-13)
    for gradient, right in zip(case.gradients(engine.array(channels_last(dout)), cache), wanted, strict=True):
        np.testing.assert_allclose(engine.numpy(gradient), engine.numpy(right), rtol=1e-12, atol=1e-13)


@every_case
def test_all_engines_agree(case, engine):
    inputs = case.make()
    expected, cache = case.run(inputs)
    dout = upstream(np.shape(expected))
    expected_gradients = case.gradients(dout, cache)

    out, cache = case.run(engine.arrays(inputs))
    gradients = case.gradients(engine.array(dout), cache)
    np.testing.assert_allclose(engine.numpy(out), expected, rtol=1e-12, atol=1e-14)
    for gradient, wanted in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(engine.numpy(gradient), wanted, rtol=1e-12, atol=1e-14)


@every_case
@pytest.mark.parametrize("method", ["elementwise", "projection"])
def test_gradients_agree_with_differences(case, method):
    report = check_by_differences(case, case.make(), method=method)
    assert report.ok, report
    assert all(row.checked == row.size for row in report.rows), f"inputs at a kink:\n{report}"


@every_case
def test_values_agree_with_the_oracle(case):
    inputs = case.make()
    out, _ = case.run(inputs)
    expected = case.oracle(*map(jnp.asarray, inputs), **case.keywords)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("case", [c for c in CASES if c.torch], ids=str)
def test_values_and_gradients_agree_with_pytorch(case):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    inputs = case.make()
    differentiable, constants = case.split(inputs)
    leaves = [torch.tensor(x, requires_grad=True) for x in differentiable]
    expected = case.torch(torch.nn.functional, *leaves, *map(torch.as_tensor, constants), **case.keywords)

    out, cache = case.run(inputs)
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-12, atol=1e-13)
    dout = upstream(np.shape(out))
    expected.backward(torch.as_tensor(dout))
    for gradient, leaf in zip(case.gradients(dout, cache), leaves, strict=True):
        np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=1e-10, atol=1e-13)


@every_case
@pytest.mark.parametrize("definition", ["the formula", "the oracle"])
def test_gradients_agree_with_automatic_differentiation(case, definition):
    """JAX differentiates the forward pass, ours or the independent one, by its own rules."""
    inputs = case.make()
    differentiable, constants = case.split(inputs)
    constants = tuple(map(jnp.asarray, constants))

    def value(*xs):
        if definition == "the oracle":
            return case.oracle(*xs, *constants, **case.keywords)
        return case.run((*xs, *constants))[0]

    out, pull_back = jax.vjp(value, *map(jnp.asarray, differentiable))
    dout = upstream(out.shape)
    gradients = case.gradients(dout, case.run(inputs)[1])
    for gradient, expected in zip(gradients, pull_back(jnp.asarray(dout)), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-13)


@every_case
@given(n=st.integers(1, 4), d=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=8)
def test_any_shape(case, n, d, seed):
    """One sample, one feature, one class: nothing is lost or divided by zero."""
    report = check_by_differences(case, case.make(n, d, seed), max_elements=50)
    assert report.ok, report


@pytest.mark.parametrize("case", [c for c in CASES if not c.bounded], ids=str)
def test_huge_values_stay_finite(case):
    """Scores of ±10⁴ in float32, where a plain exponential overflows above 88; warnings are errors."""
    x, *others = case.make(dtype=np.float32)
    x = np.sign(x) * np.float32(1e4)
    out, cache = case.run((x, *others))
    assert np.isfinite(out).all()
    for gradient in case.gradients(upstream(np.shape(out), np.float32), cache):
        assert np.isfinite(gradient).all()
        assert gradient.dtype == np.float32


def test_affine_without_bias_and_without_dx():
    x, w, _ = next(c for c in CASES if c.op == "affine").make()
    out, cache = ops.affine_forward(x, w)
    np.testing.assert_allclose(out, np.einsum("nd,dm->nm", x, w), rtol=1e-12)
    dout = upstream(out.shape)
    dx, dw, db = ops.affine_backward(dout, cache, needs_dx=False)
    assert dx is None
    np.testing.assert_allclose(dw, np.einsum("nd,nm->dm", x, dout), rtol=1e-12)
    np.testing.assert_allclose(db, dout.sum(axis=0), rtol=1e-12)
