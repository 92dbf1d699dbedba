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
from dataclasses import dataclass
from typing import Any

from plaingrad.errors import RecipeError, SearchError, require_count
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
_ATTEMPTS = 3  # to start a worker where others have started
_PATIENCE = 30.0  # seconds for a worker to write a checkpoint and end


class Process:
    """One worker's process, and the thread that hears it.

    task: what it is at; None while it is idle.  `ready`: whether it has ever been ready to work.
    """

    def __init__(self, inbox: queue.Queue[tuple[Process, dict[str, Any] | None]], threads: int) -> None:
        self.task: Any = None
        self.ready = False
        self.order = 0  # the number of its newest run, by which what it says of an older one is known
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the process)
        try:  # in a group of its own: Ctrl-C reaches the search alone, which tells its workers what to do
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "plaingrad.search.worker",
                ],  # -P: nothing from where the user stands
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=os.environ | dict.fromkeys(_THREADS, str(threads)),
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            raise SearchError(f"no worker can be started by {sys.executable}: {error.strerror}") from None
        threading.Thread(target=self._hear, args=(inbox,), daemon=True).start()

    def give(self, task: Any, **message: Any) -> None:
        """Have it train a run."""
        self.task = task
        self.order += 1
        self.tell(order=self.order, **message)

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


@dataclass(frozen=True)
class Said:
    """What a worker says of its task; None as the message if it has died, and then in `died` how.

    A worker that is done, or dead, is no longer at the task.
    """

    worker: Process
    task: Any
    message: dict[str, Any] | None
    died: str = ""


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
        self._members: list[Process] = []
        self._any_ready, self._failures = False, 0  # to start, one after the other
        self._stillborn: str | None = None
        try:
            for _ in range(jobs):
                self._hire()
        except SearchError:
            self.dismiss()
            raise

    @property
    def idle(self) -> list[Process]:
        """Those with nothing to do."""
        return [own for own in self._members if own.task is None]

    @property
    def busy(self) -> list[Process]:
        """Those with a task."""
        return [own for own in self._members if own.task is not None]

    def next(self, seconds: float) -> Said | None:
        """What the next worker says of its task; None if none says anything for so long, or nothing of a task.

        A worker that has died has been replaced when this returns.  Raises SearchError for one that never was ready.
        """
        said = self._next(seconds)
        if self._stillborn is not None:
            raise SearchError(f"a worker of the search could not start: {self._stillborn}")
        return said

    def stop(self) -> list[tuple[Any, dict[str, Any] | None]]:
        """Have all stop after their step, with a checkpoint; returns their tasks and the last that each worker said."""
        left: list[tuple[Any, dict[str, Any] | None]] = []
        until = time.monotonic() + _PATIENCE
        for worker in self.busy:
            worker.tell(stop=worker.order)
        while self.busy and time.monotonic() < until:
            said = self._next(0.2)
            if said is not None and (said.message is None or said.message["is"] == "done"):
                left.append((said.task, said.message))
        for worker in self.busy:
            left.append((worker.task, None))
            self._dismiss(worker)
            self._hire()
        return left

    def dismiss(self) -> None:
        """End all processes."""
        for worker in list(self._members):
            self._dismiss(worker)

    def _next(self, seconds: float) -> Said | None:
        try:
            worker, message = self._inbox.get(timeout=seconds)
        except queue.Empty:
            return None
        task = worker.task
        if worker not in self._members:
            return None
        died = ""
        if message is None:
            worker.task, died = None, worker.last_words()
            self._dismiss(worker)
            self._failures = 0 if worker.ready else self._failures + 1
            if self._failures and (not self._any_ready or self._failures == _ATTEMPTS):
                self._stillborn = died
            else:
                self._hire()
        elif message["is"] == "ready":
            worker.ready = self._any_ready = True
            return None
        elif message["order"] != worker.order:
            return None
        elif message["is"] == "done":
            worker.task = None
        return None if task is None else Said(worker, task, message, died)

    def _hire(self) -> None:
        self._members.append(Process(self._inbox, self._threads))

    def _dismiss(self, worker: Process) -> None:
        self._members.remove(worker)
        worker.end()
