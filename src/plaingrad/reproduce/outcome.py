"""Published beside measured: what an experiment claims, what it gave, and whether that is as good."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Literal

# How a measured value is judged: an accuracy should be as high as published, an epoch as early, a loss
# as close, the loss of one batch as low; a loss that was "not finite" should be so again, and the error
# say the sentence that is its "diagnosis"; "shown" values are side results that no one claims.
Kind = Literal["accuracy", "epoch", "loss", "batch loss", "not finite", "diagnosis", "shown"]
Value = float | str

# Two standard deviations of the loss of one batch of 200, as seen over steps 850 to 950 of S1-a.
_BATCH_LOSS_SPREAD = 0.08


@dataclass(frozen=True)
class Published:
    """A number that a report printed, and how a measured one is held against it.

    `samples` is the number of images an accuracy was measured on.
    """

    name: str
    value: Value
    kind: Kind = "accuracy"
    samples: int = 1000

    def verdict(self, measured: Sequence[Value]) -> str:
        """In a word: beaten, matched or below (a loss to be close to: matched or off).

        An accuracy matches within two standard errors of a share of so many images, of both reports'.
        """
        if self.kind == "shown":
            return ""
        if isinstance(self.value, str):
            return "matched" if all(self.value in str(text) for text in measured) else "off"
        average = self.average(measured)
        if self.kind == "not finite":
            return "off" if math.isfinite(average) else "matched"
        if self.kind == "loss":
            return "matched" if abs(average - self.value) <= 1e-3 * self.value else "off"
        if self.kind == "batch loss":
            near = average <= self.value + _BATCH_LOSS_SPREAD
            return "beaten" if average < self.value else "matched" if near else "below"
        if self.kind == "epoch":
            return "beaten" if average < self.value else "matched" if average <= 20 else "below"
        variance = self.value * (1 - self.value) / self.samples
        error = math.sqrt(variance + variance / len(measured))
        if average >= self.value:
            return "beaten" if average > self.value else "matched"
        return "matched" if average >= self.value - 2 * error else "below"

    @staticmethod
    def average(measured: Sequence[Value]) -> float:
        """The mean over the seeds."""
        return mean(float(value) for value in measured)

    def shown(self, values: Sequence[Value]) -> str:
        """The mean, with the range if there are several; of texts, the first."""
        if isinstance(values[0], str):
            return values[0]
        form = "{:.0f}" if self.kind == "epoch" else "{:.4f}" if "loss" in self.name else "{:.3f}"
        numbers = [float(value) for value in values]
        text = form.format(self.average(numbers))
        if len(numbers) > 1 and math.isfinite(sum(numbers)):
            text += f" ({form.format(min(numbers))}–{form.format(max(numbers))})"
        return text


@dataclass(frozen=True)
class Experiment:
    """A published experiment: `measure(data_dir, seed)` gives one value for each of `published`, by name.

    `load(data_dir)` reads the data, which is not part of the time; `measure` finds it read.
    """

    id: str
    title: str
    published: tuple[Published, ...]
    measure: Callable[[str | None, int], dict[str, Any]]
    load: Callable[[str | None], object]


@dataclass(frozen=True)
class Outcome:
    """What an experiment gave: for each published number the values of all seeds."""

    experiment: Experiment
    measured: dict[str, list[Value]]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every claim was matched or beaten."""
        return not any(
            p.verdict(self.measured[p.name]) in ("below", "off") for p in self.experiment.published
        )

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Rows for a table: id, quantity, published, measured (mean, and range over seeds), verdict, seconds."""
        for i, p in enumerate(self.experiment.published):
            values = self.measured[p.name]
            first = i == 0
            yield (
                self.experiment.id if first else "",
                p.name,
                p.shown([p.value]),
                p.shown(values),
                p.verdict(values),
                f"{self.seconds:.1f}" if first else "",
            )

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "id": self.experiment.id,
            "title": self.experiment.title,
            "ok": self.ok,
            "seconds": round(self.seconds, 2),
            "quantities": [
                {
                    "name": p.name,
                    "published": _plain(p.value),
                    "measured": [_plain(value) for value in self.measured[p.name]],
                    "verdict": p.verdict(self.measured[p.name]) or None,
                }
                for p in self.experiment.published
            ],
        }


def _plain(value: Value) -> Value:
    """A value that JSON can hold, which has no word for what is not finite."""
    return value if isinstance(value, str) or math.isfinite(value) else str(value)
