"""The settings of a recipe: what each section may say, and what is built from it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import Field

from plaingrad.data import SOURCES, Augmentation, ColorJitter, Crop, Cutout, Dataset, Flip, load_data
from plaingrad.errors import RecipeError, suggestion
from plaingrad.network import Network
from plaingrad.network.initializers import Draws
from plaingrad.network_settings import (
    AnyNetwork,
    Count,
    Section,
    Share,
    Strength,
)
from plaingrad.optim import RULES, Rule
from plaingrad.schedules import SCHEDULES, Schedule, Warmup

Amount = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=0, le=2**31 - 1)]


class DataSettings(Section):
    """Which images, how many, and how pixels become numbers."""

    name: str = "digits"
    path: str | None = None
    train: Count | None = None
    validation: Annotated[int, Field(ge=0)] | None = None
    test: Count | None = None
    normalize: Literal["none", "mean-image", "unit", "symmetric", "channels", "standard"] = "standard"
    image_size: tuple[Count, Count] | None = Field(default=None, strict=False)
    doubled: bool = False

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
        return (data.doubled() if self.doubled else data).normalized(self.normalize)


class AugmentationSettings(Section):
    """How training images are changed; nothing, unless it is asked for."""

    flip: Literal["none", "random", "alternating"] = "none"
    crop: Pixels = 0
    brightness: Amount = 0.0
    contrast: Amount = 0.0
    saturation: Amount = 0.0
    cutout: Pixels = 0

    def build(self, seed: int) -> Augmentation | None:
        """The transforms asked for, in the order of the fields; None if there are none."""
        colors = (self.brightness, self.contrast, self.saturation)
        transforms = [
            *([Flip(self.flip)] if self.flip != "none" else []),
            *([Crop(self.crop)] if self.crop else []),
            *([ColorJitter(*colors)] if any(colors) else []),
            *([Cutout(self.cutout)] if self.cutout else []),
        ]
        return Augmentation(*transforms, seed=seed) if transforms else None


class TrainingSettings(Section):
    """How long and in what portions."""

    epochs: Annotated[float, Field(gt=0)] = 10
    iterations: Count | None = None
    batch_size: Count = 100
    accumulate: Count = 1
    sampling: Literal["shuffle", "replacement"] = "shuffle"
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    lr_factors: dict[str, Strength] = Field(default={})
    ema: Share | None = None
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
    augmentation: AugmentationSettings = AugmentationSettings()
    network: AnyNetwork
    optimizer: dict[str, Any] = Field(default={"name": "adam"})
    schedule: dict[str, Any] = Field(default={"name": "constant"})
    training: TrainingSettings = TrainingSettings()

    def build(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        dtype: str | None = None,
        rng: Draws | None = None,
    ) -> Network:
        """The network, with its initial weights, for samples of `input_shape` in so many classes.

        rng: draws the weights; by default a generator made from `seed`.
        """
        return self.network.build(input_shape, classes, self.seed, dtype or self.training.dtype, rng)

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


def _without_none(value: Any) -> Any:
    """TOML has no null: a field that is None is left out."""
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return value
