"""What a search has found: its trials, best first, and how sure their order is."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Literal

from plaingrad.metrics import standard_error

# How a trial stands.  "diverged": its loss or weights stopped being finite.  "failed": anything else that ended
# it, such as a setting that no network can have.
State = Literal["complete", "pruned", "diverged", "failed", "running", "waiting"]


@dataclass(frozen=True)
class TrialResult:
    """One setting, and what came of it.

    settings: the value of each field of the space, in the space's order.
    accuracies: the best validation accuracy (a fraction) of each seed whose run has ended; those of a pruned
        trial are of the one run that was stopped.
    curve: (evaluation, validation accuracy) of the first seed, the first evaluation being 1, about an epoch each.
    samples: how many validation samples the accuracies were measured on.
    seconds: time spent on its runs; `weights` counts the network's parameters, None where no run has told.
    runs: the folders of its runs, relative to the study's.
    failure: the sentence of what ended a diverged or failed trial; `diagnosis`: what the doctor says of it.
    """

    number: int
    state: State
    settings: dict[str, Any]
    accuracies: tuple[float, ...] = ()
    curve: tuple[tuple[int, float], ...] = ()
    samples: int = 0
    seconds: float = 0.0
    weights: int | None = None
    runs: tuple[str, ...] = ()
    failure: str | None = None
    diagnosis: str | None = None

    @classmethod
    def of(
        cls, number: int, state: State, settings: dict[str, Any], outcome: Mapping[str, Any]
    ) -> TrialResult:
        """A trial, and its other fields as plain values."""
        told: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in outcome.items()}
        return cls(number, state, settings, **told)

    @property
    def accuracy(self) -> float | None:
        """The mean over the seeds; None before the first has ended."""
        return mean(self.accuracies) if self.accuracies else None

    @property
    def spread(self) -> float | None:
        """The standard deviation over the seeds; None for fewer than two."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def standard_error(self) -> float | None:
        """Of the mean: from the spread over the seeds, and no less than so many samples leave open."""
        return standard_error(self.accuracies, self.samples)

    @property
    def score(self) -> float | None:
        """What decides the order: the mean less one standard error.

        So of two settings with equal means the steadier one wins, and a single lucky run does not.
        """
        return None if self.accuracy is None else self.accuracy - (self.standard_error or 0.0)

    @property
    def line(self) -> str:
        """What came of it, in a line."""
        setting = ", ".join(f"{name} {_short(value)}" for name, value in self.settings.items())
        spread = "" if self.spread is None else f" ± {self.spread:.4f}"
        accuracy = "" if self.accuracy is None else f"  val {self.accuracy:.4f}{spread}"
        state = "" if self.state == "complete" else f"  {self.state}"
        why = f": {self.failure}" if self.failure else ""
        return f"trial {self.number}{accuracy}{state}  {self.seconds:.1f} s  {setting}{why}"

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "number": self.number,
            "state": self.state,
            "settings": self.settings,
            "accuracy": self.accuracy,
            "spread": self.spread,
            "accuracies": list(self.accuracies),
            "seconds": round(self.seconds, 3),
            "weights": self.weights,
            "runs": list(self.runs),
            "failure": self.failure,
            "diagnosis": self.diagnosis,
        }


@dataclass(frozen=True)
class Opening:
    """One opening of the test set: the best setting, retrained with fresh seeds and then tested.

    failed: the seeds with which it could not be trained to its end, and so not be tested.
    test, validation: the accuracy with each of the `seeds`; `samples` is the size of the test set; `when` is a
        date and time in ISO form.
    """

    trial: int
    seeds: tuple[int, ...]
    validation: tuple[float, ...]
    test: tuple[float, ...]
    samples: int
    when: str
    runs: tuple[str, ...] = ()
    failed: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain values, which `from_dict` takes."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in vars(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Opening:
        """What `to_dict` gave."""
        told: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**told)


@dataclass(frozen=True)
class StudyResult:
    """What a search has found so far.

    trials: complete ones first, best first; then pruned, diverged, failed, and those yet to come.
    scales: for each field of the space "linear", "log" or "choice".
    importance: what share of the difference between good and other settings each field explains; empty while
        there are too few trials.
    openings: every opening of the test set, oldest first.
    seconds: how long the search has gone on, all sittings together, without the retraining of the best.
    """

    name: str
    path: Path
    recipe: str
    method: str
    prune: str
    seeds: int
    scales: dict[str, Literal["linear", "log", "choice"]]
    trials: tuple[TrialResult, ...]
    importance: dict[str, float] = field(default_factory=dict)
    openings: tuple[Opening, ...] = ()
    seconds: float = 0.0

    @property
    def best(self) -> TrialResult | None:
        """The complete trial with the highest score; None while there is none."""
        return self.trials[0] if self.trials and self.trials[0].state == "complete" else None

    def as_good(self, trial: TrialResult) -> bool:
        """Whether a complete trial cannot be told from the best: their means lie within two standard errors."""
        best = self.best
        if best is None or trial.state != "complete":
            return False
        if trial is best:
            return True
        one, other = best.standard_error, trial.standard_error
        difference = (best.accuracy or 0.0) - (trial.accuracy or 0.0)
        return difference <= 2 * math.hypot(one or 0.0, other or 0.0)

    def count(self, *states: State) -> int:
        """How many trials stand so."""
        return sum(trial.state in states for trial in self.trials)

    def to_csv(self) -> str:
        """A line for each trial, in order: what `results.csv` holds."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = ["rank", "trial", "state", "accuracy", "spread", *(f"seed {i}" for i in range(self.seeds))]
        names += ["seconds", "weights", *self.scales, "failure", "diagnosis"]
        writer.writerow(names)
        for rank, own in enumerate(self.trials, 1):
            writer.writerow(
                [
                    rank if own.state == "complete" else "",
                    own.number,
                    own.state,
                    _number(own.accuracy),
                    _number(own.spread),
                    *(_number(a) for a in own.accuracies[: self.seeds]),
                    *[""] * (self.seeds - len(own.accuracies)),
                    f"{own.seconds:.3f}",
                    "" if own.weights is None else own.weights,
                    *(_plain(own.settings.get(name, "")) for name in self.scales),
                    own.failure or "",
                    own.diagnosis or "",
                ]
            )
        return text.getvalue()

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "study": str(self.path),
            "recipe": self.recipe,
            "method": self.method,
            "prune": self.prune,
            "seeds": self.seeds,
            "seconds": round(self.seconds, 3),
            "best": self.best.to_dict() if self.best else None,
            "trials": [trial.to_dict() for trial in self.trials],
            "importance": self.importance,
            "test_set_openings": [opening.to_dict() for opening in self.openings],
        }


_ORDER: tuple[State, ...] = ("complete", "pruned", "diverged", "failed", "running", "waiting")


def ranked(trials: list[TrialResult]) -> tuple[TrialResult, ...]:
    """Complete trials first, best first; then the others by state, pruned ones by how far they got."""

    def key(own: TrialResult) -> tuple[Any, ...]:
        if own.state == "complete":
            return 0, -(own.score or 0.0), own.number
        return (
            _ORDER.index(own.state),
            -len(own.curve),
            -max((a for _, a in own.curve), default=0.0),
            own.number,
        )

    return tuple(sorted(trials, key=key))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | tuple | dict | bool) else value
