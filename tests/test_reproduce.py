"""The experiments: how measured is held against published, and the real ones where CIFAR-10 is present."""

import json

import pytest

from plaingrad import reproduce
from plaingrad.errors import RecipeError
from plaingrad.reproduce import Experiment, Outcome, Published


@pytest.mark.parametrize(
    ("published", "measured", "verdict"),
    [
        (Published("a", 0.5), [0.51], "beaten"),
        (Published("a", 0.5), [0.5], "matched"),
        (Published("a", 0.5), [0.46], "matched"),
        (Published("a", 0.5), [0.45], "below"),
        (Published("a", 0.5), [0.46, 0.46, 0.46, 0.46, 0.46], "below"),
        (Published("a", 0.5, samples=100), [0.40], "matched"),
        (Published("a", 11, "epoch"), [4], "beaten"),
        (Published("a", 11, "epoch"), [19], "matched"),
        (Published("a", 11, "epoch"), [float("inf")], "below"),
        (Published("a", 2.3, "loss"), [2.302], "matched"),
        (Published("a", 2.3, "loss"), [2.2], "off"),
        (Published("a", 1.92, "batch loss"), [1.5], "beaten"),
        (Published("a", 1.92, "batch loss"), [2.0], "matched"),
        (Published("a", 1.92, "batch loss"), [2.2], "below"),
        (Published("a", float("nan"), "not finite"), [float("nan")], "matched"),
        (Published("a", float("nan"), "not finite"), [1.0], "off"),
        (Published("a", "put it there", "diagnosis"), ["the loss is nan: put it there; now"], "matched"),
        (Published("a", "put it there", "diagnosis"), ["put it there", "the loss is nan"], "off"),
        (Published("a", 0.9, "shown"), [0.1], ""),
    ],
)
def test_verdicts(published, measured, verdict):
    assert published.verdict(measured) == verdict


def test_outcome():
    experiment = Experiment(
        "X", "title", (Published("a", 0.5), Published("b", 0.4, "shown")), lambda d, s: {}, lambda d: None
    )
    outcome = Outcome(experiment, {"a": [0.6, 0.5], "b": [0.1, 0.1]}, 1.26)
    assert outcome.ok
    assert list(outcome.rows()) == [
        ("X", "a", "0.500", "0.550 (0.500–0.600)", "beaten", "1.3"),
        ("", "b", "0.400", "0.100 (0.100–0.100)", "", ""),
    ]
    assert json.loads(json.dumps(outcome.to_dict()))["quantities"][0]["measured"] == [0.6, 0.5]
    assert not Outcome(experiment, {"a": [0.1], "b": [0.1]}, 1).ok


def test_choosing():
    assert [e.id for e in reproduce.chosen(["S2-b", "S1-a"])] == ["S2-b", "S1-a"]
    assert len(reproduce.chosen([])) == len(reproduce.EXPERIMENTS) == 17
    with pytest.raises(RecipeError, match="no experiment 'S1-z'; did you mean 'S1-"):
        reproduce.chosen(["S1-z"])


def test_what_is_not_a_number_is_written_as_json_has_it():
    published = (Published("loss", float("nan"), "not finite"), Published("why", "b", "diagnosis"))
    experiment = Experiment("X", "title", published, lambda d, s: {}, lambda d: None)
    outcome = Outcome(experiment, {"loss": [float("nan")] * 2, "why": ["a b c"] * 2}, 1)
    assert [row[1:5] for row in outcome.rows()] == [
        ("loss", "nan", "nan", "matched"),
        ("why", "b", "a b c", "matched"),
    ]
    first, second = json.loads(json.dumps(outcome.to_dict(), allow_nan=False))["quantities"]
    assert (first["published"], first["measured"]) == ("nan", ["nan", "nan"])
    assert second["measured"] == ["a b c"] * 2


@pytest.mark.parametrize("id", ["S1-a", "S1-b", "S2-b", "S2-c", "S2-d", "S3-f"])
def test_real_cifar10(id, data_dir):
    outcome = reproduce.run(reproduce.EXPERIMENTS[id], data_dir=str(data_dir))
    assert outcome.ok, list(outcome.rows())
