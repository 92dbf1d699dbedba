"""What a study is to search: fixed when it begins, and written in its folder."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from plaingrad.checkpoint import write_whole
from plaingrad.errors import RecipeError, RunError, require_count, require_number
from plaingrad.machine import __version__
from plaingrad.recipe import check
from plaingrad.search.space import METHODS, MOST_SETTINGS, PRUNERS, Space
from plaingrad.search.space_file import space_of
from plaingrad.settings import Recipe

VERSION = 1
_TRIALS = 20  # if nobody says how many, nor how long
_MOST_TRIALS = 100_000  # that wait in a storage


@dataclass(frozen=True)
class Plan:
    """A search.

    recipe: what every trial starts from, the space's fixed fields included.
    seeds: how many runs each setting gets; `seed` is the first of their seeds, and decides the draws.
    trials: how many there were to be when it began; 0 for as many as time allows.
    minutes: how long the search goes on, all sittings together; None if only its trials end it.
    final_seeds: with how many fresh seeds the best setting is trained again for the test; 0 for none.
    shared: whether its storage is a database, which other machines may share.
    """

    recipe: Recipe
    space: Space
    method: str = "tpe"
    prune: str = "none"
    seeds: int = 1
    seed: int = 0
    final_seeds: int = 3
    trials: int = 0
    minutes: float | None = None
    shared: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise RecipeError(f"method must be {', '.join(METHODS)}, got {self.method!r}")
        if self.prune not in PRUNERS:
            raise RecipeError(f"prune must be {', '.join(PRUNERS)}, got {self.prune!r}")
        require_count("seeds", self.seeds, 1)
        require_count("seed", self.seed, 0)
        require_count("final_seeds", self.final_seeds, 0)
        if self.minutes is not None:
            require_minutes(self.minutes)
        if self.recipe.data.validation == 0:
            raise RecipeError(
                "data.validation is 0: a search compares settings on validation samples, since the test set may be "
                "opened only at its end; set data.validation"
            )

    @property
    def digest(self) -> str:
        """Of all that decides what the trials are, and which is better."""
        parts = [
            self.recipe.digest,
            self.recipe.data.name,
            self.space.to_table()["space"],
            self.method,
            self.prune,
            self.seeds,
            self.seed,
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def budget(self, wanted: int | None) -> int:
        """How many trials there are to be if so many are wanted; 0 for as many as time allows.

        A grid is tried whole.  Raises RecipeError for too many, or too few.
        """
        if wanted is not None:
            require_count("trials", wanted, 1)
        if wanted is not None and wanted > _MOST_TRIALS:
            raise RecipeError(f"{wanted:,} trials are more than the {_MOST_TRIALS:,} that a study may have")
        if self.method != "grid":
            return wanted or (_TRIALS if self.minutes is None else 0)
        shape = self.space.grid_shape()
        size = math.prod(shape)
        told = f"the grid has {size:,} settings ({' × '.join(map(str, shape))})"
        if wanted is not None and wanted < size:
            raise RecipeError(
                f"{told}, and a grid is tried whole: {wanted:,} of them are a sample, which --method random draws"
            )
        if wanted is None and size > MOST_SETTINGS:
            mean_it = f", or say --trials {size} if you mean it" if size <= _MOST_TRIALS else ""
            raise RecipeError(
                f"{told}: that is more than {MOST_SETTINGS:,}; try fewer values, or search with --method random or "
                f"tpe{mean_it}"
            )
        return size

    def write(self, path: Path) -> None:
        """Write it as TOML, whole or not at all."""
        told = {
            name: getattr(self, name)
            for name in ("method", "prune", "seeds", "seed", "final_seeds", "trials", "minutes", "shared")
            if getattr(self, name) is not None
        }
        table = {"version": VERSION, "plaingrad": __version__, "search": told}
        table |= {"space": self.space.to_table(), "recipe": tomllib.loads(self.recipe.to_toml())}
        write_whole(path, tomli_w.dumps(table).encode())


def require_minutes(minutes: Any) -> None:
    """Raise RecipeError for what is no time."""
    require_number("minutes", minutes, lambda value: 0 < value < math.inf, "above 0 and finite")


def read_plan(path: Path) -> Plan:
    """The plan that `write` wrote.  Raises RunError for a file that is none, or of another version."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path.parent} is not a study: it holds no {path.name}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
    if not table:
        raise RunError(
            f"{path} is empty: the study was killed before it began; delete {path.parent} and begin it anew"
        )
    if table.get("version") != VERSION:
        raise RunError(
            f"{path} is of version {table.get('version')} and this plaingrad ({__version__}) reads version {VERSION}: "
            f"go on with the plaingrad that began it ({table.get('plaingrad', 'unknown')}), or begin a new study"
        )
    try:
        told, space, recipe = table["search"], table["space"], table["recipe"]
        if not all(isinstance(part, Mapping) for part in (told, space, recipe)):
            raise TypeError("a section is not one")
        return Plan(check(recipe, f"{path}, [recipe]"), space_of(space, f"{path}, [space]"), **told)
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{path} is damaged: {error}; bring it back from a backup, or begin a new study"
        ) from None
