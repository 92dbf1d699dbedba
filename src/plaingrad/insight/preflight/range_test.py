"""The learning-rate range test: the rate grows from step to step, and the loss shows which rates learn.

Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3: the
loss begins to fall where the rate is large enough, and rises again where it is too large.  One such sweep is
noisy; here several go through different batches, and where they disagree there is no answer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from plaingrad.accumulation import loss_and_gradients
from plaingrad.batches import Batches
from plaingrad.insight.preflight.report import Line
from plaingrad.insight.preflight.subject import Subject
from plaingrad.optimizer import clip_by_global_norm
from plaingrad.solver import Solver

Array = np.ndarray

LOWEST, HIGHEST = 1e-5, 100.0
SWEEPS = 3
# A sweep of 120 steps spends 17 on each power of ten.  Smaller batches are noisier and have more steps.
STEPS, BATCH, MOST_STEPS = 120, 32, 1000
FEWEST_STEPS = 50  # with 40, the ends of the range came out up to 4 times as high as with 120
SECONDS = 20.0
# The largest usable rate, when it is kept, is smaller than the one at which a rising rate stops the fall.  With a
# quarter of it, ranges held the rates that were best in short trainings: for SGD, momentum, Adam, AdamW and
# RMSProp, on digits and CIFAR-10, with and without batch normalisation.
SAFETY = 4.0
# The fall in units of its noise, and in units of the loss itself, below which it is none.
CLEAR, FALL = 5.0, 0.03
BLOWN_UP = 4.0  # times the loss at the beginning: a sweep ends there
AGREE = 10.0  # sweeps whose ends differ by more than this factor say nothing
NEAR = 3.0  # this far outside of the range may still do


class _Sweep(NamedTuple):
    """What one sweep says: where half of the fall is done, where the loss is lowest, how clear the fall is.

    fall: the share of the loss that it loses.  rises: whether it rises again after the lowest.
    """

    half: float
    lowest: float
    clear: float
    fall: float
    rises: bool


class Suggestion(NamedTuple):
    """A range of learning rates; each end may be off by `factor`, as far as the sweeps differ."""

    low: float
    high: float
    factor: float


def learning_rate(subject: Subject) -> Line:
    """The range of learning rates that suits the run's rule, network and batches, beside the run's own."""
    name, solver = "learning-rate", subject.solver
    rates = [solver.learning_rate_at(step) for step in range(0, max(solver.total_steps, 1), _stride(solver))]
    own, kind = max(rates), type(solver.rule).__name__
    wanted = min(max(STEPS, STEPS * BATCH // solver.batch_size), MOST_STEPS)
    steps = min(wanted, int(SECONDS / SWEEPS / subject.step_seconds))
    if steps < FEWEST_STEPS:
        return Line(
            name, "skipped",
            f"a step takes {subject.step_seconds:.2g} s, and {SWEEPS} sweeps of {FEWEST_STEPS} would take more than "
            f"the {SECONDS:g} s that there are", numbers={"lr": own},
        )  # fmt: skip
    sweeps = [_judged(*_sweep(subject, steps, first=i * steps), steps) for i in range(SWEEPS)]
    found = _suggested(sweeps)
    if isinstance(found, str):
        return Line(name, "skipped", f"{own:.3g} ({kind}); no clear answer: {found}", numbers={"lr": own})
    numbers = {"lr": own, **found._asdict(), "sweeps": SWEEPS, "steps": steps}
    finding = (
        f"{own:.3g} ({kind}{', at its highest' if min(rates) < own else ''}); suggested are {found.low:.2g} to "
        f"{found.high:.2g}, give or take a factor of {found.factor:.2g}"
    )
    if found.low / NEAR <= own <= found.high * NEAR:
        return Line(name, "pass", finding, numbers=numbers)
    direction = "smaller" if own > found.high else "larger"
    return Line(
        name, "warn", finding, f"try a {direction} one, such as {math.sqrt(found.low * found.high):.1g}", numbers
    )  # fmt: skip


def _stride(solver: Solver) -> int:
    """Every so many steps the learning rate is looked at, to find its highest."""
    return max(1, solver.total_steps // 1000)


def _sweep(subject: Subject, steps: int, first: int) -> tuple[Array, Array]:
    """Learning rates and the losses before the updates made with them, until the loss blows up.

    The batches are those that the run would see at `first` and after.
    """
    solver = subject.fresh()
    rates, losses = np.geomspace(LOWEST, HIGHEST, steps), []
    batches = Batches(solver.data.train, solver.sampler, solver.steps_per_epoch, solver.augmentation)
    with np.errstate(all="ignore"), batches:
        for i, rate in enumerate(rates):
            subject.interruption.check("in the line learning-rate")
            X, y = batches(first + i)
            loss, gradients = loss_and_gradients(solver.model, X, y, step=first + i, count=solver.accumulate)
            before = float(np.mean(losses[: _beginning(steps)] or [loss]))
            if not math.isfinite(loss) or (i > _beginning(steps) and loss > BLOWN_UP * abs(before)):
                losses.append(BLOWN_UP * abs(before) if math.isfinite(before) else 0.0)
                break
            losses.append(loss)
            if solver.clip_norm is not None:
                gradients = clip_by_global_norm(gradients, solver.clip_norm)
            solver.optimizer.step(solver.model.params, gradients, float(rate))
    return rates[: len(losses)], np.array(losses)


def _beginning(steps: int) -> int:
    """So many of the first steps have rates too small to change anything."""
    return max(5, steps // 8)


def _judged(rates: Array, losses: Array, steps: int) -> _Sweep:
    """Read a sweep planned for so many `steps` off its smoothed losses."""
    width = max(3, steps // 14) | 1
    smooth = _moving_average(losses, width)
    first = losses[: _beginning(steps)]
    start, noise = float(first.mean()), float(first.std()) / math.sqrt(width)
    lowest = int(smooth.argmin())
    fall = start - float(smooth[lowest])
    half = int(np.flatnonzero(smooth <= start - fall / 2)[0]) if fall > 0 else lowest
    return _Sweep(
        half=float(rates[half]),
        lowest=float(rates[lowest]),
        clear=fall / noise if noise else math.inf,
        fall=fall / abs(start) if start else 0.0,
        rises=bool((smooth[lowest:] > smooth[lowest] + fall / 4).any()),
    )


def _moving_average(values: Array, width: int) -> Array:
    """The mean of `width` values around each; beyond the ends, of the first ones and the last."""
    side = width // 2
    padded = np.concatenate([np.full(side, values[: side + 1].mean()), values, np.full(side, values[-1])])
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")


def _suggested(sweeps: list[_Sweep]) -> Suggestion | str:
    """The range that the sweeps agree on, or why there is none."""
    if min(sweep.clear for sweep in sweeps) < CLEAR or min(sweep.fall for sweep in sweeps) < FALL:
        return "the loss does not fall clearly at any rate"
    if not all(sweep.rises for sweep in sweeps):
        return f"the loss does not rise again up to {HIGHEST:g}"
    halves, lowest = (np.array([getattr(s, which) for s in sweeps]) for which in ("half", "lowest"))
    factor = max(float(np.max(ends) / np.min(ends)) for ends in (halves, lowest))
    if factor > AGREE:
        return f"the sweeps differ by a factor of {factor:.2g}"
    low, high = sorted((_geometric_mean(halves), _geometric_mean(lowest) / SAFETY))
    return Suggestion(low, high, factor)


def _geometric_mean(values: Array) -> float:
    return float(np.exp(np.log(values).mean()))
