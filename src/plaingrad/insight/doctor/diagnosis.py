"""A diagnosis: the conditions a run shows, in words, with the evidence."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from plaingrad.insight.doctor.evidence import Evidence

CONDITIONS = (
    "learning_rate_too_low",
    "learning_rate_too_high",
    "vanishing_gradients",
    "exploding_gradients",
    "dead_relus",
    "saturated_units",
    "bad_initial_scale",
    "overfitting",
    "too_little_capacity",
    "too_much_regularization",
    "stopped_too_early",
    "no_shuffling",
    "unnormalized_input",
    "label_noise",
    "misaligned_labels",
    "class_never_predicted",
    "class_imbalance",
    "batch_too_small_for_batchnorm",
    "batchnorm_in_training_mode",
    "dropout_at_evaluation",
    "nll_of_raw_scores",
    "softmax_twice",
    "loss_not_averaged",
    "gradients_not_reset",
    "frozen_layers",
    "test_data_in_training",
    "plateau",
    "non_finite",
)


@dataclass(frozen=True)
class Finding:
    """One condition.

    condition: one of CONDITIONS.  sure: from 0 to 1, how much the evidence leaves to doubt: 1 where it is
    a proof.  what: a sentence.  evidence: sentences with numbers and the steps they come from.  why: why
    this happens.  change: the one change to try.  remedy: the same as recipe fields, such as
    {"optimizer.lr": 0.01}; empty where no setting can make it.
    """

    condition: str
    sure: float
    what: str
    evidence: tuple[str, ...]
    why: str
    change: str
    remedy: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


Examine = Callable[[Evidence], tuple[Finding, ...]]

_FEWEST = 20  # steps that show a course

LIKELY = 0.5  # a finding is at least as sure as this; what is less is a hint

# Which conditions cannot be judged without a part of the evidence, and how that part is had.
_NEEDED: tuple[tuple[Callable[[Evidence], bool], str, str], ...] = (
    (
        lambda e: len(e.losses) < _FEWEST and sum(own.train_loss is not None for own in e.evaluations) < 5,
        "learning_rate_too_low learning_rate_too_high plateau stopped_too_early too_little_capacity",
        f"too few training losses are known: it takes {_FEWEST} steps, or 5 epochs",
    ),
    (
        lambda e: all(own.val_accuracy is None and own.val_loss is None for own in e.evaluations),
        "overfitting",
        "nothing was measured on validation samples",
    ),
    (
        lambda e: (
            all(own.predicted is None for own in e.evaluations) and not any(own.scores for own in e.looks[1:])
        ),
        "class_never_predicted",
        "which classes were predicted is not known",
    ),
    (
        lambda e: (e.setup.reg, e.setup.weight_decay, e.setup.dropout) == (None, None, None),
        "too_much_regularization",
        "how strongly the network was regularised is not known",
    ),
    (
        lambda e: e.setup.batchnorm is None,
        "batch_too_small_for_batchnorm",
        "whether there is batch normalisation is not known: only a Network tells",
    ),
    (
        lambda e: not e.looks,
        "bad_initial_scale exploding_gradients frozen_layers softmax_twice nll_of_raw_scores",
        "the model was not looked at while it trained: train with a Watch, or with plaingrad train",
    ),
    (
        lambda e: not any(look.layers for look in e.looks),
        "vanishing_gradients dead_relus saturated_units",
        "what the layers put out is not known: only a Network, watched, shows it",
    ),
    (
        lambda e: e.probes is None,
        "batchnorm_in_training_mode dropout_at_evaluation loss_not_averaged gradients_not_reset",
        "the model itself was not asked: only a Watch can",
    ),
    (lambda e: e.order is None, "no_shuffling", "the order of the samples is not known"),
    (
        lambda e: e.data is None,
        "unnormalized_input label_noise misaligned_labels class_imbalance test_data_in_training",
        "the data was not at hand",
    ),
    (lambda e: not e.losses and not e.evaluations, "non_finite", "no loss is known"),
    (lambda e: e.finished is False, "stopped_too_early", "the run has not ended"),
)


@dataclass(frozen=True)
class Unjudged:
    """Conditions that could not be judged, and what was wanting."""

    conditions: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a run, as far as its evidence shows.

    findings: what is more likely than not, most important first: causes before what they bring about.
    hints: what is less likely.  unjudged: what could not be judged for want of evidence.  recipe: the recipe
    file of the run, if there is one: what a finding's command changes.  too_little: why the evidence is too
    little to call a run healthy, None where it is enough.  `print(diagnosis)` shows all of it in words.
    """

    findings: tuple[Finding, ...]
    hints: tuple[Finding, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    recipe: str | None = None
    too_little: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing was found; there may be hints."""
        return not self.findings

    @property
    def summary(self) -> str:
        """One sentence: the first finding, or that there is none, among how many conditions."""
        if self.findings:
            more = len(self.findings) - 1
            return self.findings[0].what + (
                f" ({more} more finding{'s' if more > 1 else ''})" if more else ""
            )
        missing = {condition for own in self.unjudged for condition in own.conditions}
        if len(missing) == len(CONDITIONS):
            return "Nothing could be judged: there is no evidence."
        if self.too_little:
            return f"Too little is on record to judge: {self.too_little}."
        return (
            f"Nothing wrong was found: the run shows none of the {len(CONDITIONS) - len(missing)} conditions "
            "that its evidence can show."
        )

    def command(self, finding: Finding) -> str | None:
        """What makes a finding's one change, for a shell; None without a recipe or a remedy."""
        if self.recipe is None or not finding.remedy:
            return None
        changes = " ".join(
            f"--set {shlex.quote(override(name, value))}" for name, value in finding.remedy.items()
        )
        return f"plaingrad train {shlex.quote(self.recipe)} {changes}"

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        findings, hints = (
            [own.to_dict() | {"command": self.command(own)} for own in kind]
            for kind in (self.findings, self.hints)
        )
        return {
            "ok": self.ok,
            "summary": self.summary,
            "findings": findings,
            "hints": hints,
            "unjudged": [asdict(own) for own in self.unjudged],
        }

    def __str__(self) -> str:
        parts = [self._words(number, own) for number, own in enumerate(self.findings, 1)] or [self.summary]
        if self.hints:
            parts.append("\n".join(["Hints, less likely than not:", *(_hint(own) for own in self.hints)]))
        if self.unjudged:
            lines = [_wrapped("", f"{_list(own.conditions)}: {own.why}", "  ") for own in self.unjudged]
            parts.append("\n".join(["Not judged:", *lines]))
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        found = ", ".join(f"{own.condition} ({own.sure:.0%})" for own in self.findings)
        none = "too little is on record" if self.too_little else "nothing wrong was found"
        return f"<Diagnosis: {found or none}>"

    def _words(self, number: int, finding: Finding) -> str:
        head = f"{number}. {finding.condition.replace('_', ' ')}: {certainty(finding.sure)}"
        lines = [head, _wrapped("", finding.what)]
        lines += [_wrapped("- ", own) for own in finding.evidence]
        lines += [_wrapped("why: ", finding.why), _wrapped("try: ", finding.change)]
        if command := self.command(finding):
            lines.append(f"   {command}")  # not wrapped: it is there to be copied
        return "\n".join(lines)


def diagnose(evidence: Evidence, *, examine: Examine | None = None, recipe: str | None = None) -> Diagnosis:
    """What is wrong with a run, by all rules (or by `examine`), which also order what they find.

    >>> watch = Watch()
    >>> Solver(model, data, callbacks=[watch]).train()
    >>> print(diagnose(watch.evidence()))
    """
    if examine is None:
        from plaingrad.insight.doctor.rules import examine
    with np.errstate(all="ignore"):  # what is not finite, or too large to square, is a fact
        found = examine(evidence)
    shown = {own.condition for own in found}
    unjudged = []
    for lacks, names, why in _NEEDED:
        if lacks(evidence) and (open_ := tuple(name for name in names.split() if name not in shown)):
            unjudged.append(Unjudged(open_, why))
    sure = tuple(own for own in found if own.sure >= LIKELY)
    hints = tuple(own for own in found if own.sure < LIKELY)
    return Diagnosis(sure, hints, tuple(unjudged), recipe, _too_little(evidence))


def certainty(sure: float) -> str:
    """How sure, in words and as a number."""
    words = (
        (0.995, "proved"),
        (0.9, "nearly certain"),
        (0.75, "very likely"),
        (0.5, "likely"),
        (0.0, "possible"),
    )
    return f"{next(word for least, word in words if sure >= least)} ({100 * sure:.0f} %)"


def override(name: str, value: Any) -> str:
    """A recipe field and its value, as `--set` takes them."""
    written = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{name}={written}"


def _too_little(evidence: Evidence) -> str | None:
    """What there is of a run, if that is too little to show a course."""
    steps = len(evidence.losses)
    if steps >= _FEWEST or evidence.evaluations:
        return None
    return f"{steps or 'no'} step{'' if steps == 1 else 's'} and no evaluation"


def _hint(finding: Finding) -> str:
    return _wrapped(
        "- ", f"{finding.condition.replace('_', ' ')}: {certainty(finding.sure)}. {finding.what}", "  "
    )


def _list(conditions: tuple[str, ...]) -> str:
    return ", ".join(name.replace("_", " ") for name in conditions)


def _wrapped(mark: str, text: str, margin: str = "   ") -> str:
    return textwrap.fill(
        text,
        100,
        initial_indent=margin + mark,
        subsequent_indent=margin + " " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )
