"""Several runs side by side: which settings they stand for, where these differ, and what can be said of the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import hypot, inf
from pathlib import Path
from statistics import mean, stdev

from plaingrad.errors import RunError
from plaingrad.metrics import standard_error
from plaingrad.report.differences import Field, differences, key_of, labels
from plaingrad.report.entry import Entry, names_of, read
from plaingrad.report.words import percent

_SHORT = 40  # characters of values that fit into a sentence
MOST = 300  # runs of one comparison: more than a page could tell apart


@dataclass(frozen=True, eq=False)
class Setting:
    """The runs that differ in their seeds alone.

    number: its place among the settings, 1 for the best.
    values: what tells it from the others, in a few words.
    label: what it is called: the name of its run where each setting has one run, and otherwise its values.
    """

    number: int
    label: str
    values: str
    runs: tuple[Entry, ...]

    @property
    def called(self) -> str:
        """What a sentence calls it: names of runs may be any words, and say less than a few values."""
        if self.label == self.values:
            return self.label
        return f"“{self.label}”" + (f" ({self.values})" if len(self.values) <= _SHORT else "")

    @cached_property
    def counted(self) -> tuple[Entry, ...]:
        """The finished runs with a validation accuracy, one for each seed: the same run twice is no second witness."""
        found = {own.seed: own for own in reversed(self.runs) if own.finished and own.validation is not None}
        return tuple(own for own in self.runs if found.get(own.seed) is own)

    @property
    def data(self) -> str:
        """The digest of their data."""
        return self.runs[0].data

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The best validation accuracy of each seed."""
        return tuple(own.validation for own in self.counted if own.validation is not None)

    @property
    def tests(self) -> tuple[float, ...]:
        """The test accuracy of each seed that has one."""
        return tuple(own.test for own in self.counted if own.test is not None)

    @property
    def accuracy(self) -> float | None:
        """Their mean; None if no run has ended."""
        return mean(self.accuracies) if self.accuracies else None

    @property
    def spread(self) -> float | None:
        """Their standard deviation; None for fewer than two seeds."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def standard_error(self) -> float | None:
        """Of the mean, as in a search; None where neither seeds nor samples tell."""
        return standard_error(self.accuracies, max((own.samples for own in self.counted), default=0))

    @property
    def score(self) -> float:
        """What decides the order: the mean less one standard error."""
        return -inf if self.accuracy is None else self.accuracy - (self.standard_error or 0.0)

    @property
    def told(self) -> str:
        """The mean, its spread, and over how many seeds."""
        reached = percent(self.accuracy, 2)
        if self.spread is None:
            return f"{reached} with one seed"
        seeds = len(self.accuracies)
        return f"{reached} on average over {seeds} seeds (standard deviation {_points(self.spread)})"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs to be compared.

    runs: in the order in which they were named.
    settings: best first, those that saw the same data together; runs that cannot be read belong to none.
    fields: the fields of the recipe in which the settings differ.
    again: the names of runs that were named more than once.
    """

    runs: tuple[Entry, ...]
    settings: tuple[Setting, ...]
    fields: tuple[Field, ...]
    again: tuple[str, ...] = ()

    @cached_property
    def rated(self) -> tuple[Setting, ...]:
        """The settings of which a run has ended with a validation accuracy."""
        return tuple(own for own in self.settings if own.accuracy is not None)

    @property
    def best(self) -> Setting | None:
        """The setting with the highest score; None if no setting has one, or not all were measured on the same data."""
        return self.rated[0] if len({own.data for own in self.rated}) == 1 else None

    @property
    def headline(self) -> str:
        """Which setting is best on validation."""
        best = self.best
        if not self.rated:
            return "These runs do not tell which is best: not one has ended with a validation accuracy."
        if best is None and all(own.data for own in self.rated):
            return "These runs were measured on different data: their accuracies cannot be compared."
        if best is None:
            return "Not all runs say which data they were measured on: their accuracies cannot be compared."
        if len(self.rated) == 1:
            return f"One setting, on validation: {best.told}."
        if self.rated[1].score == best.score:
            return f"{best.called} and {self.rated[1].called} are equal on validation: {best.told}."
        return f"{best.called} is best on validation: {best.told}."

    @property
    def how_sure(self) -> str:
        """By how much it is best, and whether that is more than chance; "" if there is nothing to compare."""
        best, others = self.best, self.rated[1:]
        if best is None:
            return ""
        if not others:
            return "What differs between runs of one setting is chance." if len(best.counted) > 1 else ""
        sentences = [_lead(best, others[0])]
        alike = sum(_alike(best, own) for own in others)
        if len(others) > 1 and best.standard_error is not None:
            if alike in (0, len(others)):
                what = "can be told from it" if alike else "comes that near"
                sentences.append(f"Not one of the {len(others)} other settings {what}.")
            else:
                sentences.append(f"{alike} of the {len(others)} other settings cannot be told from it.")
        if len(others) > 3:
            sentences.append("The best of several is also partly luck.")
        return " ".join(sentences)

    @cached_property
    def cautions(self) -> tuple[str, ...]:
        """What makes the comparison unfair, or a part of it."""
        known = [own for own in self.runs if own.recipe]
        found = []
        data = Counter(own.data for own in known if own.data)
        if len(data) > 1:
            told = ", ".join(f"{count} on {_data(known, digest)}" for digest, count in data.most_common(4))
            more = ", …" if len(data) > 4 else ""
            found.append(
                f"The runs did not see the same samples: {told}{more}. Their accuracies were measured on different "
                "samples, so a difference between them need not come from the settings."
            )
        objectives = ("network.loss", "network.label_smoothing", "network.reg")
        if any(len({key_of(own.recipe.get(name)) for own in known}) > 1 for name in objectives):
            found.append("Their objectives differ, so their training losses are not on one scale.")
        for name, what in (("plaingrad", "versions of plaingrad"), ("numpy", "versions of NumPy")):
            versions = sorted({str(own.facts[name]) for own in known if name in own.facts})
            if len(versions) > 1:
                found.append(f"They were made by different {what}: {', '.join(versions)}.")
        if len({(own.facts.get("platform"), own.facts.get("processors")) for own in known}) > 1:
            found.append(
                "They ran on different machines, or on different numbers of processors: times do not compare."
            )
        for setting in self.settings:
            ended = [own for own in setting.runs if own.finished and own.validation is not None]
            if len(ended) > len(setting.counted):
                again = next(own.name for own in ended if own not in setting.counted)
                found.append(f"{again} has the settings and the seed of another run: the two count as one.")
        if self.again:
            more = ", …" if len(self.again) > 3 else ""
            found.append(f"Named more than once, counted once: {', '.join(self.again[:3])}{more}.")
        return tuple(found)


def compare(runs: Iterable[str | Path]) -> Comparison:
    """Read runs, each a folder, or a study's folder for those of its trials' runs that have ended.

    Raises RunError for a folder that is neither, for too many, and if none of them has recorded anything.
    """
    found: dict[Path, tuple[Path, bool]] = {}  # whether it was named, rather than its study
    again: set[Path] = set()
    for run in map(Path, runs):
        trials = _trials(run)
        for path in [run] if trials is None else trials:
            if path.resolve() in found:
                again.add(found[path.resolve()][0])
            found.setdefault(path.resolve(), (path, trials is None))
    paths = [path for path, _ in found.values()]
    entries = [
        own
        for own, (_, named) in zip(map(read, paths, names_of(paths)), found.values(), strict=True)
        if named or own.finished
    ]
    if len(entries) > MOST:
        raise RunError(f"{len(entries):,} runs are more than one page compares: name at most {MOST}")
    if not any(own.readable for own in entries):
        told = "; ".join(f"{own.path} {own.note}" for own in entries[:3])
        raise RunError(f"there is nothing to compare: {told or 'no trial has ended'}")
    return of(entries, [own.name for own in entries if own.path in again])


def of(entries: Sequence[Entry], again: Iterable[str] = ()) -> Comparison:
    """A comparison of runs that were read, some of them named `again`."""
    groups: dict[str, list[Entry]] = {}
    for own in entries:
        if own.recipe:
            groups.setdefault(key_of(own.settings), []).append(own)
    made = [Setting(0, "", "", tuple(own)) for own in groups.values()]
    best = {
        own.data: own.score for own in sorted(made, key=lambda own: own.score)
    }  # the highest is put in last
    ordered = sorted(made, key=lambda own: (own.accuracy is None, -best[own.data], own.data, -own.score))
    tables = [own.runs[0].settings for own in ordered]
    fields = differences(tables, (len(own.runs) for own in ordered))
    values = labels(tables, fields) if len(made) > 1 else [f"all {len(own.runs)} runs" for own in made]
    alone = all(len(own.runs) == 1 for own in made)
    settings = [
        replace(own, number=i, label=own.runs[0].name if alone else told, values=told)
        for i, (own, told) in enumerate(zip(ordered, values, strict=True), 1)
    ]
    return Comparison(tuple(entries), tuple(settings), fields, tuple(again))


def _trials(path: Path) -> list[Path] | None:
    """The runs of a study's trials; None if the folder is no study."""
    if not (path / "study.toml").is_file():
        return None
    return sorted(own.parent for own in path.glob("trials/*/recipe.toml"))


def _lead(best: Setting, second: Setting) -> str:
    """By how much the best is ahead of the next, and what that is worth."""
    ahead = (best.accuracy or 0.0) - (second.accuracy or 0.0)
    one, other = best.standard_error, second.standard_error
    if one is None or other is None:
        return f"It is {_points(ahead)} ahead of {second.called}: single seeds do not tell whether that is chance."
    if ahead <= 0:
        same = "has the same mean" if ahead == 0 else f"has a mean {_points(-ahead)} higher"
        return f"{second.called} {same}{', and is less certain' if other > one else ''}: {second.told}."
    error = hypot(one, other)
    if ahead <= 2 * error:
        verdict = "chance could explain it"
    elif ahead <= _apart(best, second):
        verdict = "too few seeds to tell whether that is chance"
    elif min(len(best.accuracies), len(second.accuracies)) == 1:
        verdict = "more than so few samples explain, but one seed does not tell what another would give"
    else:
        verdict = "more than chance would explain"
    errors = f", {ahead / error:.1f} standard errors" if ahead < 100 * error else ""
    return f"It is {_points(ahead)} ahead of {second.called}{errors}: {verdict}."


def _alike(best: Setting, own: Setting) -> bool:
    """Whether a setting cannot be told from the best: chance could explain their difference."""
    return (best.accuracy or 0.0) - (own.accuracy or 0.0) <= _apart(best, own)


# By how many standard errors two means differ by chance once in twenty times, by the degrees of freedom; of more: 2.
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)


def _apart(one: Setting, other: Setting) -> float:
    """How far apart two means must lie to tell the settings from each other, by Welch's test.

    Of single seeds only what so many samples leave open is known: two standard errors of that.
    Source: Welch 1947, doi:10.1093/biomet/34.1-2.28.
    """
    sides = [(own.standard_error or 0.0, len(own.accuracies) - 1) for own in (one, other)]
    error = hypot(*(own for own, _ in sides))
    if not error or min(free for _, free in sides) < 1:
        return 2 * error
    freedom = max(1.0, error**4 / sum(own**4 / free for own, free in sides))  # whatever rounding makes of it
    return error * (_STUDENT[int(freedom) - 1] if freedom < len(_STUDENT) + 1 else 2.0)


def _points(fraction: float) -> str:
    return f"{100 * fraction:.2f} points"


def _data(runs: Sequence[Entry], digest: str) -> str:
    """A name of data, and the start of its digest."""
    name = next(own.recipe.get("data.name") for own in runs if own.data == digest)
    return f"{name} ({digest[:8]})"
