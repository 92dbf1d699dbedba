"""eˣ for compiled kernels, in float32: Numba's own is a call for each number, this one becomes vectors.

eˣ = 2ⁿ eʳ with n the integer nearest to x / ln 2, hence |r| ≤ ½ ln 2, and there the series Σ rᵏ/k! needs eight
terms: the ninth is 5·10⁻⁹.  r = x − n ln 2 must not lose digits, so ln 2 is subtracted in two parts, the
first of so few digits that its product with n is exact.  Multiplying by 2ⁿ adds n to the exponent's bits.
Off by less than one unit in the last place.
Source: Cody & Waite, Software Manual for the Elementary Functions, 1980, chapter 6.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from plaingrad.kernels.compiled import compiled

Float = Any

_PER_LN2, _HALF, _ONE, _ZERO = np.float32(1 / math.log(2)), np.float32(0.5), np.float32(1), np.float32(0)
_LN2_FIRST = np.float32(0.693359375)  # 355/512
_LN2_REST = np.float32(math.log(2) - 355 / 512)
_2, _3, _4, _5, _6, _7 = (np.float32(1 / math.factorial(k)) for k in range(2, 8))

# Between these eˣ is neither too large for float32 nor too small for its full number of digits.
_LOWEST, _HIGHEST = np.float32(-87.33654), np.float32(88.72283)
_INFINITY = np.float32(np.inf)
_MANTISSA = np.int32(23)  # bits


@compiled(exact=True, inline=True)
def _remainder(x: Float, n: Float) -> Float:
    # Exact, or else the compiler would subtract n times the sum of the two parts.
    return (x - n * _LN2_FIRST) - n * _LN2_REST


@compiled(inline=True)
def exp_for_sum(x: Float) -> Float:
    """eˣ as a term of a sum with 1: where it is below 10⁻³⁸, and for NaN, some number below 2·10⁻³⁸."""
    bounded = x if x > _LOWEST else _LOWEST
    bounded = bounded if bounded < _HIGHEST else _HIGHEST
    n = math.floor(bounded * _PER_LN2 + _HALF)
    r = _remainder(bounded, np.float32(n))
    series = ((((_7 * r + _6) * r + _5) * r + _4) * r + _3) * r + _2
    series = (series * r + _ONE) * r + _ONE
    bits = np.float32(series).view(np.int32) + (np.int32(n) << _MANTISSA)
    return _INFINITY if x > _HIGHEST else np.int32(bits).view(np.float32)


@compiled(inline=True)
def exp(x: Float) -> Float:
    """eˣ; 0 where it would be below 1.2·10⁻³⁸; NaN for NaN."""
    value = exp_for_sum(x)
    value = _ZERO if x < _LOWEST else value
    return x if x != x else value
