"""From comparisons to a row of the report: wrong, right, or not to be told.

An element is not always comparable at the values given: the function bends there, or the slope drowns
in rounding.  Then the same element is compared *nearby*, with all arrays moved a little at random and
the gradient claimed anew: a ReLU at 0 has no right answer, but beside it there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from plaingrad.insight.gradients.report import GradientRow
from plaingrad.insight.gradients.slopes import FIRST, Comparison, Line, Slopes

Array = np.ndarray


class Compared(NamedTuple):
    """The comparisons made for one array at one place.

    overall: the largest element claimed of all arrays.  rounding: what the differences may be off by.
    """

    compared: tuple[Comparison, ...]
    overall: float
    rounding: float

    @classmethod
    def of(cls, slopes: Slopes, gradient: Array, lines: Sequence[Line], overall: float) -> Compared:
        """Compare the gradient along each line."""
        compared = tuple(slopes.compare(gradient, line) for line in lines)
        return cls(compared, overall, slopes.rounding(FIRST))

    @property
    def agreeing(self) -> tuple[Comparison, ...]:
        """Those within the tolerance or within what rounding explains, which may be a lot."""
        return tuple(c for c in self.compared if c.fit == "agrees")

    @property
    def measured(self) -> bool:
        """Whether those that agree do so by more than the allowance for rounding.

        Together, not one by one: an element that is small beside the others matters as little as it can
        be told from rounding.  To 10⁻⁴, because mistakes rarely are smaller than 10⁻³.
        """
        differences = np.linalg.norm([c.difference for c in self.agreeing])
        sizes = np.linalg.norm([c.size for c in self.agreeing])
        return bool(sizes > 0 and differences <= 1e-4 * sizes)

    @property
    def zero(self) -> bool:
        """Whether the gradient is next to 0 beside the others', as a bias's is before batch normalization.

        A millionth of them, and too small for differences to measure; but they must be able to tell it
        from the others: in an output of 10¹⁰ every slope looks like 0.
        """
        claimed = all(abs(c.analytic) <= max(1e-6 * self.overall, 1e-14) for c in self.agreeing)
        return bool(self.agreeing) and claimed and self.rounding <= 1e-3 * max(self.overall, 1e-3)

    def left_open(self) -> tuple[Line, ...]:
        """What should be compared nearby: what does not agree, and all where nothing could be measured."""
        return tuple(c.line for c in self.compared if not self.measured or c.fit != "agrees")


def judge(
    name: str, array: Array, here: Compared, there: Compared | None, *, deep: bool = False
) -> GradientRow:
    """The row.  there: the comparisons nearby of what `here` left open, None if there was no need or way.

    deep: whether kinks may lie closer together than any step, so that only what is wrong nearby too is
    wrong for sure.
    """
    opinions = {c.line.key: c for c in there.compared} if there else {}
    wrong: list[tuple[Comparison, str]] = []
    kinks = 0
    for c in here.compared:
        other = opinions.get(c.line.key)
        if c.fit == "differs" and not _lost(c, here, other, there, deep):
            wrong.append((c, ""))
        elif other is not None and other.fit == "differs":
            wrong.append((other, _NEARBY))
        else:
            kinks += c.fit != "agrees"
    told = here.measured or here.zero
    compared = [*(here.agreeing if told else ()), *(c for c, _ in wrong)]
    worst = max(compared, key=lambda c: c.error, default=None)
    row = GradientRow(
        name,
        array.size,
        checked=array.size if any(c.line.where is ... for c in compared) else len(compared),
        kinks=kinks,
        nearby=len(there.agreeing) if there and (kinks or not told) and (there.measured or there.zero) else 0,
        problem=_problem(name, here, wrong),
    )
    untold = kinks - row.nearby if told or row.nearby else len(here.compared)
    if array.size and not wrong and 2 * untold > len(here.compared):
        row = replace(row, problem=_unchecked(name, here, kinks))
    if worst is None:
        return row if row.problem else replace(row, error=0.0)
    where = worst.line.where
    return replace(
        row,
        error=worst.error,
        index=None if where is ... else where,
        analytic=worst.analytic,
        numeric=worst.numeric,
    )


def _lost(
    c: Comparison, here: Compared, nearby: Comparison | None, there: Compared | None, deep: bool
) -> bool:
    """Whether a claim that differs is one that no step can measure, rather than a wrong one.

    Weights much smaller than the step put every kink closer than it: a step across all of them measures
    something smooth, and something else.  A wrong claim is as wrong nearby, where kinks are further apart.
    Of a single function, the whole array's gradient must be next to nothing beside the gradients there.
    """
    if nearby is None or there is None or nearby.fit != "agrees" or not there.measured:
        return False
    if deep:
        return True
    if here.measured and max(c.gaps) < c.difference / 10:
        return False
    return max(c.size for c in here.compared) <= 1e-2 * there.overall


def _problem(name: str, here: Compared, wrong: list[tuple[Comparison, str]]) -> str:
    """What is wrong, as a sentence; "" if nothing is."""
    if not wrong:
        return ""
    coarse, fine = np.sum([c.gaps for c in here.compared if c.fit != "agrees"] or [(0, 0)], axis=0)
    # A bend leaves the gap between the one-sided slopes, curvature closes it.
    if fine > 3 * coarse and fine > max(c.difference for c, _ in wrong):
        return (
            f"The gradient of {name} could not be checked: the differences vary the more the smaller the step, "
            "so they are noise. Compute the output in float64, without large constants."
        )
    c, remark = max(wrong, key=lambda found: found[0].error)
    what = "Along a random direction" if c.line.where is ... else f"At {c.line.where}"
    return (
        f"{what} the gradient of {name} is {c.analytic:.6g}, but the differences say {c.numeric:.6g}{remark}."
    )


def _unchecked(name: str, here: Compared, kinks: int) -> str:
    if kinks:
        why = "the function bends at most elements compared. Move the inputs a little."
    else:
        why = (
            f"rounding of the output may put the differences off by {here.rounding:.1g}, which is too much to "
            "measure it. Leave large constants out of the output, or scale it up."
        )
    return f"The gradient of {name} could not be checked: {why}"


_NEARBY = " (nearby, with all arrays moved a little at random: here it cannot be told)"
