"""The difference quotient itself, and how two gradients are compared in coursework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from plaingrad.insight.gradients.slopes import outputs_around

Array = np.ndarray


def relative_error(a: Any, b: Any) -> float:
    """The largest |a − b| / max(10⁻⁸, |a| + |b|) over all elements, as in CS231n; 0 if there are none."""
    a, b = np.asarray(a), np.asarray(b)
    return float(np.max(np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b)), initial=0.0))


def numeric_gradient(f: Callable[[Array], Any], x: Array, dout: Any = None, *, h: float = 1e-5) -> Array:
    """The gradient of Σ f(x) · dout by x, element by element from central differences.

    f: from an array like x to one like dout, or to a number where dout is None.  x: of floats, any
    shape; moved in place by h, and as it was afterwards, also if f raises.  Returns x's shape, float64.
    Costs two calls of f for each element.  Raises TypeError if x cannot be moved by a small step.
    """
    if not isinstance(x, np.ndarray) or not np.issubdtype(x.dtype, np.floating):
        raise TypeError(f"x must be a NumPy array of floats, got {getattr(x, 'dtype', type(x).__name__)}")
    weight = 1.0 if dout is None else np.asarray(dout)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        down, up = outputs_around(lambda: f(x), x, index, h)
        gradient[index] = np.sum((up - down) * weight) / (2 * h)
    return gradient
