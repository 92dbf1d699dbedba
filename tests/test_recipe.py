"""Recipes: built-in ones, overrides, and what is said about wrong ones."""

import pytest

from plaingrad.data import Augmentation, ColorJitter, Crop, Cutout, Flip
from plaingrad.errors import RecipeError
from plaingrad.optim import SGD, AdamW
from plaingrad.recipe import built_in, check, read_recipe
from plaingrad.schedules import Cosine, OneCycle, Warmup


@pytest.mark.parametrize("name", built_in())
def test_built_in_recipes_are_whole(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.description == built_in()[name]
    network = recipe.build((3, 32, 32), 4)
    assert network.output_shape == (4,)
    assert network.dtype == recipe.training.dtype


@pytest.mark.parametrize("name", built_in())
def test_a_written_recipe_is_the_same_recipe(name, tmp_path):
    factors = 'training.lr_factors={"affine*"=0.5, affine2=0, "*.bias"=2.0}'
    overrides = ["data.path='/some/where'", "training.ema=0.99", "augmentation.crop=2", factors]
    overrides += ["optimizer.weight_decay=0.1", "schedule.name=cosine", "schedule.warmup=2"]
    recipe = read_recipe(name, overrides)
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.to_toml(run={"plaingrad": "0"}), "utf-8")
    again = read_recipe(path)
    assert again.rule() == recipe.rule()
    assert again.learning_rate_schedule() == recipe.learning_rate_schedule()
    assert again.model_dump(exclude={"optimizer", "schedule"}) == recipe.model_dump(
        exclude={"optimizer", "schedule"}
    )
    assert again.to_toml() == read_recipe(path).to_toml()
    assert again.digest == recipe.digest
    assert list(again.training.lr_factors.items()) == [("affine*", 0.5), ("affine2", 0), ("*.bias", 2.0)]


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


def test_augmentation():
    assert read_recipe("digits").augmentation.build(seed=3) is None
    overrides = ["cutout=5", "flip=alternating", "saturation=0.5", "crop=2"]
    recipe = read_recipe("digits", [f"augmentation.{text}" for text in overrides])
    assert recipe.augmentation.build(seed=3) == Augmentation(
        Flip("alternating"), Crop(2), ColorJitter(0, 0, 0.5), Cutout(5), seed=3
    )


def test_doubled_data_is_normalised_by_what_trains():
    once, twice = (read_recipe("digits", [f"data.doubled={word}"]).data.build() for word in ("false", "true"))
    assert len(twice.train) == 2 * len(once.train)
    X = twice.train.batch(range(len(twice.train)))[0]
    assert abs(X.mean(axis=0)).max() < 1e-5 * abs(X).max()
    assert len(twice.validation) == len(once.validation)


def test_the_digest_covers_all_that_decides_how_training_goes():
    changes = ["training.ema=0.9", "training.ema=0.0", "training.accumulate=2", "augmentation.flip=random"]
    changes += ["training.lr_factors={a=1, b=2}", "training.lr_factors={b=2, a=1}", "data.doubled=true"]
    changes += ["optimizer.weight_decay=0", "seed=1"]
    recipes = [read_recipe("digits"), *(read_recipe("digits", [change]) for change in changes)]
    assert len({recipe.digest for recipe in recipes}) == len(recipes)
    assert read_recipe("digits", ["description=mine", "name=other"]).digest == recipes[0].digest


WRONG = [
    ("training.ema=1", "training.ema: input should be less than 1, got 1"),
    ("training.accumulate=0", "training.accumulate: input should be greater than or equal to 1, got 0"),
    (
        "training.lr_factors.affine1=-1",
        "training.lr_factors.affine1: input should be greater than or equal to 0",
    ),
    ("training.lr_factors=0.1", "training.lr_factors: input should be a valid dictionary, got 0.1"),
    (
        "augmentation.flip=left",
        "augmentation.flip: input should be 'none', 'random' or 'alternating', got 'left'",
    ),
    ("augmentation.crop=-1", "augmentation.crop: input should be greater than or equal to 0, got -1"),
    (
        "augmentation.cutout=100000000000000000000",
        "augmentation.cutout: input should be less than or equal to",
    ),
    ("augmentation.contrast=1.5", "augmentation.contrast: input should be less than or equal to 1, got 1.5"),
    ("augmentation.mirror=1", "augmentation.mirror: there is no such field; there are: brightness, contrast"),
    ("augmentation.flp=random", "did you mean 'flip'"),
    ("data.doubled=1", "data.doubled: input should be a valid boolean, got 1"),
    ("optimizer.weight_decay=-1", "weight_decay must be 0 or more, got -1"),
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


def test_quoted_parts_of_a_field_keep_their_dots():
    recipe = read_recipe(
        "digits", ['training.lr_factors."affine1.weight"=0', "training.lr_factors.affine2=2"]
    )
    assert recipe.training.lr_factors == {"affine1.weight": 0, "affine2": 2}


@pytest.mark.parametrize("loss", ["hinge", "negative-log-likelihood"])
def test_label_smoothing_is_for_softmax(loss):
    with pytest.raises(RecipeError, match="label_smoothing is for loss = .softmax., not for"):
        read_recipe("digits", [f"network.loss={loss}"])  # digits smooths its labels


def test_layers_end_in_a_score_for_each_class():
    layers = 'network.layers=["flatten", {kind="affine", units=7}]'
    recipe = read_recipe("digits", ["network.name=layers", layers])
    with pytest.raises(RecipeError, match=r"ends in samples of shape \(7,\).*each of the 10 classes"):
        recipe.build((1, 8, 8), 10)


def test_a_recipe_nested_without_end(tmp_path):
    file = tmp_path / "deep.toml"
    file.write_text("a = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(RecipeError, match="nested too deeply"):
        read_recipe(file)
