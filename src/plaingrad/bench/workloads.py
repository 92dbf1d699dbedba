"""The workloads: what is trained, on what, in which portions.  Pixels are random; time does not care."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from plaingrad import network as networks
from plaingrad.errors import RecipeError, require_count, suggestion
from plaingrad.network import Network

SAMPLES = 49_000  # as many as the coursework trains on
_MOST_STEPS = 50


@dataclass(frozen=True)
class Workload:
    """A classifier of 32×32 colour images, as every contender must train it.

    network: a class of `plaingrad.network` and its arguments.  rule: "sgd", "momentum" (0.9) or "adam".
    samples: how many a contender trains on in a round, unless that takes more than 50 steps.
    """

    id: str
    name: str
    network: str
    arguments: dict[str, Any]
    batch: int
    rule: str
    lr: float
    samples: int

    @property
    def title(self) -> str:
        """In words."""
        rule = {"sgd": "SGD", "adam": "Adam"}.get(self.rule, self.rule)
        return f"{self.name}, batch {self.batch}, {rule}"

    @property
    def hidden(self) -> tuple[int, ...] | None:
        """The units of each hidden layer of a fully-connected network; None for one that convolves."""
        return self.arguments.get("hidden")

    @property
    def steps(self) -> int:
        """Training steps in a round."""
        return max(1, min(_MOST_STEPS, self.samples // self.batch))

    def build(self) -> Network:
        """The network, with its initial weights."""
        return getattr(networks, self.network)(**self.arguments)

    def at(self, batch: int) -> Workload:
        """The same with another batch size, called W3@64."""
        return replace(self, id=f"{self.id.rstrip(_PRIME)}@{batch}", batch=batch)


_PRIME = "'"  # W3' is W3 at a second batch size


def _dense(id: str, name: str, hidden: tuple[int, ...], batch: int, rule: str) -> Workload:
    return Workload(id, name, "FullyConnectedNet", {"hidden": hidden}, batch, rule, 1e-4, 50 * batch)


def _conv(id: str, name: str, network: str, batch: int, samples: int) -> Workload:
    return Workload(id, name, network, {}, batch, "momentum", 1e-6, samples)


_ALL = (
    _dense("W1", "two layers 3072-50-10", (50,), 200, "sgd"),
    _dense("W2", "six affine layers 3072-100×5-10", (100,) * 5, 100, "adam"),
    _conv("W3", "LeNet", "LeNet", 4, 1280),
    _conv("W3'", "LeNet", "LeNet", 128, 1280),
    _conv("W4", "four convolutions", "FourConvNet", 4, 384),
    _conv("W4'", "four convolutions", "FourConvNet", 128, 384),
    _conv("W5", "VGG 32-64-128 with batch norm", "VGG", 128, 256),
    _conv("W6", "FastNet 64-256-256", "FastNet", 128, 128),
)
WORKLOADS = {workload.id: workload for workload in _ALL}


def chosen(ids: Iterable[str], batches: Sequence[int] = ()) -> list[Workload]:
    """The workloads with these ids, all of them for none; at each of `batches` if there are any.

    Raises RecipeError for one that does not exist, and for a batch size that is none.
    """
    ids = list(ids)
    unknown = [id for id in ids if id not in WORKLOADS]
    if unknown:
        raise RecipeError(f"there is no workload {unknown[0]!r}; {suggestion(unknown[0], WORKLOADS)}")
    for batch in batches:
        require_count("--batch", batch, 1)
        if batch > SAMPLES:
            raise RecipeError(f"--batch must be at most {SAMPLES:,}, the samples there are, got {batch:,}")
    own = [WORKLOADS[id] for id in ids] or list(_ALL)
    found = [workload.at(batch) for workload in own for batch in batches] if batches else own
    return list({workload.id: workload for workload in found}.values())


def multiply_adds(network: Network) -> int:
    """Multiplications with an addition that a training step takes for each sample.

    A product of the forward pass has two in the backward pass, by its input and by its weight; but nothing
    asks for the gradient of the first parameterised layer's input.
    """
    layers = list(network.layers.leaves(network.input_shape))
    forward = sum(layer.multiply_adds(shape) for layer, shape in layers)
    first = next((layer.multiply_adds(shape) for layer, shape in layers if layer.has_parameters), 0)
    return 3 * forward - first


@lru_cache(maxsize=1)
def images() -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, 32, 32) uint8 and labels (N,) int64."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (SAMPLES, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, SAMPLES)


@lru_cache(maxsize=2)
def centred_rows(dtype: str) -> np.ndarray:
    """The images as rows (N, 3072) with the mean image subtracted, in full: what other libraries are given."""
    pixels = images()[0].reshape(-1, 3072)
    rows = pixels.astype(dtype)
    rows -= pixels.mean(axis=0).astype(dtype)
    return rows


def channels_last(rows: np.ndarray) -> np.ndarray:
    """The same as images (N, 32, 32, 3), in memory too."""
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
