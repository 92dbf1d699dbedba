"""Initial weights.  Always drawn by NumPy, in layer order, so that every engine starts from the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from plaingrad.errors import check_ranges


class Draws(Protocol):
    """What initialisers draw from: a NumPy Generator, a RandomState, or the module `np.random` itself."""

    def standard_normal(self, size: tuple[int, ...]) -> np.ndarray:
        """Independent draws from the normal distribution with mean 0 and standard deviation 1."""
        ...

    def uniform(self, low: float, high: float, size: tuple[int, ...]) -> np.ndarray:
        """Independent draws from the uniform distribution between low and high."""
        ...


class Initializer(Protocol):
    """Draws a weight whose units have `fan_in` inputs each and whose inputs feed `fan_out` units each."""

    def __call__(self, rng: Draws, shape: tuple[int, ...], fan_in: int, fan_out: int) -> np.ndarray:
        """The weight, float64."""
        ...


@dataclass(frozen=True)
class Normal:
    """Normal with standard deviation `std`, whatever the shape: the coursework's weight scale."""

    std: float = 1e-2

    def __post_init__(self) -> None:
        check_ranges(self, not_negative=("std",))

    def __call__(self, rng: Draws, shape: tuple[int, ...], fan_in: int, fan_out: int) -> np.ndarray:
        """The weight, float64."""
        return self.std * rng.standard_normal(shape)


@dataclass(frozen=True)
class He:
    """Normal with variance 2/fan_in: a ReLU halves the variance, this doubles it back.

    Source: He, Zhang, Ren & Sun 2015, arXiv:1502.01852, eq. 10.
    """

    def __call__(self, rng: Draws, shape: tuple[int, ...], fan_in: int, fan_out: int) -> np.ndarray:
        """The weight, float64."""
        return np.sqrt(2 / fan_in) * rng.standard_normal(shape)


@dataclass(frozen=True)
class Xavier:
    """Normal with variance 2/(fan_in + fan_out): a compromise between forward and backward variance.

    For tanh and sigmoid units.  Source: Glorot & Bengio 2010, eq. 12, in its normal form.
    """

    def __call__(self, rng: Draws, shape: tuple[int, ...], fan_in: int, fan_out: int) -> np.ndarray:
        """The weight, float64."""
        return np.sqrt(2 / (fan_in + fan_out)) * rng.standard_normal(shape)


@dataclass(frozen=True)
class Uniform:
    """Uniform within ±1/√fan_in, whose variance is 1/(3 fan_in): what PyTorch's Linear and Conv2d start from.

    A sixth of He's variance: scores start near 0, and the loss near ln(classes).
    Source: LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.6, for the scale.
    """

    def __call__(self, rng: Draws, shape: tuple[int, ...], fan_in: int, fan_out: int) -> np.ndarray:
        """The weight, float64."""
        bound = 1 / np.sqrt(fan_in)
        return rng.uniform(-bound, bound, shape)
