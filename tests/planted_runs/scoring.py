"""The score: how often a planted condition is found, and how often a finding is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plaingrad.insight.doctor import CONDITIONS, Finding, diagnose

from .plan import Run
from .records import Record

SURE = 0.5  # from here on a finding counts as said


@dataclass(frozen=True)
class Verdict:
    """What the doctor said of one run: the conditions it was sure of, the surest first."""

    run: Run
    seed: int
    said: tuple[str, ...]
    all_said: tuple[tuple[str, float], ...]

    @property
    def found(self) -> bool:
        """Whether what was planted is among them."""
        return self.run.condition in self.said

    @property
    def named_first(self) -> bool:
        """Whether what was planted came first."""
        return self.said[:1] == (self.run.condition,)

    @property
    def alarm(self) -> bool:
        """Whether a healthy run was accused."""
        return self.run.condition is None and bool(self.said)

    @property
    def wrong(self) -> tuple[str, ...]:
        """What was said and neither is planted nor follows from it."""
        return tuple(c for c in self.said if c != self.run.condition and c not in self.run.also)

    @property
    def line(self) -> str:
        """The verdict in one line."""
        said = ", ".join(f"{condition} {sure:.2f}" for condition, sure in self.all_said) or "nothing"
        return f"{self.run.id} (seed {self.seed}): {said}"


def judged(run: Run, record: Record) -> Verdict:
    """What the doctor says of a record."""
    findings: Sequence[Finding] = diagnose(record.evidence).findings
    sure = tuple(finding.condition for finding in findings if finding.sure >= SURE)
    return Verdict(run, record.seed, sure, tuple((f.condition, f.sure) for f in findings))


@dataclass(frozen=True)
class Row:
    """The score of one condition: over `runs` planted runs how many were found, and named first; of the
    runs, of all kinds, where it was `said`, in how many it was right."""

    condition: str
    runs: int
    found: int
    first: int
    said: int
    right: int

    @property
    def recall(self) -> float | None:
        """The share of its planted runs in which it was found."""
        return self.found / self.runs if self.runs else None

    @property
    def precision(self) -> float | None:
        """The share of the runs where it was said in which it was planted or follows from what was."""
        return self.right / self.said if self.said else None


def rows(verdicts: Sequence[Verdict]) -> list[Row]:
    """The score of every condition that was planted or said."""
    made = []
    for condition in CONDITIONS:
        own = [v for v in verdicts if v.run.condition == condition]
        said = [v for v in verdicts if condition in v.said]
        if own or said:
            right = sum(condition not in v.wrong for v in said)
            first = sum(v.named_first for v in own)
            made.append(Row(condition, len(own), sum(v.found for v in own), first, len(said), right))
    return made


@dataclass(frozen=True)
class Score:
    """All verdicts, and what they come to."""

    verdicts: Sequence[Verdict]

    @property
    def planted(self) -> list[Verdict]:
        """Those of planted runs."""
        return [v for v in self.verdicts if v.run.condition is not None]

    @property
    def healthy(self) -> list[Verdict]:
        """Those of healthy runs."""
        return [v for v in self.verdicts if v.run.condition is None]

    @property
    def summary(self) -> list[str]:
        """Overall recall, and false alarms, as sentences; of what there is."""
        lines = []
        if planted := self.planted:
            found, first = sum(v.found for v in planted), sum(v.named_first for v in planted)
            n, strays = len(planted), sum(bool(v.wrong) for v in planted)
            lines.append(
                f"Found: {found} of {n} planted runs ({found / n:.1%}); named first: {first} ({first / n:.1%})."
            )
            lines.append(f"Something wrong said beside or instead: {strays} of {n} ({strays / n:.1%}).")
        if healthy := self.healthy:
            alarms, n = sum(v.alarm for v in healthy), len(healthy)
            lines.append(f"False alarms: {alarms} of {n} healthy runs ({alarms / n:.1%}).")
        return lines

    @property
    def table(self) -> list[str]:
        """The score by condition, as a Markdown table."""
        lines = [
            "| condition | runs | recall | named first | said | precision |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        lines += [
            f"| `{row.condition}` | {row.runs} | {_percent(row.recall)} | {row.first} | {row.said} "
            f"| {_percent(row.precision)} |"
            for row in rows(self.verdicts)
        ]
        return lines

    @property
    def misses(self) -> list[str]:
        """Planted runs whose trouble was not found, and what was said instead."""
        return [v.line for v in self.planted if not v.found]

    @property
    def strays(self) -> list[str]:
        """Planted runs of which something wrong was said, though the trouble was found."""
        return [f"{v.line}  (wrong: {', '.join(v.wrong)})" for v in self.planted if v.found and v.wrong]

    @property
    def alarms(self) -> list[str]:
        """Healthy runs that were accused, and of what."""
        return [v.line for v in self.healthy if v.alarm]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
