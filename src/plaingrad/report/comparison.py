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
from plaingrad.report.differences import Field, differences, key_of
from plaingrad.report.entry import Entry, names_of, read
from plaingrad.report.values import plus_minus

MOST = 300  # runs of one comparison: more than a page could tell apart
_FEW = 3  # fields that a label names


@dataclass(frozen=True, eq=False)
class Setting:
    """The runs that differ in their seeds alone.

    number: its place among the settings, 1 for the best.  label: what tells it from the others, in a few words.
    """

    number: int
    label: str
    runs: tuple[Entry, ...]

    @property
    def called(self) -> str:
        """What a sentence calls it: a lone run that differs in much goes by its name."""
        return self.runs[0].name if self.label.endswith("…") and len(self.runs) == 1 else self.label

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
        count = len(self.accuracies)
        return f"{plus_minus(self.accuracies)} {'over ' + str(count) + ' seeds' if count > 1 else 'with one seed'}"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs to be compared.

    runs: in the order in which they were named.
    settings: best first; runs that cannot be read belong to none.
    fields: the fields of the recipe in which the settings differ.
    """

    runs: tuple[Entry, ...]
    settings: tuple[Setting, ...]
    fields: tuple[Field, ...]

    @property
    def best(self) -> Setting | None:
        """The setting with the highest score; None while no run has ended with a validation accuracy."""
        return next((own for own in self.settings if own.accuracy is not None), None)

    @property
    def headline(self) -> str:
        """Which setting is best on validation."""
        best, rated = self.best, [own for own in self.settings if own.accuracy is not None]
        if best is None:
            return "These runs do not tell which is best: not one has ended with a validation accuracy."
        if len(rated) == 1:
            return f"One setting: {best.told} on validation."
        if len({own.data for own in rated}) > 1:
            return f"{best.called} has the highest validation accuracy, {best.told}, but not all saw the same images."
        return f"{best.called} is best on validation: {best.told}."

    @property
    def how_sure(self) -> str:
        """By how much it is best, and whether that is more than chance; "" if there is nothing to compare."""
        rated = [own for own in self.settings if own.accuracy is not None]
        if len(rated) < 2:
            return (
                "What differs between runs of one setting is chance." if len(self.runs) > 1 and rated else ""
            )
        best, second = rated[:2]
        sentences = [_lead(best, second)]
        others = [own for own in rated[1:] if own.data == best.data]
        alike = sum(_alike(best, own) for own in others)
        if len(others) > 1 and best.standard_error is not None:
            if alike in (0, len(others)):
                what = "can be told from it" if alike else "comes that near"
                sentences.append(f"Not one of the {len(others)} other settings {what}.")
            else:
                sentences.append(f"{alike} of the {len(others)} other settings cannot be told from it.")
        if len(others) > 3:
            sentences.append("The best of many is chosen for its luck as well.")
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
                "images, so a difference between them need not come from the settings."
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
        return tuple(found)


def compare(runs: Iterable[str | Path]) -> Comparison:
    """Read runs, each a folder, or a study's folder for those of its trials' runs that have ended.

    Raises RunError for a folder that is neither, for too many, and if none of them has recorded anything.
    """
    found: dict[Path, tuple[Path, bool]] = {}  # whether it was named, rather than its study
    for run in map(Path, runs):
        trials = _trials(run)
        for path in [run] if trials is None else trials:
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
    return of(entries)


def of(entries: Sequence[Entry]) -> Comparison:
    """A comparison of runs that were read."""
    groups: dict[str, list[Entry]] = {}
    for own in entries:
        if own.recipe:
            groups.setdefault(key_of(own.settings), []).append(own)
    ordered = sorted((Setting(0, "", tuple(own)) for own in groups.values()), key=lambda own: -own.score)
    fields = differences((own.runs[0].settings for own in ordered), (len(own.runs) for own in ordered))
    settings = [replace(own, number=i, label=_label(own, fields)) for i, own in enumerate(ordered, 1)]
    return Comparison(tuple(entries), tuple(settings), fields)


def _trials(path: Path) -> list[Path] | None:
    """The runs of a study's trials; None if the folder is no study."""
    if not (path / "study.toml").is_file():
        return None
    return sorted(own.parent for own in path.glob("trials/*/recipe.toml"))


def _label(setting: Setting, fields: Sequence[Field]) -> str:
    """What tells a setting from the others: its values where they differ, or of many those that are not usual."""
    own = setting.runs[0]
    if not fields:
        return own.name if len(setting.runs) == 1 else f"{own.name} and {len(setting.runs) - 1} more"
    told = [(field, field.of(own.settings)) for field in fields]
    if len(fields) > _FEW:
        network = next((field for field, _ in told if field.name == "network.name"), None)
        told = [
            (field, value)
            for field, value in told
            if value is not field.usual
            and not (network and field.name.startswith("network.") and field is not network)
        ]
    parts = [f"{field.short} {value.text}" for field, value in told]
    if len(parts) > _FEW:
        return f"{', '.join(parts[:_FEW])}, …"
    return ", ".join(parts) or own.name


def _lead(best: Setting, second: Setting) -> str:
    """By how much the best is ahead of the next, and what that is worth."""
    ahead = (best.accuracy or 0.0) - (second.accuracy or 0.0)
    one, other = best.standard_error, second.standard_error
    if best.data != second.data:
        return (
            f"It is {_points(ahead)} ahead of {second.called}, on other images: that does not make it better."
        )
    if one is None or other is None:
        return f"It is {_points(ahead)} ahead of {second.called}; whether that is chance, single seeds do not tell."
    if ahead <= 0:
        same = "has the same mean" if ahead == 0 else f"has a mean {_points(-ahead)} higher"
        return f"{second.called} {same}{', and is less certain' if other > one else ''}: {second.told}."
    error = hypot(one, other)
    if ahead <= _apart(best, second):
        verdict = "chance alone may make that"
    elif min(len(best.accuracies), len(second.accuracies)) == 1:
        verdict = (
            "more than so many samples leave open, but a single seed does not tell what another would give"
        )
    else:
        verdict = "more than chance would make"
    errors = f", {ahead / error:.1f} standard errors" if ahead < 100 * error else ""
    return f"It is {_points(ahead)} ahead of {second.called}{errors}: {verdict}."


def _alike(best: Setting, own: Setting) -> bool:
    """Whether a setting cannot be told from the best: they saw the same data, and chance may make their difference."""
    if own.data != best.data:
        return False
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
