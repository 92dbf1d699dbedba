"""The doctor at work during training: it says once what it is sure of, and never ends a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from plaingrad.callbacks import EpochRecord
from plaingrad.insight.doctor.diagnosis import Examine, Finding, diagnose
from plaingrad.insight.doctor.notes import Note
from plaingrad.insight.doctor.watch import SHARE, Watch
from plaingrad.solver import Solver

SURE = 0.9


class Doctor(Watch):
    """A Watch that speaks up: after evaluations, at the end, and when a value is no longer finite.

    tell: is given a sentence for each finding at least `sure` certain, once for each condition.
    examine: the rules, if not all of them.  The other arguments are a Watch's.

    >>> Solver(model, data, callbacks=[Doctor()]).train()
    doctor: The learning rate is too high: ...
    """

    def __init__(
        self,
        tell: Callable[[str], Any] = print,
        *,
        sure: float = SURE,
        share: float = SHARE,
        write: Callable[[Note], None] | None = None,
        data: bool = False,
        examine: Examine | None = None,
    ) -> None:
        super().__init__(share=share, write=write, data=data)
        self.tell, self.sure, self.examine = tell, sure, examine
        self.told: set[str] = set()

    def on_start(self, solver: Solver) -> None:
        """Of a new run, nothing was said yet."""
        if solver.step == 0:
            self.told.clear()
        super().on_start(solver)

    def on_epoch(self, solver: Solver, record: EpochRecord) -> None:
        """Say what is certain by now, unless judging so often would take too long."""
        super().on_epoch(solver, record)
        if solver.step < solver.total_steps and self._affordable():  # of the last step, the end tells
            self._speak()

    def on_non_finite(self, solver: Solver, where: str | None, X: Any, y: Any) -> None:
        """Say what is certain before the run ends."""
        super().on_non_finite(solver, where, X, y)
        self._speak()

    def on_end(self, solver: Solver) -> None:
        """Say what is certain of the whole run."""
        super().on_end(solver)
        self._speak()

    def _speak(self) -> None:
        started = time.perf_counter()
        with self._careful():
            for finding in diagnose(self.evidence_so_far(), examine=self.examine).findings:
                if finding.sure >= self.sure and finding.condition not in self.told:
                    self.told.add(finding.condition)
                    self.tell(sentence(finding))
        self.seconds += time.perf_counter() - started


def sentence(finding: Finding) -> str:
    """A finding on one line: what, how sure, and what to try."""
    return f"doctor: {finding.what} ({100 * finding.sure:.0f} % sure) Try: {finding.change}"
