"""Notes: what a watch writes down while a model trains, and how they become lines of a file and evidence."""

from __future__ import annotations

import math
import reprlib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

from plaingrad.callbacks import EpochRecord
from plaingrad.insight.doctor.evidence import (
    Evaluation,
    Evidence,
    Look,
    NonFinite,
    Order,
    Probes,
    Setup,
)
from plaingrad.insight.facts import DataFacts


@dataclass(frozen=True)
class Measured:
    """What an evaluation showed beside its accuracies; the fields of an Evaluation."""

    train_loss: float | None = None
    val_loss: float | None = None
    predicted: tuple[int, ...] | None = None
    per_class: tuple[float | None, ...] | None = None


@dataclass(frozen=True)
class Note:
    """Something seen when `step` updates were done."""

    step: int
    what: Setup | Order | Probes | Look | Measured | NonFinite | DataFacts


KINDS: dict[str, type] = {
    "setup": Setup,
    "order": Order,
    "probes": Probes,
    "look": Look,
    "measured": Measured,
    "non_finite": NonFinite,
    "data": DataFacts,
}
_KIND = {kind: name for name, kind in KINDS.items()}


def to_line(note: Note) -> tuple[str, dict[str, Any]]:
    """The type of a line of a history, and its values, which JSON can hold."""
    return _KIND[type(note.what)], {"step": note.step, **_plain(note.what)}


def from_line(line: Mapping[str, Any]) -> Note:
    """The note that a line holds, its type included.  Raises ValueError for what no watch wrote."""
    values = {name: value for name, value in line.items() if name != "type"}
    kind = KINDS[line["type"]]
    return Note(values["step"], _typed(kind, values, line["type"]))


def gather(
    notes: Iterable[Note],
    *,
    losses: Sequence[float] = (),
    records: Iterable[EpochRecord] = (),
    classes: int | None = None,
    data: DataFacts | None = None,
    finished: bool | None = None,
) -> Evidence:
    """Evidence of all that was written down of a run.  What was noted of a step twice counts as last noted.

    data: facts of the data that are newer than those noted, if there are any.
    """
    setup, order, probes, non_finite, noted = Setup(), None, None, None, None
    looks: dict[int, Look] = {}
    measured: dict[int, Measured] = {}
    for note in notes:
        match note.what:
            case Setup() as what:
                setup = what
            case Order() as what:
                if what.same_each_epoch is None and order is not None:
                    what = replace(what, same_each_epoch=order.same_each_epoch)
                order = what
            case Probes() as what:
                probes = what
            case Look() as what:
                looks[what.step] = what
            case Measured() as what:
                measured[note.step] = what
            case NonFinite() as what:
                non_finite = non_finite or what
            case DataFacts() as what:
                noted = what
    return Evidence(
        losses=tuple(map(float, losses)),
        evaluations=tuple(_evaluation(record, measured.get(record.step)) for record in records),
        classes=classes,
        setup=setup,
        data=data or noted,
        order=order,
        probes=probes,
        looks=tuple(look for _, look in sorted(looks.items())),
        non_finite=non_finite,
        finished=finished,
    )


def _plain(value: Any) -> Any:
    """A dataclass as a dict; `asdict` would copy every number, which takes twice as long."""
    if is_dataclass(value):
        return {name: _plain(inner) for name, inner in vars(value).items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value


def _evaluation(record: EpochRecord, measured: Measured | None) -> Evaluation:
    return Evaluation(
        step=record.step,
        epoch=record.epoch,
        lr=record.lr if math.isfinite(record.lr) else None,
        train_accuracy=record.train_accuracy,
        val_accuracy=record.val_accuracy,
        **(vars(measured) if measured else {}),
    )


def _typed(kind: type, values: Any, where: str) -> Any:
    """A dataclass from plain values, each of which must have its field's type; a field may be missing if it
    has a default, and one that is not known is passed over: a later version may have written it.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{where} must be an object, got {reprlib.repr(values)}")
    hints = typing.get_type_hints(kind)
    given = {
        name: _value(hint, values[name], f"{where}.{name}") for name, hint in hints.items() if name in values
    }
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None


def _value(hint: Any, value: Any, where: str) -> Any:
    options = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        return None if value is None else _value(options[0], value, where)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(options[0], inner, where) for inner in value)
    if is_dataclass(hint):
        return _typed(typing.cast(type, hint), value, where)
    whole = type(value) is int and abs(value) < 2**63
    if hint is float and (whole or type(value) is float):
        return float(value)
    if hint is int and whole and value >= 0:  # counts and steps
        return value
    if hint in (str, bool) and type(value) is hint:
        return value
    raise ValueError(f"{where} cannot be {reprlib.repr(value)}")
