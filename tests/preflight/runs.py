"""Runs to look at, sound unless an argument plants a trouble."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import plaingrad as pg
from plaingrad.data import Dataset, Split
from plaingrad.insight.preflight import Line, preflight
from plaingrad.insight.preflight.subject import Subject

CLASSES, FEATURES = 4, 12


def blobs(seed: int = 0, *, train: int = 240, test: int = 80, apart: float = 3.0) -> Dataset:
    """Rows of features around a centre for each class, float32; a quarter as many for validation as for testing."""
    rng = np.random.default_rng(seed)
    centres = apart * rng.standard_normal((CLASSES, FEATURES)) / np.sqrt(2)

    def split(count: int) -> Split:
        y = rng.permutation(np.arange(count) % CLASSES)
        return Split((centres[y] + rng.standard_normal((count, FEATURES))).astype(np.float32), y)

    return Dataset("blobs", tuple("abcd"), split(train), split(test // 4), split(test)).normalized("standard")


def digits(normalization: str = "standard") -> Dataset:
    return pg.load_data("digits").normalized(normalization)


def maker(
    data: Dataset | None = None, model: Callable[[], Any] | None = None, **settings: Any
) -> Callable[[], Any]:
    """A function that makes a solver: of a small ReLU network on blobs, unless told otherwise."""
    data = blobs() if data is None else data
    settings = {"rule": pg.SGD(0.1), "batch_size": 32, "epochs": 3} | settings

    def network() -> Any:
        return pg.FullyConnectedNet(
            (24,), input_shape=data.input_shape, classes=len(data.classes), activation="relu"
        )

    return lambda: pg.Solver((model or network)(), data, **settings)


def subject(*args: Any, **settings: Any) -> Subject:
    return Subject(maker(*args, **settings))


def line(name: str, *args: Any, **settings: Any) -> Line:
    """One line of the pre-flight of `maker(...)`."""
    (found,) = preflight(maker(*args, **settings), only=[name]).lines
    assert found.name == name
    return found
