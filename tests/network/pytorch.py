"""Our networks in PyTorch: the same specs, run by functions and gradients that we did not write."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from plaingrad.network import (
    GELU,
    Affine,
    AvgPool2d,
    BatchNorm,
    Branch,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    GroupNorm,
    Layer,
    LogSoftmax,
    MaxPool2d,
    NegativeLogLikelihood,
    Network,
    ReLU,
    Residual,
    Sequential,
    SoftmaxCrossEntropy,
)

Tensor = torch.Tensor

# Several would wait for one another wherever other processes are at work.
torch.set_num_threads(1)

LOSSES = {SoftmaxCrossEntropy(): F.cross_entropy, NegativeLogLikelihood(): F.nll_loss}


class InPyTorch:
    """A copy of `net` as it is now, in PyTorch: parameters and state under the names they have there."""

    def __init__(self, net: Network) -> None:
        self.layers, self.loss_of = net.layers, LOSSES[net.objective]
        self.params = {name: torch.tensor(value, requires_grad=True) for name, value in net.params.items()}
        self.state = {name: torch.tensor(value) for name, value in net.state.items()}

    def scores(self, X: np.ndarray) -> np.ndarray:
        """The scores in evaluation mode."""
        with torch.no_grad():
            return self._run(self.layers, torch.tensor(X), train=False).numpy()

    def loss_and_gradients(
        self, X: np.ndarray, y: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray], np.ndarray]:
        """The loss in training mode, and its gradients by every parameter and by X."""
        x = torch.tensor(X, requires_grad=True)
        loss = self.loss_of(self._run(self.layers, x, train=True), torch.tensor(y))
        *grads, dx = torch.autograd.grad(loss, [*self.params.values(), x])
        return loss.item(), {n: g.numpy() for n, g in zip(self.params, grads, strict=True)}, dx.numpy()

    def train(
        self, batches: Iterable[tuple[np.ndarray, np.ndarray]], *, lr: float, momentum: float
    ) -> list[float]:
        """The losses of SGD with momentum, each before its step."""
        optimizer = torch.optim.SGD(self.params.values(), lr=lr, momentum=momentum)
        losses = []
        for X, y in batches:
            loss = self.loss_of(self._run(self.layers, torch.tensor(X), train=True), torch.tensor(y))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def _run(self, layer: Layer, x: Tensor, *, train: bool) -> Tensor:
        """`layer` on x."""
        weight, bias = (self.params.get(f"{layer.name}.{name}") for name in ("weight", "bias"))
        match layer:
            case Sequential():
                for inner in layer.layers:
                    x = self._run(inner, x, train=train)
                return x
            case Residual():
                short = self._run(layer.shortcut, x, train=train) if layer.shortcut else x
                return self._run(layer.body, x, train=train) + short
            case Branch(join="concatenate"):
                return torch.cat([self._run(path, x, train=train) for path in layer.paths], dim=1)
            case Conv2d():
                return F.conv2d(x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)
            case MaxPool2d():
                return F.max_pool2d(x, layer.window, layer.stride, layer.padding)
            case AvgPool2d():
                return F.avg_pool2d(x, layer.window, layer.stride, layer.padding)
            case GlobalAvgPool2d():
                return x.mean(dim=(2, 3))
            case BatchNorm():
                mean, var = (self.state[f"{layer.name}.running_{name}"] for name in ("mean", "var"))
                gathered = (None, None) if train else (mean, var)
                return F.batch_norm(x, *gathered, weight, bias, training=train, eps=layer.eps)
            case GroupNorm():
                return F.group_norm(x, layer.groups, weight, bias, layer.eps)
            case Affine():
                return F.linear(x, weight.T, bias)
            case Flatten():
                return x.flatten(1)
            case ReLU():
                return F.relu(x)
            case GELU():
                return F.gelu(x, approximate="tanh")
            case LogSoftmax():
                return F.log_softmax(x, dim=1)
        raise NotImplementedError(f"{layer} in PyTorch")


def assert_agrees(net: Network, X: np.ndarray, y: np.ndarray) -> None:
    """Scores, loss and every gradient of `net`, in float64, are PyTorch's but for rounding."""
    theirs = InPyTorch(net)
    np.testing.assert_allclose(net.scores(X), theirs.scores(X), rtol=1e-8, atol=1e-12)
    expected, expected_grads, expected_dx = theirs.loss_and_gradients(X, y)
    loss, grads, dx = net.loss_and_gradients(X, y, needs_dx=True)
    assert loss == pytest.approx(expected, rel=1e-10)
    assert list(grads) == list(expected_grads)
    # What cancels to 0, such as a bias before a batch normalisation, is rounding of numbers that did not.
    atol = 1e-12 * max(1.0, np.abs(grads.flat).max())
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-8, atol=atol)
    for name, gradient in grads.items():
        np.testing.assert_allclose(gradient, expected_grads[name], rtol=1e-8, atol=atol, err_msg=name)
