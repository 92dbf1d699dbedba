"""A planted run and its twin, both trained, for a picture."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import plaingrad as pg
from plaingrad.errors import NonFiniteError
from plaingrad.insight.doctor import Evidence, Watch
from plaingrad.insight.facts import LayerFacts
from plaingrad.plots.style import BLUE, ORANGE

from .plan import Plan
from .shelf import run_called

PLANTED, HEALTHY = "planted", "healthy twin"


@dataclass(frozen=True)
class Side:
    """A run that was trained, and the evidence of it."""

    solver: pg.Solver
    evidence: Evidence
    finished: bool

    @classmethod
    def trained(cls, plan: Plan, seed: int) -> Side:
        """The run of a plan, trained now."""
        solver, watch = plan.solver(seed), Watch(share=math.inf)
        solver.callbacks.append(watch)
        finished = False
        with contextlib.suppress(NonFiniteError):
            solver.train()
            finished = True
        return cls(solver, watch.evidence(), finished)

    def layers(self, look: int, kinds: Sequence[str]) -> list[LayerFacts]:
        """What was seen of the layers of these kinds at one look."""
        return [layer for layer in self.evidence.looks[look].layers if layer.kind in kinds]


@dataclass(frozen=True)
class Pair:
    """A planted run and its twin."""

    planted: Side
    healthy: Side

    @classmethod
    def trained(cls, name: str, seed: int) -> Pair:
        """Both, trained now."""
        run = run_called(name)
        assert run.twin is not None
        return cls(Side.trained(run.plan, seed), Side.trained(run.twin, seed))

    @property
    def both(self) -> tuple[tuple[Side, str, str], ...]:
        """The two sides, each with its colour and name; the planted one is drawn on top."""
        return (self.healthy, BLUE, HEALTHY), (self.planted, ORANGE, PLANTED)
