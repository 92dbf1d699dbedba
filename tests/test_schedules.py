"""Schedules at the points where they are known."""

import math

import pytest

from plaingrad.schedules import SCHEDULES, Constant, Cosine, Exponential, OneCycle, Step, Warmup


def test_known_points():
    assert Constant()(3.5, 10) == 1
    decay = Exponential(0.5)
    assert [decay(e, 10) for e in (0, 0.99, 1, 2.5)] == [1, 1, 0.5, 0.25]
    step = Step(every=4, factor=0.1)
    assert [step(e, 10) for e in (0, 3.9, 4)] == [1, 1, 0.1]
    assert step(8, 10) == pytest.approx(0.01)
    cosine = Cosine(final=0.2)
    assert [cosine(e, 8) for e in (0, 4, 8)] == pytest.approx([1, 0.6, 0.2])
    cycle = OneCycle(rise=0.25, start=0.1, final=0.0)
    assert [cycle(e, 8) for e in (0, 1, 2, 5, 8)] == pytest.approx([0.1, 0.55, 1, 0.5, 0], abs=1e-12)
    warm = Warmup(2, then=Exponential(0.5))
    assert [warm(e, 8) for e in (0, 0.5, 1, 2, 3)] == pytest.approx([0, 0.25, 0.25, 0.25, 0.125])


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_stays_between_0_and_1(name):
    schedule = SCHEDULES[name]()
    values = [schedule(k / 7, 10) for k in range(71)]
    assert all(0 <= v <= 1 for v in values)
    assert max(values) == pytest.approx(1, abs=1e-3)
    assert not any(math.isnan(schedule(e, 10)) for e in (10, 11)), "a step past the end must not fail"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Step(every=0), "every must be above 0"),
        (lambda: OneCycle(rise=1.0), "rise must be from 0 to below 1"),
        (lambda: OneCycle(rise=0.0), "rise must be above 0"),
        (lambda: Cosine(-0.1), "final must be 0 or more"),
        (lambda: Warmup(0), "epochs must be above 0"),
        (lambda: Exponential(-1), "decay must be above 0"),
    ],
)
def test_values_out_of_range(make, words):
    with pytest.raises(ValueError, match=words):
        make()
