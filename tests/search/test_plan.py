"""What a study is to search: its budget, what is refused, and its file."""

import re
from dataclasses import replace

import pytest

from plaingrad.errors import RecipeError, RunError
from plaingrad.recipe import changed, read_recipe
from plaingrad.search.plan import VERSION, Plan, read_plan
from plaingrad.search.space_file import space_of

DIGITS = read_recipe("digits")


def a_plan(fields=None, **more):
    space = space_of({"space": fields or {"optimizer.lr": [0.01, 0.1]}})
    return Plan(DIGITS, space, **more)


def test_a_grid_is_as_many_trials_as_settings():
    plan = a_plan({"a": list(range(30)), "b": list(range(30))}, method="grid")
    assert plan.budget(None) == 900
    assert plan.budget(5000) == 900


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_other_methods_have_as_many_as_wanted(method):
    plan = a_plan(method=method)
    assert plan.budget(7) == 7
    assert plan.budget(None) == 20
    assert a_plan(method=method, minutes=1.0).budget(None) == 0


def test_a_grid_that_is_too_large_says_how_large():
    plan = a_plan({"a": list(range(40)), "b": {"integer": [1, 30]}}, method="grid")
    with pytest.raises(RecipeError, match=r"1,200 settings \(40 × 30\).*--trials 1200 if you mean it"):
        plan.budget(None)
    assert plan.budget(1200) == 1200


def test_a_grid_is_not_cut_short():
    with pytest.raises(RecipeError, match="the grid has 2 settings.*1 of them are a sample.*random"):
        a_plan(method="grid").budget(1)


def test_a_grid_of_a_range_needs_points():
    with pytest.raises(RecipeError, match="^optimizer.lr: a grid needs to know how many"):
        a_plan({"optimizer.lr": {"uniform": [0.1, 0.2]}}, method="grid").budget(None)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"method": "bayes"}, "method must be grid, random, tpe, got 'bayes'"),
        ({"prune": "some"}, "prune must be none, median, hyperband, got 'some'"),
        ({"seeds": 0}, "seeds"),
        ({"seeds": 1.5}, "seeds"),
        ({"seed": -1}, "seed"),
        ({"final_seeds": -1}, "final_seeds"),
        ({"final_seeds": True}, "final_seeds"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": float("inf")}, "minutes"),
        ({"minutes": float("nan")}, "minutes"),
        ({"minutes": "3"}, "minutes"),
    ],
)
def test_a_wrong_plan(wrong, sentence):
    with pytest.raises(RecipeError, match=f"^{sentence}"):
        a_plan(**wrong)


def test_there_must_be_validation_samples():
    recipe = changed(DIGITS, {"data.validation": 0})
    with pytest.raises(RecipeError, match="^data.validation is 0"):
        Plan(recipe, a_plan().space)


def test_the_digest_is_of_what_decides():
    plan = a_plan()
    for same in ({"minutes": 3.0}, {"final_seeds": 0}, {"shared": True}):
        assert replace(plan, **same).digest == plan.digest
    others = [
        replace(plan, **{k: v})
        for k, v in [("method", "grid"), ("prune", "median"), ("seeds", 2), ("seed", 1)]
    ]
    others += [a_plan({"optimizer.lr": [0.01, 0.2]}), a_plan({"network.reg": [0.01, 0.1]})]
    others += [replace(plan, recipe=changed(DIGITS, {"training.epochs": 3}))]
    digests = {own.digest for own in [plan, *others]}
    assert len(digests) == 1 + len(others)


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "study.toml"
    a_plan(seed=3).write(path)
    return path


def test_a_plan_is_read_back(study_file):
    assert read_plan(study_file).digest == a_plan(seed=3).digest


def test_another_version(study_file):
    text = study_file.read_text()
    study_file.write_text(re.sub(r"^version = \d+", f"version = {VERSION + 1}", text, flags=re.M))
    with pytest.raises(
        RunError, match=f"is of version {VERSION + 1} and this plaingrad .* reads version {VERSION}"
    ):
        read_plan(study_file)
    study_file.write_text(text.replace(f"version = {VERSION}\n", "", 1))
    with pytest.raises(RunError, match=f"is of version None and .* reads version {VERSION}"):
        read_plan(study_file)


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        (lambda text: text[: len(text) // 2] + "\0", RunError, "cannot be read: "),
        (lambda text: "x = " + 5000 * "[", RunError, "cannot be read: "),
        (lambda text: text.replace("[search]", "[hunt]"), RunError, "is damaged: 'search'"),
        (lambda text: text.replace("seeds = 1", "speeds = 1"), RunError, "is damaged: .*speeds"),
        (lambda text: text.replace('method = "tpe"', 'method = "pet"'), RecipeError, "method must be"),
        (lambda text: text.replace("choice = [", "choices = ["), RecipeError, r"\[space\].*optimizer.lr"),
        (lambda text: text.replace("epochs = 40", "epochs = -40"), RecipeError, r"\[recipe\]: training.epochs"),
    ],
)  # fmt: skip
def test_a_damaged_plan(study_file, change, error, sentence):
    text = study_file.read_text()
    assert change(text) != text
    study_file.write_text(change(text))
    with pytest.raises(error, match=sentence) as caught:
        read_plan(study_file)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_plan(tmp_path):
    with pytest.raises(RunError, match=f"^{tmp_path} is not a study: it holds no study.toml"):
        read_plan(tmp_path / "study.toml")
