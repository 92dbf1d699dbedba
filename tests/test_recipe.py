"""Recipes: built-in ones, overrides, and what is said about wrong ones."""

import pytest

from plaingrad.errors import RecipeError
from plaingrad.optim import SGD, AdamW
from plaingrad.recipe import built_in, check, read_recipe
from plaingrad.schedules import Cosine, OneCycle, Warmup


@pytest.mark.parametrize("name", built_in())
def test_built_in_recipes_are_whole(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.description == built_in()[name]
    network = recipe.build((3, 8, 8), 4)
    assert network.output_shape == (4,)
    assert network.dtype == recipe.training.dtype


@pytest.mark.parametrize("name", built_in())
def test_a_written_recipe_is_the_same_recipe(name, tmp_path):
    recipe = read_recipe(name, ["data.path='/some/where'", "schedule.warmup=2"])
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.to_toml(run={"plaingrad": "0"}), "utf-8")
    again = read_recipe(path)
    assert again.rule() == recipe.rule()
    assert again.learning_rate_schedule() == recipe.learning_rate_schedule()
    assert again.model_dump(exclude={"optimizer", "schedule"}) == recipe.model_dump(
        exclude={"optimizer", "schedule"}
    )
    assert again.to_toml() == read_recipe(path).to_toml()


def test_overrides():
    recipe = read_recipe(
        "two-layer",
        [
            "optimizer.lr=0.5",
            "data.name=mnist",
            "network.hidden=7",
            "training.epochs=3",
            "training.patience=2",
            "description=in words",
            "seed=9",
        ],
    )
    assert recipe.rule() == SGD(0.5)
    assert (recipe.data.name, recipe.network.hidden, recipe.seed) == ("mnist", 7, 9)
    assert (recipe.training.epochs, recipe.training.patience) == (3, 2)
    assert recipe.description == "in words"
    assert recipe.data.normalize == "mean-image", "what is not overridden stays"


def test_another_name_starts_its_section_anew_whatever_the_order():
    for overrides in (
        ["optimizer.lr=0.5", "optimizer.name=adamw"],
        ["optimizer.name=adamw", "optimizer.lr=0.5"],
    ):
        assert read_recipe("digits", overrides).rule() == AdamW(0.5, weight_decay=0.05)
        assert read_recipe("two-layer", overrides).rule() == AdamW(0.5)
    recipe = read_recipe("two-layer", ["network.name=fully-connected", "network.hidden=[5, 4]"])
    assert recipe.network.hidden == [5, 4]
    assert recipe.network.reg == 0
    assert read_recipe("two-layer", ["schedule.name=cosine"]).learning_rate_schedule() == Cosine()


def test_schedule_and_warm_up():
    recipe = read_recipe("digits", ["schedule.warmup=1.5"])
    assert recipe.learning_rate_schedule() == Warmup(1.5, then=OneCycle())


WRONG = [
    ("optimizer.lr=-1", "optimizer: .*lr must be above 0, got -1"),
    ("optimizer.lr=fast", "optimizer.lr must be a number, got 'fast'"),
    ("optimizer.lr=true", "optimizer.lr must be a number, got True"),
    ("optimizer.lr=nan", "lr must be finite and above 0, got nan"),
    ("optimizer.momentum=0.9", "optimizer.momentum: adamw has no such field; there are: beta1"),
    ("optimizer.beta3=0.9", "did you mean 'beta[12]'"),
    ("optimizer.name=adm", "there is no optimizer 'adm'; did you mean 'adam'"),
    ("schedule.name=cosin", "did you mean 'cosine'"),
    ("optimizer.lr=inf", "lr must be finite and above 0, got inf"),
    ("schedule.warmup=nan", "schedule.warmup must be a number of epochs"),
    ("schedule.warmup=inf", "schedule.warmup must be a number of epochs"),
    ("schedule.warmup=-1", "schedule.warmup must be a number of epochs"),
    ("schedule.rise=1.5", "rise must be from 0 to below 1"),
    ("network.name=lenet5", "there is no network 'lenet5'"),
    ("network.hiden=[5]", "network.hiden: there is no such field; did you mean 'hidden'"),
    ("network.hidden=5", "network.hidden: input should be a valid list, got 5"),
    ("network.hidden=[0]", "network.hidden.0: input should be greater than or equal to 1, got 0"),
    ("network.dropout=1.0", "network.dropout: input should be less than 1"),
    ("network.activation=rellu", "network.activation: input should be 'relu'"),
    ("training.epochs=0", "training.epochs: input should be greater than 0, got 0"),
    ("training.epochs=inf", "training.epochs: input should be a finite number"),
    ("training.batch_size=2.5", "training.batch_size: input should be a valid integer, got 2.5"),
    ("training.bach_size=2", "did you mean 'batch_size'"),
    ("data.normalise='unit'", "did you mean 'normalize'"),
    ("trainig.epochs=2", "trainig: there is no such field; did you mean 'training'"),
    ("seed=-1", "seed: input should be greater than or equal to 0"),
    ("seed", "write it as section.field=value"),
    (".lr=1", "write it as section.field=value"),
    ("seed.deep=1", "seed is a value, not a section"),
    ("network=5", "network"),
    ('schedule.name=["a"]', "there is no schedule .'a'."),
    ("optimizer.name={a=1}", "there is no optimizer"),
    ("network.hidden=[100000000000000000000]", "network.hidden.0: input should be"),
    ("name=../../evil", "name: string should match pattern"),
    ("optimizer=5", "optimizer: input should be a valid dictionary, got 5"),
]


@pytest.mark.parametrize(("override", "words"), WRONG, ids=[override for override, _ in WRONG])
def test_a_wrong_field_is_named(override, words):
    with pytest.raises(RecipeError, match=words) as caught:
        read_recipe("digits", ["seed=1", override])
    assert "\n" not in str(caught.value)


def test_a_file_does_not_hide_a_built_in_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").write_text("not a recipe")
    assert read_recipe("digits").name == "digits"


def test_a_section_without_its_name(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[network]\nname = "two-layer"\n[optimizer]\nlr = 0.1\n')
    with pytest.raises(RecipeError, match=r"optimizer.name is missing; there are: adagrad"):
        read_recipe(path)


def test_wrong_files(tmp_path):
    with pytest.raises(RecipeError, match="no recipe 'digit' .*did you mean 'digits'"):
        read_recipe("digit")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[network\n")
    with pytest.raises(RecipeError, match="broken.toml is not valid TOML"):
        read_recipe(broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(broken)
    broken.write_text('[data]\nname = "digits"\n')
    with pytest.raises(RecipeError, match=r"\[network\] is missing"):
        read_recipe(broken)
    broken.write_text("[network]\nhidden = 5\n")
    with pytest.raises(RecipeError, match="network.name is missing"):
        read_recipe(broken)


def test_a_recipe_is_a_value():
    recipe = read_recipe("digits")
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 3
    assert check(recipe.model_dump()) == recipe
