"""Learning rate, length and regularisation, from curves."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from doctor_rules.runs import (
    LN10,
    PER_EPOCH,
    STEPS,
    bare,
    evaluations,
    healthy,
    look,
    looks,
    losses,
    setup,
    weight,
)
from plaingrad.insight.doctor import diagnose
from plaingrad.insight.doctor.evidence import Evaluation, NonFinite, Setup
from plaingrad.insight.doctor.rules import course, examine, generalization, learning_rate
from plaingrad.insight.doctor.rules.readings import update_budget

SLOW: dict[str, Any] = {
    "train": [0.1 + 0.01 * i for i in range(10)],
    "val": [0.1 + 0.01 * i for i in range(10)],
}


def steps_of(size: float):
    """Looks at updates of this share of the weights' size."""
    norm = math.sqrt(2 * 64)
    return looks(parameters=weight("affine1.weight", update=size * norm))


def test_a_healthy_run_is_not_accused():
    assert examine(healthy()) == ()


def test_small_updates_and_a_straight_line_are_a_rate_too_low():
    line = [2.9 - 0.03 * i for i in range(10)]
    run = healthy(
        losses=losses(lambda p: 2.9 - 0.3 * p),
        evaluations=evaluations(**SLOW, train_loss=line, val_loss=line),
        looks=steps_of(2e-5),
    )
    finding = learning_rate.learning_rate_too_low(run)
    assert finding is not None
    assert finding.sure == 0.9
    assert finding.remedy == {"optimizer.lr": 1.0}
    assert any("straight line" in e and f"step {10 * PER_EPOCH}" in e for e in finding.evidence)
    assert any(f"all {STEPS} updates" in e and "0.8 %" in e for e in finding.evidence)


def test_a_line_is_recognised_from_losses_alone():
    assert learning_rate.learning_rate_too_low(bare(losses=losses(lambda p: 2.9 - 0.5 * p, noise=0.02)))
    assert not learning_rate.learning_rate_too_low(
        bare(losses=losses(lambda p: 2.9 / (1 + 8 * p), noise=0.02))
    )


def test_a_line_is_recognised_from_one_loss_for_each_epoch():
    """Of another library's history: then an evaluation's step is its epoch."""
    known = tuple(Evaluation(step=e, epoch=e, train_loss=2.9 - 0.04 * e) for e in range(1, 13))
    assert learning_rate.learning_rate_too_low(bare(evaluations=known))


def test_a_network_that_was_trained_before_may_take_small_steps():
    line = [0.40 - 0.005 * i for i in range(10)]
    known = evaluations([0.85] * 10, [0.85] * 10, train_loss=line, val_loss=line)
    assert not learning_rate.learning_rate_too_low(healthy(evaluations=known, looks=steps_of(2e-5)))


def test_a_loss_that_stays_above_that_of_equal_scores_has_not_moved():
    assert learning_rate.learning_rate_too_low(bare(losses=losses(lambda p: 2.95)))
    assert not learning_rate.learning_rate_too_low(bare(losses=losses(lambda p: LN10)))
    assert not learning_rate.learning_rate_too_low(bare(losses=losses(lambda p: 2.95), classes=None))


def test_a_line_under_a_schedule_is_one_over_the_sum_of_learning_rates():
    """With a cosine the loss bends because the rate falls: what was done at each rate is still a line."""

    def rate(p: float) -> float:
        return (1 + math.cos(math.pi * p)) / 2

    values = [2.9 - 0.05 * sum(rate((j + 1) / 10) for j in range(i + 1)) for i in range(10)]
    bent = replace(bare(), evaluations=evaluations(**SLOW, train_loss=values, val_loss=values, lr=rate))
    assert learning_rate.learning_rate_too_low(bent)
    constant = replace(bare(), evaluations=evaluations(**SLOW, train_loss=values, val_loss=values))
    assert not learning_rate.learning_rate_too_low(constant)


def test_large_updates_are_not_too_low_however_straight_the_line():
    line = [2.9 - 0.03 * i for i in range(10)]
    known = evaluations(**SLOW, train_loss=line, val_loss=line)
    assert not learning_rate.learning_rate_too_low(healthy(evaluations=known, looks=steps_of(2e-3)))


def test_the_budget_follows_the_schedule():
    """Updates between looks are in proportion to the learning rate; where it is next to 0, a look says nothing."""
    rates = [1.0, 1.0, 1e-9]
    known = tuple(Evaluation(step=100 * (i + 1), epoch=i + 1.0, lr=r) for i, r in enumerate(rates))
    seen = (
        look(20, parameters=weight("w1.weight", update=1e-3 * math.sqrt(128))),
        look(300, parameters=weight("w1.weight", update=0.5)),
    )
    budget = update_budget(healthy(losses=(1.0,) * 300, evaluations=known, looks=seen))
    assert budget is not None
    assert budget[0] == pytest.approx(1e-3 * 250, rel=0.02)  # 200 steps at the full rate, 100 falling to 0


def test_frozen_weights_do_not_count_as_small_updates():
    moving = weight("affine2.weight", update=1e-2 * math.sqrt(128))
    seen = looks(
        parameters=(*weight("affine1.weight", update=0.0), *weight("conv1.weight", update=0.0), *moving)
    )
    budget = update_budget(healthy(looks=seen))
    assert budget is not None
    assert budget[0] == pytest.approx(1e-2 * STEPS)


def test_a_loss_above_where_it_began_is_a_rate_too_high():
    run = bare(losses=losses(lambda p: 2.3 + 20 * p))
    finding = learning_rate.learning_rate_too_high(run)
    assert finding is not None
    assert finding.sure == 0.95
    assert not learning_rate.learning_rate_too_high(bare(losses=losses(lambda p: 2.3 - p, noise=0.3)))


def test_growth_up_to_a_value_that_is_not_finite_is_a_rate_too_high():
    run = bare(losses=(2.3, 4.0, 90.0, 1e6, math.nan), non_finite=NonFinite(4, "affine1"))
    assert [f.condition for f in examine(run)] == ["learning_rate_too_high", "non_finite"]


def test_a_leap_and_then_chance_is_a_rate_too_high():
    course_ = (2.3, 30.0, *losses(lambda p: LN10, steps=STEPS - 2, noise=0.01))
    run = healthy(losses=course_, evaluations=evaluations([0.1] * 10, [0.1] * 10), looks=())
    assert learning_rate.learning_rate_too_high(run)


def test_updates_as_large_as_the_weights_are_a_rate_too_high_unless_the_run_recovers():
    bad = healthy(evaluations=evaluations([0.4] * 10, [0.4] * 10), looks=steps_of(0.5))
    assert learning_rate.learning_rate_too_high(bad)
    assert not learning_rate.learning_rate_too_high(healthy(looks=steps_of(0.5)))


def test_a_loss_that_jumps_on_the_same_samples_is_a_rate_too_high():
    jumps = [2.0, 1.0, 1.8, 0.9, 1.9, 0.9, 1.7, 0.6, 1.4, 0.5]
    rising = [0.3 + 0.05 * i for i in range(10)]
    run = bare(evaluations=evaluations(rising, rising, train_loss=jumps))
    assert learning_rate.learning_rate_too_high(run)


def test_a_flat_and_restless_end_is_a_plateau():
    hover = [1.5, 0.9, 0.6, 0.45, 0.5, 0.43, 0.52, 0.44, 0.49, 0.45]
    flat = [0.5, 0.7, 0.8, 0.86, 0.85, 0.87, 0.85, 0.86, 0.85, 0.86]
    run = healthy(evaluations=evaluations(flat, flat, train_loss=hover))
    finding = course.plateau(run)
    assert finding is not None
    assert finding.remedy == {"schedule.name": "cosine"}
    decayed = evaluations(flat, flat, train_loss=hover, lr=lambda p: 1.01 - p)
    assert not course.plateau(healthy(evaluations=decayed))
    still = [0.45 - 0.001 * i for i in range(10)]
    assert not course.plateau(healthy(evaluations=evaluations(flat, flat, train_loss=still)))


def test_an_accuracy_that_still_rises_was_stopped_too_early():
    rising = [0.1 + 0.06 * i for i in range(10)]
    finding = course.stopped_too_early(bare(evaluations=evaluations(rising, rising)))
    assert finding is not None
    assert finding.remedy == {"training.epochs": 30}
    decayed = evaluations(rising, rising, lr=lambda p: 1.01 - p)
    assert not course.stopped_too_early(bare(evaluations=decayed))
    unfinished = bare(evaluations=evaluations(rising, rising), finished=False)
    assert not course.stopped_too_early(unfinished)
    assert ("stopped_too_early",) in [own.conditions for own in diagnose(unfinished).unjudged]
    few = [0.6 + 0.006 * i for i in range(10)]  # 2.7 points are within the noise of 1,000 samples
    assert not course.stopped_too_early(bare(evaluations=evaluations(few, few)))


def test_less_than_one_pass_is_too_early_if_the_loss_falls():
    settings = Setup(steps_per_epoch=1000)
    falling = bare(losses=losses(lambda p: 2.3 - 0.5 * p), setup=settings)
    assert course.stopped_too_early(falling)
    assert not course.stopped_too_early(bare(losses=losses(lambda p: 2.3), setup=settings))
    assert not course.stopped_too_early(bare(losses=losses(lambda p: 0.0), setup=settings))


def overfitted(**changes):
    train = [0.5 + 0.05 * i for i in range(10)]
    rises = [1.5, 1.2, 1.0, 0.9, 0.95, 1.05, 1.2, 1.35, 1.5, 1.6]
    falls = [1.5 - 0.15 * i for i in range(10)]
    return healthy(evaluations=evaluations(train, [0.6] * 10, train_loss=falls, val_loss=rises, **changes))


def test_a_validation_loss_that_turns_is_overfitting():
    finding = generalization.overfitting(overfitted())
    assert finding is not None
    assert finding.sure == 0.9
    assert f"step {4 * PER_EPOCH}" in finding.evidence[0]
    assert examine(overfitted())[0].condition == "overfitting"


def test_a_usual_gap_is_not_overfitting():
    train = [0.4 + 0.02 * i for i in range(10)]
    gap = evaluations(train, [t - 0.08 for t in train])
    assert not generalization.overfitting(healthy(evaluations=gap))


def test_a_large_gap_is_overfitting_even_without_losses():
    assert generalization.overfitting(bare(evaluations=evaluations([1.0] * 10, [0.8] * 10)))
    few = bare(
        evaluations=evaluations([1.0] * 10, [0.88] * 10, samples=50)
    )  # 12 points are 2.6 standard errors
    assert not generalization.overfitting(few)


def test_a_gap_is_a_hint_while_the_validation_loss_is_at_its_best():
    apart = {"train": [0.6] * 10, "val": [0.4] * 10, "train_loss": [2 - 0.1 * i for i in range(10)]}
    best = generalization.overfitting(
        healthy(evaluations=evaluations(**apart, val_loss=[2 - 0.02 * i for i in range(10)]))
    )
    past = generalization.overfitting(
        healthy(evaluations=evaluations(**apart, val_loss=[2.4 - 0.1 * i + 0.014 * i * i for i in range(10)]))
    )
    assert best is not None
    assert past is not None
    assert best.sure < 0.5 <= past.sure
    assert "by heart" not in past.what


def narrow(units: int):
    first = look(0)
    layers = tuple(replace(f, units=units) if f.name == "affine2" else f for f in first.layers)
    return (replace(first, layers=layers), look(STEPS))


def test_a_narrow_layer_and_low_accuracies_are_too_little_capacity():
    low = evaluations([0.5] * 10, [0.49] * 10)
    finding = generalization.too_little_capacity(healthy(evaluations=low, looks=narrow(2)))
    assert finding is not None
    assert "affine2 has 2 units for 10 classes" in finding.evidence
    assert not generalization.too_little_capacity(healthy(evaluations=low, looks=narrow(64)))
    assert not generalization.too_little_capacity(healthy(looks=narrow(2)))


def shrunk(factor: float):
    last = replace(look(STEPS), parameters=weight("affine1.weight", gain=factor * math.sqrt(2)))
    return (replace(look(0), parameters=weight("affine1.weight")), last)


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"reg": 1.0}, "network.reg"), ({"weight_decay": 100.0}, "optimizer.weight_decay")],
)
def test_weights_that_are_gone_are_too_much_regularization(settings, field):
    low = evaluations([0.2] * 10, [0.2] * 10)
    run = healthy(evaluations=low, looks=shrunk(0.01), setup=setup(**settings))
    finding = generalization.too_much_regularization(run)
    assert finding is not None
    assert list(finding.remedy) == [field]
    assert not generalization.too_much_regularization(replace(run, looks=shrunk(0.6)))
    assert not generalization.too_much_regularization(replace(run, setup=setup()))


def test_heavy_dropout_is_too_much_regularization():
    low = evaluations([0.2] * 10, [0.2] * 10)
    assert generalization.too_much_regularization(healthy(evaluations=low, setup=setup(dropout=0.95)))
    assert not generalization.too_much_regularization(healthy(evaluations=low, setup=setup(dropout=0.5)))
