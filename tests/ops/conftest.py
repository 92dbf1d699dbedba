"""The array libraries that the formulas must run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from plaingrad.ops import plain


@dataclass(frozen=True)
class Engine:
    """An array library: how its arrays are made from NumPy's and turned back."""

    name: str
    array: Callable[[np.ndarray], Any]
    numpy: Callable[[Any], np.ndarray] = np.asarray

    def arrays(self, inputs: tuple[np.ndarray, ...]) -> tuple[Any, ...]:
        return tuple(self.array(x.copy()) for x in inputs)


@pytest.fixture(params=["numpy", "array-api-strict", "jax", "torch"])
def engine(request: pytest.FixtureRequest) -> Engine:
    match request.param:
        case "numpy":
            return Engine("numpy", np.asarray)
        case "array-api-strict":
            strict = pytest.importorskip("array_api_strict")
            return Engine("array-api-strict", strict.asarray)
        case "jax":
            return Engine("jax", pytest.importorskip("jax.numpy").asarray)
        case _:
            torch = pytest.importorskip("torch", reason="PyTorch is not installed")
            return Engine("torch", torch.as_tensor, lambda x: x.numpy())


@pytest.fixture(scope="module")
def definitions() -> Iterator[None]:
    """The formulas themselves: tests/kernels compares kernels with them."""
    with plain():
        yield
