"""The workers of a search on this machine: processes that share out its processors."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from plaingrad.errors import RecipeError, RunError, require_count
from plaingrad.machine import processors

# Every library that computes takes its number of threads from one of these.
_THREADS = (
    "PLAINGRAD_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_PATIENCE = 30.0  # seconds for a worker to write a checkpoint and end


class Process:
    """One worker's process, and the thread that hears it.

    task: what it is at; None while it is idle.  `ready`: whether it has ever been ready to work.
    """

    def __init__(self, inbox: queue.Queue[tuple[Process, dict[str, Any] | None]], threads: int) -> None:
        self.task: Any = None
        self.ready = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the process)
        # A group of its own: Ctrl-C on a terminal reaches the search, which tells its workers what to do.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "plaingrad.search.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | dict.fromkeys(_THREADS, str(threads)),
            start_new_session=True,
        )
        threading.Thread(target=self._hear, args=(inbox,), daemon=True).start()

    def tell(self, **message: Any) -> None:
        """Send a line.  A process that is gone does not hear it; that it is gone is heard from its thread."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def last_words(self) -> str:
        """How it died: the signal, or the last line that it wrote to standard error."""
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"killed by signal {-code}" if code < 0 else said or f"exit code {code}"

    def end(self) -> None:
        """Kill it, if it has not ended."""
        self._process.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            if file is not None:
                with contextlib.suppress(OSError):  # what was on its way to a process that is gone
                    file.close()

    def _hear(self, inbox: queue.Queue[tuple[Process, dict[str, Any] | None]]) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                inbox.put((self, json.loads(line)))
        except ValueError:  # a line cut short by death, or the file closed at the end
            pass
        inbox.put((self, None))


class Crew:
    """So many workers, each with its share of the processors: together no more threads than processors.

    Raises RecipeError for more workers than processors.
    """

    def __init__(self, jobs: int) -> None:
        require_count("jobs", jobs, 1)
        if jobs > processors():
            raise RecipeError(
                f"{jobs} jobs are more than the {processors()} processors that there are: each would only wait for "
                f"the others; use --jobs {processors()} or fewer"
            )
        self._threads = processors() // jobs
        self._inbox: queue.Queue[tuple[Process, dict[str, Any] | None]] = queue.Queue()
        self._members = [Process(self._inbox, self._threads) for _ in range(jobs)]

    @property
    def idle(self) -> list[Process]:
        """Those with nothing to do."""
        return [own for own in self._members if own.task is None]

    @property
    def busy(self) -> list[Process]:
        """Those with a task."""
        return [own for own in self._members if own.task is not None]

    def next(self, seconds: float) -> tuple[Process, dict[str, Any] | None] | None:
        """What the next worker says, None as its message if it has died; None if none speaks for so long.

        A worker that has died has been replaced when this returns.  Raises RunError for one that never was ready.
        """
        try:
            worker, message = self._inbox.get(timeout=seconds)
        except queue.Empty:
            return None
        worker.ready = worker.ready or message == {"is": "ready"}
        if message is None and worker in self._members:
            if not worker.ready:
                raise RunError(f"a worker of the search could not start: {worker.last_words()}")
            self._members[self._members.index(worker)] = Process(self._inbox, self._threads)
        return worker, message

    def stop(self) -> list[tuple[Any, dict[str, Any] | None]]:
        """Have all stop after their step, with a checkpoint; returns their tasks and the last that each worker said."""
        left: list[tuple[Any, dict[str, Any] | None]] = []
        until = time.monotonic() + _PATIENCE
        for worker in self.busy:
            worker.tell(stop=True)
        while self.busy and time.monotonic() < until:
            try:
                worker, message = self._inbox.get(timeout=0.2)
            except queue.Empty:
                continue
            if worker.task is not None and (message is None or message["is"] == "done"):
                left.append((worker.task, message))
                worker.task = None
        for worker in self.busy:
            left.append((worker.task, None))
            worker.task = None
        return left

    def dismiss(self) -> None:
        """End all processes."""
        members, self._members = self._members, []
        for worker in members:
            worker.end()
