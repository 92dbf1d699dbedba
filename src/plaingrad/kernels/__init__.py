"""Faster versions of functions of `ops`, registered for the inputs that they accept.

Importing this package registers them all.  `plaingrad.plain()` switches them off.
"""

from plaingrad.kernels import numpy_batchnorm, numpy_conv, numpy_gelu, numpy_pool

__all__ = ["numpy_batchnorm", "numpy_conv", "numpy_gelu", "numpy_pool"]
