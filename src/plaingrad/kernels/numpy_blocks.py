"""Elementwise ops on large NumPy arrays: the formula itself, on blocks that fit the cache, on threads.

What the formula makes on the way then never leaves the cache; the numbers are the same to the bit.  ReLU
is not among them: one pass over memory is all it has, and no thread makes that faster.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.kernels.memory import in_order, is_float, is_in_order
from plaingrad.kernels.threads import shared_out
from plaingrad.ops import Formula

Array = np.ndarray

_BLOCK = 16384  # elements
_LARGE = 4 * _BLOCK  # smaller arrays are left to the formula


def _register(forward: Formula[..., Any], backward: Formula[..., Any]) -> None:
    def accepts(x: Any) -> bool:
        return is_float(x) and x.size >= _LARGE and is_in_order(x)

    def accepts_backward(dout: Any, cache: Any) -> bool:
        return accepts(dout) and all(part.strides == dout.strides for part in _parts(cache))

    @forward.kernel(accepts)
    def blocked(x: Array) -> Any:
        out, one = np.empty_like(x), forward.formula(x[:0])[1]
        # The cache of every op here is x, its output, or a new array, or a tuple of these.
        new = [np.empty_like(x, dtype=part.dtype) for part in _parts(one)]
        source, target = in_order(x), in_order(out)
        parts = [in_order(part) for part in new]

        def work(start: int, stop: int) -> None:
            for first in range(start, stop, _BLOCK):
                block = slice(first, min(first + _BLOCK, stop))
                target[block], made = forward.formula(source[block])
                for whole, part in zip(parts, _parts(made), strict=True):
                    whole[block] = part

        shared_out(work, x.size)
        return out, tuple(new) if isinstance(one, tuple) else new[0]

    @backward.kernel(accepts_backward)
    def blocked_backward(dout: Array, cache: Any) -> Array:
        dx = np.empty_like(dout)
        source, target = in_order(dout), in_order(dx)
        parts = [in_order(part) for part in _parts(cache)]

        def work(start: int, stop: int) -> None:
            for first in range(start, stop, _BLOCK):
                block = slice(first, min(first + _BLOCK, stop))
                own = tuple(part[block] for part in parts)
                target[block] = backward.formula(source[block], own if isinstance(cache, tuple) else own[0])

        shared_out(work, dout.size)
        return dx


def _parts(cache: Any) -> tuple[Array, ...]:
    return cache if isinstance(cache, tuple) else (cache,)


for _name in ("sigmoid", "tanh", "gelu", "silu"):
    _register(getattr(ops, f"{_name}_forward"), getattr(ops, f"{_name}_backward"))
