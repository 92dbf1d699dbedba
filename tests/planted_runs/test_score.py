"""A sample of the score, small enough for every day: one digits run of each condition, and healthy ones.

The whole is `python -m tests.planted_runs`.
"""

from __future__ import annotations

from functools import cache

from plaingrad.insight.doctor import CONDITIONS, Evidence, Finding

from .plan import Run
from .records import Record, accuracies, trained
from .scoring import Score, Verdict, judged, rows
from .sets import DIGITS
from .shelf import HEALTHY, PLANTED

SEED = 20  # neither of those that the rules were made with nor of those that are published


@cache
def score() -> Score:
    """The verdicts on the first digits run of each condition and on each fifth healthy one."""
    planted = [
        next(run for run in PLANTED if run.condition == condition and run.dataset == DIGITS)
        for condition in CONDITIONS
    ]
    healthy = [run for run in HEALTHY if run.dataset == DIGITS][::5][:10]
    return Score([judged(run, trained(run, SEED)) for run in (*planted, *healthy)])


def test_most_planted_conditions_are_found():
    own = score()
    assert len(own.planted) == len(CONDITIONS)
    assert len(own.misses) <= 0.15 * len(CONDITIONS), own.misses


def test_healthy_runs_are_left_in_peace():
    own = score()
    assert len(own.healthy) == 10
    assert len(own.alarms) <= 1, own.alarms


def test_planted_runs_are_worse_than_their_twins():
    for condition in (
        "learning_rate_too_low",
        "dead_relus",
        "too_little_capacity",
        "label_noise",
        "overfitting",
    ):
        run = next(run for run in PLANTED if run.condition == condition and run.dataset == DIGITS)
        assert run.twin is not None
        worse, better = accuracies(run.plan, SEED)[1], accuracies(run.twin, SEED)[1]
        assert worse is not None
        assert better is not None
        assert worse < better - 0.02, run.id


def _verdict(condition: str | None, *said: str, also: tuple[str, ...] = ()) -> Verdict:
    plan = PLANTED[0].plan
    run = Run(f"{condition}/x", condition, DIGITS, "mlp", "", plan, dict.fromkeys(also, "it follows"))
    return Verdict(run, 0, said, tuple((name, 0.9) for name in said))


def test_the_score_counts_right():
    verdicts = [
        _verdict("plateau", "plateau"),
        _verdict("plateau", "overfitting"),
        _verdict("overfitting", "plateau", "overfitting", also=("plateau",)),
        _verdict(None, "plateau"),
        _verdict(None),
    ]
    own = Score(verdicts)
    by = {row.condition: row for row in rows(verdicts)}
    assert (by["plateau"].recall, by["plateau"].precision, by["plateau"].first) == (0.5, 2 / 3, 1)
    assert (by["overfitting"].recall, by["overfitting"].precision, by["overfitting"].first) == (1.0, 0.5, 0)
    assert own.misses == ["plateau/x (seed 0): overfitting 0.90"]
    assert own.alarms == ["None/x (seed 0): plateau 0.90"]
    assert own.summary[0].startswith("Found: 2 of 3")
    assert own.summary[-1] == "False alarms: 1 of 2 healthy runs (50.0%)."


def test_a_hint_is_not_said(monkeypatch):
    hints = (Finding("plateau", 0.49, "", (), "", ""), Finding("overfitting", 0.5, "", (), "", ""))
    monkeypatch.setattr("plaingrad.insight.doctor.rules.examine", lambda evidence: hints)
    verdict = judged(HEALTHY[0], Record("", 0, Evidence(), None, None))
    assert verdict.said == ("overfitting",)
    assert verdict.alarm
