"""Broken and old histories: the page says what could not be read, and shows all that could."""

import math
import re
import shutil

import numpy as np
import pytest

from plaingrad import plots, training
from plaingrad.errors import NonFiniteError
from plaingrad.plots.progress import planned_rate
from plaingrad.recipe import read_recipe
from plaingrad.report import contents
from plaingrad.report.words import headline
from plaingrad.run_folder import RunFolder

from .made import lines_of, rewrite
from .parsed import ALL, ALWAYS, OF_CURVES, OF_SAMPLES, OF_WEIGHTS, said


def without(kinds):
    return lambda lines: [line for line in lines if line["type"] not in kinds]


def only(*kinds):
    return lambda lines: [line for line in lines if line["type"] in kinds]


def edited(kind, first=0, **values):
    """Change the lines of a type from the `first` on."""

    def change(lines):
        own = [line for line in lines if line["type"] == kind]
        for line in own[first:]:
            line.update(values)
        return lines

    return change


# The history


@pytest.mark.parametrize("left", ["no file", "nothing"])
def test_a_run_without_a_history(copy, page, left):
    (copy / "history.jsonl").unlink()
    if left == "nothing":
        (copy / "history.jsonl").touch()
    shown = page(copy)
    assert shown.headline == "This run has recorded nothing yet."
    assert set(shown.sections) == ALL - set(OF_CURVES)


def test_a_run_that_has_only_its_recipe(copy, page):
    shutil.rmtree(copy / "checkpoints")
    (copy / "history.jsonl").unlink()
    (copy / "predictions.safetensors").unlink()
    shown = page(copy)
    assert shown.headline == "This run has recorded nothing yet."
    assert shown.problems == []
    assert set(shown.sections) == set(ALWAYS)
    assert "train --resume" not in said(shown.section("again")), "there is nothing to continue from"


@pytest.mark.parametrize("cut", [1, 7, 40, 1000, 5000])
def test_a_history_cut_short(copy, page, cut):
    file = copy / "history.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    (copy / "predictions.safetensors").unlink()
    shown = page(copy)
    assert {*OF_CURVES, *OF_WEIGHTS, *ALWAYS} <= set(shown.sections)
    # The last line is the result, a few hundred bytes: what is cut of it leaves a run that has not ended.
    assert "has not ended" in shown.headline or (cut == 1 and "named right after" in shown.headline)
    goes_on = "plaingrad train --resume" in shown.text
    assert goes_on == ("has not ended" in shown.headline)


def test_damaged_lines_in_the_middle(copy, page):
    lines = (copy / "history.jsonl").read_bytes().splitlines(keepends=True)
    lines[20:20] = [b"nonsense\n", b"\xff\xfe\x00\n", b'{"type": "step", "step": "6", "loss": 1.0}\n']
    (copy / "history.jsonl").write_bytes(b"".join(lines))
    shown = page(copy)
    assert set(shown.sections) == ALL
    (problem,) = shown.problems
    assert "line 21 is not a record of a run" in problem
    assert "3 such lines are passed over" in problem
    assert len(shown.curve("loss", "step")[0]) == 30


@pytest.mark.parametrize(
    ("bad", "first"), [(math.nan, 3), (math.inf, 0), (-math.inf, 3), (1e308, 3), (-1e308, 3), (0.0, 0)]
)
def test_losses_that_are_no_usual_numbers(copy, page, bad, first):
    rewrite(copy, edited("step", 5 * first, loss=bad))
    rewrite(copy, edited("epoch", first, loss=bad))
    rewrite(copy, edited("measured", first, train_loss=bad, val_loss=bad, per_class=[bad] * 10))
    rewrite(copy, edited("look", first, loss=bad, gradient_norm=bad))
    shown = page(copy)
    assert set(shown.sections) == ALL
    assert ["are not finite, the first at step" in own for own in shown.problems] == [True] * (
        not math.isfinite(bad)
    )
    if not math.isfinite(bad):
        assert "finite" in said(shown.section("findings"))
        if first:
            _, losses = shown.curve("loss", "step")
            assert [own is None for own in losses] == [False] * 15 + [True] * 15


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0, 1e308])
def test_evaluations_that_no_run_wrote(copy, bad):
    for name in ("epoch", "train_accuracy", "val_accuracy", "seconds"):
        rewrite(copy, lambda lines, name=name: [
            {**line, name: bad} if line["type"] == "epoch" and line["step"] == 15 else line for line in lines
        ])  # fmt: skip
        made = contents.read(RunFolder.open(copy))
        assert [own.step for own in made.history.records] == [5, 10, 20, 25, 30]
        assert ["is not a record of a run; it is passed over" in own for own in made.problems] == [True]


def test_looks_that_saw_parameters_and_no_layer(copy, page):
    rewrite(copy, edited("look", layers=[]))
    shown = page(copy)
    assert set(shown.sections) == ALL - {"signal"}
    assert shown.problems == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [("setup", {"total_steps": 0}), ("epoch", {"epoch": 1e-320}), ("setup", {"total_steps": 10**18})],
)
def test_lengths_that_no_run_has(copy, page, kind, values):
    rewrite(copy, edited(kind, **values))
    rewrite(copy, edited("setup", steps_per_epoch=0))
    shown = page(copy)
    assert set(shown.sections) >= ALL - {"learning"}
    assert len(shown.curve("loss", "step")[0]) == 30


@pytest.mark.parametrize("kind", ["step", "epoch", "look", "measured", "time", "data", "setup"])
def test_one_step_that_is_far_away(copy, page, kind):
    lines = lines_of(copy)
    last = max(number for number, line in enumerate(lines) if line["type"] == kind and line["step"] >= 0)
    moved = {**lines[last], "step": 10**9}
    after = next(number for number, line in enumerate(lines) if line["type"] == "step")
    rewrite(copy, lambda lines: [*lines[: after + 1], moved, *lines[after + 1 :]])
    shown = page(copy)
    (problem,) = shown.problems
    assert f"line {after + 2} is not a record of a run; it is passed over" in problem
    assert set(shown.sections) == ALL


def test_the_doctor_is_not_to_cost_the_page(copy, page, monkeypatch):
    def fails(folder, evidence):
        raise ZeroDivisionError("<b>division</b>")

    monkeypatch.setattr(contents, "diagnosed", fails)
    shown = page(copy)
    said = "The doctor could not judge this run: ZeroDivisionError: <b>division</b>."
    assert shown.problems == [said]
    assert set(shown.sections) >= ALL - {"findings"}


def test_only_the_losses(copy, page):
    rewrite(copy, only("step"))
    shown = page(copy)
    assert shown.headline == "This run has not ended: 30 steps are on record."
    assert shown.section("learning") is not None
    assert shown.section("learning").find(".//table") is None
    assert len(shown.curve("loss", "step")[0]) == 30
    assert shown.problems == []
    rewrite(copy, lambda lines: lines[:1])
    assert page(copy).headline == "This run has not ended: 1 step is on record."


def test_only_the_evaluations(copy, page):
    rewrite(copy, only("epoch"))
    shown = page(copy)
    assert shown.headline.startswith("This run has not ended: 6 epochs are on record.")
    assert len(shown.curve("accuracy", "val")[0]) == 6


def test_a_run_of_the_first_version(copy, page):
    rewrite(copy, only("step", "epoch", "end"))
    (copy / "predictions.safetensors").unlink()
    shown = page(copy)
    assert "are named right after 6 epochs" in shown.headline
    assert set(shown.sections) == ALL - {*OF_SAMPLES, "signal", "time"}
    assert ["older versions" in own for own in shown.problems] == [True, True]
    assert f"plaingrad report {copy} --data-dir DATA" in shown.problems[0]
    assert "time" in shown.problems[1]


KINDS = ["setup", "look", "probes", "order", "measured", "data", "time", "non_finite", "end"]


def spoil(copy, kind, junk):
    """Junk for every value of the lines of a type, or in a new line of it."""

    def change(lines):
        spoiled = [line for line in lines if line["type"] == kind] or [{"type": kind, "step": 3, "where": 0}]
        lines = lines + [own for own in spoiled if own not in lines]
        return [
            {name: value if name in ("type", "step") else junk for name, value in line.items()}
            if line["type"] == kind else line for line in lines
        ]  # fmt: skip

    rewrite(copy, change)


@pytest.mark.parametrize("kind", KINDS)
def test_lines_with_junk_in_them(copy, page, kind):
    spoil(copy, kind, {"<b>": None})
    shown = page(copy)
    lost = {"look": "signal", "time": "time"}.get(kind)
    assert set(shown.sections) == ALL - {lost}
    assert len(shown.problems) == (kind != "end") + (kind == "time"), shown.problems
    assert len(shown.curve("loss", "step")[0]) == 30
    assert len(shown.rows(".//section[@id='learning']//table")) == 6


@pytest.mark.parametrize(
    "junk", ["x", None, [1], math.nan, -1, 2.5, True, 10**400], ids=lambda own: repr(own)[:9]
)
def test_other_junk(run, tmp_path, junk):
    for kind in KINDS:
        copy = tmp_path / kind
        copy.mkdir()
        for name in ("recipe.toml", "history.jsonl"):
            shutil.copy(run / name, copy)
        spoil(copy, kind, junk)
        made = contents.read(RunFolder.open(copy))
        assert len(made.history.records) == 6
        assert len(made.history.losses) == 30
        for words in headline(made.history, made.samples):
            assert not re.search(r"nan|None|True|inf\b|-1|x\b", words), words
        plots.history(made.history, learning_rate=planned_rate(made.recipe, made.history))


@pytest.mark.parametrize("line", [{}, {"test_accuracy": 0.5}])
def test_an_end_that_tells_little(copy, page, line):
    rewrite(copy, lambda lines: [*without(["end"])(lines), {"type": "end", **line}])
    shown = page(copy)
    assert shown.headline.startswith(
        "50.0 % of 300 test images are named right." if line else "Training ended."
    )
    assert set(shown.sections) == ALL


def test_a_run_that_broke_off(tmp_path, page):
    overrides = ["network.hidden=[9]", "training.epochs=2", "data.train=100", "optimizer.lr=1e30"]
    with np.errstate(all="ignore"), pytest.raises(NonFiniteError):
        training.train(read_recipe("digits", overrides), tmp_path / "run")
    shown = page(tmp_path / "run")
    assert re.match(r"This run broke off at step \d+: a value in \w+ was no finite number\.", shown.headline)
    assert {"learning", "signal"} <= set(shown.sections)
