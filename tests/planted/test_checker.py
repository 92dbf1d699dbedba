"""The checker on the shelf: every bug is found, most are named, nothing correct is accused."""

from __future__ import annotations

import pytest

from plaingrad.machine import processors

from .collection import BUGS
from .score import NAMED, Score, score, share

SEED = 0


@pytest.fixture(scope="module")
def found() -> Score:
    """The score in small, found by processes of their own: here, shapes would be checked at every call."""
    return score(list(BUGS), [SEED], correct=150, correct_seed=SEED, jobs=max(2, processors()))


@pytest.mark.parametrize("id", BUGS)
def test_detects(id: str, found: Score):
    verdict = next(v for v in found.verdicts if v.id == id)
    assert verdict.detected, verdict


def test_names_most_of_them_right(found: Score):
    wrong = {v.id: (v.expected, v.got) for v in found.verdicts if not v.named}
    assert share(v.named for v in found.verdicts) >= NAMED, wrong


def test_accuses_nothing_correct(found: Score):
    assert (found.correct, found.twins) == (150, len(BUGS))
    assert not found.accusations
