"""The checker on every bug and on correct subjects, counted: what is published as its score."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np

import plaingrad as pg

from . import correct
from .collection import BUGS
from .shelf import Call

DETECTED, NAMED = 1.0, 0.9  # what the score must reach; of correct subjects, none may be accused


@dataclass(frozen=True)
class Verdict:
    """What the checker said of one planted bug.

    got: the code of its main finding, `among` those of all findings; None and empty where it said nothing.
    said: its first explanation.  place: whether the main finding is about a parameter that the bug is in.
    """

    id: str
    family: str
    seed: int
    expected: str
    got: str | None
    among: tuple[str, ...]
    said: str
    seconds: float
    detected: bool
    named: bool
    named_somewhere: bool
    place: bool | None


@dataclass(frozen=True)
class Accusation:
    """A correct subject that the checker found fault with; again: the Python that makes it."""

    what: str
    said: str
    again: str


def checked(call: Call) -> Any:
    """The report.  What a subject computes on the way (0/0, overflow) is not our warning to give."""
    with np.errstate(all="ignore"):
        return pg.check_gradients(*call)


def judge(id: str, seed: int) -> Verdict:
    """Check one planted bug."""
    bug = BUGS[id]
    start = time.perf_counter()
    try:
        report = checked(bug.planted(seed))
    except Exception as error:  # a checker that fails on a wrong subject has not said what is wrong
        ok, findings, said = True, (), f"raised {type(error).__name__}: {error}"
    else:
        ok, findings = report.ok, tuple(getattr(report, "findings", ()))
        said = findings[0].explanation if findings else ""
    codes = tuple(finding.likely for finding in findings)
    place = findings[0].parameter in bug.parameters if findings and bug.parameters else None
    return Verdict(
        id, bug.family, seed, bug.code, codes[0] if codes else None, codes, said, time.perf_counter() - start,
        detected=not ok,
        named=not ok and bool(codes) and bug.accepts(codes[0]),
        named_somewhere=not ok and any(map(bug.accepts, codes)),
        place=place,
    )  # fmt: skip


def acquit(seed: int, index: int) -> Accusation | None:
    """Check one random correct subject; None if the checker finds nothing wrong with it."""
    what, call = correct.subject(seed, index)
    return accusation(what, call, f"tests.planted.correct.subject({seed}, {index})")


def acquit_twin(id: str, seed: int) -> Accusation | None:
    """Check one bug's correct twin; None if the checker finds nothing wrong with it."""
    again = f"tests.planted.collection.BUGS[{id!r}].twin({seed})"
    return accusation(f"the correct twin of {id}", BUGS[id].twin(seed), again)


def accusation(what: str, call: Call, again: str) -> Accusation | None:
    try:
        report = checked(call)
    except Exception as error:
        return Accusation(what, f"raised {type(error).__name__}: {error}", again)
    return None if report.ok else Accusation(what, accusation_of(report), again)


def accusation_of(report: Any) -> str:
    """Everything that a report says is wrong."""
    findings = (f"{f.parameter}: {f.likely}: {f.explanation}" for f in getattr(report, "findings", ()))
    return " | ".join([*findings, *report.problems, *(row.problem for row in report.rows if row.problem)])


@dataclass(frozen=True)
class Score:
    """All verdicts and accusations, and how many correct subjects there were: twins of the bugs, and others."""

    verdicts: tuple[Verdict, ...]
    accusations: tuple[Accusation, ...]
    twins: int
    correct: int
    correct_seed: int
    seconds: float

    @property
    def detected(self) -> float:
        return share(verdict.detected for verdict in self.verdicts)

    @property
    def named(self) -> float:
        return share(verdict.named for verdict in self.verdicts)

    @property
    def reached(self) -> bool:
        """Whether all targets are met."""
        enough = not self.verdicts or (self.detected >= DETECTED and self.named >= NAMED)
        return enough and not self.accusations

    def to_dict(self) -> dict[str, Any]:
        """In numbers, strings, lists and dicts as JSON has them."""
        return {**asdict(self), "detected": self.detected, "named": self.named, "reached": self.reached}


def share(flags: Iterable[bool]) -> float:
    """The share of those that are true; NaN of none."""
    held = list(flags)
    return sum(held) / len(held) if held else float("nan")


def score(ids: Sequence[str], seeds: Iterable[int], correct: int, correct_seed: int, jobs: int) -> Score:
    """Check the bugs and their twins at every seed, and random correct subjects, in several processes."""
    start = time.perf_counter()
    pairs = [(id, seed) for seed in seeds for id in ids]
    others = [(correct_seed, index) for index in range(correct)]
    verdicts = tuple(spread(judge, pairs, jobs))
    found = (*spread(acquit_twin, pairs, jobs), *spread(acquit, others, jobs))
    accused = tuple(one for one in found if one)
    return Score(verdicts, accused, len(pairs), correct, correct_seed, time.perf_counter() - start)


def spread(function: Any, arguments: Sequence[tuple], jobs: int) -> Iterator[Any]:
    """function(*a) for each of the arguments, in order; in this process if jobs is 1."""
    if jobs == 1 or len(arguments) < 2:
        yield from (function(*a) for a in arguments)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(function, *zip(*arguments, strict=True), chunksize=8)
