"""Checkpoints: arrays and plain values in one safetensors file, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plaingrad.errors import CheckpointError

Array = np.ndarray

# What comes of a head that safetensors takes and NumPy does not: a kind of number that it lacks, or far too many.
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, MemoryError)
_NAME = re.compile(r"step-(\d{9})\.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds: arrays by name, and values that JSON can hold."""

    arrays: dict[str, Array]
    values: dict[str, Any]
    path: Path

    def part(self, name: str) -> dict[str, Array]:
        """The arrays stored under `name`/, by the rest of their names."""
        return {key.partition("/")[2]: a for key, a in self.arrays.items() if key.startswith(f"{name}/")}


def path_for(folder: Path, step: int) -> Path:
    """The file of the checkpoint taken after `step` updates."""
    return folder / f"step-{step:09d}.safetensors"


def save(path: Path, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.  Raises OSError if the disk does not take it."""
    from safetensors.numpy import save as to_bytes

    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = json.dumps(values, sort_keys=True)
    data = to_bytes(contiguous, {"values": text, "sha256": _digest(contiguous, text)})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, sync it to disk, then rename: no half file is ever seen.

    Raises OSError if the disk does not take it (full, read-only); what stood there before still stands.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.  Raises CheckpointError if it is cut short, altered, or not one of ours."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError, *_DAMAGE) as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}") from error
    if "sha256" not in metadata or "values" not in metadata:
        raise CheckpointError(f"{path} was not written by plaingrad: it has no digest of its contents")
    if _digest(arrays, metadata["values"]) != metadata["sha256"]:
        raise CheckpointError(f"{path} was altered after it was written: its contents and digest disagree")
    try:
        values = json.loads(metadata["values"])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} holds values that cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} was not written by plaingrad: its values have no names")
    return Checkpoint(arrays, values, path)


def parameters(path: Path) -> int:
    """How many parameters a checkpoint holds, by its head alone.  Raises CheckpointError if it has none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys() if name.startswith("params/")]  # noqa: SIM118
    except (OSError, SafetensorError, *_DAMAGE) as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}") from error
    return sum(map(math.prod, shapes))


def newest(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The newest checkpoint that is whole, and a sentence for each newer one that is not.

    Raises CheckpointError if there is none.
    """
    problems: list[str] = []
    for path in reversed(found(folder)):
        try:
            return load(path), problems
        except CheckpointError as error:
            problems.append(str(error))
    raise CheckpointError("; ".join([f"{folder} holds no usable checkpoint", *problems]))


def found(folder: Path) -> list[Path]:
    """The checkpoint files in a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def keep_newest(folder: Path, count: int) -> None:
    """Delete all but the newest `count` checkpoints."""
    for path in found(folder)[:-count]:
        path.unlink(missing_ok=True)


def _digest(arrays: Mapping[str, Array], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
