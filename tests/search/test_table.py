"""A study in plain text: what the console shows of it."""

import shlex
import tomllib
from pathlib import Path

import pytest

from plaingrad.recipe import read_recipe
from plaingrad.report import words
from plaingrad.search import table
from plaingrad.search.results import Opening, StudyResult, TrialResult, ranked

SCALES = {"optimizer.lr": "log", "network.hidden": "choice", "schedule.name": "choice"}


def a_trial(number, state="complete", accuracies=(), **more):
    given = {
        "settings": {"optimizer.lr": 0.00123456789, "network.hidden": [64, 32], "schedule.name": "cosine"}
    }
    return TrialResult(
        number, state, accuracies=accuracies, **given | {"samples": 1000, "weights": 12345} | more
    )


def a_study(*trials, seeds=1, **more):
    return StudyResult("s", Path("s"), "digits", "tpe", "none", seeds, SCALES, ranked([*trials]), **more)


def test_columns_and_rows():
    result = a_study(a_trial(0, accuracies=(0.91,), seconds=3.14), a_trial(7, accuracies=(0.923,)))
    assert table.columns(result) == [
        "rank", "trial", "accuracy", "lr", "hidden", "schedule.name", "seconds", "weights"]  # fmt: skip
    assert table.rows(result) == [
        ("1", "7", "92.30 %", "0.00123", "[64, 32]", "cosine", "0.0", "12,345"),
        ("2", "0", "91.00 %", "0.00123", "[64, 32]", "cosine", "3.1", "12,345"),
    ]
    assert table.numeric(result) == [0, 1, 2, 3, 6, 7]


def test_spread_and_state_where_they_say_something():
    trials = (
        a_trial(0, accuracies=(0.91, 0.92)),
        a_trial(1, "pruned", (0.5,), weights=None),
        a_trial(2, "waiting"),
    )
    result = a_study(*trials, seeds=2)
    assert table.columns(result)[:5] == ["rank", "trial", "accuracy", "spread", "state"]
    first, second, third = table.rows(result)
    assert first[:5] == ("1", "0", "91.50 %", "± 0.71", "")
    assert second[:5] == ("", "1", "50.00 %", "", "pruned")
    assert second[-1] == "–"
    assert third[:5] == ("", "2", "–", "", "waiting")
    assert table.numeric(result) == [0, 1, 2, 3, 5, 8, 9]
    assert all(len(row) == len(table.columns(result)) for row in table.rows(result))


def test_at_most_so_many_rows():
    result = a_study(*(a_trial(i, accuracies=(0.9,)) for i in range(30)))
    assert len(table.rows(result)) == 20
    assert len(table.rows(result, most=3)) == 3
    assert [row[1] for row in table.rows(result, most=3)] == ["0", "1", "2"]


def test_names_are_short_unless_that_would_not_tell():
    names = ["optimizer.lr", "training.clip_norm", "network.clip_norm", "schedule.name", "seed"]
    assert list(table.short_names(names).values()) == [
        "lr", "training.clip_norm", "network.clip_norm", "schedule.name", "seed"]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-5, "1e-5"), (0.0031234, "0.00312"), (123456.7, "123457"), (2.5e9, "2.5e9"), (3, "3"), (True, "true"),
     ("relu", "relu"), ([0.1, 2], "[0.1, 2]"), (None, "–"), (-1.0, "-1"), (1234.5, "1234")],
)  # fmt: skip
def test_values_are_short(value, text):
    assert table.value_text(value) == text


def test_the_overrides_are_the_setting_to_the_last_digit():
    settings = {
        "optimizer.lr": 0.1 + 0.2, "optimizer.name": "adam", "network.hidden": [64, 32], "training.epochs": 3,
        "data.doubled": True, "description": "it's $HOME; \"5\" `ls`", "training.lr_factors": {"a b": 1e-05},
    }  # fmt: skip
    words = shlex.split(table.overrides(a_trial(0, settings=settings)))
    assert words[::2] == ["--set"] * len(settings)
    recipe = read_recipe("digits", words[1::2])
    assert recipe.optimizer["lr"] == 0.1 + 0.2
    assert recipe.network.hidden == [64, 32]
    assert recipe.description == settings["description"]
    assert recipe.training.lr_factors == {"a b": 1e-05}
    assert recipe.data.doubled is True


@pytest.mark.parametrize(
    "value", ["5", "true", " space ", "", "1e3", "2020-01-01", "😀\\n", 'a"b', "[1]", "a\nb = 2"]
)
def test_words_stay_words(value):
    text = shlex.split(table.overrides(a_trial(0, settings={"f": value})))[1].partition("=")[2]
    try:
        read = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        read = text.strip()  # as the recipe does
    assert read == value


def test_summary():
    opening = Opening(0, (5, 6), (0.92, 0.93), (0.90, 0.91), 500, "2025-03-04T05:06:07")
    trials = [
        a_trial(0, accuracies=(0.93, 0.98)),
        a_trial(1, accuracies=(0.952, 0.955)),
        a_trial(2, accuracies=(0.5, 0.5)),
    ]
    trials += [
        a_trial(3, "pruned", (0.4,)),
        a_trial(4, "diverged", failure="x"),
        a_trial(5, "failed", failure="y"),
    ]
    told = table.summary(a_study(*trials, a_trial(6, "waiting"), seeds=2, openings=(opening,)))
    assert "3 complete, 1 pruned, 1 diverged, 1 failed, 1 waiting" in told
    assert "trial 1: 95.35 % ± 0.21 validation accuracy over 2 seeds" in told, "the steadier of the two"
    assert (
        "--set optimizer.lr=0.00123456789 --set 'network.hidden=[64, 32]' --set schedule.name=cosine" in told
    )
    assert "1 of the 2 other complete settings cannot be told from the best: it lies" in told
    assert (
        "opened once, on 2025-03-04 05:06: trial 0, retrained with 2 fresh seeds, reaches 90.50 % ± 0.71"
        in told
    )
    assert "By now trial 1 is the best" in told
    assert len(told.splitlines()) == 5


def test_summary_without_a_complete_trial():
    for result in (a_study(), a_study(a_trial(0, "running"))):
        told = table.summary(result)
        assert "no trial is complete" in told
        assert "The test set has not been opened." in told
    assert "none yet" in table.summary(a_study())


def test_how_sure():
    assert "no other complete trial" in table.how_sure(a_study(a_trial(0, accuracies=(0.9,))))
    apart = a_study(a_trial(0, accuracies=(0.9,)), a_trial(1, accuracies=(0.5,)))
    assert table.how_sure(apart).startswith("The one other complete setting does not come within")
    far = a_study(*(a_trial(i, accuracies=(accuracy,)) for i, accuracy in enumerate((0.9, 0.5, 0.4))))
    assert table.how_sure(far).startswith("None of the 2 other complete settings comes within")
    alike = a_study(*(a_trial(i, accuracies=(0.9,)) for i in range(3)))
    assert table.how_sure(alike).startswith(
        "2 of the 2 other complete settings cannot be told from the best: they lie"
    )


def test_nothing_steers_the_terminal():
    evil = "\x1b[2J\nrank\u202e\udcff"
    result = StudyResult("s", Path("s"), "r", "tpe", "none", 1, {evil: "choice"}, ranked([
        a_trial(0, accuracies=(0.9,), settings={evil: evil})]))  # fmt: skip
    told = [*table.columns(result), *(cell for row in table.rows(result) for cell in row)]
    told += table.summary(result).splitlines()
    assert all(text.isprintable() for text in told)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0.0 s"), (59.94, "59.9 s"), (59.99, "1 min 0 s"), (61, "1 min 1 s"),
                                               (3599.9, "1 h 0 min"), (7320, "2 h 2 min")])  # fmt: skip
def test_durations(seconds, text):
    assert words.duration(seconds) == text
