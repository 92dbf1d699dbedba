"""`gradient_check`: numeric gradients by `plaingrad.insight`, printed as the course prints them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from plaingrad.insight import numeric_gradient, relative_error

__all__ = [
    "eval_numerical_gradient",
    "eval_numerical_gradient_array",
    "eval_numerical_gradient_blobs",
    "eval_numerical_gradient_net",
    "grad_check_sparse",
]

Array = np.ndarray


def eval_numerical_gradient(
    f: Callable[[Array], Any], x: Array, verbose: bool = True, h: float = 1e-5
) -> Array:
    """The gradient at x of f, which returns a number; with `verbose`, a line for each element."""
    gradient = numeric_gradient(f, x, h=h)
    if verbose:
        for index in np.ndindex(x.shape):
            print(index, gradient[index])
    return gradient


def eval_numerical_gradient_array(f: Callable[[Array], Any], x: Array, df: Any, h: float = 1e-5) -> Array:
    """The gradient at x of Σ f(x) · df, where f returns an array."""
    return numeric_gradient(f, x, df, h=h)


def eval_numerical_gradient_blobs(
    f: Callable[..., Any], inputs: tuple[Any, ...], output: Any, h: float = 1e-5
) -> list[Array]:
    """The gradient for each input blob of `f(*inputs, output)`, which writes `output.vals`.

    A blob has `vals` and `diffs`; `output.diffs` is the upstream gradient.
    """

    def vals(_: Array) -> Array:
        f(*inputs, output)
        return np.copy(output.vals)

    return [numeric_gradient(vals, blob.vals, output.diffs, h=h) for blob in inputs]


def eval_numerical_gradient_net(
    net: Any, inputs: tuple[Any, ...], output: Any, h: float = 1e-5
) -> list[Array]:
    """The same for a net whose `forward()` writes `output.vals`."""
    return eval_numerical_gradient_blobs(lambda *_: net.forward(), inputs, output, h=h)


def grad_check_sparse(
    f: Callable[[Array], Any], x: Array, analytic_grad: Array, num_checks: int = 10, h: float = 1e-5
) -> None:
    """Print numeric and analytic gradient of f at `num_checks` random elements of x."""
    for _ in range(num_checks):
        index = tuple(random.randrange(size) for size in x.shape)
        element = x[tuple(slice(i, i + 1) for i in index)]  # a view, so that moving it moves x
        numeric = numeric_gradient(lambda _: f(x), element, h=h).item()
        analytic = analytic_grad[index]
        error = relative_error(numeric, analytic)
        print(f"numerical: {numeric:f} analytic: {analytic:f}, relative error: {error:e}")
