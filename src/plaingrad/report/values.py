"""Settings and measured values as short texts, for tables of runs and of trials."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from plaingrad.report.words import percent

NONE = "–"


def flattened(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Every field of nested tables by its whole name, such as "optimizer.lr"."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            found |= flattened(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Each field's last part, such as "lr" for "optimizer.lr"; the whole name where that would not tell."""
    last = {name: name.rpartition(".")[2] or name for name in names}
    often = Counter({"name": 1})  # "name" alone never tells what it names
    often.update(last.values())
    return {name: short if often[short] == 1 else name for name, short in last.items()}


def value_text(value: Any) -> str:
    """A setting's value as a short text: floats to three digits."""
    if value is None:
        return NONE
    if isinstance(value, float):
        return _short(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def points(fraction: float | None) -> str:
    """A spread in points, such as "± 0.21"; or nothing."""
    return "" if fraction is None else f"± {100 * fraction:.2f}"


def plus_minus(fractions: Sequence[float]) -> str:
    """Their mean, with two digits since settings differ by little, and their spread if there are several."""
    spread = stdev(fractions) if len(fractions) > 1 else None
    return f"{percent(mean(fractions) if fractions else None, 2)} {points(spread)}".strip()


def printable(text: str) -> str:
    """Text of one line, in which nothing steers a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _short(value: float) -> str:
    text = f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    digits, e, power = text.partition("e")
    return f"{digits}e{int(power)}" if e else text
