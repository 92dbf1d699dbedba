"""What a training run leaves for the score: its evidence and its accuracies, as JSON that can be read again."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plaingrad.errors import NonFiniteError
from plaingrad.insight.doctor import Evidence, Watch

from .plan import Plan, Run


@dataclass(frozen=True)
class Record:
    """One training run: which, its evidence, its last accuracies (None if it never came to an evaluation)."""

    id: str
    seed: int
    evidence: Evidence
    train_accuracy: float | None
    val_accuracy: float | None


def trained(run: Run, seed: int) -> Record:
    """The record of `run` with this seed, trained now."""
    # A share without limit: what is looked at must not depend on how fast this machine is.
    solver, watch = run.make(seed), Watch(share=math.inf)
    solver.callbacks.append(watch)
    with contextlib.suppress(NonFiniteError):
        solver.train()
    last = solver.records[-1] if solver.records else None
    return Record(
        run.id,
        seed,
        watch.evidence(),
        last and last.train_accuracy,
        last and last.val_accuracy,
    )


def accuracies(plan: Plan, seed: int) -> tuple[float | None, float | None]:
    """The last training and validation accuracy of a plan, trained now without a watch."""
    solver = plan.solver(seed)
    with contextlib.suppress(NonFiniteError):
        solver.train()
    last = solver.records[-1] if solver.records else None
    return (last.train_accuracy, last.val_accuracy) if last else (None, None)


def save(record: Record, folder: Path) -> None:
    """Write a record into `folder`, under its own name."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{record.id.replace('/', '--')}--{record.seed}.json"
    (folder / name).write_text(json.dumps(dataclasses.asdict(record)) + "\n")


def load(folder: Path) -> list[Record]:
    """All records of `folder`, by id and seed."""
    read = [decoded(Record, json.loads(path.read_text())) for path in folder.glob("*.json")]
    return sorted(read, key=lambda record: (record.id, record.seed))


def decoded(kind: Any, value: Any) -> Any:
    """The value that json made of `kind`, a dataclass or anything its fields are declared to be, as it was."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: decoded(hints[name], given) for name, given in value.items()})  # type: ignore[operator]
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        rest = [part for part in parts if part is not types.NoneType]
        return None if value is None else decoded(rest[0], value)
    if origin is tuple:
        kinds = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        return tuple(decoded(part, own) for part, own in zip(kinds, value, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: decoded(parts[1], own) for key, own in value.items()}
    return value
