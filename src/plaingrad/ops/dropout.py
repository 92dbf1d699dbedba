"""Inverted dropout: the scale is applied in training, so that evaluation is the identity."""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np
from jaxtyping import Float

from plaingrad.ops.formula import formula, namespace

Tensor = Float[Any, "*shape"]
Images = Float[Any, "N C H W"]
Seed = int | tuple[int, ...]


@formula
def dropout_forward(x: Tensor, *, rate: float, seed: Seed) -> tuple[Tensor, Any]:
    """out = x · m / (1 − rate), where each element of m is 0 with probability `rate`, else 1.

    The mask is a function of `seed`, a number or a tuple of them: the same seed drops the same
    elements, on every array library, which makes dropout checkable and a resumed run exact.
    At evaluation dropout is not called at all.
    Cached: the scaled mask.  Source: Srivastava et al. 2014, JMLR 15, section 4.
    """
    mask = _mask(x, tuple(x.shape), rate, seed)
    return x * mask, mask


@formula
def dropout_backward(dout: Tensor, cache: Any) -> Tensor:
    """dx = dout · m / (1 − rate): nothing flows back where nothing went forward."""
    return dout * cache


@formula
def dropout2d_forward(x: Images, *, rate: float, seed: Seed) -> tuple[Images, Any]:
    """Dropout of whole channels: the mask m is (N, C, 1, 1), one number for all pixels of a channel.

    Neighbouring pixels say nearly the same, so dropping one of them hides nothing.
    Cached: the scaled mask.  Source: Tompson et al. 2015, arXiv:1411.4280, section 3.2 (SpatialDropout).
    """
    mask = _mask(x, (x.shape[0], x.shape[1], 1, 1), rate, seed)
    return x * mask, mask


@formula
def dropout2d_backward(dout: Images, cache: Any) -> Images:
    """dx = dout · m / (1 − rate)."""
    return dout * cache


def _mask(x: Any, shape: tuple[int, ...], rate: float, seed: Seed) -> Any:
    """0 with probability `rate`, else 1 / (1 − rate), in x's dtype."""
    keep = 1 - rate
    drawn = np.random.default_rng(seed).random(shape, dtype=np.float32)
    xp = namespace(x)
    kept = xp.asarray(drawn < keep, device=array_api_compat.device(x))
    return xp.astype(kept, x.dtype) / keep
