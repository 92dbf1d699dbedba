"""Pairs written for PyTorch and JAX: handed their own arrays, in float64."""

from __future__ import annotations

import numpy as np
import pytest

from plaingrad.insight import check_gradients

X, W = np.random.default_rng(0).standard_normal((2, 4, 4)).astype(np.float32)


@pytest.fixture(params=["torch", "jax"])
def arrays(request):
    library = pytest.importorskip(request.param)
    return library.from_numpy if request.param == "torch" else library.numpy.asarray


def forward(x, w):
    assert not isinstance(x, np.ndarray)
    assert str(x.dtype).endswith("float64")
    return x @ w, (x, w)


@pytest.mark.parametrize("transposed", [False, True])
def test_pairs(arrays, transposed):
    def backward(dout, cache):
        assert str(dout.dtype).endswith("float64")
        x, w = cache
        dw = x.T @ dout
        return dout @ w.T, dw.T if transposed else dw

    report = check_gradients(forward, backward, (arrays(X), arrays(W)))
    assert [row.name for row in report.rows] == ["x", "w"]
    assert report.ok is not transposed, report
    if transposed:
        assert (report.findings[0].likely, report.findings[0].parameter) == ("transposed", "w")
        assert "test_other_libraries.py" in report.findings[0].line


def test_a_number_as_output(arrays):
    """A loss without axes, and labels that need no gradient."""

    def loss(x, y):
        return ((x - y) ** 2).sum(), (x, y)

    def backward(dout, cache):
        x, y = cache
        return dout * 2 * (x - y), None

    assert check_gradients(loss, backward, (arrays(X), arrays(W))).ok
