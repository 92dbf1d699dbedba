"""What a row of tests/cases.py is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plaingrad import ops

Array = np.ndarray
Inputs = tuple[Array, ...]


@dataclass(frozen=True)
class Case:
    """An op, inputs for it, and an oracle.

    op: `relu` means `ops.relu_forward` and `ops.relu_backward`.  inputs(rng, n, d): arguments for n
    samples of d features or classes, float64 where float, away from kinks.  keywords: of the forward
    function.  constants: how many of the last inputs have no gradient.  oracle: the value, in JAX,
    not written by us where JAX has it.  torch: the same by PyTorch, given `torch.nn.functional`.
    bounded: whether the inputs must be probabilities, and so cannot be made huge.  omitted: how many of
    backward's last gradients are of arguments that are left out here, as a bias may be.
    """

    op: str
    inputs: Callable[[np.random.Generator, int, int], Inputs]
    oracle: Callable[..., Any]
    keywords: dict[str, Any] = field(default_factory=dict)
    constants: int = 0
    torch: Callable[..., Any] | None = None
    bounded: bool = False
    omitted: int = 0
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.op}-{self.variant}" if self.variant else self.op

    @property
    def forward(self) -> ops.Formula[..., Any]:
        return getattr(ops, f"{self.op}_forward")

    @property
    def backward(self) -> ops.Formula[..., Any]:
        return getattr(ops, f"{self.op}_backward")

    def make(self, n: int = 4, d: int = 5, seed: int = 0, dtype: Any = np.float64) -> Inputs:
        """The inputs, floats in `dtype`."""
        made = self.inputs(np.random.default_rng(seed), n, d)
        return tuple(x.astype(dtype) if x.dtype.kind == "f" else x for x in made)

    def split(self, inputs: Inputs) -> tuple[Inputs, Inputs]:
        """The inputs that have a gradient, and the constants."""
        count = len(inputs) - self.constants
        return inputs[:count], inputs[count:]

    def run(self, inputs: Any) -> tuple[Any, Any]:
        """Out and cache."""
        return self.forward(*inputs, **self.keywords)

    def gradients(self, dout: Any, cache: Any, backward: Callable[..., Any] | None = None) -> tuple[Any, ...]:
        """The gradients of the inputs that have one, always as a tuple; by `backward` or the op's own."""
        gradients = (backward or self.backward)(dout, cache)
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        return gradients[: len(gradients) - self.omitted]


def spread(rng: np.random.Generator, *shape: int) -> Array:
    """Distinct numbers around 0, at least 0.17 from 0 and 0.37 from each other: far from any kink."""
    size = int(np.prod(shape))
    return 0.37 * (rng.permutation(size) - size // 2).reshape(shape) + 0.17


def channels_last(x: Array) -> Array:
    """x itself, or images (N, C, H, W) as a view of memory that lies as (N, H, W, C)."""
    if x.ndim != 4:
        return x
    return np.moveaxis(np.moveaxis(x, 1, 3).copy(), 3, 1)
