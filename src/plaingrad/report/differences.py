"""Where recipes differ: field by field, with the values that there are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from plaingrad.report.values import short_names, value_text


class Value(NamedTuple):
    """One value of a field, as JSON and as short text, and how many runs have it."""

    key: str
    text: str
    runs: int


@dataclass(frozen=True)
class Field:
    """A field in which tables differ.

    values: the commonest first.  usual: what most runs have, of equally common values the one met first; None
        where nearly each run has a value of its own.
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


def key_of(value: Any) -> str:
    """A text that is the same for the same value, and reads as JSON."""
    return json.dumps(value, sort_keys=True, default=str)


def _field(name: str, often: Counter[str]) -> Field:
    values = [Value(key, text, often[key]) for key, text in _texts(often).items()]
    values.sort(key=lambda own: -own.runs)
    usual = values[0] if values[0].runs > 1 or len(values) == 2 else None
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
