"""What a run folder tells, as far as it can be read: a page is made of a broken run too, and says what is missing."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from plaingrad.errors import DataError, PlaingradError
from plaingrad.findings import diagnosed, recorded_evidence
from plaingrad.history import History
from plaingrad.insight.doctor import Diagnosis, Evidence
from plaingrad.network import Network
from plaingrad.predictions import Predictions
from plaingrad.report.words import stated
from plaingrad.run_folder import RunFolder
from plaingrad.settings import Recipe

T = TypeVar("T")


@dataclass
class Contents:
    """What there is; None or empty where there is nothing, with a sentence in `problems` if there should be.

    network: with its best weights; untrained: the same network before the first step.
    """

    folder: RunFolder
    recipe_text: str = ""
    recipe: Recipe | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)
    evidence: Evidence = field(default_factory=Evidence)
    diagnosis: Diagnosis | None = None
    predictions: dict[str, Predictions] = field(default_factory=dict)
    network: Network | None = None
    untrained: Network | None = None
    classes: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)

    @property
    def held_out(self) -> Predictions | None:
        """What the network says of the test set, or else of the validation set."""
        return self.predictions.get("test") or self.predictions.get("validation")

    @property
    def samples(self) -> dict[str, int]:
        """How many samples the test and the validation set have, where that is known."""
        known = {part: len(own.labels) for part, own in self.predictions.items()}
        data = self.evidence.data
        return ({"test": data.test, "validation": data.validation} if data else {}) | known


def read(folder: RunFolder) -> Contents:
    """All that can be read of a run; what cannot be is said in `problems`, in the order in which it is met."""
    made = Contents(folder)
    made.recipe_text = folder.recipe_file.read_bytes().decode("utf-8", "replace")
    made.recipe = _tried(made, folder.recipe)
    facts = _tried(made, folder.facts)
    made.facts = facts if isinstance(facts, dict) else {}
    made.history = _tried(made, lambda: folder.history(made.problems.append)) or History()
    if broken := _not_finite(made.history):
        made.problems.append(broken)
    made.predictions = _tried(made, folder.predictions) or {}
    if made.recipe is not None and (folder.checkpoints.is_dir() or made.history.records):
        _load(made)
    made.evidence = recorded_evidence(folder, made.history, made.problems.append)
    made.diagnosis = _tried(made, lambda: _judged(made))
    _doubt(made)
    return made


def _judged(made: Contents) -> Diagnosis:
    """What the doctor says.  Its rules know runs, not what anybody may write into a file: they may cost the
    findings, but never the page.
    """
    try:
        return diagnosed(made.folder, made.evidence)
    except PlaingradError:
        raise
    except Exception as error:
        raise DataError(
            f"The doctor could not judge this run: {type(error).__name__}: {str(error)[:200]}."
        ) from error


def _doubt(made: Contents) -> None:
    """Say what an older version did not note, and what belongs to another state of the network."""
    file, history = made.folder.predictions_file, made.history
    others = {own.classes for own in made.predictions.values()} - {made.classes}
    if made.network is not None and others:
        made.problems.append(f"{file} is of a network with other classes, so it is left out.")
        made.predictions = {}
    step = min((own.step for own in made.predictions.values() if own.step is not None), default=None)
    if step is not None and step != len(history.losses):
        since = "it has learnt since" if step < len(history.losses) else "the history ends before"
        made.problems.append(f"What it says of single samples is from step {step:,}: {since}.")
    if history.result is None:
        return
    if not file.exists() and stated(history.result, "test_accuracy") is not None:
        made.problems.append(
            "What the network says of single samples was not kept (older versions kept none); to have it made: "
            f"plaingrad report {shlex.quote(str(made.folder.path))} --data-dir DATA"
        )
    if not history.laps:
        made.problems.append("Where the time went was not noted (older versions noted nothing of it).")


def _load(made: Contents) -> None:
    loaded = _tried(made, lambda: made.folder.load(made.problems.append))
    if loaded is None or made.recipe is None:
        return
    made.network, _, made.classes = loaded
    made.untrained = made.recipe.build(made.network.input_shape, len(made.classes))
    if not all(np.isfinite(own).all() for own in made.network.params.values()):
        made.problems.append("The weights of the checkpoint are not finite.")


def _not_finite(history: History) -> str | None:
    """A sentence about losses that are no numbers, which no curve can show."""
    losses = np.asarray(history.losses, dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(losses))
    if not len(wrong):
        return None
    first = f"step {wrong[0] + 1:,}"
    return f"Of {len(losses):,} recorded losses {len(wrong):,} are not finite, the first at {first}."


def _tried(made: Contents, read: Callable[[], T]) -> T | None:
    """What `read` gives; None, and a sentence, where it cannot be read."""
    try:
        return read()
    except PlaingradError as error:
        sentence = str(error)
        if sentence not in made.problems:
            made.problems.append(sentence)
        return None
