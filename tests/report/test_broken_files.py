"""Runs with broken files: their pages say what could not be read, and show all that could."""

import math
import re
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from plaingrad import checkpoint
from plaingrad import predictions as files
from plaingrad.report import comparison, contents
from plaingrad.run_folder import RunFolder

from .made import flip, predictions, rewrite
from .parsed import ALL, OF_SAMPLES, OF_WEIGHTS, said, text

# The checkpoints


def test_a_run_without_checkpoints(copy, page):
    shutil.rmtree(copy / "checkpoints")
    shown = page(copy)
    assert set(shown.sections) == ALL - set(OF_WEIGHTS)
    assert ["holds no usable checkpoint" in own for own in shown.problems] == [True]


@pytest.mark.parametrize("at", [0, 0.01, 0.5, 0.99])
def test_a_damaged_checkpoint(copy, at):
    *others, newest = sorted((copy / "checkpoints").iterdir())
    assert others
    flip(newest, at)
    made = contents.read(RunFolder.open(copy))
    (problem,) = made.problems
    assert newest.name in problem
    assert f"the one before is used, {others[-1].name}" in problem
    assert made.network is not None
    for own in others:
        flip(own, at)
    made = contents.read(RunFolder.open(copy))
    assert made.network is None
    assert ["holds no usable checkpoint" in own for own in made.problems] == [True]


@pytest.mark.parametrize("hidden", ["11", "9, 7"])
def test_a_checkpoint_of_another_network(copy, page, hidden):
    recipe = (copy / "recipe.toml").read_text()
    (copy / "recipe.toml").write_text(recipe.replace("    9,", f"    {hidden},"))
    shown = page(copy)
    assert set(shown.sections) == ALL - set(OF_WEIGHTS)
    assert ["does not belong to" in own for own in shown.problems] == [True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_shape": 5},
        {"input_shape": "[1, 2]"},
        {"input_shape": [8.0, 8.0]},
        {"input_shape": [0]},
        {"input_shape": [10**6, 10**6]},
        {"input_shape": [10**18]},
        {"classes": [["a"], ["b"]]},
        {"classes": 10},
        {"classes": []},
        {"classes": [str(number) for number in range(10**5)]},
    ],
    ids=str,
)
def test_a_whole_checkpoint_that_no_run_wrote(copy, wrong):
    for file in sorted((copy / "checkpoints").iterdir()):
        own = checkpoint.load(file)
        checkpoint.save(file, own.arrays, own.values | wrong)
    made = contents.read(RunFolder.open(copy))
    assert made.network is None
    assert ["does not belong to" in own for own in made.problems] == [True]
    assert len(made.problems[0]) < 1000


def test_a_recipe_of_a_network_far_larger_than_the_checkpoint(copy):
    recipe = (copy / "recipe.toml").read_text()
    (copy / "recipe.toml").write_text(recipe.replace("    9,", "    2147483647,"))
    made = contents.read(RunFolder.open(copy))
    assert made.network is None
    assert ["the recipe's network has far more parameters" in own for own in made.problems] == [True]


# The predictions


def replaced(parts):
    return lambda file: files.save(file, {own.part: own for own in parts})


def foreign(metadata):
    return lambda file: save_file({"test/labels": np.zeros(3, dtype=np.int64)}, file, metadata)


def signed(arrays, values):
    """A whole file with the digest of its contents, whatever these are."""
    return lambda file: checkpoint.save(file, {f"test/{name}": own for name, own in arrays.items()}, values)


GOOD = {name: getattr(predictions([0, 1, 1], [1, 1, 0]), name) for name in files._ARRAYS}
MANY = {name: getattr(predictions([0, 1] * 33_500, [1, 1] * 33_500), name) for name in files._ARRAYS}
VALUES = {"classes": ["a", "b"], "probabilistic": True, "files": [], "step": None}


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda file: flip(file, 0),
        lambda file: flip(file, 0.02),
        lambda file: file.write_bytes(file.read_bytes()[:3000]),
        lambda file: file.write_bytes(b""),
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: file.write_bytes(b"\xff" * 8 + b"{" * 1000),
        foreign(None),
        foreign({"values": "[" * 100_000, "sha256": "0"}),
        foreign({"values": "<script>alert(1)</script>", "sha256": "../../x"}),
        signed(GOOD, {"test": []}),
        signed({}, {"test": VALUES}),
        signed(GOOD | {"predicted": np.zeros(2, dtype=np.int64)}, {"test": VALUES}),
        signed(GOOD | {"labels": np.array([0, 1, 2])}, {"test": VALUES}),
        signed(GOOD | {"labels": np.array([0, -1, 1])}, {"test": VALUES}),
        signed(GOOD | {"confidence": np.full(3, np.nan, dtype=np.float32)}, {"test": VALUES}),
        signed(GOOD | {"chosen": np.array([0, 1, 7])}, {"test": VALUES}),
        signed(GOOD | {"images": np.zeros((3, 1, 999, 999), dtype=np.uint8)}, {"test": VALUES}),
        signed(GOOD | {"images": np.zeros((3, 1, 0, 4), dtype=np.uint8)}, {"test": VALUES}),
        signed(GOOD, {"test": VALUES | {"classes": [1, 2]}}),
        signed(GOOD, {"test": VALUES | {"files": ["only one"]}}),
        signed(GOOD, {"test": VALUES | {"step": "7"}}),
        signed(GOOD, {"test": VALUES | {"classes": [str(number) for number in range(200_000)]}}),
        signed({name: own[:0] for name, own in GOOD.items()}, {"test": VALUES | {"classes": []}}),
        signed(MANY, {"test": VALUES}),
    ],
)
def test_damaged_predictions(copy, damage):
    damage(copy / "predictions.safetensors")
    made = contents.read(RunFolder.open(copy))
    assert made.predictions == {}
    (problem,) = made.problems
    assert "predictions.safetensors" in problem
    assert "damaged" in problem or "cannot be read" in problem
    assert len(problem) < 1000
    assert made.network is not None
    assert made.held_out is None


def test_a_page_without_the_predictions(copy, page):
    flip(copy / "predictions.safetensors")
    shown = page(copy)
    assert set(shown.sections) == ALL - set(OF_SAMPLES)
    assert len(shown.problems) == 1
    assert "test images are named right" in shown.headline


def test_predictions_of_other_classes(copy):
    replaced([predictions([0, 1], [1, 1], classes=["cat", "dog"])])(copy / "predictions.safetensors")
    made = contents.read(RunFolder.open(copy))
    assert made.predictions == {}
    assert ["of a network with other classes" in own for own in made.problems] == [True]


def test_predictions_of_an_earlier_step(copy):
    old = predictions([0, 1], [1, 1], classes=map(str, range(10)), step=1)
    replaced([old])(copy / "predictions.safetensors")
    made = contents.read(RunFolder.open(copy))
    assert len(made.predictions["test"]) == 2
    assert ["is from step 1: it has learnt since" in own for own in made.problems] == [True]


def test_predictions_of_the_validation_set_alone(copy, page):
    own = predictions([0, 1], [1, 1], classes=map(str, range(10)), part="validation")
    replaced([own])(copy / "predictions.safetensors")
    shown = page(copy)
    assert "2 validation images" in said(shown.section("confusion"))
    assert shown.problems == []


# The recipe


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: b"[[[ = ",
        lambda text: b"name = '\xff\xfe'\n",
        lambda text: text.encode("utf-16"),
        lambda text: b"\x00" * 512,
        lambda text: text.replace("[training]", "[training]\nquantum = true").encode(),
        lambda text: text.replace("[run]", "[quantum]\na = 1\n[run]").encode(),
        lambda text: text.replace("epochs = 6.0", "epochs = -6.0").encode(),
        lambda text: text.replace('name = "adamw"', 'name = "<script>"').encode(),
        lambda text: ("a." * 5000 + "b = 1\n").encode(),
        lambda text: text.replace("[run]", "[run]\na = " + "9" * 5000).encode(),
        lambda text: text.replace("[run]", "[run]\na = 0x" + "f" * 5000).encode(),
        lambda text: text.replace("[run]", "[run]\na = " + "[" * 5000 + "]" * 5000).encode(),
        lambda text: text.replace("[run]", "[run]\na = " + "[" * 200 + "]" * 200).encode(),
    ],
)
def test_a_recipe_that_cannot_be_read(copy, page, damage):
    (copy / "recipe.toml").write_bytes(damage((copy / "recipe.toml").read_text("utf-8")))
    shown = page(copy)
    assert set(shown.sections) == ALL - set(OF_WEIGHTS)
    assert shown.problems
    assert all("recipe.toml" in own for own in shown.problems)
    assert len(set(shown.problems)) == len(shown.problems)
    assert "test images are named right" in shown.headline


@pytest.mark.parametrize("facts", ["run = 3\n", "run = []\n", "run = {a = [1, {b = 2020-01-01}], c = nan}\n"])
def test_facts_of_another_kind(copy, page, facts):
    recipe, _, _ = (copy / "recipe.toml").read_text("utf-8").partition("[run]")
    (copy / "recipe.toml").write_text(facts + recipe, "utf-8")
    shown = page(copy)
    assert text(shown.section("again").findall(".//pre")[-1]).startswith(facts)


@pytest.mark.parametrize("value", ['["a", "b"]', "{a = [1]}", "nan", "2020-01-01"])
def test_a_comparison_with_facts_of_another_kind(copy, run, value):
    recipe = (copy / "recipe.toml").read_text("utf-8")
    for name in ("platform", "processors", "numpy", "data_sha256"):
        recipe = re.sub(rf"(?m)^{name} = .*$", f"{name} = {value}", recipe)
    (copy / "recipe.toml").write_text(recipe, "utf-8")
    assert len(comparison.compare([copy, run]).cautions) == 3


@pytest.mark.parametrize("bad", [5, -1, math.nan, True, "0.9", [0.9], 10**18])
def test_a_comparison_of_accuracies_that_are_none(copy, run, bad):
    rewrite(copy, lambda lines: [
        line | {"best_val_accuracy": bad, "test_accuracy": bad} if line["type"] == "end" else
        line | {"predicted": [bad]} if line["type"] == "measured" else line for line in lines
    ])  # fmt: skip
    made = comparison.compare([copy, run])
    spoiled, whole = made.runs
    assert (spoiled.validation, spoiled.test) == (None, None)
    assert made.best.runs == (spoiled, whole)
    assert made.best.accuracy == whole.validation
