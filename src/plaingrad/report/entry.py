"""A run as one of several: what a comparison needs to know of it, from its folder alone."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from plaingrad import checkpoint
from plaingrad.errors import CheckpointError, PlaingradError
from plaingrad.history import History
from plaingrad.plots.progress import steps_per_epoch
from plaingrad.report.values import flattened, printable, value_text
from plaingrad.report.words import stated
from plaingrad.run_folder import RunFolder

# What is called by another name, lies elsewhere, or is saved more often is no other setting.
_NO_SETTING = ("name", "description", "seed", "data.path", "training.checkpoint_seconds")


@dataclass(frozen=True, eq=False)
class Entry:
    """One run.

    name: as much of its path as tells it from the others.
    recipe: every field by its whole name; {} where the recipe cannot be read.
    facts: versions, machine, and the data's digest; a value that is neither text nor a whole number, as text.
    parameters: how many numbers were learnt; None where nothing tells.
    note: a sentence about a run that has not ended well, "" for others; `readable` says whether there are
        numbers at all.
    """

    path: Path
    name: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)
    parameters: int | None = None
    note: str = ""

    @property
    def readable(self) -> bool:
        """Whether the run has recorded anything that can be read."""
        return bool(self.recipe and self.history.losses)

    @property
    def finished(self) -> bool:
        """Whether it has come to its end."""
        return self.readable and self.history.result is not None

    @property
    def seed(self) -> int:
        """Of weights, order, augmentation and dropout."""
        return self.recipe.get("seed", 0)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What decides how it trains, but for chance: the recipe without the seed, and which samples it sees."""
        digest = {"data.digest": self.data[:8]} if self.data else {}
        return {name: value for name, value in self.recipe.items() if name not in _NO_SETTING} | digest

    @property
    def data(self) -> str:
        """The digest of the data's samples, "" where it is not known."""
        return str(self.facts.get("data_sha256", ""))

    @property
    def validation(self) -> float | None:
        """The best validation accuracy, so far."""
        if self.finished:
            return stated(self.history.result, "best_val_accuracy", most=1)
        told = [own.val_accuracy for own in self.history.records if own.val_accuracy is not None]
        return max(told, default=None)

    @property
    def test(self) -> float | None:
        """The accuracy on the test set, of the best weights."""
        return stated(self.history.result, "test_accuracy", most=1)

    @property
    def loss(self) -> float | None:
        """The mean training loss before the last evaluation; NaN where it was not finite."""
        return self.history.records[-1].loss if self.history.records else None

    @property
    def seconds(self) -> float | None:
        """Time spent on training."""
        told = stated(self.history.result, "seconds")
        return self.history.records[-1].seconds if told is None and self.history.records else told

    @property
    def steps(self) -> int:
        """How many updates were done."""
        return len(self.history.losses)

    @property
    def epochs(self) -> float:
        """How many times it has seen its training samples."""
        return self.steps / self.steps_per_epoch

    @property
    def steps_per_epoch(self) -> float:
        """1 where it is not known."""
        return steps_per_epoch(self.history) or 1.0

    @property
    def samples(self) -> int:
        """How many samples its validation accuracy was measured on; 0 where nothing tells."""
        for line in reversed(self.history.seen):
            predicted = line.get("predicted") if line["type"] == "measured" else None
            if isinstance(predicted, list) and all(map(_is_count, predicted)):
                return sum(predicted)
        told = self.recipe.get("data.validation")
        return told if isinstance(told, int) else 0


def read(path: Path, name: str) -> Entry:
    """The run in a folder; what cannot be read is said in its note.  Raises RunError for a folder that is no run."""
    folder = RunFolder.open(path)
    try:
        if not folder.recipe_file.stat().st_size:
            return Entry(path, name, note="empty: it was ended before it began")
        recipe = flattened(tomllib.loads(folder.recipe().to_toml()))  # every default written out
        facts, history = folder.facts(), folder.history()
        facts = facts if isinstance(facts, dict) else {}
        facts = {
            name: value if isinstance(value, str | int) else value_text(value)
            for name, value in facts.items()
        }
    except (PlaingradError, OSError) as error:
        return Entry(path, name, note=f"cannot be read: {error}")
    made = Entry(path, name, recipe, facts, history)
    return Entry(path, name, recipe, facts, history, _parameters(folder, history), _note(made))


def names_of(paths: Iterable[Path]) -> list[str]:
    """For each path its last part, and as many before it as tell it from the others."""
    parts = [path.resolve().parts for path in paths]
    depths = [1] * len(parts)
    while True:
        names = ["/".join(own[-depth:]) for own, depth in zip(parts, depths, strict=True)]
        often = Counter(names)
        longer = [
            depth + (often[name] > 1 and depth < len(own))
            for own, name, depth in zip(parts, names, depths, strict=True)
        ]
        if longer == depths:
            return [printable(name) for name in names]
        depths = longer


def _note(made: Entry) -> str:
    """What is to be said of a run that has not ended well."""
    if not made.readable:
        return "has recorded nothing yet"
    if made.finished:
        return "" if made.validation is not None or made.test is not None else "was measured on no samples"
    broken = any(line["type"] == "non_finite" for line in made.history.seen)
    if broken or not math.isfinite(made.history.losses[-1]):
        return f"broke off at step {made.steps:,}: the loss was not finite"
    return f"has not ended: {made.steps:,} steps so far"


def _parameters(folder: RunFolder, history: History) -> int | None:
    """How many numbers were learnt: as the watch noted it, or else by the head of the newest checkpoint."""
    for line in history.seen:
        if line["type"] == "setup" and _is_count(line.get("parameters")):
            return line["parameters"]
    try:
        return checkpoint.parameters(checkpoint.found(folder.checkpoints)[-1])
    except (IndexError, OSError, CheckpointError):
        return None


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
