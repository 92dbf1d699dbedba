"""The workloads: what is trained, on what, in which portions.  Pixels are random; time does not care."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Workload:
    """A classifier of 32×32 colour images, as every contender must train it, `steps` at a time.

    network: a class of plaingrad and its arguments.  hidden: the units of a fully-connected one.
    rule: "sgd", "momentum" (0.9) or "adam".
    """

    id: str
    title: str
    network: str
    arguments: dict[str, Any]
    batch: int
    rule: str
    lr: float
    steps: int = 50

    @property
    def hidden(self) -> tuple[int, ...] | None:
        return self.arguments.get("hidden")


def _dense(id: str, title: str, hidden: tuple[int, ...], batch: int, rule: str) -> Workload:
    return Workload(id, title, "FullyConnectedNet", {"hidden": hidden}, batch, rule, 1e-4)


_ALL = (
    _dense("W1", "two layers 3072-50-10, batch 200, SGD", (50,), 200, "sgd"),
    _dense("W2", "six affine layers 3072-100×5-10, batch 100, Adam", (100,) * 5, 100, "adam"),
    Workload("W3", "LeNet, batch 4, momentum", "LeNet", {}, 4, "momentum", 1e-6),
    Workload("W3'", "LeNet, batch 128, momentum", "LeNet", {}, 128, "momentum", 1e-6, 10),
    Workload("W4", "four convolutions, batch 4, momentum", "FourConvNet", {}, 4, "momentum", 1e-6),
    Workload("W4'", "four convolutions, batch 128, momentum", "FourConvNet", {}, 128, "momentum", 1e-6, 3),
    Workload("W5", "VGG 32-64-128 with batch norm, batch 128, momentum", "VGG", {}, 128, "momentum", 1e-6, 2),
    Workload("W6", "FastNet 64-256-256, batch 128, momentum", "FastNet", {}, 128, "momentum", 1e-6, 1),
)
WORKLOADS = {workload.id: workload for workload in _ALL}


@lru_cache(maxsize=1)
def images(count: int = 49_000) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, 32, 32) uint8 and labels (N,) int64, as many as the coursework trains on."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, count)


@lru_cache(maxsize=2)
def centred_rows(dtype: str) -> np.ndarray:
    """The images as rows (N, 3072) with the mean image subtracted, in full: what other libraries are given."""
    pixels = images()[0].reshape(-1, 3072)
    rows = pixels.astype(dtype)
    rows -= pixels.mean(axis=0).astype(dtype)
    return rows
