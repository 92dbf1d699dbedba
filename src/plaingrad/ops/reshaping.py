"""Changing the shape and nothing else."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float

from plaingrad.ops.formula import formula, namespace

Samples = Float[Any, "N *sample"]
Rows = Float[Any, "N D"]
Shape = tuple[int, ...]


@formula
def flatten_forward(x: Samples) -> tuple[Rows, Shape]:
    """(N, C, H, W), or any shape, to (N, C·H·W): each sample's values in a row, the last axis fastest.

    Cached: the shape.
    """
    shape = tuple(x.shape)
    size = 1
    for n in shape[1:]:
        size *= n
    return namespace(x).reshape(x, (shape[0], size)), shape


@formula
def flatten_backward(dout: Rows, cache: Shape) -> Samples:
    """The same values in the input's shape."""
    return namespace(dout).reshape(dout, cache)
