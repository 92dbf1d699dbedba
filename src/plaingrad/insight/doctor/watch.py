"""The watch: a callback that gathers evidence while a model trains, and leaves training as it would be."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from plaingrad.callbacks import Callback, EpochRecord
from plaingrad.data import Split
from plaingrad.errors import require_number
from plaingrad.insight.data_facts import data_facts
from plaingrad.insight.doctor.evidence import Evidence, Look, NonFinite, Order, Probes
from plaingrad.insight.doctor.looking import look_at
from plaingrad.insight.doctor.measuring import Tally, non_finite_samples, tally_of
from plaingrad.insight.doctor.notes import Measured, Note, gather
from plaingrad.insight.doctor.order import Recorded
from plaingrad.insight.doctor.probes import copied, fixed_batch, probe, undisturbed
from plaingrad.insight.doctor.setup import setup_of
from plaingrad.insight.facts import DataFacts
from plaingrad.solver import Solver

Array = np.ndarray

SAMPLES = 64  # in the batch that is looked at
PROBED = 48  # samples of it that experiments are made with: a third of them beside others is enough
SHARE = 0.015  # of the time of training that looks may take

_ALWAYS = (0, 1)
_EARLY = (2, 5, 10, 20, 50)  # looks that take less than _CHEAP seconds are taken here whatever their share,
_PARTS = 4  # and after each quarter of the run, so that a run of a second shows a course
_CHEAP = 0.01
_MOST = 200  # looks after epochs, where these are short
_LISTED = 100  # samples named as not finite
_MEASURED = 500  # samples of each split, where the solver's evaluation has no scores


class Watch(Callback):
    """Gathers evidence of a training run for `diagnose`, whatever the model and however training ends.

    >>> watch = Watch()
    >>> Solver(model, data, callbacks=[watch]).train()
    >>> print(diagnose(watch.evidence()))

    It looks at the model at steps 0, 1, 2, 5, 10, 20, 50, 100, ..., after each evaluation and at the end, on
    a fixed batch of 64 training samples, and probes it at the start and the end.  All of this is done with
    deep copies of the model, and global random generators are put back, so training has the same results, bit
    for bit, as without a watch.  Of a model that cannot be copied, or that raises an error, only losses,
    evaluations and settings are known; `problem` then says why.

    share: of the time since the first step began, how much watching may take.  A look that would take more
        is taken later; but not those at step 1 and at the end, nor those up to step 50 and after each quarter
        of the run if a look takes less than 10 ms.  What comes before the first step, compiling included, is
        no part of either time.  With `math.inf` every look is taken when it is due.
    write: is given each Note as it is made; the recorder of a run writes them down.
    data: whether to note facts of the data, too, when training ends, so that the notes tell of it without it.
    """

    counted_as = "watching"

    def __init__(
        self, *, share: float = SHARE, write: Callable[[Note], None] | None = None, data: bool = False
    ) -> None:
        require_number("share", share, lambda part: part >= 0, "0 or more")
        self.share, self.write, self.data = share, write, data
        self.notes: list[Note] = []
        self.problem: str | None = None
        self.seconds = 0.0  # of its own
        self._solver: Solver | None = None
        self._data: DataFacts | None = None
        self._finished = False
        self._cost, self._least = 0.0, math.inf  # seconds: of the last look, of the quickest
        self._owed = False  # a look that was due and not taken
        self._before: dict[str, Array] | None = None
        self._tallies: dict[str, Tally] = {}

    def evidence(self) -> Evidence:
        """All that is known so far; facts of the data are measured when they are first asked for.

        Raises RuntimeError if training has not begun.
        """
        if self._solver is None:
            raise RuntimeError("the watch has seen nothing yet: give it to a Solver as a callback, and train")
        if self._data is None:
            self._data = data_facts(self._solver.data)
        return self.evidence_so_far()

    def evidence_so_far(self) -> Evidence:
        """The same without waiting for facts of the data that were not asked for yet."""
        solver = self._solver
        assert solver is not None
        return gather(
            self.notes,
            losses=solver.loss_history,
            records=solver.records,
            classes=len(solver.data.classes),
            data=self._data,
            finished=self._finished,
        )

    def on_start(self, solver: Solver) -> None:
        """Note what was set, probe the model, look at it, and listen to the sampler from now on."""
        started = time.perf_counter()
        if solver.step == 0:  # what was seen of another run is no evidence of this one
            self.notes, self.problem, self._data = [], None, None
        self._solver, self._finished, self._before = solver, False, None
        if not isinstance(solver.sampler, Recorded):
            solver.sampler = Recorded(solver.sampler, solver.steps_per_epoch)
        self._recorded = solver.sampler
        self._planned, self._cheap = _planned(solver.total_steps, solver.steps_per_epoch)
        self._batch = fixed_batch(solver.data.train, solver.seed, SAMPLES)
        with self._careful():
            self._note(solver.step, setup_of(solver))
        if solver.step == 0:
            self._probe(solver)
            self._look(solver)
        solver.stopwatch.lap("first look")
        self._began = time.perf_counter()
        self.seconds += self._began - started
        self._earlier = self.seconds
        self._prepare(solver)

    def on_step(self, solver: Solver, loss: float) -> None:
        """Look, if it is time."""
        if self._tallies:
            self._tallies.clear()
        if self._before is None and not self._due(solver, solver.step + 1):
            return
        started = time.perf_counter()
        if self._before is not None:
            self._look(solver)
        self.seconds += time.perf_counter() - started
        self._prepare(solver)  # which asks what was spent

    def on_scores(self, solver: Solver, split: Split, scores: Array, y: Array) -> None:
        """Add up what an evaluation shows: its scores cost nothing, for they are there."""
        part = next((part for part, own in solver.data.splits.items() if own is split), "")
        if part in ("train", "validation") and scores.ndim == 2:
            started = time.perf_counter()
            with self._careful():
                tally = self._tallies.get(part) or Tally(solver.model, len(solver.data.classes))
                tally.add(scores, y, scores.argmax(axis=1))
                self._tallies[part] = tally
            self.seconds += time.perf_counter() - started

    def on_epoch(self, solver: Solver, record: EpochRecord) -> None:
        """Note what the evaluation showed."""
        started = time.perf_counter()
        if not self._tallies and self._affordable():  # the model's own `predict` gave classes alone
            self._measure(solver)
        train, validation = (self._tallies.pop(part, None) for part in ("train", "validation"))
        seen = validation or train
        if seen:
            measured = Measured(
                train_loss=train and train.loss,
                val_loss=validation and validation.loss,
                predicted=seen.predicted,
                per_class=seen.per_class,
            )
            self._note(record.step, measured)
        self._note_order(solver)
        self.seconds += time.perf_counter() - started

    def on_non_finite(self, solver: Solver, where: str | None, X: Array | None, y: Array | None) -> None:
        """Note where it is and, if a batch showed it, for which training samples."""
        if any(isinstance(note.what, NonFinite) for note in self.notes):
            return  # a solver that goes on all the same
        samples = np.zeros(0, dtype=np.int64)
        where = where or solver.not_finite()
        if X is not None:
            with self._careful(), undisturbed():
                found, broken = non_finite_samples(copied(solver.model), np.array(X))
                where = "input" if found == "input" else where or found
                samples = np.asarray(self._recorded.newest(solver.step))[broken]
        self._note(solver.step, NonFinite(solver.step, where or "loss", tuple(samples[:_LISTED].tolist())))
        self._note_order(solver, ended=True)
        self._note_data(solver)

    def on_end(self, solver: Solver) -> None:
        """Look and probe for the last time."""
        self._finished = True
        if not any(isinstance(n.what, Look) and n.step == solver.step for n in self.notes):
            self._look(solver)
        self._probe(solver)
        self._note_order(solver, ended=True)
        self._note_data(solver)
        solver.sampler = self._recorded.sampler

    def _due(self, solver: Solver, step: int) -> bool:
        """Whether to look when `step` updates are done.  A look that would take too long is taken later."""
        planned = step in self._planned
        if not planned and not self._owed:  # of nearly all steps, told in no time
            return False
        if step > solver.total_steps:
            return False
        if step in _ALWAYS or step == solver.total_steps:
            return True
        if step in self._cheap and self._least < _CHEAP:
            return True
        self._owed = True
        return self._affordable()

    def _affordable(self) -> bool:
        """Whether another look keeps to the share of the time since this sitting's first step began."""
        spent = self.seconds - self._earlier + self._cost
        return spent <= self.share * (time.perf_counter() - self._began)

    def _prepare(self, solver: Solver) -> None:
        """Before a step that will be looked at: keep the parameters, to see what the update changes."""
        self._before = None
        if self._due(solver, solver.step + 1):
            started = time.perf_counter()
            self._before = {name: np.array(value) for name, value in solver.model.params.items()}
            self.seconds += time.perf_counter() - started

    def _look(self, solver: Solver) -> None:
        started, self._owed = time.perf_counter(), False
        with self._careful(), undisturbed():
            self._note(
                solver.step, look_at(solver.model, *self._batch, step=solver.step, before=self._before)
            )
        self._cost = time.perf_counter() - started
        self._least = min(self._least, self._cost)

    def _probe(self, solver: Solver) -> None:
        """Ask the model what it has not answered yet: at the start, weights of zero may hide much."""
        known = next((n.what for n in reversed(self.notes) if isinstance(n.what, Probes)), Probes())
        X, y = self._batch
        answers = probe(solver.model, X[:PROBED], y[:PROBED], known)
        if solver.step == 0 or answers != known:
            self._note(solver.step, answers)

    def _measure(self, solver: Solver) -> None:
        started = time.perf_counter()
        with self._careful(), undisturbed():
            model, data = copied(solver.model), solver.data
            for part in ("train", "validation"):
                if len(data.splits[part]):
                    self._tallies[part] = tally_of(model, data.splits[part], _MEASURED, len(data.classes))
        self._cost = max(self._cost, time.perf_counter() - started)

    def _note_order(self, solver: Solver, *, ended: bool = False) -> None:
        """Note the order as soon as it is known, and once more when the second epoch tells if it repeats."""
        known = [note.what for note in self.notes if isinstance(note.what, Order)]
        if known and known[-1].same_each_epoch is not None:
            return
        with self._careful():
            order = self._recorded.order(solver.data.train.labels, ended=ended)
            if order is not None and order not in known:
                self._note(solver.step, order)

    def _note_data(self, solver: Solver) -> None:
        """Note facts of the data, if that is wanted and was not done in an earlier sitting."""
        if self.data and not any(isinstance(note.what, DataFacts) for note in self.notes):
            solver.stopwatch.lap(self.counted_as)
            with self._careful():
                self._data = self._data or data_facts(solver.data)
                self._note(solver.step, self._data)
            solver.stopwatch.lap("facts of the data")

    def _note(self, step: int, what: Any) -> None:
        note = Note(step, what)
        self.notes.append(note)
        if self.write is not None:
            with self._careful():
                self.write(note)

    @contextmanager
    def _careful(self) -> Iterator[None]:
        """A model of the user's own may raise anything; watching must not end its training."""
        try:
            yield
        except Exception as error:
            self.problem = self.problem or f"{type(error).__name__}: {error}"


def _planned(total: int, per_epoch: int) -> tuple[frozenset[int], frozenset[int]]:
    """The steps at which a look is due: 1, 2 and 5 times powers of 10, after epochs, and the last.

    And those of them at which it is taken whatever its share, if looks are cheap.
    """
    powers = (10**k for k in range(len(str(total))))
    early = {first * power for power in powers for first in (1, 2, 5)}
    apart = max(1, per_epoch, total // _MOST)
    planned = {step for step in (*early, *range(0, total + 1, apart)) if step <= total} | {0, total}
    quarters = {total * part // _PARTS // apart * apart for part in range(1, _PARTS)}
    return frozenset(planned), frozenset({*_EARLY, *quarters})
