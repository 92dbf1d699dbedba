"""Arrays of other libraries: PyTorch's and JAX's become NumPy's in float64, and turn back for each call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from plaingrad.errors import DataError

Array = np.ndarray


def library_of(x: Any) -> str:
    """The library whose array x is: "torch", "jax", or "" for all else."""
    package = type(x).__module__.partition(".")[0]
    if package == "torch" and hasattr(x, "detach"):
        return "torch"
    return "jax" if package in ("jax", "jaxlib") and hasattr(x, "dtype") else ""


def to_numpy(x: Any) -> Any:
    """x as a NumPy array if it is another library's array, else as it is."""
    match library_of(x):
        case "torch":
            return x.detach().cpu().numpy()
        case "jax":
            return np.asarray(x)
    return x


def translated(
    forward: Callable[..., Any], backward: Callable[..., Any], inputs: tuple[Any, ...]
) -> tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...]]:
    """The pair and its inputs for NumPy arrays; themselves if the inputs have no other library's arrays.

    Floats travel as float64.  What the pair keeps in its cache is its own affair and passes untouched.
    Raises DataError if this JAX cannot compute in float64.
    """
    library = next(filter(None, map(library_of, inputs)), "")
    if not library:
        return forward, backward, inputs
    foreign = [bool(library_of(x)) for x in inputs]
    here = _torch if library == "torch" else _jax()

    def forward_here(*values: Any) -> tuple[Any, Any]:
        with here() as own:
            returned = forward(*(own(x) if is_own else x for x, is_own in zip(values, foreign, strict=True)))
            if not isinstance(returned, tuple) or len(returned) != 2:
                return returned  # the check says what a forward function returns
            return to_numpy(returned[0]), returned[1]

    def backward_here(dout: Array, cache: Any) -> Any:
        with here() as own:
            returned = backward(own(np.asarray(dout)), cache)
            if isinstance(returned, tuple | list):
                return tuple(map(to_numpy, returned))
            return to_numpy(returned)

    # The wrapped functions' names and signatures name the arrays, and their source is where to look.
    forward_here.__wrapped__, backward_here.__wrapped__ = forward, backward  # type: ignore[attr-defined]
    return forward_here, backward_here, tuple(map(to_numpy, inputs))


@contextlib.contextmanager
def _torch() -> Any:
    import torch

    with torch.no_grad():
        yield lambda x: torch.from_numpy(x) if isinstance(x, np.ndarray) and x.ndim else torch.tensor(x)


def _jax() -> Any:
    """A context in which JAX computes in float64, and its `asarray`."""
    import jax
    import jax.numpy as jnp

    enable = getattr(jax, "enable_x64", None)
    if enable is None:
        from jax import experimental

        enable = getattr(experimental, "enable_x64", None)
    if enable is None:
        raise DataError("this JAX computes in float32 only: set JAX_ENABLE_X64=1 before it is imported")

    @contextlib.contextmanager
    def here() -> Any:
        with enable(True):
            yield jnp.asarray

    return here
