"""The page of a study: what `study.html` says, made from what the search has found."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote

from plaingrad.checkpoint import write_whole
from plaingrad.report.page import data_url, filled
from plaingrad.search import pictures, table
from plaingrad.search.results import StudyResult, TrialResult
from plaingrad.search.scales import FEW


def write_page(result: StudyResult) -> Path:
    """Write `study.html` into the study's folder, whole or not at all, and return its path.

    Raises OSError if the folder takes no file.
    """
    path = result.path / "study.html"
    # A name need not be text: what is not is escaped.
    write_whole(path, render(result).encode("utf-8", "backslashreplace"))
    return path


def render(result: StudyResult) -> str:
    """The page as text: one file that needs no other, nothing in it taken as HTML that came from outside."""
    return filled("plaingrad.search", gather(result))


def gather(result: StudyResult) -> dict[str, Any]:
    """What the page shows."""
    best = result.best
    return {
        "result": result,
        "best": best,
        "command": best and _command(result, best),
        "standing": table.standing(result),
        "how_sure": table.how_sure(result),
        "alike": sum(map(result.as_good, result.trials)),
        "test_set": table.test_set(result),
        "openings": [table.opening(own) for own in result.openings],
        "tested": result.openings[-1] if result.openings else None,
        "fields": [name.rpartition(".")[::2] for name in result.scales],
        "choices": [kind == "choice" for kind in result.scales.values()],
        "rows": [_row(result, own, rank) for rank, own in enumerate(result.trials, 1)],
        "told": any(own.failure or own.diagnosis for own in result.trials),
        "pruned": result.count("pruned"),
        "few": result.count("complete") <= FEW,
        "unseen": sum(own.state == "diverged" and not own.curve for own in result.trials),
        "drawn": pictures.MOST,
        "pictures": {name: data_url(svg, "svg+xml") for name, svg in _pictures(result).items()},
        "percent": table.percent,
        "plus_minus": table.plus_minus,
        "duration": table.duration,
    }


def _command(result: StudyResult, best: TrialResult) -> str:
    """What trains the best setting once more, [fixed] fields and all, for a shell."""
    if not best.runs:  # that the storage tells of
        return f"plaingrad train {shlex.quote(result.recipe)} {table.overrides(best)}".strip()
    return f"plaingrad train {shlex.quote(str(result.path / best.runs[0] / 'recipe.toml'))}"


def _row(result: StudyResult, trial: TrialResult, rank: int) -> dict[str, Any]:
    """A trial's line of the table."""
    return {
        "trial": trial,
        "rank": rank if trial.state == "complete" else "",
        # "./": whatever the folder is called, the link stays within the study.
        "link": f"./{quote(trial.runs[0], errors='backslashreplace')}" if trial.runs else None,
        "spread": table.points(trial.spread),
        "as_good": result.as_good(trial),
        "values": [table.value_text(trial.settings.get(name)) for name in result.scales],
    }


def _pictures(result: StudyResult) -> dict[str, bytes]:
    """The pictures that there is something to draw in."""
    made = {}
    measured = any(own.accuracy is not None for own in result.trials if own.state in ("complete", "pruned"))
    if measured and result.scales:
        made["parallel"] = pictures.parallel(result)
        made["against"] = pictures.against(result)
    if result.importance:
        made["importance"] = pictures.importance(result)
    if any(own.curve for own in result.trials):
        made["curves"] = pictures.curves(result)
    return made
