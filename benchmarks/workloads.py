"""The workloads: what is trained, on what, in which portions.  Pixels are random; time does not care."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class Workload:
    """Fully-connected classifiers of 32×32 colour images, as every contender must train them."""

    id: str
    title: str
    hidden: tuple[int, ...]
    batch: int
    rule: str  # "sgd" or "adam"
    lr: float


WORKLOADS = {
    "W1": Workload("W1", "two layers 3072-50-10, batch 200, SGD", (50,), 200, "sgd", 1e-4),
    "W2": Workload("W2", "six affine layers 3072-100×5-10, batch 100, Adam", (100,) * 5, 100, "adam", 1e-4),
}


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
