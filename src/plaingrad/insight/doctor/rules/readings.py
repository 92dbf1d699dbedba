"""What rules read from evidence: curves and their parts, accuracies and their errors, sizes of updates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median
from typing import NamedTuple

import numpy as np

from plaingrad.insight.doctor.evidence import Evaluation, Evidence, Look

Array = np.ndarray

# Fewer steps or evaluations than this show no course, whatever their values are.
FEWEST_STEPS = 20
FEWEST_EVALUATIONS = 5


class Part(NamedTuple):
    """A stretch of a curve: mean and median of its values, the standard error of the mean, its steps."""

    mean: float
    median: float
    error: float
    first: int
    last: int

    @property
    def steps(self) -> str:
        """As text."""
        return f"steps {self.first} to {self.last}" if self.last > self.first else f"step {self.first}"


class Curve(NamedTuple):
    """Values over steps, oldest first, all finite.

    progress: how much of the run was done at each value, from 0 to 1, measured by the sum of the
    learning rates so far: a step at a tenth of the learning rate counts for a tenth.
    """

    steps: Array
    values: Array
    progress: Array

    def part(self, start: float, stop: float) -> Part:
        """The values from progress `start` to `stop`; at least the one that is nearest to their middle."""
        within = np.flatnonzero((self.progress >= start) & (self.progress <= stop))
        if not within.size:
            within = np.array([np.argmin(np.abs(self.progress - (start + stop) / 2))])
        values = self.values[within]
        error = float(values.std(ddof=1) / math.sqrt(values.size)) if values.size > 1 else 0.0
        steps = self.steps[within]
        return Part(float(values.mean()), float(np.median(values)), error, int(steps[0]), int(steps[-1]))

    def windows(self, count: int = 20) -> list[Part]:
        """So many parts of equal progress, in order (fewer, where there are fewer values)."""
        count = max(1, min(count, self.values.size))
        return [self.part(i / count, (i + 1) / count) for i in range(count)]


def curve_of(evidence: Evidence, pairs: Iterable[tuple[int, float]]) -> Curve:
    """The curve of (step, value) pairs; values that are not finite are left out."""
    kept = [(step, value) for step, value in pairs if math.isfinite(value)]
    steps = np.array([step for step, _ in kept])
    gone = np.cumsum(np.diff(steps, prepend=0) * learning_rates(evidence, steps))
    spread = gone[-1] - gone[0] if gone.size > 1 else 0.0
    return Curve(
        steps, np.array([value for _, value in kept]), (gone - gone[0]) / spread if spread else gone * 0
    )


def step_losses(evidence: Evidence) -> Curve | None:
    """The loss of each step, in training mode; None for fewer than FEWEST_STEPS."""
    curve = curve_of(evidence, enumerate(evidence.losses, start=1))
    return curve if curve.steps.size >= FEWEST_STEPS else None


def evaluated(evidence: Evidence, field: str, fewest: int = FEWEST_EVALUATIONS) -> Curve | None:
    """A field of the evaluations over steps; None where it is known fewer than `fewest` times."""
    values = ((e.step, getattr(e, field)) for e in evidence.evaluations)
    curve = curve_of(evidence, ((step, value) for step, value in values if value is not None))
    return curve if curve.steps.size >= fewest else None


def training_loss(evidence: Evidence) -> Curve | None:
    """The training loss: as evaluated on the same samples each time, where known, since that has no noise
    of batches; else of each step."""
    return evaluated(evidence, "train_loss") or step_losses(evidence)


def initial_loss(evidence: Evidence) -> float | None:
    """The loss before any update: the first step's, else that of the first look."""
    first = next(iter(evidence.losses), None)
    if first is None and evidence.looks and evidence.looks[0].step == 0:
        first = evidence.looks[0].loss
    return first if first is not None and math.isfinite(first) else None


def last_evaluation(evidence: Evidence, *fields: str) -> Evaluation | None:
    """The newest evaluation in which all these fields are known."""
    known = (e for e in reversed(evidence.evaluations) if all(getattr(e, f) is not None for f in fields))
    return next(known, None)


def class_count(evidence: Evidence) -> int | None:
    """How many classes there are."""
    if evidence.classes:
        return evidence.classes
    if evidence.data:
        return len(evidence.data.class_counts)
    predicted = next((e.predicted for e in evidence.evaluations if e.predicted), None)
    return len(predicted) if predicted else None


def class_name(evidence: Evidence, label: int) -> str:
    """What a class is called: its name in quotes, where it has one that says more than its number."""
    names = evidence.setup.classes
    name = names[label] if label < len(names) else str(label)
    return name if name == str(label) else repr(name)  # a name is somebody's text: no control characters


def chance(evidence: Evidence) -> float | None:
    """The accuracy of always giving the commonest class (all are equally common, if nothing is known)."""
    if evidence.data and sum(evidence.data.class_counts):
        return max(evidence.data.class_counts) / sum(evidence.data.class_counts)
    classes = class_count(evidence)
    return 1 / classes if classes else None


_OBJECTIVES = ("softmaxcrossentropy", "negativeloglikelihood", "hinge", "meansquarederror")


def objective(evidence: Evidence) -> str | None:
    """The loss, if it is one of the library's; a user's own may be anything, whatever its name."""
    return evidence.setup.objective if evidence.setup.objective in _OBJECTIVES else None


def cross_entropy(evidence: Evidence) -> bool:
    """Whether the loss may be the cross-entropy of softmax, which is ln C when undecided."""
    return objective(evidence) in (None, "softmaxcrossentropy")


def standard_error(accuracy: float, evidence: Evidence) -> float:
    """Of an accuracy on the validation samples, √(p (1 − p) / n); for 500 samples where n is not known."""
    predicted = next((e.predicted for e in evidence.evaluations if e.predicted), None)
    count = sum(predicted) if predicted else evidence.data.validation if evidence.data else 0
    return math.sqrt(max(accuracy * (1 - accuracy), 0.01) / (count or 500))


def epochs(evidence: Evidence) -> float | None:
    """How many epochs were done."""
    if evidence.evaluations:
        return evidence.evaluations[-1].epoch
    per_epoch = evidence.setup.steps_per_epoch
    return len(evidence.losses) / per_epoch if per_epoch else None


def learning_rate_left(evidence: Evidence) -> float:
    """The learning rate of the last evaluation over the largest: near 0 if it was decayed to the end."""
    rates = [e.lr for e in evidence.evaluations if e.lr is not None]
    return rates[-1] / max(rates) if rates and max(rates) > 0 else 1.0


def update_ratio(look: Look) -> float | None:
    """How much an update changes weights, as a share of their size: the median over those that it changes.

    Only parameters of more than one element whose norm is above 0: a bias that starts at 0 says nothing.
    """
    weights = [p for p in look.parameters if p.size > 1 and p.norm > 0 and not is_bias(p.name)]
    ratios = [p.update / p.norm for p in weights if p.update > 0]
    return median(ratios) if ratios else None


def update_ratios(evidence: Evidence) -> list[tuple[int, float]]:
    """The sizes of updates at all looks after the start, with their steps."""
    ratios = ((look.step, update_ratio(look)) for look in evidence.looks if look.step > 0)
    return [(step, ratio) for step, ratio in ratios if ratio is not None and math.isfinite(ratio)]


# Momentum and Adam need about so many steps until an update has its usual size; a warm-up, too, begins near 0.
SETTLED = 10

_STEPS = 100_000  # at which an update's size is estimated


def update_budget(evidence: Evidence) -> tuple[float, float, int] | None:
    """How far all updates together could move the weights if each went the same way, as a share of their size;
    the median size of an update, and of how many looks.  Between looks, updates are in proportion to the
    learning rate.  None where no update was looked at that says how large they usually are.
    """
    sizes = update_ratios(evidence)
    last = max(len(evidence.losses), evidence.evaluations[-1].step if evidence.evaluations else 0)
    if not sizes or not last:
        return None
    # Of more steps than these, each stands for several: what lies between looks is estimated anyway.
    steps = np.linspace(1, last, min(last, _STEPS))
    rate = learning_rates(evidence, steps)
    looked, ratios = np.array(sizes).T
    at = np.interp(looked, steps, rate)
    fast = at >= 0.01 * at.max()  # where it has fallen to nothing, an update is rounding
    if not (fast & (looked > SETTLED)).any():
        return None
    looked, ratios, at = looked[fast], ratios[fast], np.maximum(at[fast], 1e-30)
    budget = (np.interp(steps, looked, ratios / at) * rate).mean() * last
    return float(budget), float(np.median(ratios)), len(sizes)


def learning_rates(evidence: Evidence, steps: Array) -> Array:
    """The learning rate at each step, between evaluations by interpolation; 1 where none is known."""
    known = [(e.step, e.lr) for e in evidence.evaluations if e.lr is not None]
    if not known or not steps.size:
        return np.ones(steps.size)
    at, rates = np.array(known).T
    return np.interp(steps, at, rates)


def slope_of(x: Array, y: Array) -> tuple[float, float]:
    """The slope of the straight line through points by least squares, and its standard error."""
    x, y = x - x.mean(), y - y.mean()
    spread = float((x * x).sum())
    slope = float((x * y).sum()) / spread
    rest = y - slope * x
    return slope, math.sqrt(float((rest * rest).sum()) / max(y.size - 2, 1) / spread)


def is_bias(name: str) -> bool:
    """Whether a parameter's name is one of a bias or of a normalisation, which start at 0 or 1."""
    last = name.rsplit(".", 1)[-1].lower()
    return last.startswith(("b", "gamma"))


def number(value: float) -> str:
    """Three digits, as people write them."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share as a percentage."""
    return f"{100 * share:.1f} %" if abs(share) < 0.1 else f"{100 * share:.0f} %"


def counted(count: int, noun: str) -> str:
    """A count with its noun: 1 sample, 2 samples."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
