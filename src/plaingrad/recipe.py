"""Training recipes: TOML files that say everything a run needs, read into checked settings.

A recipe has the sections [data], [network], [optimizer], [schedule] and [training]; what it leaves
out has the defaults below.  Built-in recipes lie in `recipes/` and have names.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plaingrad.data import SOURCES, Dataset, load_data
from plaingrad.errors import PlaingradError, RecipeError, suggestion
from plaingrad.network import (
    FullyConnectedNet,
    He,
    Hinge,
    Network,
    Normal,
    Objective,
    SoftmaxCrossEntropy,
    TwoLayerNet,
    Xavier,
)
from plaingrad.optim import RULES, Rule
from plaingrad.schedules import SCHEDULES, Schedule, Warmup

Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Strength = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """Base of all sections: unknown fields are errors, numbers must be finite, values stay as they were set."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class DataSettings(Section):
    """Which images, how many, and how pixels become numbers."""

    name: str = "digits"
    path: str | None = None
    train: Count | None = None
    validation: Annotated[int, Field(ge=0)] | None = None
    test: Count | None = None
    normalize: Literal["none", "mean-image", "unit", "symmetric", "channels", "standard"] = "standard"
    image_size: tuple[Count, Count] | None = Field(default=None, strict=False)

    def absolute(self) -> DataSettings:
        """The same data named in full, so that a run's recipe is right from any folder."""
        name, path = self.name, self.path
        if name not in SOURCES and path is None and Path(name).exists():
            name, path = ("images" if Path(name).is_dir() else "npz"), name
        return self.model_copy(update={"name": name, "path": path and str(Path(path).absolute())})

    def build(self) -> Dataset:
        """The data set, normalised.  Raises DataError if it is not there or damaged."""
        data = load_data(
            self.name,
            self.path,
            train=self.train,
            validation=self.validation,
            test=self.test,
            size=self.image_size,
        )
        return data.normalized(self.normalize)


class NetworkSettings(Section):
    """What all networks share: the objective and the L2 strength."""

    loss: Literal["softmax", "hinge"] = "softmax"
    label_smoothing: Share = 0.0
    reg: Strength = 0.0

    def objective(self) -> Objective:
        """The loss."""
        return SoftmaxCrossEntropy(self.label_smoothing) if self.loss == "softmax" else Hinge()


class TwoLayerSettings(NetworkSettings):
    """affine – ReLU – affine."""

    name: Literal["two-layer"]
    hidden: Count = 50
    std: Annotated[float, Field(gt=0)] = 1e-3

    def build(self, input_shape: tuple[int, ...], classes: int, seed: int, dtype: str) -> Network:
        """The network for samples of `input_shape` in so many classes."""
        return TwoLayerNet(
            self.hidden,
            input_shape=input_shape,
            classes=classes,
            std=self.std,
            reg=self.reg,
            objective=self.objective(),
            seed=seed,
            dtype=dtype,
        )


class FullyConnectedSettings(NetworkSettings):
    """Any number of affine layers, with normalisation and dropout if wanted."""

    name: Literal["fully-connected"]
    hidden: list[Count] = [100, 100]
    activation: Literal["relu", "leaky-relu", "elu", "sigmoid", "tanh", "gelu", "silu"] = "relu"
    normalization: Literal["none", "batchnorm", "layernorm"] = "none"
    dropout: Share = 0.0
    init: Literal["he", "xavier", "normal"] = "he"
    std: Annotated[float, Field(gt=0)] = 1e-2

    def build(self, input_shape: tuple[int, ...], classes: int, seed: int, dtype: str) -> Network:
        """The network for samples of `input_shape` in so many classes."""
        return FullyConnectedNet(
            self.hidden,
            input_shape=input_shape,
            classes=classes,
            activation=self.activation,
            normalization=None if self.normalization == "none" else self.normalization,
            dropout=self.dropout,
            weight_init={"he": He(), "xavier": Xavier(), "normal": Normal(self.std)}[self.init],
            reg=self.reg,
            objective=self.objective(),
            seed=seed,
            dtype=dtype,
        )


class TrainingSettings(Section):
    """How long and in what portions."""

    epochs: Annotated[float, Field(gt=0)] = 10
    iterations: Count | None = None
    batch_size: Count = 100
    sampling: Literal["shuffle", "replacement"] = "shuffle"
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    patience: Count | None = None
    train_samples: Count = 1000
    checkpoint_seconds: Strength = 5.0
    dtype: Literal["float32", "float64"] = "float32"


class Recipe(Section):
    """Everything a run needs."""

    name: Annotated[str, Field(pattern=r"^[^/\\\x00.][^/\\\x00]*$")] = "recipe"
    description: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    data: DataSettings = DataSettings()
    network: Annotated[TwoLayerSettings | FullyConnectedSettings, Field(discriminator="name")]
    optimizer: dict[str, Any] = {"name": "adam"}
    schedule: dict[str, Any] = {"name": "constant"}
    training: TrainingSettings = TrainingSettings()

    def build(self, input_shape: tuple[int, ...], classes: int, *, dtype: str | None = None) -> Network:
        """The network, with its initial weights, for samples of `input_shape` in so many classes."""
        return self.network.build(input_shape, classes, self.seed, dtype or self.training.dtype)

    @property
    def digest(self) -> str:
        """A digest of all that decides how training goes: not of names, nor of where the data lies."""
        kinds = f"{self.optimizer['name']} {self.rule()} {self.learning_rate_schedule()}"
        named = {"name", "description", "optimizer", "schedule"}
        rest = self.model_dump_json(exclude=dict.fromkeys(named, True) | {"data": {"name", "path"}})
        return hashlib.sha256(f"{kinds} {rest}".encode()).hexdigest()

    def rule(self) -> Rule:
        """The update rule of [optimizer]."""
        return _chosen("optimizer", self.optimizer, RULES)

    def learning_rate_schedule(self) -> Schedule:
        """The schedule of [schedule], after a linear warm-up of `warmup` epochs if there is one."""
        settings = dict(self.schedule)
        warmup = settings.pop("warmup", 0)
        if not isinstance(warmup, int | float) or isinstance(warmup, bool) or not 0 <= warmup < math.inf:
            raise RecipeError(f"schedule.warmup must be a number of epochs, 0 or more, got {warmup!r}")
        schedule = _chosen("schedule", settings, SCHEDULES)
        return Warmup(warmup, then=schedule) if warmup else schedule

    def to_toml(self, **more: Any) -> str:
        """This recipe, every default written out, and tables of `more` facts about the run."""
        written = _without_none(self.model_dump())
        for section, chosen in (("optimizer", self.rule()), ("schedule", _chosen_schedule(self))):
            written[section] |= {f.name: getattr(chosen, f.name) for f in fields(chosen)}  # type: ignore[arg-type]
        return tomli_w.dumps(written | more)


def read_recipe(
    name_or_path: str | Path, overrides: Iterable[str] = (), values: Mapping[str, Any] | None = None
) -> Recipe:
    """The recipe of that name, or in that file, with overrides such as "optimizer.lr=0.01".

    `values` are overrides that need no parsing, such as {"seed": 3}; they win.

    Overriding a section's `name` starts that section anew: the fields of another network or rule do
    not carry over.  Raises RecipeError naming the file and the field.
    """
    table, source = _table(name_or_path)
    table.pop("run", None)  # facts about the run that a run folder's recipe.toml holds
    table.setdefault("name", Path(name_or_path).stem)
    changes = [_override(text) for text in overrides]
    changes += [(field.split("."), value) for field, value in (values or {}).items()]
    for path, value in sorted(changes, key=lambda change: change[0][-1] != "name"):
        _set(table, path, value)
    return check(table, source)


def check(table: Mapping[str, Any], source: str = "recipe") -> Recipe:
    """A recipe from a table of settings.  Raises RecipeError naming `source` and the field."""
    try:
        recipe = Recipe.model_validate(dict(table))
        recipe.rule()
        recipe.learning_rate_schedule()
    except ValidationError as error:
        raise RecipeError(f"{source}: {_sentence(error)}") from None
    except PlaingradError as error:
        raise RecipeError(f"{source}: {error}") from None
    return recipe


def built_in() -> dict[str, str]:
    """The names of the built-in recipes, each with its line of description."""
    folder = resources.files("plaingrad") / "recipes"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {f.name[:-5]: tomllib.loads(f.read_text("utf-8"))["description"] for f in files}


def _table(name_or_path: str | Path) -> tuple[dict[str, Any], str]:
    path = Path(name_or_path)
    if path.suffix == ".toml" or (path.is_file() and str(name_or_path) not in built_in()):
        source = str(path)
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"recipe file {path} cannot be read: {error}") from None
    elif str(name_or_path) in built_in():
        source = f"recipe {name_or_path}"
        text = (resources.files("plaingrad") / "recipes" / f"{name_or_path}.toml").read_text("utf-8")
    else:
        raise RecipeError(
            f"there is no recipe {str(name_or_path)!r} and no such file; "
            f"{suggestion(str(name_or_path), built_in())}, or give a path that ends in .toml"
        )
    try:
        return tomllib.loads(text), source
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{source} is not valid TOML: {error}") from None


def _override(text: str) -> tuple[list[str], Any]:
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise RecipeError(f"--set {text}: write it as section.field=value, such as optimizer.lr=0.01")
    try:
        return key.strip().split("."), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip().split("."), value.strip()  # a word without quotes is a string


def _set(table: dict[str, Any], path: list[str], value: Any) -> None:
    *sections, field = path
    for section in sections:
        inner = table.setdefault(section, {})
        if not isinstance(inner, dict):
            raise RecipeError(f"--set {'.'.join(path)}: {section} is a value, not a section")
        # Another network, rule or schedule: the fields of the one before would not fit it.
        if field == "name" and section != "data" and inner.get("name") != value:
            inner.clear()
        table = inner
    table[field] = value


def _chosen(section: str, settings: Mapping[str, Any], choices: Mapping[str, type]) -> Any:
    """An instance of the class that settings["name"] names, made from the other settings."""
    given = dict(settings)
    name = given.pop("name", None)
    if name is None:
        raise RecipeError(f"{section}.name is missing; {suggestion('', choices)}")
    if not isinstance(name, str) or name not in choices:
        raise RecipeError(f"{section}.name: there is no {section} {name!r}; {suggestion(str(name), choices)}")
    kind = choices[name]
    known = {f.name: f for f in fields(kind)}
    for field, value in given.items():
        if field not in known:
            raise RecipeError(f"{section}.{field}: {name} has no such field; {suggestion(field, known)}")
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise RecipeError(f"{section}.{field} must be a number, got {value!r}")
    try:
        return kind(**given)
    except ValueError as error:
        raise RecipeError(f"{section}: {error}") from None


def _chosen_schedule(recipe: Recipe) -> Any:
    chosen = recipe.learning_rate_schedule()
    return chosen.then if isinstance(chosen, Warmup) else chosen


def _sentence(error: ValidationError) -> str:
    """The first problem in words: the field, what is wrong, and what there is instead."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    if len(where) > 1 and where[0] == "network":  # pydantic adds which of the networks it tried
        del where[1]
    field = ".".join(where)
    if first["type"] == "extra_forbidden":
        return f"{field}: there is no such field; {suggestion(where[-1], _known(where[:-1], error))}"
    if first["type"] == "union_tag_invalid":
        context = first.get("ctx", {})
        choices = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
        return f"network.name: there is no network {context['tag']!r}; {suggestion(context['tag'], choices)}"
    if first["type"] == "union_tag_not_found":
        return 'network.name is missing: say which network, such as name = "two-layer"'
    if first["type"] == "missing":
        return f"[{field}] is missing"
    return f"{field}: {first['msg'][0].lower()}{first['msg'][1:]}, got {first['input']!r}"


def _known(sections: list[str], error: ValidationError) -> Iterable[str]:
    """The field names of the section that an unknown field was found in."""
    tag = next((e["loc"][1] for e in error.errors() if e["loc"][0] == "network"), "")
    network = {"two-layer": TwoLayerSettings, "fully-connected": FullyConnectedSettings}.get(str(tag), Recipe)
    models = {"data": DataSettings, "training": TrainingSettings, "network": network}
    return models.get(sections[0], Recipe).model_fields if sections else Recipe.model_fields


def _without_none(value: Any) -> Any:
    """TOML has no null: a field that is None is left out."""
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return value
