"""What all rules have in common, and how they are settled."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from doctor_rules.runs import healthy, look, losses, setup
from plaingrad.insight.doctor.diagnosis import CONDITIONS, Finding
from plaingrad.insight.doctor.evidence import Evaluation, Evidence, Look, NonFinite, Probes
from plaingrad.insight.doctor.rules import RULES, examine
from plaingrad.insight.doctor.rules.precedence import CAUSES, EXPLAINS, settle
from plaingrad.recipe import read_recipe

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)


def finding(condition, sure=0.8):
    return Finding(condition, sure, f"{condition}.", ("seen",), "why", "change")


def test_each_condition_has_one_rule_and_one_place():
    assert [rule.__name__ for rule in RULES] == list(CONDITIONS)
    assert sorted(CAUSES) == sorted(CONDITIONS)


def test_effects_come_after_their_causes():
    """Else a cause would be told after what it explains."""
    for cause, effects in EXPLAINS.items():
        assert len(effects) == len(set(effects)), cause
        for effect in effects:
            assert CAUSES.index(cause) < CAUSES.index(effect), (cause, effect)


@every_rule
def test_a_rule_without_evidence_says_nothing(rule):
    assert rule(Evidence()) is None


@every_rule
@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(losses=(2.3,)),
        Evidence(losses=(math.nan,) * 30, classes=10),
        Evidence(losses=(math.inf, 1.0, 2.0)),
        Evidence(losses=(0.0,) * 50, classes=2),
        Evidence(evaluations=(Evaluation(1, 0.0),)),
        Evidence(evaluations=tuple(Evaluation(i, float(i), 0.0, 0.0, 0.0, 0.0, 0.0) for i in range(1, 9))),
        Evidence(looks=(Look(0, math.nan, math.inf),), classes=10),
        Evidence(probes=Probes(), non_finite=NonFinite(0, "input")),
    ],
    ids=range(8),
)
def test_odd_evidence_raises_nothing(rule, evidence):
    rule(evidence)


@every_rule
def test_a_rule_does_without_any_one_part_of_the_evidence(rule):
    for part, empty in {"losses": (), "evaluations": (), "looks": (), "data": None, "classes": None}.items():
        assert rule(healthy(**{part: empty})) is None, part


def test_a_cause_speaks_for_its_consequences():
    found = [finding("dead_relus"), finding("overfitting"), finding("learning_rate_too_high")]
    (told,) = settle(found)
    assert told.condition == "learning_rate_too_high"
    assert told.evidence[-1] == "this explains what else is seen: dead_relus; overfitting"


def test_a_hint_explains_nothing_and_comes_last():
    found = settle([finding("learning_rate_too_high", 0.4), finding("dead_relus", 0.6)])
    assert [f.condition for f in found] == ["dead_relus", "learning_rate_too_high"]


def test_a_sum_over_the_batch_explains_a_run_that_diverges():
    wild = healthy(
        losses=losses(lambda p: 2.3 + 100 * p), probes=Probes(doubled_loss=2.0, doubled_gradient=2.0)
    )
    assert [f.condition for f in examine(wild)] == ["loss_not_averaged"]


def test_remedies_are_fields_of_recipes():
    """Of every remedy there is a recipe that takes it."""
    remedies = {
        "learning_rate_too_low": {"optimizer.lr": 0.1},
        "plateau": {"schedule.name": "cosine"},
        "dropout": {"network.dropout": 0.3},
        "init": {"network.init": "he"},
        "xavier": {"network.init": "xavier"},
        "norm": {"network.normalization": "batchnorm"},
        "clip": {"training.clip_norm": 1.0},
        "decay": {"optimizer.weight_decay": 0.01},
        "reg": {"network.reg": 1e-3},
        "epochs": {"training.epochs": 30},
        "batch": {"training.batch_size": 32},
        "sampling": {"training.sampling": "shuffle"},
        "input": {"data.normalize": "standard"},
        "smoothing": {"network.label_smoothing": 0.1},
        "loss": {"network.loss": "softmax"},
    }
    known = {name for remedy in remedies.values() for name in remedy}
    for remedy in remedies.values():
        ((name, value),) = remedy.items()
        overrides = [f"{name}={value}"]
        if name == "network.loss":
            overrides.append("network.label_smoothing=0")
        read_recipe("fully-connected", overrides)
    for evidence in _many():
        for rule in RULES:
            told = rule(evidence)
            assert told is None or set(told.remedy) <= known | {"training.lr_factors"}


def _many():
    """Runs in which most rules speak."""
    stuck = replace(look(0), scores=None)
    yield healthy(losses=losses(lambda p: 2.3 + 100 * p), looks=(stuck,))
    yield healthy(losses=losses(lambda p: -p), setup=setup(objective="negativeloglikelihood"))
    yield healthy(losses=losses(lambda p: 2.9 - 0.3 * p), evaluations=(), looks=())
    yield healthy(setup=setup(batch_size=2, batchnorm=True))
