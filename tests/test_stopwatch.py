"""The stopwatch: every moment within its block belongs to one part."""

from types import SimpleNamespace

import pytest

from plaingrad import stopwatch
from plaingrad.stopwatch import Stopwatch


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when the test says so."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(stopwatch, "perf_counter", lambda: now.seconds)
    return now


def test_time_goes_to_the_part_that_ends(clock):
    with Stopwatch() as watch:
        for part, seconds in (("batches", 1.0), ("update", 2.0), ("batches", 0.5)):
            clock.seconds += seconds
            watch.lap(part)
    assert watch.seconds == {"batches": 1.5, "update": 2.0}


def test_what_passes_outside_counts_nowhere(clock):
    watch = Stopwatch()
    watch.lap("before")
    with watch:
        clock.seconds += 1
        watch.lap("within")
        clock.seconds += 1
    clock.seconds += 1000
    watch.lap("after")
    with watch:
        clock.seconds += 2
        watch.lap("within")
    assert watch.seconds == {"within": 3.0}
