"""All runs of the shelf."""

from __future__ import annotations

from . import failures, fitting, healthy, milder, mistakes, rates, samples, signals
from .plan import Run

PLANTED: tuple[Run, ...] = (
    *rates.RUNS,
    *signals.RUNS,
    *fitting.RUNS,
    *samples.RUNS,
    *mistakes.RUNS,
    *failures.RUNS,
    *milder.RUNS,
)
HEALTHY: tuple[Run, ...] = healthy.RUNS
SHELF: tuple[Run, ...] = (*PLANTED, *HEALTHY)


def run_called(name: str) -> Run:
    """The run with this id."""
    return next(run for run in SHELF if run.id == name)
