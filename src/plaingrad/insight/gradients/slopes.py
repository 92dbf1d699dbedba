"""Slopes from differences of outputs, and whether a claimed slope fits them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

Array = np.ndarray
Fit = Literal["agrees", "bends", "differs"]

# Rounding error of an output, relative to its size: some fifty units in the last place of a float64.
ROUNDING = 1e-14


def outputs_around(output: Callable[[], Any], array: Array, where: Any, by: Any) -> tuple[Array, Array]:
    """The outputs with array[where] moved down and up by `by`; afterwards the array is as it was."""
    kept = array[where].copy()
    try:
        array[where] = kept - by
        down = np.array(output())  # a copy, for `output` may use its memory again
        array[where] = kept + by
        return down, np.array(output())
    finally:
        array[where] = kept


class Line(NamedTuple):
    """Where to move: array[where], along `direction`."""

    array: Array
    where: Any
    direction: Any = 1.0

    def slope(self, gradient: Array) -> float:
        """The slope along the line that a gradient of the array amounts to."""
        return float(np.sum(gradient[self.where] * self.direction))

    def typical(self, gradient: Array) -> float:
        """The size of `slope` on average over directions, for it may come out near 0 by chance."""
        if self.where is not ...:
            return 0.0  # one element: there is but one direction
        return float(np.linalg.norm(gradient)) / max(1, gradient.size) ** 0.5


class Comparison(NamedTuple):
    """A claimed slope and a measured one.

    error: relative to `size`, the larger of the two, or to what is typical where that is larger still.
    fit: "bends" where the two sides have different slopes and the claim may be one of a convention.
    gaps: how far the one-sided slopes are apart, with the step and with a tenth of it.
    """

    line: Line
    analytic: float
    numeric: float
    error: float
    size: float
    fit: Fit
    gaps: tuple[float, float] = (0.0, 0.0)

    @property
    def difference(self) -> float:
        """How far the claim is off."""
        return abs(self.analytic - self.numeric)


class Slopes(NamedTuple):
    """Slopes of L = Σ out · dout around the present values, and whether an analytic value fits them."""

    output: Callable[[], Any]
    out: Array
    dout: Array
    h: float
    tolerance: float

    def compare(self, gradient: Array, line: Line) -> Comparison:
        """Hold what the gradient says of the line against the differences along it."""
        analytic, typical = line.slope(gradient), line.typical(gradient)
        slopes = self._one_sided(line, self.h)
        first = self._comparison(line, analytic, typical, slopes, self.h)
        if math.isnan(first.error):  # the output stops being finite within the step
            return first._replace(error=math.inf)
        if first.fit == "agrees":
            return first
        # A wrong gradient is as wrong at any step; where the function curves sharply, or bends more than
        # once within the step, a shorter one is right.  Shorter still, and rounding would hide mistakes.
        finer = self._one_sided(line, self.h / 10)
        for h, pair in ((self.h / 10, finer), (self.h / 100, None)):
            retried = self._comparison(line, analytic, typical, pair or self._one_sided(line, h), h)
            if retried.fit == "agrees" and retried.difference <= 1e-4 * retried.size:
                return retried
        gaps = abs(slopes[1] - slopes[0]), abs(finer[1] - finer[0])
        slack = max(self.tolerance * max(abs(analytic), typical), self.rounding(self.h / 10))
        bends = _bends_explain(analytic, slopes, finer, slack)
        return first._replace(gaps=gaps, fit="bends" if bends else "differs")

    def rounding(self, h: float) -> float:
        """What a difference quotient may be off by because outputs are rounded."""
        return ROUNDING * max(1.0, float(np.sum(np.abs(self.out * self.dout)))) / h

    def _one_sided(self, line: Line, h: float) -> tuple[float, float]:
        """The slopes of L along the line, below and above where it stands."""
        down, up = outputs_around(self.output, line.array, line.where, h * line.direction)
        below, above = (self.out - down) * self.dout, (up - self.out) * self.dout
        return float(np.sum(below)) / h, float(np.sum(above)) / h

    def _comparison(
        self, line: Line, analytic: float, typical: float, slopes: tuple[float, float], h: float
    ) -> Comparison:
        numeric = (slopes[0] + slopes[1]) / 2
        size = max(abs(analytic), abs(numeric), typical)
        # Smaller values are compared as if they were this size: their difference may be rounding.
        smallest = self.rounding(h) / self.tolerance
        error = abs(analytic - numeric) / max(size, smallest)
        return Comparison(
            line, analytic, numeric, error, size, "agrees" if error <= self.tolerance else "differs"
        )


def _bends_explain(
    analytic: float, slopes: tuple[float, float], finer: tuple[float, float], slack: float
) -> bool:
    """Whether a bend explains why `analytic` does not fit the slopes below and above.

    A step a tenth as long tells: it shrinks the gap between the slopes tenfold if the function is
    merely curved, leaves it if the function bends right here, closes it if the function bends nearby,
    and widens it tenfold if the outputs are noise.  Bent right here, any value between the slopes is a
    subgradient.  So is 0, nearly: where several units bend at once, some up, some down, both slopes can
    be positive, while ReLU's convention gives 0 to each.  Bent nearby, the value must lie between the
    slopes of either step.
    """
    gap, finer_gap = abs(slopes[1] - slopes[0]), abs(finer[1] - finer[0])
    if gap / 2 < finer_gap < 3 * gap and finer_gap > 2 * slack:
        here = (*slopes, *finer, 0.0)
        return min(here) - slack <= analytic <= max(here) + slack
    return all(min(pair) - slack <= analytic <= max(pair) + slack for pair in (slopes, finer))
