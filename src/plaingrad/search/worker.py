"""One worker of a search, a process of its own: it trains the runs that it is told to, and says how they went.

It speaks in lines of JSON.  It hears

    {"order": a number, "run": TOML of the recipe, "folder": where, "ask": whether to wait for a word after
     each evaluation}
    {"go": true or false}               the word: go on, or stop as not worth it
    {"stop": number of an order}        if that is what it is at, stop after this step, with a checkpoint

and says, always with the number of its order,

    {"is": "ready"}                     once, when all is imported
    {"is": "evaluation", "index", "accuracy"}
    {"is": "warning", "text"}
    {"is": "done", "how": "complete" | "pruned" | "diverged" | "failed" | "interrupted", ...}

where a run that is done tells accuracy, curve, seconds, weights and samples as far as they are known, failure and
diagnosis if there was one, and if that ends_all: "data" or "folder" cannot be used by any run.  When the search is
gone it ends at once: a run folder is whole at any moment.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import sys
import threading
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from plaingrad import diagnosis, training
from plaingrad.callbacks import Callback, EpochRecord
from plaingrad.data import Dataset
from plaingrad.errors import CheckpointError, DataError, NonFiniteError, PlaingradError, RunError
from plaingrad.recipe import check
from plaingrad.run_folder import RunFolder
from plaingrad.settings import Recipe
from plaingrad.solver import Solver

_AGAIN_SECONDS = 120.0  # a run that diverged later than this is diagnosed from what it left


class Pruned(Exception):
    """The run is not worth going on with."""


class Ear(threading.Thread):
    """Listens while a run trains: an order to stop must not wait for it, nor must the end of the search."""

    def __init__(self, source: TextIO) -> None:
        super().__init__(daemon=True)
        self.source = source
        self.order: int | None = None  # what is being trained
        self.stopped = 0  # the newest order that is to be stopped
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()

    def run(self) -> None:
        """Pass on what is heard."""
        for line in self.source:
            message = json.loads(line)
            if "stop" in message:
                self.stopped = message["stop"]
                if self.stopped != self.order:
                    continue  # that is over, or has not begun
                os.kill(os.getpid(), signal.SIGINT)  # which training notes, and heeds between two steps
            else:
                self.heard.put(message)
        os._exit(0)  # the search is gone


class Reporter(Callback):
    """Tells of each evaluation, and waits for the word to go on if it is to ask."""

    def __init__(self, say: Any, heard: queue.Queue[dict[str, Any]], ask: bool) -> None:
        self.say, self.heard, self.ask = say, heard, ask

    def on_epoch(self, solver: Solver, record: EpochRecord) -> None:
        """Tell, and ask."""
        last = solver.step == solver.total_steps or solver.stopped_early
        self.say("evaluation", index=len(solver.records), accuracy=record.val_accuracy)
        if self.ask and not last:
            while True:  # in slices: a signal is heeded between them
                with contextlib.suppress(queue.Empty):
                    go = self.heard.get(timeout=0.2)["go"]
                    break
                solver.interruption.check(f"after step {solver.step}")
            if not go:
                raise Pruned


class Worker:
    """Trains one run after the other; the data they share is read once."""

    def __init__(self, ear: Ear, out: TextIO) -> None:
        self.ear, self.out = ear, out
        self._read: tuple[str, Dataset] | None = None
        self._order = 0
        self._seen: dict[str, Any] = {}  # of the data and the network of the newest run

    def say(self, kind: str, **values: Any) -> None:
        """One line."""
        self.out.write(json.dumps({"is": kind, "order": self._order, **values}) + "\n")
        self.out.flush()

    def work(self) -> None:
        """Until the end of the search, which ends the process."""
        self.say("ready")
        while True:
            try:
                order = self.ear.heard.get()
                if "run" in order:  # a word that comes too late is none
                    self._order = self.ear.order = order["order"]
                    how = {"how": "interrupted"} if self.ear.stopped == self._order else self.train(order)
                    self.ear.order = None
                    self.say("done", **how)
            except KeyboardInterrupt:  # an order to stop that came as the run ended
                self.say("done", how="interrupted")

    def train(self, order: dict[str, Any]) -> dict[str, Any]:
        """Train a run, or what is left of it; how it ended."""
        folder, started = RunFolder(Path(order["folder"])), time.perf_counter()
        self._seen = {}
        try:
            how: dict[str, Any] = self._train(order, folder)
        except Pruned:
            how = {"how": "pruned"}
        except KeyboardInterrupt:
            return {"how": "interrupted"}
        except NonFiniteError as error:
            seconds = time.perf_counter() - started
            how = {
                "how": "diverged",
                "failure": str(error),
                "diagnosis": self._diagnosed(order, folder, seconds),
            }
        except (PlaingradError, MemoryError, OSError) as error:
            how = {"how": "failed", "failure": str(error) or "not enough memory"}
            if isinstance(error, DataError):
                how["ends_all"] = "data"
            elif isinstance(error, OSError | RunError | CheckpointError):
                how["ends_all"] = "folder"
        with contextlib.suppress(RunError):
            records = folder.history().records
            how["curve"] = [record.val_accuracy for record in records]
        return {"seconds": time.perf_counter() - started, **self._seen, **how}

    def _train(self, order: dict[str, Any], folder: RunFolder) -> dict[str, Any]:
        recipe = check(tomllib.loads(order["run"]))
        data = self._data(recipe)
        seen = self._seen
        seen["samples"] = len(data.validation)
        if ended := _result(folder):
            seen["weights"] = _size(folder.load()[0].params)
            return {"how": "complete", "accuracy": ended["best_val_accuracy"], "seconds": ended["seconds"]}

        class Size(Callback):
            def on_start(self, solver: Solver) -> None:
                seen["weights"] = _size(solver.model.params)

        callbacks = [Size(), Reporter(self.say, self.ear.heard, order["ask"])]
        shared: dict[str, Any] = {
            "callbacks": callbacks, "data": data, "test": False, "watch": False,
            "warn": lambda text: self.say("warning", text=text),
        }  # fmt: skip
        if _has_checkpoint(folder):
            result = training.resume(folder.path, **shared)
        else:
            # What is there is of a run that was killed before its first checkpoint.
            shutil.rmtree(folder.path, ignore_errors=True)
            result = training.train(recipe, folder.path, **shared)
        return {"how": "complete", "accuracy": result.best_val_accuracy}

    def _diagnosed(self, order: dict[str, Any], folder: RunFolder, seconds: float) -> str | None:
        """What the doctor says of a run that diverged: it diverges again, to the same bytes, under his watch."""
        try:
            if seconds < _AGAIN_SECONDS:
                shutil.rmtree(folder.path, ignore_errors=True)
                recipe = check(tomllib.loads(order["run"]))
                with contextlib.suppress(NonFiniteError):
                    training.train(recipe, folder.path, data=self._data(recipe), test=False)
            findings = diagnosis.diagnose(folder.path).findings
        except PlaingradError:
            return None
        return (
            " ".join([*(found.what for found in findings), *(found.change for found in findings[:1])]) or None
        )

    def _data(self, recipe: Recipe) -> Dataset:
        key = recipe.data.model_dump_json()
        if self._read is None or self._read[0] != key:
            self._read = None  # two data sets may be more than memory holds
            self._read = key, recipe.data.build()
        return self._read[1]


def _result(folder: RunFolder) -> dict[str, Any] | None:
    """The result of a run that ended before, by a worker that could not tell of it."""
    return folder.history().result if folder.history_file.is_file() else None


def _size(params: Mapping[str, Any]) -> int:
    return sum(array.size for array in params.values())


def _has_checkpoint(folder: RunFolder) -> bool:
    try:
        folder.newest_checkpoint()
    except RunError:
        return False
    return True


def main() -> None:
    """The process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anything prints must not come between our lines
    ear = Ear(os.fdopen(os.dup(sys.stdin.fileno()), encoding="utf-8"))
    ear.start()
    with contextlib.suppress(BrokenPipeError):  # the search is gone
        Worker(ear, out).work()


if __name__ == "__main__":
    main()
