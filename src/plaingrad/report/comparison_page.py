"""The page of several runs: what `comparison.html` says, made from their folders alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import quote

from plaingrad.checkpoint import write_whole
from plaingrad.errors import RunError
from plaingrad.report import comparison_pictures as pictures
from plaingrad.report.comparison import Comparison, Setting, compare
from plaingrad.report.differences import Field, differences
from plaingrad.report.drawing import Drawing, drawing
from plaingrad.report.entry import Entry
from plaingrad.report.page import filled
from plaingrad.report.strip import Strip
from plaingrad.report.values import plus_minus
from plaingrad.report.words import counted, percent

_ACROSS = 6  # settings side by side in the table of differences
_FEW = 5  # values of all others that are listed there


def write_comparison(runs: Iterable[str | Path], out: str | Path | None = None) -> Path:
    """Write the comparison's page, whole or not at all: `out`, or comparison.html beside the first run.

    Raises RunError for a folder that is no run, and if nothing can be compared; OSError if the page cannot be
    written.
    """
    named = [Path(run) for run in runs]
    if not named:
        raise RunError("there is nothing to compare: name run folders")
    made = compare(named)
    first = named[0] if named[0].name not in ("", "..") else named[0].resolve()
    path = Path(out) if out is not None else first.parent / "comparison.html"
    write_whole(path, render(made, path.parent).encode("utf-8", "backslashreplace"))
    return path


def render(comparison: Comparison, home: Path = Path()) -> str:
    """The page as text: one file that needs no other, whose links to the runs hold as seen from `home`."""
    return filled("report/comparison.html", gather(comparison, home))


def gather(comparison: Comparison, home: Path) -> dict[str, Any]:
    """What the page shows."""
    number_of = {id(run): own for own in comparison.settings for run in own.runs}
    known = [own for own in comparison.runs if own.recipe]
    return {
        "comparison": comparison,
        "kind": f"A comparison of {counted(len(comparison.runs), 'runs')}",
        "name": _name(comparison),
        "pairs": _numbers(comparison),
        "rows": [
            {"run": own, "setting": number_of.get(id(own)), "link": _link(own, home)}
            for own in sorted(comparison.runs, key=lambda own: _order(own, number_of))
        ],
        "alone": all(len(own.runs) == 1 for own in comparison.settings),
        "several": any(own.spread is not None for own in comparison.settings),
        "marked": any(field.usual for field in comparison.fields),
        "tested": any(own.test is not None for own in comparison.runs),
        "facts": differences(
            {name: value for name, value in own.facts.items() if name != "data_sha256"} for own in known
        ),
        "pictures": {name: made for name, made in _pictures(comparison).items() if made is not None},
        "strip": Strip.of(value for own in comparison.settings for value in (*own.accuracies, *own.tests)),
        "color_of": pictures.color_of,
        "matrix": [_across(comparison, field) for field in comparison.fields],
        "shown": comparison.settings[:_ACROSS],
        "plus_minus": plus_minus,
    }


def _name(comparison: Comparison) -> str:
    names = [own.name for own in comparison.runs]
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _numbers(comparison: Comparison) -> list[tuple[str, str]]:
    """The large numbers under the headline: each with what it is."""
    runs, best = comparison.runs, comparison.best
    pairs = [(f"{len(runs)}", "run" if len(runs) == 1 else "runs")]
    if sum(own.finished for own in runs) < len(runs):
        pairs.append((f"{sum(own.finished for own in runs)}", "of them ended"))
    pairs.append((f"{len(comparison.settings)}", "setting" if len(comparison.settings) == 1 else "settings"))
    if best is not None:
        spread = ", ± standard deviation" if best.spread is not None else ""
        pairs.append((plus_minus(best.accuracies), f"best validation accuracy{spread}"))
        if best.tests:
            pairs.append((plus_minus(best.tests), "test accuracy of that setting"))
    return pairs


def _order(run: Entry, settings: Mapping[int, Setting]) -> tuple[float, float]:
    """By which the table of runs is sorted: setting by setting, best first; what cannot be read comes last."""
    setting = settings.get(id(run))
    reached = run.validation if run.readable else None
    return setting.number if setting and run.readable else inf, inf if reached is None else -reached


def _across(comparison: Comparison, field: Field) -> dict[str, Any]:
    """A field's line of the table of differences: its value in each of the best settings, and in all others."""
    values = [field.of(own.runs[0].settings) for own in comparison.settings]
    others = list(dict.fromkeys(value.text for value in values[_ACROSS:]))
    return {
        "field": field,
        "cells": [(value.text, field.usual not in (None, value)) for value in values[:_ACROSS]],
        "others": "; ".join(others[:_FEW]) + ("; …" if len(others) > _FEW else ""),
    }


def _link(run: Entry, home: Path) -> str:
    """The run's report, or its folder, as seen from the page."""
    target = run.path / "report.html"
    path = os.path.relpath(target if target.is_file() else run.path, home)
    # "./": whatever the folder is called, the link is one to a file.
    return f"./{quote(Path(path).as_posix(), errors='backslashreplace')}"


def _pictures(comparison: Comparison) -> dict[str, Drawing | None]:
    runs, best = comparison.runs, comparison.best
    return {
        "accuracy": drawing(
            pictures.accuracy(comparison), "accuracy", "Validation accuracy over the epochs",
            f"The best setting reaches {percent(best.accuracy)}." if best else "No run has ended.",
        ) if any(own.validation is not None for own in runs) else None,
        "loss": drawing(
            pictures.loss(comparison), "loss", "Training loss over the epochs",
            "The running mean over a sixtieth of each run's steps.",
        ),
    }  # fmt: skip
