"""Slopes from differences of outputs, each with an estimate of its error, and whether a claim fits them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

Array = np.ndarray
Fit = Literal["agrees", "bends", "differs"]

# Rounding error of an output, relative to its size: some fifty units in the last place of a float64.
ROUNDING = 1e-14
# Steps, relative to the size of what is moved: the first one tried, and the factor from one to the next.
# Powers of two, so that x + h is exact more often than not.
FIRST, FACTOR = 2.0**-13, 8.0
LARGEST, SMALLEST = 2.0**-7, 2.0**-22


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


def size_of(array: Array) -> float:
    """The root mean square, the unit of steps; 1 for zeros and for nothing."""
    return float(np.sqrt(np.mean(np.square(array)))) or 1.0 if array.size else 1.0


class Line(NamedTuple):
    """Where to move: array[where], along `direction`; `unit` is the size of what is moved."""

    array: Array
    where: Any
    direction: Any = 1.0
    unit: float = 1.0

    @property
    def key(self) -> Any:
        """What tells this line from the array's others, wherever the array is moved."""
        return id(self.direction) if self.where is ... else self.where

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
    fit: "bends" where the two sides have different slopes and the claim may be one of a convention, or
    where no step measures well enough to tell.  gaps: how far the one-sided slopes are apart, with a
    step and with a shorter one.
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


class _Rung(NamedTuple):
    """The slopes below and above with step h; lowest, highest: if each output chose the side that suits it."""

    h: float
    below: float
    above: float
    lowest: float
    highest: float

    @property
    def central(self) -> float:
        return (self.below + self.above) / 2

    @property
    def gap(self) -> float:
        return abs(self.above - self.below)


class Slopes(NamedTuple):
    """Slopes of L = Σ out · dout around the present values, and whether an analytic value fits them.

    h: the first step, None to choose it by the size of what is moved.  deep: whether there are further
    functions between a kink and the output, so that the output does not show all slopes that meet there.
    """

    output: Callable[[], Any]
    out: Array
    dout: Array
    tolerance: float
    h: float | None = None
    deep: bool = False

    def compare(self, gradient: Array, line: Line) -> Comparison:
        """Hold what the gradient says of the line against the differences along it.

        One step is enough where the claim fits.  Where it does not, a ladder of steps, each an eighth
        of the one before, is climbed both ways.  Two neighbours on it give an estimate without their
        h² term (Richardson) and, by how far they are apart, its error: large steps suffer from curvature
        and kinks, small ones from rounding.  The best pair decides.
        """
        analytic, typical = line.slope(gradient), line.typical(gradient)
        first = self._rung(line, self.h or FIRST * line.unit)
        central, size = first.central, max(abs(analytic), abs(first.central), typical)
        off, noise = abs(analytic - central), self.rounding(first.h)
        nothing = size <= noise <= 1e-9  # too small for any step to tell from 0
        if off <= self.tolerance * size or nothing:
            error = off / max(size, noise / self.tolerance)
            return Comparison(line, analytic, central, error, size, "agrees")
        ladder = [self._rung(line, h) for h in self._steps(line)]
        best, error = self._best(ladder)
        if math.isinf(error):  # next to where the function ends, as √x at 10⁻⁶: shorter steps stay inside
            ladder = [self._rung(line, ladder[-1].h / FACTOR**k) for k in range(1, 6)]
            best, error = self._best(ladder)
        if math.isinf(error):  # the output stops being finite within any step
            return Comparison(line, analytic, math.nan, math.inf, size, "differs")
        coarse, fine = ladder[best : best + 2]
        numeric = fine.central + (fine.central - coarse.central) / (FACTOR**2 - 1)
        size = max(abs(analytic), abs(numeric), typical)
        off = abs(analytic - numeric)
        relative = off / max(size, error / self.tolerance, 1e-300)
        fit: Fit = "agrees"
        if off > max(self.tolerance * size, error):
            slack = max(self.tolerance * size, error)
            unsure = (
                off <= 3 * error
                or self._fits_once(analytic, ladder, size, off)
                or _bends(analytic, ladder[best : best + 2], slack, self.deep)
            )
            fit = "bends" if unsure else "differs"
        return Comparison(line, analytic, numeric, relative, size, fit, (coarse.gap, fine.gap))

    def _best(self, ladder: list[_Rung]) -> tuple[int, float]:
        """The first of the two neighbours that agree best, and the error that they are estimated to have."""
        best, error = 0, math.inf
        for k, (coarse, fine) in enumerate(itertools.pairwise(ladder)):
            spread = abs(coarse.central - fine.central) / FACTOR + self.rounding(fine.h)
            if spread < error:
                best, error = k, spread
        return best, error

    def rounding(self, h: float) -> float:
        """What a difference quotient may be off by because outputs are rounded."""
        return ROUNDING * max(1.0, float(np.sum(np.abs(self.out * self.dout)))) / h

    def _fits_once(self, analytic: float, ladder: list[_Rung], size: float, off: float) -> bool:
        """Whether the claim fits at some step, as a wrong one never does: longer ones may reach over kinks.

        Nor is it wrong for sure where the shortest step that rounding allows still reaches over a kink.
        """
        fine = [rung for rung in ladder if self.rounding(rung.h) <= 1e-2 * off]
        if (
            self.deep
            and len(fine) > 1
            and fine[-1].gap > off / 2
            and fine[-1].gap > fine[-2].gap / (FACTOR / 2)
        ):
            return True
        close = (
            abs(analytic - rung.central) <= max(1e-4 * size, 3 * self.rounding(rung.h)) for rung in ladder
        )
        exact = (self.rounding(rung.h) <= 1e-2 * off for rung in ladder)
        return off > 1e-3 * size and any(c and e for c, e in zip(close, exact, strict=True))

    def _steps(self, line: Line) -> Iterator[float]:
        h = LARGEST * max(1.0, line.unit)
        while h >= SMALLEST * min(1.0, line.unit):
            yield h
            h /= FACTOR

    def _rung(self, line: Line, h: float) -> _Rung:
        """The slopes of L along the line, below and above where it stands."""
        try:
            down, up = outputs_around(self.output, line.array, line.where, h * line.direction)
        except ValueError:  # a step too far for the function: shorter ones may not be
            if h <= FIRST * line.unit:
                raise
            return _Rung(h, *(math.nan,) * 4)
        below, above = (self.out - down) * self.dout, (up - self.out) * self.dout
        lowest, highest = np.minimum(below, above), np.maximum(below, above)
        return _Rung(h, *(float(np.sum(part)) / h for part in (below, above, lowest, highest)))


def _bends(analytic: float, rungs: list[_Rung], slack: float, deep: bool) -> bool:
    """Whether a bend explains why `analytic` does not fit the slopes below and above.

    A step an eighth as long tells: it shrinks the gap between the slopes eightfold if the function is
    merely curved, leaves it if the function bends right here, closes it if the function bends nearby,
    and widens it if the outputs are noise.  Bent right here, every output may take any slope between its
    own two.  Of a deep function only the sum of what several bends do is seen, some up, some down, and
    any value may be a sum of subgradients: it must be compared elsewhere.  Bent nearby, the value must
    lie between the slopes of either step.
    """
    coarse, fine = rungs
    ends = (coarse.below, coarse.above), (fine.below, fine.above)
    if coarse.gap / 2 < fine.gap < 3 * coarse.gap and fine.gap > 2 * slack:
        slack += abs(fine.lowest - coarse.lowest) + abs(
            fine.highest - coarse.highest
        )  # curved beside the bend
        return deep or min(fine.lowest, 0.0) - slack <= analytic <= max(fine.highest, 0.0) + slack
    if fine.gap < coarse.gap / (FACTOR / 2):  # a curve: the slopes in its middle are what they are
        return False
    return all(min(pair) - slack <= analytic <= max(pair) + slack for pair in ends)
