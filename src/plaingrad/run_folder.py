"""A run is a folder: the recipe, the history, the checkpoints, the predictions, the report."""

from __future__ import annotations

import itertools
import math
import os
import reprlib
import shlex
import tomllib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from plaingrad import checkpoint, history, predictions
from plaingrad.checkpoint import Checkpoint, write_whole
from plaingrad.data import Normalization
from plaingrad.errors import CheckpointError, RunError
from plaingrad.history import History
from plaingrad.network import Network
from plaingrad.predictions import Predictions
from plaingrad.recipe import check
from plaingrad.settings import Recipe

T = TypeVar("T")
Warn = Callable[[str], None]

_DEEPEST = 20  # tables and lists inside each other; a recipe has three or four


def silent(message: str) -> None:
    """A `warn` that tells nobody."""


class RunFolder:
    """The folder of one run, new or old."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe_file = path / "recipe.toml"
        self.history_file = path / "history.jsonl"
        self.checkpoints = path / "checkpoints"
        self.predictions_file = path / "predictions.safetensors"
        self.report_file = path / "report.html"

    @property
    def resume_command(self) -> str:
        """What continues this run, for a shell."""
        return f"plaingrad train --resume {shlex.quote(str(self.path))}"

    @classmethod
    def new(cls, out: str | Path | None, name: str) -> RunFolder:
        """A folder for a run yet to come: `out`, or one under runs/ with the recipe's name and the time.

        Raises RunError if `out` is in use or cannot be made.
        """
        return cls(claimed(out, name, "recipe.toml", "run"))

    def write_recipe(self, text: str) -> None:
        """Write recipe.toml, whole or not at all.  Raises RunError if the folder takes no file."""
        try:
            write_whole(self.recipe_file, text.encode())
        except OSError as error:
            self.recipe_file.unlink(missing_ok=True)
            raise RunError(
                f"{self.recipe_file} cannot be written: {error.strerror}; choose another --out"
            ) from None

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """The folder of a run that was made before.  Raises RunError if it is not one."""
        folder = cls(Path(path))
        if not os.path.isfile(folder.recipe_file):  # False, too, for what no path can be
            raise RunError(f"{path} is not a run folder: {_instead(folder.path)}")
        return folder

    def recipe(self) -> Recipe:
        """The run's recipe, every field written out."""
        table = self._table()
        table.pop("run", None)
        return check(table, str(self.recipe_file))

    def facts(self) -> dict[str, Any]:
        """What recipe.toml tells beside the recipe: versions, machine, the data's digest."""
        return self._table().get("run", {})

    def history(self, warn: Warn | None = None) -> History:
        """What the run recorded.

        Raises RunError for a line that is damaged; with `warn` it is passed over, and `warn` hears of it.
        """
        return history.read(self.history_file, warn=warn)

    def predictions(self) -> dict[str, Predictions]:
        """What the best network says of the validation and of the test set, by part; {} if nobody noted it.

        Raises RunError if the file is damaged.
        """
        return predictions.read(self.predictions_file) if self.predictions_file.exists() else {}

    def newest_checkpoint(self, warn: Warn = silent) -> Checkpoint:
        """The newest whole checkpoint; `warn` hears of damaged ones.  Raises RunError if there is none."""
        try:
            found, problems = checkpoint.newest(self.checkpoints)
        except CheckpointError as error:
            raise RunError(f"{error}; train again, or bring a checkpoint back from a backup") from None
        for problem in problems:
            warn(f"{problem}; the one before is used, {found.path.name}")
        return found

    def load(self, warn: Warn = silent) -> tuple[Network, Normalization, tuple[str, ...]]:
        """The network with its best weights, the normalisation of its inputs, and its classes.

        Raises RunError if there is no whole checkpoint, or it does not belong to the recipe.
        """
        recipe, saved = self.recipe(), self.newest_checkpoint(warn)
        try:
            shape = _listed(saved.values, "input_shape", int)
            classes = _listed(saved.values, "classes", str)
            params = saved.part("best-params")
            # The weights are replaced at once; but first the file must hold about as many as the recipe asks for.
            rng = _NoDraws(10 * sum(value.size for value in params.values()) + 1_000_000)
            network = recipe.build(shape, len(classes), rng=rng)
            network.params, network.state = params, saved.part("best-state")
            return network, Normalization.from_state(saved.part("normalization")), classes
        except (KeyError, ValueError, ArithmeticError, MemoryError) as error:
            raise RunError(f"{saved.path} does not belong to {self.recipe_file}: {error}") from None

    def _table(self) -> dict[str, Any]:
        try:
            table = tomllib.loads(self.recipe_file.read_text("utf-8"))
            _check_plain(table)
        except (OSError, ValueError) as error:  # a number of thousands of digits is one, too
            raise RunError(f"{self.recipe_file} cannot be read: {error}") from None
        except RecursionError:
            raise RunError(f"{self.recipe_file} cannot be read: it is nested too deeply") from None
        return table


def _check_plain(value: Any, depth: int = 0) -> None:
    """Raise ValueError for tables and lists too deep to be written out again, and for integers beyond TOML's."""
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_plain(inner, depth + 1)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("it holds a whole number of more than 64 bits")


def _listed(values: dict[str, Any], name: str, kind: type[T]) -> tuple[T, ...]:
    """A list among a checkpoint's values, all of one type.  Raises ValueError for anything else."""
    value = values[name]
    if not isinstance(value, list) or not all(type(own) is kind for own in value):
        raise ValueError(f"its {name} cannot be {reprlib.repr(value)}")
    return tuple(value)


class _NoDraws:
    """Draws zeros, for weights that are about to be replaced, and not more numbers in all than `most`."""

    def __init__(self, most: int) -> None:
        self.left = most

    def standard_normal(self, size: tuple[int, ...]) -> np.ndarray:
        """Zeros.  Raises ValueError where they are too many."""
        self.left -= math.prod(size)
        if self.left < 0:
            raise ValueError("the recipe's network has far more parameters than it holds")
        return np.zeros(size)

    def uniform(self, low: float, high: float, size: tuple[int, ...]) -> np.ndarray:
        """The same."""
        return self.standard_normal(size)


def _instead(path: Path) -> str:
    """What a path is, which is no run's folder, and what to do."""
    if os.path.isfile(path):
        return "it is a file; name the folder that holds recipe.toml"
    if os.path.isfile(path / "study.toml"):
        return "it is a search's; name the folder of one of its runs, under trials/ or final/"
    runs = sorted(own.parent.name for own in path.glob("*/recipe.toml")) if os.path.isdir(path) else []
    if runs:
        return f"it holds no recipe.toml, but runs, such as {path / runs[0]}; name one"
    return "it holds no recipe.toml"


def claimed(out: str | Path | None, name: str, file: str, what: str) -> Path:
    """A new folder, `out` or one under runs/ with the name and the time, that is ours: an empty `file` in it says so.

    Raises RunError if `out` is in use or cannot be made; `what` it is a folder for is said there.
    """
    for path in [Path(out)] if out else _free_names(name):
        try:
            path.mkdir(parents=True, exist_ok=True)
            if not any(path.iterdir()):
                (path / file).touch(exist_ok=False)  # claims the folder, for only one can
                return path
        except FileExistsError:
            pass  # another was quicker, or a file stands there
        except OSError as error:
            raise RunError(
                f"the {what} folder {path} cannot be made: {error.strerror}; choose another with --out"
            ) from None
    raise RunError(f"{out} is in use; choose another --out, or continue a {what} with --resume {out}")


def _free_names(name: str) -> Iterator[Path]:
    stem = Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    yield stem
    for number in itertools.count(2):
        yield stem.with_name(f"{stem.name}-{number}")
