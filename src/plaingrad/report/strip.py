"""Accuracies as dots on a common scale, a row of a table for each setting: where they lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from matplotlib.ticker import MaxNLocator


@dataclass(frozen=True)
class Strip:
    """A common scale for accuracies: places from 0 to 1."""

    low: float
    high: float

    @classmethod
    def of(cls, accuracies: Iterable[float]) -> Strip:
        """Just wide enough for all of them."""
        found = [*accuracies] or [0.0, 1.0]
        margin = max(0.04 * (max(found) - min(found)), 0.0005)
        return cls(min(found) - margin, max(found) + margin)

    def place(self, accuracy: float) -> float:
        """Where an accuracy lies; what is outside lies at the end."""
        return round(min(max((accuracy - self.low) / (self.high - self.low), 0.0), 1.0), 4)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Round accuracies, so far apart that they can be written side by side in a narrow column."""
        found = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(100 * self.low, 100 * self.high)
        made: list[tuple[float, str]] = []
        for value in map(float, found):
            at = self.place(value / 100)
            if 0.1 < at < 0.9 and (not made or at - made[-1][0] > 0.45):
                made.append((at, f"{value:.4g} %"))
        return made

    def dots(self, accuracies: Sequence[float]) -> list[tuple[float, int]]:
        """The place of each, and how many equal ones stand before it."""
        before: Counter[float] = Counter()
        made = []
        for value in accuracies:
            made.append((self.place(value), before[value]))
            before[value] += 1
        return made

    def bar(self, accuracies: Sequence[float]) -> tuple[float, float] | None:
        """From one standard deviation below the mean to one above; None for fewer than two."""
        if len(accuracies) < 2:
            return None
        middle, spread = mean(accuracies), stdev(accuracies)
        return self.place(middle - spread), self.place(middle + spread)
