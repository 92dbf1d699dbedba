"""Where recipes differ: field by field, with the values that there are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from plaingrad.report.values import short_names, value_text

_MANY = 3  # runs that make a value a usual one
_FEW = 3  # fields that a label names
_NOTHING = "null"  # the key of a field that a table does not have


class Value(NamedTuple):
    """One value of a field, as JSON and as short text, and how many runs have it."""

    key: str
    text: str
    runs: int


@dataclass(frozen=True)
class Field:
    """A field in which tables differ.

    values: the commonest first.  usual: what more than half of the runs have, if those are three or more; else None.
    """

    name: str
    short: str
    values: tuple[Value, ...]
    usual: Value | None

    def of(self, table: Mapping[str, Any]) -> Value:
        """The value of a table."""
        key = key_of(table.get(self.name))
        return next(own for own in self.values if own.key == key)


def differences(tables: Iterable[Mapping[str, Any]], runs: Iterable[int] | None = None) -> tuple[Field, ...]:
    """The fields in which tables differ, those that others depend on first; `runs`: how many a table stands for."""
    tables = list(tables)
    names = dict.fromkeys(name for table in tables for name in table)
    counted = list(zip(tables, runs or [1] * len(tables), strict=True))
    made = []
    for name in sorted(names, key=lambda name: not name.endswith(".name")):
        often: Counter[str] = Counter()
        for table, count in counted:
            often[key_of(table.get(name))] += count
        if len(often) > 1:
            made.append(_field(name, often))
    shorts = short_names(own.name for own in made)
    return tuple(replace(own, short=shorts[own.name]) for own in made)


def labels(tables: Iterable[Mapping[str, Any]], fields: Sequence[Field]) -> list[str]:
    """What tells each of the tables from the others, in a few words where these are enough."""
    tables = list(tables)
    made = [_label(own, fields) for own in tables]
    often = Counter(made)
    return [
        text if often[text] == 1 else ", ".join(_named(field, field.of(own)) for field in fields)
        for text, own in zip(made, tables, strict=True)
    ]


def _label(table: Mapping[str, Any], fields: Sequence[Field]) -> str:
    """The values of a table; of many fields those that are not usual, if there are any."""
    told = [(field, field.of(table)) for field in fields]
    if len(fields) > _FEW:
        unusual = [
            (field, value) for field, value in told if value is not field.usual and value.key != _NOTHING
        ]
        network = any(field.name == "network.name" for field, _ in unusual)  # which decides what else it has
        told = [
            (field, value)
            for field, value in unusual
            if not (network and field.name.startswith("network.") and field.name != "network.name")
        ] or told
    parts = [_named(field, value) for field, value in told]
    return ", ".join([*parts[:_FEW], "…"] if len(parts) > _FEW else parts)


def _named(field: Field, value: Value) -> str:
    """A value with its field, but for what is a name anyway: "lr 0.1", "adamw"."""
    return (
        value.text
        if field.name.endswith(".name") and value.key != _NOTHING
        else f"{field.short} {value.text}"
    )


def key_of(value: Any) -> str:
    """A text that is the same for the same value, and reads as JSON."""
    return json.dumps(value, sort_keys=True, default=str)


def _field(name: str, often: Counter[str]) -> Field:
    values = [Value(key, text, often[key]) for key, text in _texts(often).items()]
    values.sort(key=lambda own: -own.runs)
    usual = values[0] if values[0].runs >= _MANY and 2 * values[0].runs > often.total() else None
    return Field(name, name, tuple(values), usual)


def _texts(keys: Iterable[str]) -> dict[str, str]:
    """Each value as text; with more digits, or all of them, where rounding would make two values one."""
    values = {key: json.loads(key) for key in keys}
    texts = {key: value_text(value) for key, value in values.items()}
    for more in (
        lambda key: f"{values[key]:.6g}" if isinstance(values[key], float) else key,
        lambda key: key,
    ):
        alike = Counter(texts.values())
        texts = {key: more(key) if alike[text] > 1 else text for key, text in texts.items()}
    return texts
