"""The shelf itself: enough bugs of every kind, each a real difference from a twin that is correct."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from .collection import BUGS, FAMILIES
from .shelf import CODES, Bug, Call, claimed


def test_there_are_enough_and_none_twice():
    everything = [bug for family in FAMILIES for bug in family.BUGS]
    assert len(everything) == len(BUGS) >= 60
    assert {bug.form for bug in everything} == {"pair", "model", "layer"}


def test_every_code_of_the_checker_is_planted_at_least_twice():
    counts = Counter(bug.code for bug in BUGS.values())
    assert set(counts) == set(CODES)
    assert min(counts.values()) >= 2, counts


def test_second_names_are_codes_and_have_a_reason():
    for bug in BUGS.values():
        assert set(bug.also) <= set(CODES) - {bug.code}
        assert bool(bug.also) == bool(bug.why), bug.id


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_bug_is_one_and_its_twin_is_none(bug: Bug):
    """Without the checker, at all seeds that it is scored with: the subject differs from its twin."""
    for seed in (*range(3), *range(10, 15)):
        require_a_difference(bug, seed)


def require_a_difference(bug: Bug, seed: int) -> None:
    with np.errstate(all="ignore"):
        twin, planted = claimed(bug.twin(seed)), claimed(bug.planted(seed))
    assert not twin.changed
    assert all(np.isfinite(g).all() for g in twin.gradients.values())
    assert set(twin.gradients) == set(planted.gradients)
    how = {difference(g, planted.gradients[name]) for name, g in twin.gradients.items()}
    match bug.code:
        case "input_changed":
            assert planted.changed
        case "nondeterministic":
            assert differs_between_calls(bug.planted(seed))
            assert not differs_between_calls(bug.twin(seed))
        case "stale_cache":
            pass  # right at the first call, wrong at a later one: see below
        case "not_finite" | "shape":
            assert bug.code in how
        case _:
            assert how & {"numbers", "dtype"}
    assert planted.changed is (bug.code == "input_changed")


def difference(right: np.ndarray, wrong: np.ndarray) -> str:
    """In what the second gradient differs from the first; "" if in nothing that matters."""
    if np.shape(right) != np.shape(wrong):
        return "shape"
    if not np.isfinite(wrong).all():
        return "not_finite"
    if np.asarray(wrong).dtype != np.float64:
        return "dtype"
    sizes = max(np.abs(right).max(initial=0.0), np.abs(wrong).max(initial=0.0))
    return "numbers" if np.abs(wrong - right).max(initial=0.0) > 1e-4 * sizes else ""


def differs_between_calls(call: Call) -> bool:
    first, second = claimed(call), claimed(call)
    return first.out != pytest.approx(second.out) or any(
        difference(g, second.gradients[name]) for name, g in first.gradients.items()
    )


@pytest.mark.parametrize("bug", [b for b in BUGS.values() if b.code == "stale_cache"], ids=lambda bug: bug.id)
def test_a_stale_cache_shows_at_other_numbers(bug: Bug):
    """After a call elsewhere, the planted subject's gradients are not its twin's."""
    twin, planted = bug.twin(0), bug.planted(0)
    for call in (twin, planted):
        claimed(call)
        for array in arrays_of(call):
            array += 0.1
    own, stale = claimed(twin).gradients, claimed(planted).gradients
    assert {difference(g, stale[name]) for name, g in own.items()} & {"numbers"}


def arrays_of(call: Call) -> list[np.ndarray]:
    """The arrays of floats that a gradient is taken by."""
    if isinstance(call[-1], tuple):
        return list(call[-1])
    return [*getattr(call[0], "params", {}).values()] or [call[1]]
