"""The search: trials asked of the store, their runs given to the crew, and what came of them told to the store."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import Trial

from plaingrad.errors import DataError, RecipeError, SearchError
from plaingrad.interruption import Interruption
from plaingrad.recipe import changed
from plaingrad.run_folder import Warn
from plaingrad.search.attempts import number_of
from plaingrad.search.crew import Crew, Process
from plaingrad.search.folder import StudyFolder
from plaingrad.search.results import State, TrialResult
from plaingrad.search.store import Store

_LISTEN_SECONDS = 0.5  # how long a signal, or a machine that fell silent, may wait to be noticed

Tell = Callable[[TrialResult], Any]


@dataclass
class _Open:
    """A trial that has begun, and what its runs have told so far."""

    trial: Trial
    settings: dict[str, Any]
    left: deque[int]  # the seeds of the runs that have not begun
    ended: dict[int, dict[str, Any]] = field(default_factory=dict)
    running: int = 0
    died: str | None = None  # how a worker of it did


@dataclass(frozen=True)
class _Run:
    """One run of a trial, which a worker is at."""

    own: _Open
    seed: int


class Search:
    """Searches until the trials, or the time, are used up.

    until: the moment on the monotonic clock at which it ends, infinite if only its trials end it.
    bounded: whether the trials that wait are all there will be.
    tell: hears of each trial that ends.  `warn` hears sentences about what went wrong with a worker.
    """

    def __init__(
        self,
        folder: StudyFolder,
        store: Store,
        crew: Crew,
        *,
        until: float,
        bounded: bool,
        tell: Tell,
        warn: Warn,
    ) -> None:
        self.folder, self.store, self.crew, self.plan = folder, store, crew, store.plan
        self.until, self.bounded, self.tell, self.warn = until, bounded, tell, warn
        self.ended = 0
        self._open: list[_Open] = []

    def run(self, interruption: Interruption) -> None:
        """Search.  Raises Interrupted if a signal came; unfinished trials then wait to be gone on with."""
        self._interruption = interruption
        self._started, self._before = time.monotonic(), self.store.seconds
        try:
            while time.monotonic() < self.until:
                self._give_work()
                if not self.crew.busy and not self._others_may_fail():
                    break
                self._listen()
                self._heed()
        finally:
            self._put_back()
            self.store.searched(self._before + time.monotonic() - self._started)

    def _heed(self) -> None:
        self._interruption.check(f"after {self.ended} trial{'' if self.ended == 1 else 's'}")

    def _give_work(self) -> None:
        for worker in self.crew.idle:
            run = self._next_run()
            if run is None:
                return
            number = number_of(run.own.trial)
            recipe = changed(self.plan.recipe, run.own.settings | {"seed": run.seed})
            ask = self.plan.prune != "none" and run.seed == self.plan.seed
            folder = str(self.folder.run(number, run.seed).absolute())
            worker.give(run, run=recipe.to_toml(), folder=folder, ask=ask)
            run.own.running += 1

    def _next_run(self) -> _Run | None:
        """A run of a trial that has begun, or the first of another one; None if there is none now."""
        for own in self._open:
            # The first seed decides whether others are worth it.
            if own.left and (own.ended or not own.running):
                return _Run(own, own.left.popleft())
        while time.monotonic() < self.until:
            self._heed()
            trial = self.store.claim(new=not self.bounded)
            if trial is None:
                break
            settings = self.plan.space.suggest(trial)
            first = self.plan.seed
            own = _Open(trial, settings, deque(range(first, first + self.plan.seeds)))
            try:
                changed(self.plan.recipe, settings)
            except RecipeError as error:  # fields that fit alone, and not together
                self._end(own, "failed", failure=str(error))
                continue
            self._open.append(own)
            return _Run(own, own.left.popleft())
        return None

    def _others_may_fail(self) -> bool:
        """Whether trials run on other machines, which we take over if these fall silent."""
        return self.bounded and (self.store.elsewhere > 0 or self.store.waiting > 0)

    def _listen(self) -> None:
        self.store.beat()
        said = self.crew.next(_LISTEN_SECONDS)
        if said is None:
            return
        if said.message is None:
            self._died(said.task, said.died)
        elif said.message["is"] == "evaluation":
            self._evaluated(said.worker, said.task, said.message)
        elif said.message["is"] == "warning":
            self.warn(said.message["text"])
        elif said.message["is"] == "done":
            self._done(said.task, said.message)

    def _evaluated(self, worker: Process, run: _Run, message: dict[str, Any]) -> None:
        if run.seed != self.plan.seed or run.own not in self._open:
            return
        go = self.store.report(run.own.trial, message["index"], message["accuracy"])
        if not go and self.store.taken(run.own.trial):
            self._leave(run.own)
        elif self.plan.prune != "none":
            worker.tell(go=go)

    def _done(self, run: _Run, message: dict[str, Any]) -> None:
        own, how = run.own, message.pop("how")
        own.running -= 1
        ends_all = message.pop("ends_all", None)
        if ends_all == "data" and not any(d.field.startswith("data.") for d in self.plan.space.dimensions):
            raise DataError(message["failure"])
        if ends_all == "folder":
            raise SearchError(message["failure"])
        if own not in self._open:
            self._again_if_alone(own)
        elif how == "interrupted":  # by somebody else's signal: it is gone on with
            own.left.appendleft(run.seed)
        else:
            own.ended[run.seed] = message
            if how in ("pruned", "diverged", "failed"):
                self._leave(own)
                self._end(own, how, **{k: message[k] for k in ("failure", "diagnosis") if message.get(k)})
            elif not own.left and not own.running:
                self._open.remove(own)
                self._end(own, "complete")

    def _leave(self, own: _Open) -> None:
        """Have nothing more to do with a trial: its other runs end without a word."""
        self._open.remove(own)
        for worker in self.crew.busy:
            if worker.task.own is own:
                worker.tell(stop=worker.order)

    def _end(self, own: _Open, state: State, **more: Any) -> None:
        ended = dict(sorted(own.ended.items()))
        accuracies = [m["accuracy"] for m in ended.values() if m.get("accuracy") is not None]
        if state == "pruned":
            accuracies = [max(m["curve"]) for m in ended.values() if m.get("curve")][:1]
        number = number_of(own.trial)
        told = {
            name: next((m[name] for m in ended.values() if m.get(name)), None)
            for name in ("samples", "weights")
        }
        outcome = {
            "accuracies": accuracies,
            "seconds": sum(m.get("seconds", 0.0) for m in ended.values()),
            "samples": told["samples"] or 0,
            "weights": told["weights"],
            "runs": [self.folder.relative(self.folder.run(number, seed)) for seed in ended],
            **more,
        }
        result = TrialResult.of(number, state, own.settings, outcome)
        self.store.finish(own.trial, state, outcome, result.score)
        self.ended += 1
        self.store.searched(self._before + time.monotonic() - self._started)
        self.tell(result)

    def _died(self, run: _Run, how: str) -> None:
        own = run.own
        own.running -= 1
        if own in self._open:
            own.died = how
            self._leave(own)
        self._again_if_alone(own)

    def _again_if_alone(self, own: _Open) -> None:
        """Have a trial whose worker died run again, once no other run of it is going on in the same folders."""
        if own.died is None or own.running:
            return
        number = number_of(own.trial)
        if self.store.again(own.trial, died=own.died):
            self.warn(f"the worker of trial {number} died ({own.died}): the trial is run again")
        else:
            self.warn(f"trial {number} has failed: its workers died, at last {own.died}")

    def _put_back(self) -> None:
        """Stop the workers; trials that have not ended wait for a later sitting."""
        for run, message in self.crew.stop():
            run.own.running -= 1
            if message is not None and message.get("how") == "complete":
                run.own.ended[run.seed] = message
            if run.own not in self._open:
                self._again_if_alone(run.own)
        for own in self._open:
            if len(own.ended) == self.plan.seeds:
                self._end(own, "complete")
            else:
                self.store.again(own.trial)
        self._open.clear()
