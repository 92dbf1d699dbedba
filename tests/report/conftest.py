"""A run that is trained once, and copies of it that tests may spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from plaingrad import training
from plaingrad.recipe import read_recipe
from plaingrad.report.page import render
from plaingrad.run_folder import RunFolder

from .parsed import Parsed

OVERRIDES = [
    "network.hidden=[9]", "training.epochs=6", "data.train=100", "training.checkpoint_seconds=0",
    "training.batch_size=20",
]  # fmt: skip


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run, to be left as it is."""
    out = tmp_path_factory.mktemp("runs") / "a run"
    training.train(read_recipe("digits", OVERRIDES), out)
    return out


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A copy of its folder."""
    shutil.copytree(run, tmp_path / "copy", ignore=shutil.ignore_patterns("report.html"))
    return tmp_path / "copy"


@pytest.fixture(scope="session")
def page() -> Callable[[Path], Parsed]:
    """Gives the page of a run folder, of which all holds that must hold for every page."""
    return lambda folder: Parsed(render(RunFolder.open(folder))).check()
