"""The affine map, the one layer that every network has."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float

from plaingrad.ops.formula import formula, namespace

Cache = tuple[Any, Any]


@formula
def affine_forward(
    x: Float[Any, "N D"], w: Float[Any, "D M"], b: Float[Any, " M"] | None = None
) -> tuple[Float[Any, "N M"], Cache]:
    """Multiply by a matrix and add a vector:  out = x w + b.

    x (N, D), w (D, M), b (M,) or None for no bias.  Returns out (N, M) and a cache for `affine_backward`.
    Cached: x and w, the two factors of the product; b's gradient needs neither.
    """
    out = x @ w
    return (out if b is None else out + b), (x, w)


@formula
def affine_backward(
    dout: Float[Any, "N M"], cache: Cache, *, needs_dx: bool = True
) -> tuple[Float[Any, "N D"] | None, Float[Any, "D M"], Float[Any, " M"]]:
    """dx = dout wᵀ,  dw = xᵀ dout,  db = Σₙ dout.

    A network's first layer has nothing below it: `needs_dx=False` saves a third of its work and
    returns None for dx.
    """
    x, w = cache
    dx = dout @ w.T if needs_dx else None
    return dx, x.T @ dout, namespace(dout).sum(dout, axis=0)
