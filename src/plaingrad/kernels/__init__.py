"""Faster versions of functions of `ops`, registered for the inputs that they accept.

Importing this package registers them all: those of NumPy, and then, to be asked first, the compiled ones.
`plaingrad.plain()` switches them off.
"""

from plaingrad.kernels import numpy_batchnorm, numpy_conv, numpy_pool
from plaingrad.kernels.compiled import available

__all__ = ["numpy_batchnorm", "numpy_conv", "numpy_pool"]

if available:
    from plaingrad.kernels import (
        numba_activation,
        numba_affine,
        numba_batchnorm,
        numba_conv,
        numba_loss,
        numba_pool,
    )

    __all__ += [
        "numba_activation",
        "numba_affine",
        "numba_batchnorm",
        "numba_conv",
        "numba_loss",
        "numba_pool",
    ]
