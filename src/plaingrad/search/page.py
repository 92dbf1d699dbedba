"""The page of a study: what `study.html` says, made from what the search has found."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote

from matplotlib.colors import to_hex

from plaingrad.checkpoint import write_whole
from plaingrad.report.drawing import Drawing, drawing
from plaingrad.report.page import filled
from plaingrad.report.strip import Strip
from plaingrad.report.values import plus_minus, points, printable, value_text
from plaingrad.report.words import duration
from plaingrad.search import pictures, table
from plaingrad.search.results import Opening, StudyResult, TrialResult
from plaingrad.search.scales import FEW, Range


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
    return filled("search/study.html", gather(result))


def gather(result: StudyResult) -> dict[str, Any]:
    """What the page shows."""
    best = result.best
    range_ = Range.of(
        *([own for own in result.trials if own.state == state] for state in ("complete", "pruned"))
    )
    return {
        "result": result,
        "best": best,
        "command": best and _command(result, best),
        "standing": table.standing(result),
        "how_sure": table.how_sure(result),
        "tested": _tested(result),
        "many": table.many,
        "alike": sum(map(result.as_good, result.trials)),
        "test_set": table.test_set(result),
        "pairs": _numbers(result),
        "setting": [(name, value_text(value)) for name, value in best.settings.items()] if best else [],
        "openings": [table.opening(own) for own in result.openings],
        "fields": [name.rpartition(".")[::2] for name in result.scales],
        "words": [not _numeric(result, name) for name in result.scales],
        "rows": [_row(result, own, rank) for rank, own in enumerate(result.trials, 1)],
        "told": any(own.failure or own.diagnosis for own in result.trials),
        "pruned": result.count("pruned"),
        "few": result.count("complete") <= FEW,
        "unseen": sum(own.state == "diverged" and not own.curve for own in result.trials),
        "drawn": pictures.MOST,
        "pictures": _pictures(result),
        "importance": sorted(result.importance.items(), key=lambda item: -item[1]),
        "strip": _strip(result),
        "shade": lambda trial: to_hex(range_.color(trial)),
        "plus_minus": plus_minus,
    }


def _numbers(result: StudyResult) -> list[tuple[str, str]]:
    """The large numbers under the headline: each with what it is."""
    best, count = result.best, len(result.trials)
    pairs = []
    if result.openings:
        last = result.openings[-1]
        pairs.append((plus_minus(last.test), f"test accuracy of trial {last.trial}, retrained"))
    pairs.append((f"{table.percent(best.accuracy)} {points(best.spread)}".strip() if best else "none yet",
                  f"best validation accuracy, trial {best.number}" if best else "no trial is complete"))  # fmt: skip
    pairs.append((f"{count:,}", f"{'trial' if count == 1 else 'trials'}: {table.standing(result)}"))
    pairs.append((duration(result.seconds), "time, all sittings together"))
    return pairs


def _tested(result: StudyResult) -> Opening | None:
    """The opening of the test set for what is the best trial now, if that is the last one."""
    last = result.openings[-1] if result.openings else None
    return last if last and last.test and result.best and last.trial == result.best.number else None


def _numeric(result: StudyResult, name: str) -> bool:
    """Whether all values of a field are numbers, whose column is aligned as such."""
    values = [own.settings.get(name) for own in result.trials]
    return all(
        isinstance(own, int | float) and not isinstance(own, bool) for own in values if own is not None
    )


def _strip(result: StudyResult) -> Strip | None:
    """The common scale of the seeds' accuracies, where there are several; wide enough for the better trials."""
    complete = [own for own in result.trials if own.state == "complete"]
    if result.seeds < 2 or not complete:
        return None
    return Strip.of(a for own in complete[: max(len(complete) // 3, 8)] for a in own.accuracies)


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
        "spread": points(trial.spread),
        "as_good": result.as_good(trial),
        "place": rank,
        "values": [_value(trial.settings.get(name)) for name in result.scales],
    }


def _value(value: Any) -> tuple[str, str]:
    """A setting's value as text, and what the table sorts it by: a number's every digit."""
    text = value_text(value)
    return text, repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else text


def _pictures(result: StudyResult) -> dict[str, Drawing]:
    """The pictures that there is something to draw in."""
    made = {}
    best = (
        f"The best reaches {table.percent(result.best.accuracy)}." if result.best else "None is complete yet."
    )
    measured = any(own.accuracy is not None for own in result.trials if own.state in ("complete", "pruned"))
    if measured and result.scales:
        fields = ", ".join(map(printable, result.scales))
        made["parallel"] = drawing(
            pictures.parallel(result), "parallel", "Parallel coordinates",
            f"A line for each trial through its value of each field ({fields}) to its validation accuracy. {best}",
        )  # fmt: skip
        made["against"] = drawing(
            pictures.against(result), "against", "Each field by itself",
            f"Validation accuracy against the value of each field: {fields}. {best}",
        )  # fmt: skip
    if any(own.curve for own in result.trials):
        made["curves"] = drawing(
            pictures.curves(result), "curves", "Learning curves",
            f"Validation accuracy of each trial against the number of the evaluation. {best}",
        )  # fmt: skip
    return made
