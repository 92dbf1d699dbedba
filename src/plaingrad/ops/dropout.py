"""Inverted dropout: the scale is applied in training, so that evaluation is the identity."""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np
from jaxtyping import Float

from plaingrad.ops.formula import formula, namespace

Tensor = Float[Any, "*shape"]
Seed = int | tuple[int, ...]


@formula
def dropout_forward(x: Tensor, *, rate: float, seed: Seed) -> tuple[Tensor, Any]:
    """out = x · m / (1 − rate), where each element of m is 0 with probability `rate`, else 1.

    The mask is a function of `seed`, a number or a tuple of them: the same seed drops the same
    elements, on every array library, which makes dropout checkable and a resumed run exact.
    At evaluation dropout is not called at all.
    Cached: the scaled mask.  Source: Srivastava et al. 2014, JMLR 15, section 4.
    """
    keep = 1 - rate
    drawn = np.random.default_rng(seed).random(tuple(x.shape), dtype=np.float32)
    xp = namespace(x)
    kept = xp.asarray(drawn < keep, device=array_api_compat.device(x))
    mask = xp.astype(kept, x.dtype) / keep
    return x * mask, mask


@formula
def dropout_backward(dout: Tensor, cache: Any) -> Tensor:
    """dx = dout · m / (1 − rate): nothing flows back where nothing went forward."""
    return dout * cache
