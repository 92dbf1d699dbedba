"""How long the run will take and how much memory: measured on its own first steps, and extrapolated."""

from __future__ import annotations

import gc
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plaingrad import machine
from plaingrad.callbacks import Callback
from plaingrad.errors import NonFiniteError
from plaingrad.insight.preflight.report import Line
from plaingrad.insight.preflight.subject import Subject
from plaingrad.kernels import workspace
from plaingrad.solver import Solver

WARM_UP = 5  # steps that fill caches and what kernels keep for the next step
FEWEST_STEPS = 5
SECONDS = 5.0
BLOCKS = (
    15  # the median of this many means: what disturbs a few blocks is left out, what every step has is not
)
UNSTEADY = 2.0  # blocks of steps that take twice as long as others: then the forecast may be off by as much
_EVALUATED = 500  # samples at a time, as Solver.accuracy has them
_TIMES = 3


@dataclass(frozen=True)
class Forecast:
    """What a run will take: its training, evaluations included; not the test and the report after it.

    start: seconds until the first step, with reading the data and compiling.  step: seconds, the median of
    blocks of the `measured` steps, four fifths of which lie in `spread`; steps: of the whole run.
    evaluation: seconds for one, of `evaluations`.
    peak_memory_mb: the largest resident memory of the process, None where the system does not tell.
    """

    start: float
    step: float
    spread: tuple[float, float]
    steps: int
    measured: int
    evaluation: float
    evaluations: int
    peak_memory_mb: float | None

    @property
    def seconds(self) -> float:
        """For the whole run."""
        return self.start + self.training

    @property
    def training(self) -> float:
        """Seconds of steps and evaluations, which is what the run's own `seconds` counts."""
        return self.step * self.steps + self.evaluation * self.evaluations


def forecast(subject: Subject) -> Forecast | str:
    """Take some steps of the run and evaluate once, and say what the whole of it will take; or why that fails.

    The steps are those with which the run begins, batches and augmentation included, through the Solver itself.
    """
    gc.collect()
    workspace.release()  # what lines before this one had need of
    solver = subject.fresh()
    reset = machine.forget_peak()
    clock = _Clock()
    total = solver.total_steps
    solver.callbacks.append(clock)
    solver.evaluation_due = lambda: False
    try:
        solver.train()
    except _EnoughSeen:
        pass
    except NonFiniteError as error:
        return f"training fails in its first {solver.step + 1} steps: {error}"
    try:
        evaluation = _evaluation_seconds(solver)
    except Exception as error:
        if subject.network is not None:
            raise
        return f"the run fails at its first evaluation: {type(error).__name__}: {error}"
    return Forecast(
        start=subject.start,
        step=clock.step,
        spread=clock.spread,
        steps=total,
        measured=len(clock.seconds),
        evaluation=evaluation,
        evaluations=math.ceil(total / solver.steps_per_epoch),
        peak_memory_mb=machine.resident_mb(peak=True) if reset else None,
    )


def duration(subject: Subject) -> Line:
    """How long the run takes.  Fails only if training does: what is too long, its user knows."""
    found = _cached(subject)
    if isinstance(found, str):
        return Line("time", "fail", found)
    numbers = {
        "seconds": found.seconds, "start": found.start, "step": found.step, "spread": found.spread,
        "steps": found.steps, "evaluation": found.evaluation, "evaluations": found.evaluations,
        "measured_steps": found.measured,
    }  # fmt: skip
    at_most = "at most " if subject.solver.patience is not None else ""
    finding = (
        f"{at_most}{in_words(found.seconds)}: {found.steps:,} steps of {1e3 * found.step:.3g} ms, "
        f"{found.evaluations:,} evaluations of {found.evaluation:.2g} s, and {found.start:.2g} s to start"
    )
    low, high = found.spread
    if high > UNSTEADY * low:
        return Line(
            "time", "warn", f"{finding}; but steps took {1e3 * low:.3g} to {1e3 * high:.3g} ms",
            "take it for a rough guess: something else may be using the processors", numbers,
        )  # fmt: skip
    return Line("time", "pass", finding, numbers=numbers)


def memory(subject: Subject) -> Line:
    """How much memory the run takes, beside how much this machine has available."""
    found = _cached(subject)
    if isinstance(found, str):
        return Line("memory", "skipped", "training fails in its first steps; see the line time")
    if found.peak_memory_mb is None:
        return Line("memory", "skipped", "this system does not tell a process the peak of its memory")
    available = _available_mb()
    numbers = {"peak_memory_mb": found.peak_memory_mb, "available_mb": available}
    finding = f"{found.peak_memory_mb:,.0f} MB at its peak, data and libraries included"
    if available is not None and found.peak_memory_mb > available:
        return Line(
            "memory", "warn", f"{finding}; {available:,.0f} MB are available here",
            "make the batch smaller, or take it in parts with accumulate", numbers,
        )  # fmt: skip
    return Line("memory", "pass", finding, numbers=numbers)


def in_words(seconds: float) -> str:
    """Such as "42 s", "12.5 min" or "3.1 h"."""
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.3g} min" if seconds < 6000 else f"{seconds / 3600:.3g} h"


def _cached(subject: Subject) -> Forecast | str:
    """The forecast, made once for both lines."""
    held: Any = subject.__dict__
    if "forecast" not in held:
        held["forecast"] = forecast(subject)
    return held["forecast"]


class _EnoughSeen(Exception):
    """Ends a training run that has been measured."""


class _Clock(Callback):
    """The seconds of each step after the warm-up, until time is up."""

    def __init__(self) -> None:
        self.times: list[float] = []

    @property
    def seconds(self) -> np.ndarray:
        """Of each step but the first ones."""
        between = np.diff(self.times)
        return between[min(WARM_UP, max(len(between) - FEWEST_STEPS, 0)) :]

    @property
    def step(self) -> float:
        """The median over blocks of steps of their mean; 0 if there are no steps."""
        return float(np.median(self.blocks))

    @property
    def spread(self) -> tuple[float, float]:
        """Between which four fifths of the blocks lie."""
        low, high = np.quantile(self.blocks, (0.1, 0.9))
        return float(low), float(high)

    @property
    def blocks(self) -> list[float]:
        """Mean seconds of a step in each of a few blocks of steps."""
        seconds = self.seconds
        if not len(seconds):
            return [0.0]
        return [float(block.mean()) for block in np.array_split(seconds, min(BLOCKS, len(seconds)))]

    def on_start(self, solver: Solver) -> None:
        """The first step begins."""
        self.times.append(time.perf_counter())

    def on_step(self, solver: Solver, loss: float) -> None:
        """A step is done."""
        self.times.append(time.perf_counter())
        if self.times[-1] - self.times[0] > SECONDS and len(self.times) > WARM_UP + FEWEST_STEPS:
            raise _EnoughSeen


def _evaluation_seconds(solver: Solver) -> float:
    """Seconds of one evaluation, from the time that some of its samples take."""
    data = solver.data
    with np.errstate(all="ignore"):
        return sum(
            len(indices) * _seconds_per_sample(solver, split, indices)
            for split, indices in (
                (data.train, solver.training_subset()),
                (data.validation, np.arange(len(data.validation))),
            )
            if len(indices)
        )


def _seconds_per_sample(solver: Solver, split: Any, indices: np.ndarray) -> float:
    some = indices[:_EVALUATED]
    seconds = []
    for _ in range(_TIMES + 1):
        started = time.perf_counter()
        solver.accuracy(split, some)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:])) / len(some)


def _available_mb() -> float | None:
    """What the machine could give a new process, MB; None where it does not tell."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else None
