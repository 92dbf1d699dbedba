"""The work of the command: runs trained in several processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from .records import accuracies, save, trained
from .shelf import run_called

Job = tuple[str, int]


def gathered(job: tuple[Job, Path]) -> None:
    """Train a run and save its record.  Raises RuntimeError, which names the run, for what goes wrong."""
    (name, seed), folder = job
    try:
        save(trained(run_called(name), seed), folder)
    except Exception as error:
        raise RuntimeError(f"{name} (seed {seed}): {type(error).__name__}: {error}") from error


def compared(job: Job) -> str:
    """The accuracies of a run and of its twin, in a line."""
    name, seed = job
    run = run_called(name)
    train, val = accuracies(run.plan, seed)
    line = f"{name} (seed {seed}): training {_shown(train)}, validation {_shown(val)}"
    if run.twin is not None:
        _, healthy = accuracies(run.twin, seed)
        line += f"; twin's validation {_shown(healthy)}"
        if not run.silent and (val or 0) > (healthy or 0) - 0.02:
            line += "  <- not clearly worse"
    return line


def _shown(accuracy: float | None) -> str:
    return "none" if accuracy is None else f"{accuracy:.3f}"


def in_processes(work: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Any]:
    """`work` of each job, in as many processes as there are cores, results as they come."""
    count = max(1, min(len(jobs), os.cpu_count() or 1))
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
    try:
        for done, future in enumerate(as_completed([pool.submit(work, job) for job in jobs]), 1):
            result = future.result()
            if sys.stderr.isatty():
                print(f"\r{done} of {len(jobs)}", end="", file=sys.stderr, flush=True)
            yield result
    finally:  # whatever ends this, SIGTERM too, leaves no process at work
        pool.shutdown(cancel_futures=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
