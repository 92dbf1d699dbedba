"""The experiments that are searches: grids S1-c and S1-d, random search S2-e; docs/experiments.md tells the protocols.

Each is a built-in space, searched as `plaingrad tune` does, by as many processes as there are processors.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from plaingrad.errors import Interrupted
from plaingrad.machine import processors
from plaingrad.recipe import read_recipe
from plaingrad.reproduce.outcome import Experiment, Published
from plaingrad.run_folder import RunFolder
from plaingrad.search import StudyResult, TrialResult, read_space
from plaingrad.search.tuning import tune

_JOBS = 8  # processes at most: each holds the images

Measure = Callable[[str | None, int], dict[str, Any]]


def _searched(space: str, values: Callable[[StudyResult, Path], dict[str, Any]]) -> Measure:
    def measure(data_dir: str | None, seed: int) -> dict[str, Any]:
        read = read_space(space)
        assert read.recipe is not None
        recipe = read_recipe(read.recipe, values={} if data_dir is None else {"data.path": data_dir})
        with tempfile.TemporaryDirectory(prefix="plaingrad-") as scratch:
            folder = Path(scratch) / space
            try:
                study = tune(recipe, read, seed=seed, jobs=min(processors(), _JOBS), out=folder)
            except Interrupted as interrupt:  # the study goes with its folder
                raise Interrupted(f"interrupted in the search {space}", interrupt.signal) from None
            (opening,) = study.openings
            return values(study, folder) | {"its test accuracy": mean(opening.test)}

    return measure


def _best(study: StudyResult, folder: Path) -> dict[str, Any]:
    """The highest validation accuracy, of weights that were kept for it."""
    assert study.best is not None
    return {"best validation accuracy": study.best.accuracy}


def _grid(name: Callable[[Mapping[str, Any]], str]) -> Callable[[StudyResult, Path], dict[str, Any]]:
    """The accuracy of each setting with its last weights, which is what the reports tell."""

    def values(study: StudyResult, folder: Path) -> dict[str, Any]:
        best = max(study.trials, key=_last)
        last = RunFolder.open(folder / best.runs[0]).history().records[-1]
        found = {name(trial.settings): _last(trial) for trial in study.trials}
        return found | {
            "best validation accuracy": last.val_accuracy,
            "its training accuracy": last.train_accuracy,
        }

    return values


def _last(trial: TrialResult) -> float:
    return trial.curve[-1][1] if trial.curve else 0.0


def _s1c(setting: Mapping[str, Any]) -> str:
    """A setting as the report names it, its penalty being reg · ΣW², twice our ½ · reg · ΣW²."""
    return (
        f"H {setting['network.hidden']}, lr {setting['optimizer.lr']:g}, reg {setting['network.reg'] / 2:g}"
    )


def _s1d(setting: Mapping[str, Any]) -> str:
    lr, reg, batch = setting["optimizer.lr"], setting["network.reg"] / 2, setting["training.batch_size"]
    return f"lr {lr:g}, reg {reg:g}, batch {batch}"


def _shown(names: Sequence[str], values: Sequence[float]) -> tuple[Published, ...]:
    return tuple(Published(name, value, "shown") for name, value in zip(names, values, strict=True))


_S1_C = [
    f"H {hidden}, lr {lr:g}, reg {reg:g}"
    for hidden, lr, reg in itertools.product((100, 150), (1e-3, 3e-3), (0.1, 0.5))
]
_S1_D = [
    f"lr {lr:g}, reg {reg:g}, batch {batch}"
    for lr, reg, batch in itertools.product((5e-4, 1e-3, 2.5e-3), (0.25, 0.5), (100, 200))
]
_S1_C_PUBLISHED = (0.451, 0.441, 0.433, 0.415, 0.451, 0.461, 0.431, 0.433)
_S1_D_PUBLISHED = (0.471, 0.470, 0.456, 0.468, 0.464, 0.479, 0.471, 0.488, 0.416, 0.483, 0.439, 0.485)


def experiments(load: Callable[[str | None], object]) -> tuple[Experiment, ...]:
    """The three of them; `load` finds out whether the images are there."""
    return (
        Experiment(
            "S1-c",
            "two-layer network, grid of 8 settings, 19,000 images, 1,000 steps",
            (
                Published("best validation accuracy", 0.461),
                Published("its test accuracy", 0.46),
                *_shown(_S1_C, _S1_C_PUBLISHED),
            ),
            _searched("s1-c", _grid(_s1c)),
            load,
        ),
        Experiment(
            "S1-d",
            "two-layer network, grid of 12 settings, 49,000 images, 2,000 steps",
            (
                Published("best validation accuracy", 0.488),
                Published("its test accuracy", 0.498),
                Published("its training accuracy", 0.513, "shown"),
                *_shown(_S1_D, _S1_D_PUBLISHED),
            ),
            _searched("s1-d", _grid(_s1d)),
            load,
        ),
        Experiment(
            "S2-e",
            "random search, 20 draws of weight scale, learning rate and L2",
            (Published("best validation accuracy", 0.525), Published("its test accuracy", 0.513)),
            _searched("s2-e", _best),
            load,
        ),
    )
