"""What makes a function of `ops` more than a function: the array library it runs on, and its faster versions.

A function marked with `@formula` is the definition.  A kernel registered for it computes the same on
some inputs, faster; it is used whenever it accepts the inputs, unless `plain()` switches kernels off.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Generic, ParamSpec, TypeVar

import array_api_compat
import array_api_compat.numpy as numpy_namespace
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

_plain: ContextVar[bool] = ContextVar("plaingrad_plain", default=False)


def namespace(x: Any) -> Any:
    """The array-API functions of the library that `x` belongs to: NumPy, PyTorch, JAX, CuPy, ..."""
    if type(x) is np.ndarray:  # the common case, twenty times faster than asking
        return numpy_namespace
    return array_api_compat.array_namespace(x)


class Formula(Generic[P, R]):
    """A function of `ops` together with its kernels.

    `formula` is the definition itself; calling the object runs the first kernel that accepts the
    arguments, or else the definition.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        self.formula = function
        self.kernels: list[tuple[Callable[..., bool], Callable[P, R]]] = []
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the first kernel that accepts the arguments, or the definition."""
        return (self.kernel_for(*args, **kwargs) or self.formula)(*args, **kwargs)

    def kernel_for(self, *args: P.args, **kwargs: P.kwargs) -> Callable[P, R] | None:
        """The first kernel that accepts the arguments; None where the definition is to run."""
        if self.kernels and not _plain.get():
            for accepts, kernel in self.kernels:
                if accepts(*args, **kwargs):
                    return kernel
        return None

    def kernel(self, accepts: Callable[..., bool]) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Register the decorated function for the calls that `accepts` says yes to.

        The one registered last is asked first.  A kernel returns what the formula returns, cache included:
        forward and backward may then come from different engines.
        """

        def register(function: Callable[P, R]) -> Callable[P, R]:
            self.kernels.insert(0, (accepts, function))
            return function

        return register

    def __repr__(self) -> str:
        return f"<formula {self.formula.__name__}, {len(self.kernels)} kernels>"


def formula(function: Callable[P, R]) -> Formula[P, R]:
    """Mark a function of `ops` as the definition that kernels may stand in for."""
    return Formula(function)


def is_plain() -> bool:
    """Whether `plain()` has switched faster versions off here."""
    return _plain.get()


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """Switch all kernels off inside a `with` block, in this thread: the formulas themselves run.

    >>> with plain():
    ...     loss, grads = network.loss(X, y)
    """
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)
