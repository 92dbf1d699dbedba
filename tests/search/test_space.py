"""Search spaces: how they are written, what a grid makes of them, and what is said about wrong ones."""

import json
import tomllib

import optuna
import pytest

from plaingrad.errors import RecipeError
from plaingrad.recipe import built_in, changed, read_recipe
from plaingrad.search.plan import Plan, read_plan
from plaingrad.search.space import METHODS, PRUNERS, Dimension, Space
from plaingrad.search.space_file import read_space, space_of

DIGITS = read_recipe("digits")


def a_space(*lines, before="", source="space s.toml"):
    return space_of(tomllib.loads("\n".join([before, "[space]", *lines])), source)


def the_dimension(line):
    (own,) = a_space(line).dimensions
    return own


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a.b = [1, 2.5]", Dimension("a.b", "choice", (1, 2.5))),
        ("a.b = [[8], [16, 8]]", Dimension("a.b", "choice", ([8], [16, 8]))),
        ("a.b = ['x', true, 'y']", Dimension("a.b", "choice", ("x", True, "y"))),
        ("a.b = { choice = ['x', 'y'] }", Dimension("a.b", "choice", ("x", "y"))),
        ("a.b = { uniform = [0.0, 0.5] }", Dimension("a.b", "uniform", low=0.0, high=0.5)),
        (
            "a.b = { uniform = [0.0, 0.5], step = 0.25 }",
            Dimension("a.b", "uniform", low=0.0, high=0.5, step=0.25),
        ),
        (
            "a.b = { log-uniform = [1e-4, 0.1], points = 4 }",
            Dimension("a.b", "log-uniform", low=1e-4, high=0.1, log=True, points=4),
        ),
        ("a.b = { integer = [1, 8] }", Dimension("a.b", "integer", low=1, high=8, step=1)),
        ("a.b = { integer = [1, 9], step = 4 }", Dimension("a.b", "integer", low=1, high=9, step=4)),
        ("a.b = { integer = [1, 8], log = true }", Dimension("a.b", "integer", low=1, high=8, log=True)),
        (
            "a.b = { integer = [1, 8], points = 3 }",
            Dimension("a.b", "integer", low=1, high=8, points=3),
        ),
    ],
)
def test_every_form(line, expected):
    assert the_dimension(line) == expected


def test_fields_as_nested_tables():
    nested = tomllib.loads(
        "[space.optimizer]\nlr = { log-uniform = [1e-4, 0.1] }\n[space.network]\nreg = [1, 2]"
    )
    dotted = a_space("optimizer.lr = { log-uniform = [1e-4, 0.1] }", "network.reg = [1, 2]")
    assert space_of(nested).dimensions == dotted.dimensions


def test_scales():
    space = a_space(
        "a = [1]", "b = { uniform = [1, 2] }", "c = { log-uniform = [1, 2] }",
        "d = { integer = [1, 2], log = true }", "e = { integer = [1, 2] }")  # fmt: skip
    assert space.scales == {"a": "choice", "b": "linear", "c": "log", "d": "log", "e": "linear"}


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("a = [3, 1, 2]", [3, 1, 2]),
        ("a = [[8], [16, 8]]", [[8], [16, 8]]),
        ("a = { uniform = [0.0, 0.5], points = 3 }", [0.0, 0.25, 0.5]),
        ("a = { uniform = [0.0, 0.5], points = 1 }", [0.0]),
        ("a = { uniform = [0.0, 0.5], step = 0.25 }", [0.0, 0.25, 0.5]),
        ("a = { uniform = [0.0, 0.6], step = 0.25 }", [0.0, 0.25, 0.5]),
        ("a = { log-uniform = [1e-5, 1e-2], points = 4 }", [1e-5, 1e-4, 1e-3, 1e-2]),
        ("a = { integer = [1, 4] }", [1, 2, 3, 4]),
        ("a = { integer = [50, 500], step = 150 }", [50, 200, 350, 500]),
        ("a = { integer = [1, 10], step = 4 }", [1, 5, 9]),
        ("a = { integer = [1, 100], log = true, points = 3 }", [1, 10, 100]),
        ("a = { integer = [1, 3], points = 9 }", [1, 2, 3]),
    ],
)
def test_grid_values(line, values):
    found = the_dimension(line).grid()
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_grid_order():
    space = a_space("b.x = [2, 1]", "a.y = ['u', 'v', 'w']")
    settings = [tuple(setting.items()) for setting in space.grid()]
    assert settings == [(("b.x", x), ("a.y", y)) for x in (2, 1) for y in ("u", "v", "w")]
    assert space.grid_shape() == (2, 3)


def test_a_grid_needs_to_know_how_many():
    for line in ("a.b = { uniform = [0, 1] }", "a.b = { integer = [1, 9], log = true }"):
        with pytest.raises(RecipeError, match="^a.b: .*points = 5.*random or tpe$"):
            the_dimension(line).grid()


SPACE = """
description = "all there is"
recipe = "digits"
method = "random"
prune = "median"
trials = 7
seeds = 2

[fixed]
training.epochs = 2
data.train = 200

[space]
network.hidden = [[8], [16, 8]]
optimizer.lr = { log-uniform = [1e-4, 0.1], points = 3 }
network.activation = ["relu", "tanh"]
network.dropout = { uniform = [0.0, 0.5], step = 0.25 }
training.batch_size = { integer = [10, 50], log = true }
optimizer.beta1 = { uniform = [0.5, 0.9] }
training.accumulate = { integer = [1, 3] }
"""


@pytest.fixture
def space_file(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(SPACE)
    return path


def test_round_trip_through_the_study(tmp_path, space_file):
    space = read_space(space_file)
    plan = Plan(space.applied(DIGITS), space, method="random", prune="median", seeds=2, seed=4, minutes=1.5)
    plan.write(tmp_path / "study.toml")
    found = read_plan(tmp_path / "study.toml")
    # Equal tuples: the fields are in the order in which the file has their sections, which decides a grid's.
    assert found.space.dimensions == space.dimensions
    assert [own.field.split(".")[-1] for own in found.space.dimensions] == [
        "hidden", "activation", "dropout", "lr", "beta1", "batch_size", "accumulate"]  # fmt: skip
    for name in ("fixed", "description", "recipe", "method", "prune", "trials", "seeds"):
        assert getattr(found.space, name) == getattr(space, name), name
    assert found.recipe.to_toml() == plan.recipe.to_toml()
    for name in ("method", "prune", "seeds", "seed", "final_seeds", "minutes", "shared", "digest"):
        assert getattr(found, name) == getattr(plan, name), name


def test_what_the_file_leaves_out_is_left_to_the_caller():
    space = a_space("optimizer.lr = [1, 2]")
    assert [space.recipe, space.method, space.prune, space.trials, space.seeds] == [None] * 5
    assert space.to_table() == {"space": {"optimizer.lr": {"choice": [1, 2]}}}


def test_fixed_fields(space_file):
    base = read_space(space_file).applied(DIGITS)
    assert base.training.epochs == 2
    assert base.data.train == 200
    assert base.network == DIGITS.network  # what varies is left to the trials


def test_a_fixed_name_starts_its_section_anew():
    space = a_space("optimizer.lr = [0.1, 0.2]", before="[fixed]\noptimizer.name = 'sgd'")
    assert space.applied(DIGITS).optimizer == {"name": "sgd"}


def test_values_come_back_as_they_were():
    space = a_space(
        "network.hidden = [[8], [16, 8]]", "network.activation = ['relu', 'tanh']", "c.d = [1, 2.0, true]"
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = {own.field: set() for own in space.dimensions}
    for _ in range(40):
        trial = study.ask()
        setting = space.suggest(trial)
        assert list(setting) == [own.field for own in space.dimensions]
        for own in space.dimensions:
            assert setting[own.field] in own.options
            assert own.value(own.stored(setting[own.field])) == setting[own.field]
            seen[own.field].add(json.dumps(setting[own.field]))
    assert seen == {own.field: {json.dumps(option) for option in own.options} for own in space.dimensions}


def test_built_in_spaces():
    assert set(built_in("space")) >= {"s1-c", "s1-d", "s2-e"}
    for name, description in built_in("space").items():
        space = read_space(name)
        assert space.description == description
        assert space.recipe is not None
        base = space.applied(read_recipe(space.recipe))
        plan = Plan(base, space, method=space.method or "random", prune=space.prune or "none")
        trials = plan.budget(space.trials)
        if plan.method == "grid":
            assert str(trials) in description
            for setting in space.grid():
                changed(base, setting)


# One sentence that names the field (or the place), by the line that is wrong.
WRONG_LINES = {
    "a.b = 0.1": "a.b = 0.1 is one value",
    "a.b = 'x'": 'a.b = "x" is one value',
    "a.b = []": "a.b: a choice is a list of one value or more",
    "a.b = { choice = 3 }": "a.b: a choice is a list of one value or more, got 3",
    "a.b = [1, 2, 1]": r"a.b: a value stands twice in \[1, 2, 1\]",
    "a.b = [[8], [8]]": "a.b: a value stands twice",
    "a.b = [nan, 1.0]": "a.b: a choice is among finite numbers",
    "a.b = [[inf]]": "a.b: a choice is among finite numbers",
    "a.b = [2020-01-01]": "a.b: a choice is among finite numbers",
    "a.b = { uniform = [1, 1] }": "a.b: the range from 1 to 1 is empty",
    "a.b = { uniform = [2.5, 1] }": "a.b: the range from 2.5 to 1 is empty",
    "a.b = { uniform = [nan, 1] }": "a.b: uniform needs the low and the high end",
    "a.b = { uniform = [0, inf] }": "a.b: uniform needs the low and the high end",
    "a.b = { uniform = [1] }": "a.b: uniform needs the low and the high end",
    "a.b = { uniform = ['x', 'y'] }": "a.b: uniform needs the low and the high end",
    "a.b = { uniform = 3 }": "a.b: uniform needs the low and the high end",
    "a.b = { log-uniform = [0, 1] }": "a.b: 0 has no logarithm",
    "a.b = { log-uniform = [-1, 1] }": "a.b: -1 has no logarithm",
    "a.b = { integer = [0, 8], log = true }": "a.b: 0 has no logarithm",
    "a.b = { integer = [1, 8], log = 1 }": "a.b: log must be true or false, got 1",
    "a.b = { integer = [1, 8], log = true, step = 2 }": "a.b: a logarithmic range has no step",
    "a.b = { integer = [1.0, 8] }": "a.b: integer needs whole numbers",
    "a.b = { integer = [false, 8] }": "a.b: integer needs the low and the high end",
    "a.b = { integer = [1, 8], step = 1.5 }": "a.b: step must be a whole number",
    "a.b = { uniform = [0, 1], step = 0 }": "a.b: step must be above 0",
    "a.b = { uniform = [0, 1], step = nan }": "a.b: step must be above 0",
    "a.b = { uniform = [0, 1], step = 1.5 }": "a.b: step must be above 0 and no longer than the range",
    "a.b = { uniform = [0, 1], points = 0 }": "a.b: points must be a whole number from 1 to 1,000",
    "a.b = { uniform = [0, 1], points = '3' }": "a.b: points must be a whole number from 1 to 1,000",
    "a.b = { uniform = [0, 1], log = true }": "a.b: uniform has no option 'log'; it takes step, points",
    "a.b = { log-uniform = [1, 2], steps = 3 }": "a.b: log-uniform has no option 'steps'; it takes points",
    "a.b = { choice = [1], points = 3 }": "a.b: choice has no option 'points'; it takes nothing else",
    "a.b = { uniform = [0, 1], choice = [1] }": "a.b: say what it may be in one way",
    "a.b = { choices = [1, 2] }": "a.b: say what it may be in one way",
    "a.b = { log_uniform = [1, 2] }": "a.b: say what it may be in one way",
    "a.b = { loguniform = [1, 2] }": "a.b: say what it may be in one way",
    "a.b = { int = [1, 2] }": "a.b: say what it may be in one way",
    "a.b = { low = 1, high = 2 }": "a.b: say what it may be in one way",
    "seed = [1, 2]": "seed cannot vary: .*--seeds",
    "name = ['a', 'b']": "name cannot vary",
    "data.name = ['digits', 'mnist']": r"data.name cannot vary: .*\[fixed\]",
    "data.path = ['x', 'y']": "data.path cannot vary",
    "data.validation = [10, 20]": "data.validation cannot vary",
}


@pytest.mark.parametrize(("line", "sentence"), WRONG_LINES.items(), ids=WRONG_LINES)
def test_a_wrong_line(line, sentence):
    with pytest.raises(RecipeError, match=f"^space s.toml: {sentence}") as caught:
        a_space(line)
    assert "\n" not in str(caught.value)


# Well written, and not for this recipe.
WRONG_FIELDS = {
    "optimizer.lrr = [1, 2]": "optimizer.lrr = 1: optimizer.lrr: .*no such field; did you mean 'lr'",
    "network.hiden = [[1], [2]]": r"network.hiden = \[1\]: .*did you mean 'hidden'",
    "network.hidden = [[8], [0]]": r"network.hidden = \[0\]: network.hidden.0: .*greater than or equal to 1",
    "network.hidden = [8, 16]": "network.hidden = 8: network.hidden: .*valid list",
    "network.activation = ['relu', 'rellu']": 'network.activation = "rellu": network.activation: .*rellu',
    "network.dropout = { uniform = [0.0, 1.5] }": "network.dropout = 1.5: network.dropout: .*less than 1",
    "optimizer.name = ['adam', 'sgdx']": "optimizer.name = \"sgdx\": .*did you mean 'sgd'",
    "optimizer.lr = [0.1, true]": "optimizer.lr = true: optimizer.lr must be a number",
    "optimizer = ['adam']": 'optimizer = "adam": optimizer: .*dictionary',
    "training.batch_size = { uniform = [1, 9] }": "training.batch_size = 1.0: .*valid integer",
    "training.batch_size = { integer = [1, 99999999999999999999] }": "training.batch_size = 9{20}: .*2147483647",
}


@pytest.mark.parametrize(("line", "sentence"), WRONG_FIELDS.items(), ids=WRONG_FIELDS)
def test_a_field_that_does_not_fit_the_recipe(line, sentence):
    with pytest.raises(RecipeError, match=f"^space s.toml, {sentence}") as caught:
        a_space(line).applied(DIGITS)
    assert "\n" not in str(caught.value)


def test_fixed_fields_that_do_not_fit_the_recipe():
    for line, sentence in {
        "network.drop = 0.1": "network.drop: there is no such field",
        "network.dropout = nan": "network.dropout: .*finite",
    }.items():
        space = a_space("optimizer.lr = [1, 2]", before=f"[fixed]\n{line}")
        with pytest.raises(RecipeError, match=rf"^space s.toml, \[fixed\]: {sentence}"):
            space.applied(DIGITS)


GOOD = "[space]\noptimizer.lr = [0.1, 0.2]\n"
WRONG_FILES = {
    "": r": \[space\] is missing or empty",
    "[space]": r": \[space\] is missing or empty",
    "space = [1]": r": \[space\] is missing or empty",
    "fixed = 3\n" + GOOD: r": fixed must be a section",
    GOOD + "[fixed]\noptimizer.lr = 3": r": optimizer.lr is both in \[fixed\] and in \[space\]",
    "trails = 3\n" + GOOD: ": trails: there is no such field; did you mean 'trials'",
    "method = 'gird'\n" + GOOD: ": method must be grid or random or tpe, got 'gird'",
    "prune = 'often'\n" + GOOD: ": prune must be none or median or hyperband, got 'often'",
    "recipe = 3\n" + GOOD: ": recipe must be text, got 3",
    "trials = 0\n" + GOOD: ": trials must be a whole number, 1 or more, got 0",
    "seeds = true\n" + GOOD: ": seeds must be a whole number, 1 or more, got True",
    "[space\n": " is not valid TOML: .*line 1",
    GOOD + GOOD: " is not valid TOML: .*line 3",
    "[space]\na = " + 5000 * "[" + 5000 * "]": " is nested too deeply",
    "[space]\n" + 5000 * "a." + "b = [1, 2]": " is nested too deeply",
}


@pytest.mark.parametrize("number", range(len(WRONG_FILES)))
def test_a_wrong_file(tmp_path, number):
    text, sentence = list(WRONG_FILES.items())[number]
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=f"^space {path}{sentence}") as caught:
        read_space(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.toml").mkdir()
    for name in ("bytes.toml", "folder.toml", "missing.toml"):
        with pytest.raises(RecipeError, match=f"^space file {tmp_path / name} cannot be read: "):
            read_space(tmp_path / name)


def test_a_name_that_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match="^there is no space 's1c' .*did you mean 's1-c'.*ends in .toml$"):
        read_space("s1c")
    (tmp_path / "mine").write_text(GOOD)  # a file needs no ending
    assert read_space("mine").dimensions == (Dimension("optimizer.lr", "choice", (0.1, 0.2)),)


def test_method_and_pruner_names():
    for method in METHODS:
        assert a_space("a = [1]", before=f"method = '{method}'").method == method
    for prune in PRUNERS:
        assert a_space("a = [1]", before=f"prune = '{prune}'").prune == prune
    assert isinstance(a_space("a = [1]"), Space)
