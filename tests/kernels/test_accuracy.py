"""Compiled float32 convolution against float64: not ten times as far from it as PyTorch's, by any way."""

from __future__ import annotations

import numpy as np
import pytest

import plaingrad.kernels  # noqa: F401  (registers them)
from plaingrad import ops
from plaingrad.kernels import compiled

torch = pytest.importorskip("torch", reason="PyTorch, the measure of accuracy, is not installed")
pytestmark = pytest.mark.skipif(not compiled.available, reason="Numba is not installed")

SHAPES = {
    "32 channels": ((16, 32, 32, 32), 32),
    "few channels": ((8, 8, 17, 15), 9),
    "many channels": ((4, 256, 15, 15), 256),
    "small image": ((32, 128, 4, 4), 64),
    "one image": ((1, 64, 33, 31), 48),
}


@pytest.mark.parametrize("winograd", [True, False], ids=["Winograd", "direct"])
@pytest.mark.parametrize(("shape", "filters"), SHAPES.values(), ids=SHAPES)
def test_convolution_is_about_as_exact_as_pytorchs(shape, filters, winograd, monkeypatch):
    from plaingrad.kernels import numba_conv

    monkeypatch.setattr(numba_conv, "WINOGRAD", winograd)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, dtype=np.float32)
    w = rng.standard_normal((filters, shape[1], 3, 3), dtype=np.float32) / np.float32(3 * shape[1] ** 0.5)
    dout = rng.standard_normal((shape[0], filters, *shape[2:]), dtype=np.float32)

    out, cache = numba_conv.conv2d_forward(x, w, padding=1)
    dx, dw, db = numba_conv.conv2d_backward(dout, cache)
    ours = (out, dx, dw, db)
    theirs, exact = (by_torch(x, w, dout, kind) for kind in (torch.float32, torch.float64))
    for own, other, right in zip(ours, theirs, exact, strict=True):
        assert np.abs(own - right).max() <= 10 * np.abs(other - right).max()


def by_torch(x, w, dout, kind):
    """out, dx, dw and db in this precision."""
    images, filters, upstream = (torch.from_numpy(array).to(kind) for array in (x, w, dout))
    images.requires_grad_()
    filters.requires_grad_()
    bias = torch.zeros(len(w), dtype=kind, requires_grad=True)
    out = torch.nn.functional.conv2d(images, filters, bias, padding=1)
    out.backward(upstream)
    return [array.detach().numpy() for array in (out, images.grad, filters.grad, bias.grad)]


def test_winograd_and_direct_convolution_are_both_used(monkeypatch):
    """Or else one of the two columns above would say nothing."""
    from plaingrad.kernels import direct_conv, numba_conv, winograd

    x, w = np.ones((2, 16, 9, 9), np.float32), np.ones((16, 16, 3, 3), np.float32)
    for allowed, module in ((True, winograd), (False, direct_conv)):
        called = []
        monkeypatch.setattr(numba_conv, "WINOGRAD", allowed)
        monkeypatch.setattr(module, "correlate", lambda *args, called=called: called.append(args))
        numba_conv.conv2d_forward(x, w)
        assert called


def test_filters_that_suit_winograd_go_direct_where_it_does_not_pay():
    from plaingrad.kernels import numba_conv

    three = ops.Window((3, 3), padding=(1, 1))
    assert numba_conv.by_tiles(three, 16, 16)
    assert not numba_conv.by_tiles(three, 3, 32)
    assert not numba_conv.by_tiles(three._replace(stride=(2, 2)), 16, 16)
    assert not numba_conv.by_tiles(three._replace(dilation=(2, 2)), 16, 16)
    assert not numba_conv.by_tiles(three._replace(size=(5, 5)), 16, 16)
