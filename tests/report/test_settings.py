"""What counts as one setting, what it is called, and where recipes differ."""

import math
import re
from pathlib import Path

import pytest

from plaingrad.report.comparison import compare
from plaingrad.report.comparison_page import render
from plaingrad.report.entry import names_of

from .folders import a_run, the_runs


def test_runs_that_differ_in_the_seed_alone_are_one_setting(tmp_path):
    runs = the_runs(tmp_path, {0.1: [0.8, 0.82, 0.84], 0.01: [0.9, 0.91]})
    made = compare(runs)
    assert [(own.number, own.label, len(own.runs)) for own in made.settings] == [
        (1, "lr 0.01", 2),
        (2, "lr 0.1", 3),
    ]
    best, other = made.settings
    assert other.accuracy == pytest.approx(0.82)
    assert other.spread == pytest.approx(0.02)
    of_samples = math.sqrt(0.905 * 0.095 / 200)
    assert best.standard_error == pytest.approx(of_samples / math.sqrt(2)), (
        "seeds that agree better than samples allow"
    )
    assert [field.name for field in made.fields] == ["optimizer.lr"]
    assert [own.name for own in made.runs] == ["lr0.1-s0", "lr0.1-s1", "lr0.1-s2", "lr0.01-s0", "lr0.01-s1"]


def test_a_name_a_place_and_how_often_to_save_are_no_settings(tmp_path):
    runs = [
        a_run(tmp_path / "a", seed=0, name="one"),
        a_run(tmp_path / "b", seed=1, changes=("training.checkpoint_seconds=60",)),
    ]
    made = compare(runs)
    assert len(made.settings) == 1
    assert made.fields == ()
    assert made.settings[0].label == "all 2 runs"
    assert made.headline == (
        "One setting, on validation: 90.00 % on average over 2 seeds (standard deviation 0.00 points)."
    )


def test_settings_of_the_same_data_stand_together(tmp_path):
    runs = [
        a_run(tmp_path / f"{data}{i}", reached, changes=(f"optimizer.lr={rate}",), data_sha256=data * 64)
        for i, (data, reached, rate) in enumerate([("a", 0.9, 0.1), ("b", 0.8, 0.1), ("a", 0.7, 0.2)])
    ]
    assert [own.label for own in compare(runs).settings] == ["a0", "a2", "b1"]
    (runs[1] / "recipe.toml").write_text((tmp_path / "a0" / "recipe.toml").read_text().replace("a" * 64, ""))
    assert "Not all runs say which data they were measured on" in compare(runs).headline


def test_a_setting_goes_by_its_run_or_by_its_values_and_never_by_both(tmp_path):
    alone = compare(the_runs(tmp_path / "alone", {0.1: [0.8], 0.01: [0.9]}))
    assert [(own.label, own.values) for own in alone.settings] == [
        ("lr0.01-s0", "lr 0.01"),
        ("lr0.1-s0", "lr 0.1"),
    ]
    changes = [
        (),
        ("optimizer.lr=0.5",),
        ("training.batch_size=7",),
        ("network.hidden=[9]",),
        ("network.reg=0.5",),
    ]
    runs = [
        a_run(tmp_path / f"run-{i}-{seed}", 0.9 - i / 100, seed=seed, changes=own)
        for i, own in enumerate(changes)
        for seed in range(2)
    ]
    labels = [own.label for own in compare(runs).settings]
    assert labels[1:] == ["lr 0.5", "batch_size 7", "hidden [9]", "reg 0.5"], "what is unusual of each"
    assert re.fullmatch("reg 0, .*, …", labels[0]), "and of the usual one a few of its values"


def test_labels_that_would_be_the_same_tell_more(tmp_path):
    many = ("optimizer.lr=0.5", "training.batch_size=7", "network.reg=0.5", "network.dropout=0.4")
    changes = [(), (), (), many, (*many[:-1], "network.dropout=0.45")]
    runs = [
        a_run(tmp_path / f"run-{i}-{seed}", seed=10 * i + seed, changes=own)
        for i, own in enumerate(changes)
        for seed in range(2)
    ]
    labels = [own.label for own in compare(runs).settings]
    assert len(set(labels)) == 3
    assert any("dropout 0.45" in own for own in labels)


def test_the_usual_value_is_what_most_runs_have(tmp_path):
    made = compare(the_runs(tmp_path, {0.1: [0.9], 0.01: [0.7, 0.7, 0.7]}))
    (field,) = made.fields
    assert field.usual is not None
    assert field.usual.text == "0.01"
    assert [(own.text, own.runs) for own in field.values] == [("0.01", 3), ("0.1", 1)]
    for i, reached in enumerate(
        ({0.1: [0.9], 0.01: [0.8]}, {0.1: [0.9], 0.01: [0.8, 0.8]}, {0.1: [0.9] * 3, 0.01: [0.8] * 3})
    ):
        made = compare(the_runs(tmp_path / f"more-{i}", reached))
        assert made.fields[0].usual is None, "too few, or not more than half"
        assert 'differs"' not in render(made, tmp_path)


def test_values_that_rounding_would_make_one_keep_their_digits(tmp_path):
    made = compare(the_runs(tmp_path, {0.123456: [0.9], 0.123457: [0.8]}))
    assert {own.text for own in made.fields[0].values} == {"0.123456", "0.123457"}


def test_as_much_of_a_path_as_tells_it_apart():
    paths = [Path(own) for own in ("/a/x/run", "/b/x/run", "/b/x/other", "/c/y/run")]
    assert names_of(paths) == ["a/x/run", "b/x/run", "other", "y/run"]
    assert names_of([Path("/a/b\n\x1b")]) == ["b\\n\\x1b"]
