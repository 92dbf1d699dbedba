"""What a trained run is worth: accuracy on its data, classes for new images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plaingrad.data import Split, read_image
from plaingrad.errors import RunError
from plaingrad.network import Network
from plaingrad.run_folder import RunFolder, Warn, silent


@dataclass(frozen=True)
class Prediction:
    """The class of an image, the probability the network gives it, and the probabilities of all classes."""

    image: str
    label: str
    probability: float
    probabilities: dict[str, float]


def evaluate(
    run: str | Path, *, data_path: str | None = None, warn: Warn = silent
) -> dict[str, dict[str, Any]]:
    """Accuracy, mean loss and sample count of a run's best weights on its validation and test set.

    `data_path` says where the data lies now, if not where the recipe says.
    """
    folder = RunFolder.open(run)
    recipe = folder.recipe()
    network, normalization, _ = folder.load(warn)
    settings = recipe.data.model_copy(update={"path": data_path} if data_path else {})
    data = settings.build()
    splits = {"validation": data.validation, "test": data.test}
    return {
        part: measure(network, Split(split.images, split.labels, normalization))
        for part, split in splits.items()
        if split
    }


def measure(network: Network, split: Split, *, batch_size: int = 500) -> dict[str, Any]:
    """Accuracy and mean loss (without L2) over a split, in evaluation mode."""
    correct, total = 0, 0.0
    for start in range(0, len(split), batch_size):
        X, y = split.batch(np.arange(start, min(start + batch_size, len(split))))
        scores = network.scores(X)
        correct += int((scores.argmax(axis=1) == y).sum())
        total += float(network.objective.forward(scores, y)[0]) * len(y)
    return {"accuracy": correct / len(split), "loss": total / len(split), "samples": len(split)}


def predict(run: str | Path, images: Sequence[str | Path], *, warn: Warn = silent) -> list[Prediction]:
    """The class of each image file, resized to the network's input if need be.

    Raises DataError naming a file that cannot be read as an image.
    """
    network, normalization, classes = RunFolder.open(run).load(warn)
    if len(network.input_shape) != 3:
        raise RunError(f"{run} was trained on samples of shape {network.input_shape}, not on images")
    channels, height, width = network.input_shape
    pixels = np.stack([read_image(path, channels=channels, size=(height, width)) for path in images])
    probabilities = network.probabilities(normalization.batch(pixels))
    return [
        Prediction(
            str(path),
            classes[int(row.argmax())],
            float(row.max()),
            {name: float(p) for name, p in zip(classes, row, strict=True)},
        )
        for path, row in zip(images, probabilities, strict=True)
    ]
