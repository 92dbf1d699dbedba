"""Mistakes in a model's own code, by probes, looks and losses."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from doctor_rules.runs import (
    LN10,
    STEPS,
    bare,
    data,
    evaluations,
    healthy,
    look,
    looks,
    losses,
    scores,
    setup,
)
from plaingrad.insight.doctor.evidence import NonFinite, Probes, Setup
from plaingrad.insight.doctor.rules import examine, mistakes
from plaingrad.insight.doctor.rules import losses as about_losses

RIGHT = Probes(0.0, 1e-7, 1.0, 1.0, 1.0, False)


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"repeat": 0.4, "company": 0.4}, "dropout_at_evaluation"),
        ({"company": 0.3}, "batchnorm_in_training_mode"),
        ({"doubled_loss": 2.0, "doubled_gradient": 2.0}, "loss_not_averaged"),
        ({"doubled_loss": 1.8, "doubled_gradient": 1.9}, "loss_not_averaged"),
        ({"doubled_gradient": 2.0}, "loss_not_averaged"),
        ({"second_gradient": 2.0}, "gradients_not_reset"),
        ({"second_gradient": 2.0, "doubled_gradient": 1.9}, "gradients_not_reset"),
    ],
)
def test_each_probe_proves_its_mistake(changes, condition):
    run = healthy(probes=replace(RIGHT, **changes), setup=setup(objective=None, dropout=None, batchnorm=None))
    assert [f.condition for f in examine(run)] == [condition]
    assert examine(replace(run, probes=RIGHT)) == ()


def test_heavy_dropout_doubles_nothing_that_counts():
    chance = replace(RIGHT, doubled_loss=1.74, doubled_gradient=1.6, second_gradient=1.7)
    assert not mistakes.loss_not_averaged(healthy(probes=chance, setup=setup(dropout=0.95)))
    assert not mistakes.gradients_not_reset(healthy(probes=chance, setup=setup(dropout=0.95)))
    assert not mistakes.loss_not_averaged(healthy(probes=replace(RIGHT, doubled_loss=1.74)))


def test_a_sum_is_recognised_by_the_first_loss():
    summed = losses(lambda p: 32 * LN10 / (1 + 8 * p))
    known = Setup(batch_size=32)
    finding = mistakes.loss_not_averaged(bare(losses=summed, setup=known))
    assert finding is not None
    assert "batches have 32 samples" in finding.evidence[0]
    assert not mistakes.loss_not_averaged(bare(losses=losses(lambda p: 3.2 - p), setup=known))


def frozen(name, **facts):
    """Looks in which the parameters of a layer never change."""

    def changed(step):
        seen = look(step)
        return replace(
            seen,
            parameters=tuple(
                replace(p, update=0.0, **facts) if p.name.startswith(name) else p for p in seen.parameters
            ),
        )

    return tuple(changed(step) for step in (0, 1, 10, STEPS))


def test_parameters_that_never_change_are_frozen():
    finding = mistakes.frozen_layers(healthy(looks=frozen("affine1", gradient=0.0)))
    assert finding is not None
    assert finding.sure == 0.95
    assert "affine1.weight, affine1.bias" in finding.what
    handed_over = mistakes.frozen_layers(healthy(looks=frozen("affine1")))
    assert handed_over is not None
    assert any("no update follows" in e for e in handed_over.evidence)


def test_frozen_on_purpose_is_told_with_half_the_certainty():
    names = ("affine1.weight", "affine1.bias")
    finding = mistakes.frozen_layers(healthy(looks=frozen("affine1"), setup=setup(frozen=names)))
    assert finding is not None
    assert finding.sure == 0.5


def test_a_rate_of_zero_at_the_end_freezes_nothing():
    last = replace(look(STEPS), parameters=tuple(replace(p, update=0.0) for p in look(STEPS).parameters))
    assert not mistakes.frozen_layers(healthy(looks=(look(0), look(10), last)))
    longer = replace(last, parameters=tuple(replace(p, norm=1.1 * p.norm) for p in last.parameters[:-1]))
    moving = replace(longer, parameters=(*longer.parameters, look(STEPS).parameters[-1]))
    assert not mistakes.frozen_layers(healthy(looks=(look(0), moving)))


def test_a_loss_below_zero_is_a_likelihood_of_raw_scores():
    falling = bare(losses=losses(lambda p: 0.1 - 50 * p))
    finding = about_losses.nll_of_raw_scores(falling)
    assert finding is not None
    assert examine(falling)[0].condition == "nll_of_raw_scores"
    assert not about_losses.nll_of_raw_scores(replace(falling, setup=Setup(objective="hinge")))


def test_raw_scores_are_proved_by_the_first_look():
    told = setup(objective="negativeloglikelihood")
    finding = about_losses.nll_of_raw_scores(healthy(setup=told))
    assert finding is not None
    assert finding.sure == 1
    assert finding.remedy == {"network.loss": "softmax"}
    right = looks(scores=scores(log_probabilities=True))
    assert not about_losses.nll_of_raw_scores(healthy(setup=told, looks=right))


FLOOR = math.log(9 + math.e) - 1


def test_softmax_twice_by_its_floor():
    known = evaluations([0.9] * 10, [0.88] * 10)
    twice = bare(losses=losses(lambda p: 2.3 - 0.72 * min(1, 4 * p), noise=0.01), evaluations=known)
    finding = about_losses.softmax_twice(twice)
    assert finding is not None
    assert f"{FLOOR:.3g}" in finding.evidence[-1]
    once = bare(losses=losses(lambda p: 2.3 / (1 + 8 * p)), evaluations=known)
    assert not about_losses.softmax_twice(once)
    passing = bare(losses=losses(lambda p: 2.3 - 0.8 * p, noise=0.01), evaluations=known)
    assert not about_losses.softmax_twice(passing)  # it ends at the floor, and is still falling
    smoothed = replace(twice, setup=Setup(label_smoothing=0.5))
    assert not about_losses.softmax_twice(smoothed)


def test_softmax_twice_by_the_scores():
    even = scores(low=0.0, high=1.0, std=0.2, loss=1.9, probabilities=True)
    run = healthy(looks=looks(scores=even, loss=1.9))
    finding = about_losses.softmax_twice(run)
    assert finding is not None
    assert finding.sure == 0.95
    own_loss = healthy(
        looks=looks(scores=even, loss=0.7)
    )  # takes the logarithm of these probabilities: right
    assert not about_losses.softmax_twice(own_loss)


def test_what_is_not_finite_is_named_and_comes_after_its_cause():
    run = bare(losses=(2.3, 2.2, 2.1, math.inf), non_finite=NonFinite(3, "affine2", (7, 9)))
    (finding,) = examine(run)
    assert finding.condition == "non_finite"
    assert "affine2" in finding.what
    assert any("7, 9" in e for e in finding.evidence)
    given = examine(
        bare(losses=(2.3, math.nan), non_finite=NonFinite(1, "input", (7,)), setup=Setup(lr=0.1))
    )[-1]
    assert given.remedy == {}
    assert "1 sample of" in given.evidence[1]
    raw = healthy(data=data(not_finite=3))
    assert [f.condition for f in examine(raw)] == ["non_finite"]
