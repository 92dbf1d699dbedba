"""A diagnosis: the order of findings, words, commands, and what could not be judged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from doctor.models import finding
from plaingrad.insight.doctor import CONDITIONS, Diagnosis, Evidence, diagnose
from plaingrad.insight.doctor.diagnosis import certainty
from plaingrad.insight.doctor.evidence import Evaluation, Order


def test_findings_keep_their_order_and_hints_are_apart():
    sure = {"non_finite": 1.0, "plateau": 0.3, "overfitting": 0.5, "dead_relus": 0.4}
    found = tuple(finding(condition, own) for condition, own in sure.items())
    diagnosis = diagnose(Evidence(), examine=lambda evidence: found)
    assert [own.condition for own in diagnosis.findings] == ["non_finite", "overfitting"]
    assert [own.condition for own in diagnosis.hints] == ["plateau", "dead_relus"]
    assert "- plateau: possible (30 %). It is plateau." in str(diagnosis)


def test_hints_alone_are_no_findings():
    known = Evidence(losses=(1.0,) * 20)
    diagnosis = diagnose(known, examine=lambda evidence: (finding(sure=0.4),))
    assert diagnosis.ok
    assert str(diagnosis).startswith("Nothing wrong was found")
    assert diagnosis.to_dict()["hints"][0]["sure"] == 0.4


def test_words():
    diagnosis = Diagnosis((finding("overfitting", 0.91, training__epochs=5),), recipe="runs/a b/recipe.toml")
    text = str(diagnosis)
    for words in (
        "1. overfitting: nearly certain (91 %)",
        "It is overfitting.",
        "- At step 10 the loss was 1.5.",
        "why: Because it happens.",
        "try: Change it.",
        "plaingrad train 'runs/a b/recipe.toml' --set training.epochs=5",
    ):
        assert words in text
    assert repr(diagnosis) == "<Diagnosis: overfitting (91%)>"
    assert diagnosis.summary == "It is overfitting."
    assert not diagnosis.ok


def test_no_command_without_a_recipe_or_a_remedy():
    assert "plaingrad train" not in str(Diagnosis((finding(training__epochs=5),)))
    assert "plaingrad train" not in str(Diagnosis((finding(),), recipe="recipe.toml"))


def test_values_of_a_command_are_quoted_for_the_shell_and_for_toml():
    one = finding(network__hidden=[64, 32], data__doubled=True, augmentation__flip="random")
    command = Diagnosis((one,), recipe="recipe.toml").command(one)
    assert command == (
        "plaingrad train recipe.toml --set 'network.hidden=[64, 32]' --set data.doubled=true "
        "--set augmentation.flip=random"
    )


def test_without_evidence_nothing_is_judged():
    diagnosis = diagnose(Evidence(), examine=lambda evidence: ())
    assert diagnosis.ok
    assert "no shuffling: the order of the samples is not known" in str(diagnosis)
    unjudged = [name for own in diagnosis.unjudged for name in own.conditions]
    assert sorted(unjudged) == sorted(CONDITIONS), "of nothing, nothing can be judged"
    assert diagnosis.summary == "Nothing could be judged: there is no evidence."


def test_what_was_found_was_judged():
    diagnosis = diagnose(Evidence(), examine=lambda evidence: (finding("no_shuffling"),))
    assert "no_shuffling" not in [name for own in diagnosis.unjudged for name in own.conditions]


def test_as_plain_values():
    diagnosis = diagnose(Evidence(), examine=lambda evidence: (finding(optimizer__lr=0.1),), recipe="r.toml")
    values = json.loads(json.dumps(diagnosis.to_dict()))
    assert values["findings"][0]["condition"] == "overfitting"
    assert values["findings"][0]["command"] == "plaingrad train r.toml --set optimizer.lr=0.1"
    assert values["ok"] is False


@pytest.mark.parametrize(
    ("sure", "word"), [(1, "proved"), (0.95, "nearly"), (0.8, "very"), (0.5, "likely"), (0.1, "possible")]
)
def test_how_sure_in_words(sure, word):
    assert certainty(sure).startswith(word)


def test_a_healthy_run_says_of_how_many_conditions():
    diagnosis = diagnose(Evidence(losses=(1.0,) * 30), examine=lambda evidence: ())
    unjudged = [name for own in diagnosis.unjudged for name in own.conditions]
    assert "plateau" not in unjudged
    assert diagnosis.summary.startswith(
        f"Nothing wrong was found: the run shows none of the {len(CONDITIONS) - len(unjudged)} conditions"
    )


@pytest.mark.parametrize(
    ("steps", "says"), [(0, "no steps and"), (1, "1 step and"), (19, "19 steps and"), (20, None)]
)
def test_a_run_that_has_hardly_begun_is_not_called_healthy(steps, says):
    known = Evidence(losses=(1.0,) * steps, order=Order(0.0, None, 0.1, 0.1))
    diagnosis = diagnose(known, examine=lambda evidence: ())
    expected = (
        f"Too little is on record to judge: {says} no evaluation." if says else "Nothing wrong was found"
    )
    assert diagnosis.summary.startswith(expected)
    assert (
        repr(diagnosis) == f"<Diagnosis: {'too little is on record' if says else 'nothing wrong was found'}>"
    )
    evaluated = replace(known, evaluations=(Evaluation(1, 1.0, train_accuracy=0.9),))
    assert diagnose(evaluated, examine=lambda evidence: ()).summary.startswith("Nothing wrong was found")
    found = diagnose(known, examine=lambda evidence: (finding("overfitting", 0.9),))
    assert found.summary == "It is overfitting."
