"""A study in plain text: the table of trials that the console shows, and the sentences that sum it up."""

from __future__ import annotations

import json
import shlex
import tomllib
from typing import Any

from plaingrad.report import words
from plaingrad.report.values import NONE, plus_minus, points, printable, short_names, value_text
from plaingrad.search.results import Opening, StudyResult, TrialResult


def columns(result: StudyResult) -> list[str]:
    """The heads of the columns of `rows`; "spread" and "state" only where they would say something."""
    spread, state = _optional(result)
    names = short_names(result.scales)
    heads = ["rank", "trial", "accuracy", *spread, *state, *names.values(), "seconds", "weights"]
    return [printable(head) for head in heads]


def numeric(result: StudyResult) -> list[int]:
    """The numbers of the columns that hold numbers, to be aligned right."""
    spread, state = _optional(result)
    before = 3 + len(spread)
    fields = [before + len(state) + i for i, kind in enumerate(result.scales.values()) if kind != "choice"]
    after = before + len(state) + len(result.scales)
    return [*range(before), *fields, after, after + 1]


def rows(result: StudyResult, most: int = 20) -> list[tuple[str, ...]]:
    """A row of text for each of the first `most` trials, best first."""
    spread, state = _optional(result)
    return [
        (
            str(rank) if own.state == "complete" else "",
            str(own.number),
            percent(own.accuracy),
            *([points(own.spread)] if spread else []),
            *(["" if own.state == "complete" else own.state] if state else []),
            *(printable(value_text(own.settings.get(name))) for name in result.scales),
            f"{own.seconds:.1f}",
            NONE if own.weights is None else f"{own.weights:,}",
        )
        for rank, own in enumerate(result.trials[:most], 1)
    ]


def summary(result: StudyResult) -> str:
    """A few lines: how many trials stand how, how sure the best is, the best setting, the test set."""
    lines = [f"trials     {standing(result)}"]
    best = result.best
    if best is None:
        lines.append("best       none yet: no trial is complete")
    else:
        lines.append(f"best       trial {best.number}: {reached(best)}")
        changes = overrides(best)
        if changes:
            lines.append(f"           {changes}")
        lines.append(f"how sure   {how_sure(result)}")
    lines.append(f"test set   {test_set(result)}")
    return "\n".join(printable(line) for line in lines)


def standing(result: StudyResult) -> str:
    """How many trials there are of each state, such as "5 complete, 2 pruned"."""
    states = ("complete", "pruned", "diverged", "failed", "running", "waiting")
    told = [f"{count} {state}" for state in states if (count := result.count(state))]
    return ", ".join(told) or "none yet"


def reached(trial: TrialResult) -> str:
    """What a complete trial reached on validation, and over how many seeds."""
    seeds = len(trial.accuracies)
    over = f" over {seeds} seeds" if seeds > 1 else ", one seed"
    return f"{plus_minus(trial.accuracies)} validation accuracy{over}"


def how_sure(result: StudyResult) -> str:
    """A sentence: how many settings cannot be told apart from the best.  "" while there is no best."""
    others = result.count("complete") - 1
    if others < 0:
        return ""
    if not others:
        return "There is no other complete trial to compare the best with."
    alike = sum(map(result.as_good, result.trials)) - 1
    which = f"{alike or 'None'} of the {others:,} other complete settings"
    if others == 1:
        which = "The one other complete setting"
    if not alike:
        comes = "does not come" if others == 1 else "comes"
        return f"{which} {comes} within two standard errors of the best."
    they = "it lies" if alike == 1 else "they lie"
    return f"{which} cannot be told from the best: {they} within two standard errors."


def test_set(result: StudyResult) -> str:
    """A sentence or two: how many times the test set was opened, and what it said."""
    count = len(result.openings)
    if not count:
        return "The test set has not been opened."
    last = result.openings[-1]
    no_longer = ""
    if result.best is not None and result.best.number != last.trial:
        no_longer = f" By now trial {result.best.number} is the best, and it has not been tested."
    if count == 1:
        return f"The test set has been opened once, {opening(last)}.{no_longer}"
    return (
        f"The test set has been opened {count} times, last {opening(last)}.{no_longer} "
        "A test set looked at more than once is no longer untouched: "
        "the more often it has a say, the more it flatters."
    )


def opening(own: Opening) -> str:
    """When the test set was opened, for which trial, and what was found."""
    seeds = many(len(own.seeds), "fresh seed")
    if own.failed:
        seeds += f" ({many(len(own.failed), 'more')} failed)"
    return (
        f"on {own.when.replace('T', ' ')[:16]}: trial {own.trial}, retrained with {seeds}, reaches "
        f"{plus_minus(own.test)} on {many(own.samples, 'test sample')} "
        f"({plus_minus(own.validation)} on validation)"
    )


def overrides(trial: TrialResult) -> str:
    """A trial's settings as `--set` options for a shell, every digit kept."""
    return " ".join(f"--set {shlex.quote(f'{name}={_toml(v)}')}" for name, v in trial.settings.items())


def percent(fraction: float | None) -> str:
    """A fraction as per cent with two digits, since settings differ by little; or a dash."""
    return words.percent(fraction, 2)


def _optional(result: StudyResult) -> tuple[list[str], list[str]]:
    spread = ["spread"] if any(own.spread is not None for own in result.trials) else []
    return spread, ["state"] if result.count("complete") < len(result.trials) else []


def many(count: int, thing: str) -> str:
    """A number of things: "1 fresh seed", "2 fresh seeds"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _toml(value: Any) -> str:
    """A value as `--set` takes it: as TOML, or as a bare word where that is read as the same string."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml_inner(v)}" for key, v in value.items()) + "}"
    if not isinstance(value, str):
        return _toml_inner(value)
    try:
        tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        if value == value.strip():
            return value
    return json.dumps(value, ensure_ascii=False)


def _toml_inner(value: Any) -> str:
    if isinstance(value, dict):
        return _toml(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_inner, value))}]"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
