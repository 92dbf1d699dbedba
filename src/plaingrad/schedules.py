"""Schedules: how the learning rate changes in the course of training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from plaingrad.errors import check_ranges

# A schedule gives the factor on the learning rate at `epoch`, a position such as 2.5, out of `epochs`.
Schedule = Callable[[float, float], float]


@dataclass(frozen=True)
class Constant:
    """The learning rate as it is."""

    def __call__(self, epoch: float, epochs: float) -> float:
        """1."""
        return 1.0


@dataclass(frozen=True)
class Exponential:
    """Times `decay` after each epoch."""

    decay: float = 0.95

    def __post_init__(self) -> None:
        check_ranges(self, above_zero=("decay",))

    def __call__(self, epoch: float, epochs: float) -> float:
        """decay to the power of the whole epochs done."""
        return self.decay ** math.floor(epoch)


@dataclass(frozen=True)
class Step:
    """Times `factor` after every `every` epochs."""

    every: float = 10.0
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_ranges(self, above_zero=("every", "factor"))

    def __call__(self, epoch: float, epochs: float) -> float:
        """factor to the power of the whole stretches done."""
        return self.factor ** math.floor(epoch / self.every)


@dataclass(frozen=True)
class Cosine:
    """From 1 down to `final` along half a cosine.  Source: Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5."""

    final: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(self, not_negative=("final",))

    def __call__(self, epoch: float, epochs: float) -> float:
        """final + (1 − final) · ½ (1 + cos π·epoch/epochs)."""
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(epoch / epochs, 1)))


@dataclass(frozen=True)
class OneCycle:
    """Up from `start` to 1 during the share `rise` of training, then down to `final`, both along half a cosine.

    Source: Smith & Topin 2019, arXiv:1708.07120; the cosine form is PyTorch's default.
    """

    rise: float = 0.3
    start: float = 0.04
    final: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(self, above_zero=("rise",), below_one=("rise",), not_negative=("start", "final"))

    def __call__(self, epoch: float, epochs: float) -> float:
        """The factor on the way up or down."""
        done = min(epoch / epochs, 1)
        if done < self.rise:
            return self.start + (1 - self.start) * 0.5 * (1 - math.cos(math.pi * done / self.rise))
        return Cosine(self.final)(done - self.rise, 1 - self.rise)


@dataclass(frozen=True)
class Warmup:
    """Linearly from 0 to 1 in the first `epochs` epochs, times what `then` says, which sees all of training.

    The first step of all has the factor 0: it moves nothing but gathers gradients and statistics.

    Source: Goyal et al. 2017, arXiv:1706.02677, section 2.2.
    """

    epochs: float = 1.0
    then: Schedule = Constant()

    def __post_init__(self) -> None:
        check_ranges(self, above_zero=("epochs",))

    def __call__(self, epoch: float, epochs: float) -> float:
        """The product of ramp and schedule."""
        return min(epoch / self.epochs, 1) * self.then(epoch, epochs)


SCHEDULES: dict[str, type] = {
    "constant": Constant,
    "exponential": Exponential,
    "step": Step,
    "cosine": Cosine,
    "one-cycle": OneCycle,
}
