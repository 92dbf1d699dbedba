"""Where things lie in a study's pictures: settings on the axis of their field, accuracies and their shades."""

from __future__ import annotations

import json
import math
import re
from statistics import median
from typing import Any, NamedTuple

from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from plaingrad.plots.style import known
from plaingrad.report.values import value_text
from plaingrad.search.results import TrialResult

# From pale to strong, so that it holds in grey, and on a dark page too, where lightness is turned round: the worst
# lie closest to the paper there as well.
SHADES = LinearSegmentedColormap.from_list("shades", ["#c9ced3", "#8fb3cf", "#2f7fb5", "#00456f", "#002138"])

FEW = 30  # so many complete trials are each worth an error bar, and none of them is left out of the picture


class Range(NamedTuple):
    """The accuracies that a picture shows, and their colours."""

    low: float
    high: float
    cut: bool  # whether a trial lies below

    @classmethod
    def of(cls, complete: list[TrialResult], pruned: list[TrialResult]) -> Range:
        """Of complete trials; of many, those that learnt little do not press the others together at the top."""
        some, others = ([a.accuracy for a in own if a.accuracy is not None] for own in (complete, pruned))
        found = some or others or [0.0, 1.0]
        top, middle, bottom = max(found), median(found), min(found)
        low = max(bottom, top - 4 * (top - middle)) if len(some) > FEW and top > middle else bottom
        top, low = max([top, *others]), math.floor(1000 * low) / 1000
        low = min(low, top - 0.01)
        return cls(low, top, min(found + others) < low)

    def within(self, trial: TrialResult) -> float:
        """A trial's accuracy, or the lowest there is."""
        return max(trial.accuracy or 0.0, self.low)

    def place(self, accuracy: float) -> float:
        """From 0, the lowest, to 1, the best."""
        return (accuracy - self.low) / (self.high - self.low)

    def color(self, trial: TrialResult) -> Any:
        """The shade of a complete trial."""
        return SHADES(self.place(self.within(trial)))

    def ticks(self) -> list[float]:
        """Round accuracies."""
        found = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
        least = 0.06 if self.cut else 0.0  # below stands what the lowest end means
        return [float(value) for value in found if least <= self.place(value) <= 1]


class Scale:
    """Where the values of a field lie, from 0 to 1: numbers evenly or by their logarithm, choices in a row."""

    def __init__(self, kind: str, trials: tuple[TrialResult, ...], name: str) -> None:
        self.kind = kind
        values = [own.settings[name] for own in trials if name in own.settings]
        if kind == "choice":
            self.choices = [json.dumps(value) for value in sorted(_unique(values), key=_order)]
        self.whole = all(isinstance(value, int) for value in values)
        numbers = [self._number(value) for value in values]
        self.low, self.high = (min(numbers), max(numbers)) if numbers else (0.0, 0.0)

    def _number(self, value: Any) -> float:
        if self.kind == "choice":
            return float(self.choices.index(json.dumps(value)))
        return math.log10(value) if self.kind == "log" else float(value)

    def place(self, value: Any) -> float:
        """Of a value of the field; NaN, which is not drawn, where a trial has none."""
        if value is None:
            return math.nan
        return self._within(self._number(value))

    def _within(self, number: float) -> float:
        return (number - self.low) / (self.high - self.low) if self.high > self.low else 0.5

    def ticks(self) -> list[tuple[float, str]]:
        """Places and what is written there."""
        if self.kind == "choice":
            labels = [value_text(json.loads(text)) for text in self.choices]
            return [(self._within(i), label) for i, label in enumerate(labels)] or [(0.5, "")]
        if self.kind == "log":
            low, high = 10**self.low, 10**self.high
            found = _log_ticks(low, high)
        else:
            low, high = self.low, self.high
            found = [
                float(v)
                for v in MaxNLocator(4, steps=[1, 2, 5, 10], integer=self.whole).tick_values(low, high)
            ]
        kept = [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9) or low == high]
        kept = kept if len(kept) > 1 and low < high else sorted({low, high})
        values = [math.log10(value) if self.kind == "log" else value for value in kept]
        texts = [_number(round(value) if self.whole else value) for value in kept]
        return [(self._within(value), text) for value, text in zip(values, texts, strict=True)]


def _number(value: float) -> str:
    """A number on an axis, where there is little room: 1e-4 rather than 0.0001."""
    if 0 < abs(value) < 1e-3:
        digits, _, power = f"{value:.2e}".partition("e")
        return f"{float(digits):g}e{int(power)}"
    return value_text(value)


def _log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two positive ones: whole powers of ten, or with others between them."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for between in ((1,), (1, 3), (1, 2, 5)):
        found = [m * 10.0**power for power in powers for m in between if low <= m * 10.0**power <= high]
        if len(found) > 2:
            return found[:: math.ceil(len(found) / 5)]
    return [float(value) for value in MaxNLocator(4).tick_values(low, high) if value > 0]


def _unique(values: list[Any]) -> list[Any]:
    return [json.loads(text) for text in dict.fromkeys(map(json.dumps, values))]


def _order(value: Any) -> tuple[Any, ...]:
    """By which choices stand in a row: numbers by size, then lists, then words."""
    if isinstance(value, int | float):
        return 0, value, ""
    if isinstance(value, list) and all(isinstance(own, int | float) for own in value):
        return 1, len(value), value
    return 2, 0, json.dumps(value)


def percent(fraction: float) -> str:
    """A fraction as per cent, without digits that say nothing."""
    return f"{100 * fraction:.4g} %"


def wrapped(text: str, width: int, *, lines: int = 2) -> str:
    """Text in a few lines, broken where names can be, the last cut if it is too long; only what the font has."""
    made = [""]
    for part in re.findall(r"[^\s._,/-]+[\s._,/-]*|[\s._,/-]+", known(text)):
        if made[-1] and len(made[-1] + part.rstrip()) > width:
            made.append("")
        made[-1] += part
    cut = [line.strip() if len(line.strip()) <= width else line[: width - 1] + "…" for line in made]
    return "\n".join(cut[:lines]) + ("…" if len(cut) > lines and not cut[lines - 1].endswith("…") else "")
