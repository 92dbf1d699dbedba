"""What a run on the shelf is: a plan from which a seed makes a solver, and what was planted in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import plaingrad as pg
from plaingrad.model import Model
from plaingrad.optim import Rule
from plaingrad.sampling import Sampler
from plaingrad.schedules import Schedule


@dataclass(frozen=True)
class Plan:
    """A run before its seed is known.

    data(seed) and model(data, seed) make what is trained; sampler(data), where there is one, takes the place
    of shuffling.  more: further settings of the Solver, such as {"clip_norm": 1.0}.
    """

    data: Callable[[int], pg.Dataset]
    model: Callable[[pg.Dataset, int], Model]
    rule: Rule
    epochs: float
    batch_size: int = 50
    schedule: Schedule = field(default_factory=pg.Constant)
    augmentation: pg.data.Augmentation | None = None
    sampler: Callable[[pg.Dataset], Sampler] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def solver(self, seed: int) -> pg.Solver:
        """The solver of this plan, ready to train."""
        data = self.data(seed)
        return pg.Solver(
            self.model(data, seed),
            data,
            rule=self.rule,
            epochs=self.epochs,
            batch_size=self.batch_size,
            schedule=self.schedule,
            augmentation=self.augmentation,
            sampling=self.sampler(data) if self.sampler else "shuffle",
            seed=seed,
            **self.more,
        )

    def but(self, **changes: Any) -> Plan:
        """The same plan with some parts replaced."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Run:
    """A run on the shelf.

    condition: what is planted, a code of `diagnosis.CONDITIONS`; None for a healthy run.  trouble: what was
    done, in words.  also: other conditions that are as right, each with the reason.  twin: the same run
    without the trouble.  silent: the trouble need not cost accuracy; that it is there is a fact of the plan.
    """

    id: str
    condition: str | None
    dataset: str
    network: str
    trouble: str
    plan: Plan
    also: Mapping[str, str] = field(default_factory=dict)
    twin: Plan | None = None
    silent: bool = False

    def make(self, seed: int) -> pg.Solver:
        """The solver of this run, ready to train."""
        return self.plan.solver(seed)


@dataclass(frozen=True)
class Base:
    """A healthy plan to plant troubles in: its names, and the plan."""

    dataset: str
    network: str
    plan: Plan


def planted(
    condition: str,
    base: Base,
    slug: str,
    trouble: str,
    *,
    also: Mapping[str, str] | None = None,
    silent: bool = False,
    twin: Plan | None = None,
    **changes: Any,
) -> Run:
    """The run that `base` becomes by `changes`; `slug` tells it from the others of that base.

    twin: what it is compared with, where that is not the base itself.
    """
    return Run(
        f"{condition}/{base.dataset}-{base.network}-{slug}",
        condition,
        base.dataset,
        base.network,
        trouble,
        base.plan.but(**changes),
        also or {},
        twin or base.plan,
        silent,
    )
