"""`plaingrad diagnose`, and what `plaingrad train` says while it trains."""

from __future__ import annotations

import json
import shlex

import pytest
from typer.testing import CliRunner

from doctor.models import finding
from plaingrad import training
from plaingrad.cli import app
from plaingrad.insight.doctor import rules
from plaingrad.recipe import read_recipe

SMALL = [
    "network.hidden=[12]",
    "training.epochs=4",
    "data.train=200",
    "schedule.name=constant",
    "optimizer.lr=0.03",
]


def call(*words):
    return CliRunner().invoke(app, list(map(str, words)))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    training.train(read_recipe("digits", SMALL), out)
    return out


@pytest.fixture
def found(monkeypatch):
    """The rules find what a test puts in here."""
    findings = []
    monkeypatch.setattr(rules, "examine", lambda evidence: tuple(findings))
    return findings


def test_findings_in_words(run, found):
    found.append(finding("learning_rate_too_low", 0.97, optimizer__lr=0.1))
    answer = call("diagnose", run)
    assert answer.exit_code == 0
    assert "1. learning rate too low: nearly certain (97 %)" in answer.output
    assert "- At step 10 the loss was 1.5." in answer.output
    assert f"plaingrad train {run}/recipe.toml --set optimizer.lr=0.1" in answer.output


def test_a_healthy_run(run, found):
    answer = call("diagnose", run)
    assert answer.exit_code == 0
    assert answer.output.startswith("Nothing wrong was found")


def test_the_command_that_is_proposed_can_be_called(run, found, tmp_path):
    found.append(finding(optimizer__lr=0.1, network__hidden=[24, 12]))
    line = next(line for line in call("diagnose", run).output.splitlines() if "plaingrad train" in line)
    words = shlex.split(line)[1:]
    assert call(*words, "--out", tmp_path / "next").exit_code == 0
    assert read_recipe(tmp_path / "next" / "recipe.toml").network.hidden == [24, 12]


def test_json(run, found):
    found.append(finding(optimizer__lr=0.1))
    answer = call("diagnose", run, "--json")
    values = json.loads(answer.output.splitlines()[-1])
    assert values["run"] == str(run)
    assert values["findings"][0]["remedy"] == {"optimizer.lr": 0.1}
    assert "trial" not in values


def test_real_rules_on_a_real_run(run):
    assert call("diagnose", run, "--json").exit_code == 0


def test_trying_shows_before_and_after(run, found):
    found.append(finding(optimizer__lr=1e-6))
    answer = call("diagnose", run, "--try", "--steps", 8, "--seconds", 30, "--json")
    assert answer.exit_code == 0, answer.output
    for words in ("tried: optimizer.lr=1e-06", "before", "after", "validation accuracy", "one seed"):
        assert words in answer.output
    trial = json.loads(answer.output.splitlines()[-1])["trial"]
    assert trial["before"]["steps"] == trial["after"]["steps"] == 8


def test_trying_where_there_is_nothing_to_try(run, found):
    answer = call("diagnose", run, "--try", "--json")
    assert answer.exit_code == 0
    assert "Nothing to try" in answer.output
    assert json.loads(answer.output.splitlines()[-1])["trial"] is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "not a run folder"),
        ([], "Missing argument"),
        (["RUN", "--steps", "3"], "limits of --try"),
        (["RUN", "--seconds", "3"], "limits of --try"),
        (["RUN", "--try", "--steps", "0"], "--steps"),
        (["RUN", "--try", "--seconds", "-1"], "seconds must be a number above 0"),
        (["RUN", "--try", "--seconds", "nan"], "seconds must be a number above 0"),
        (["RUN", "--what"], "No such option"),
    ],
)
def test_bad_calls(run, words, says):
    answer = call("diagnose", *(run if word == "RUN" else word for word in words))
    assert answer.exit_code == 2
    assert says in answer.output


def test_training_says_what_is_certain_once(found, tmp_path):
    found += [finding("overfitting", 1.0), finding("plateau", 0.6)]
    settings = [word for field in SMALL for word in ("--set", field)]
    answer = call("train", *settings, "--out", tmp_path / "run")
    assert answer.exit_code == 0
    assert answer.stderr.count("doctor: It is overfitting.") == 1
    assert "plateau" not in answer.output


def test_training_unwatched_says_nothing(found, tmp_path):
    found.append(finding("overfitting", 1.0))
    settings = [word for field in SMALL for word in ("--set", field)]
    answer = call("train", *settings, "--out", tmp_path / "run", "--no-watch")
    assert answer.exit_code == 0
    assert "doctor:" not in answer.output
    assert '"look"' not in (tmp_path / "run" / "history.jsonl").read_text()
