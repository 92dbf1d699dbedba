"""What a trained run is worth: accuracy on its data, classes for new images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plaingrad.data import Dataset, Normalization, Split, read_image
from plaingrad.errors import DataError, RunError
from plaingrad.network import Network
from plaingrad.run_folder import RunFolder, Warn, silent
from plaingrad.settings import DataSettings

BATCH = 500


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

    `data_path` says where the data lies now, if not where the recipe says: the data folder or, for your own
    data, the folder of images or the .npz file itself (or the folder it was moved to).  `warn` hears if the
    data differs from what the run was trained on; it may, as long as it could have been trained on.

    Raises RunError for data with other classes or samples of another shape, and DataError if it is not
    there, damaged, or leaves nothing to measure on.
    """
    folder = RunFolder.open(run)
    settings = folder.recipe().data
    network, normalization, classes = folder.load(warn)
    data = (_moved(settings, data_path) if data_path else settings).build()
    _check_fits(str(run), data, network.input_shape, classes)
    if folder.facts().get("data_sha256") not in (None, data.sha256):
        warn(
            f"the data is not what {run} was trained on (the digests differ), so what was trained on may be "
            "among the samples measured"
        )
    measured = {
        part: measure(network, Split(split.images, split.labels, normalization))
        for part, split in (("validation", data.validation), ("test", data.test))
        if split
    }
    if not measured:
        raise DataError(
            f"{data.name}: all samples are training samples; there is nothing to measure {run} on"
        )
    return measured


def measure(network: Network, split: Split, *, batch_size: int = BATCH) -> dict[str, Any]:
    """Accuracy and mean loss (without L2) over a split, in evaluation mode."""
    correct, total = 0, 0.0
    for start in range(0, len(split), batch_size):
        X, y = split.batch(np.arange(start, min(start + batch_size, len(split))))
        scores = network.scores(X)
        correct += int((scores.argmax(axis=1) == y).sum())
        total += float(network.objective.forward(scores, y)[0]) * len(y)
    return {"accuracy": correct / len(split), "loss": total / len(split), "samples": len(split)}


def predict(
    run: str | Path, images: str | Path | Sequence[str | Path], *, warn: Warn = silent
) -> list[Prediction]:
    """The class of each image file, resized to the network's input and brought to its scale if need be.

    Files whose names begin with "._", which some systems leave beside others, are passed over.  Raises
    DataError naming a file that cannot be read as an image, or if there is none, and RunError if the run
    was not trained on images, or on images whose scale is not known.
    """
    network, normalization, classes = RunFolder.open(run).load(warn)
    files = [images] if isinstance(images, str | Path) else images
    files = [path for path in files if not Path(path).name.startswith("._")]
    if not files:
        raise DataError("there is no image among the files: names that begin with ._ are not images")
    shape, full = network.input_shape, _full_intensity(str(run), network, normalization)
    predictions: list[Prediction] = []
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        pixels = np.stack([read_image(path, channels=shape[0], size=(shape[1], shape[2])) for path in batch])
        scaled = pixels if full == 255 else pixels / 255 * full
        for path, row in zip(batch, network.probabilities(normalization.batch(scaled)), strict=True):
            named = {name: float(p) for name, p in zip(classes, row, strict=True)}
            predictions.append(Prediction(str(path), classes[int(row.argmax())], float(row.max()), named))
    return predictions


def _full_intensity(run: str, network: Network, normalization: Normalization) -> float:
    """What an image file's 255 was in training.  Raises RunError if there were no images or it is unknown."""
    shape = network.input_shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise RunError(
            f"{run} was trained on samples of shape {shape}, not on grey or colour images (1 or 3, H, W), "
            "so it cannot be given image files"
        )
    if normalization.full is None:
        raise RunError(
            f"{run} was trained on images whose scale is not known, so image files cannot be brought to it; "
            "train on uint8 images or on floats in [0, 1]"
        )
    return normalization.full


def _moved(settings: DataSettings, path: str) -> DataSettings:
    """The same data, looked for at `path`."""
    if settings.name == "npz" and Path(path).is_dir() and settings.path:
        path = str(Path(path) / Path(settings.path).name)
    return settings.model_copy(update={"path": path})


def _check_fits(run: str, data: Dataset, shape: tuple[int, ...], classes: tuple[str, ...]) -> None:
    if data.classes != classes:
        raise RunError(
            f"{run} was trained on {_listed(classes)}, but {data.name} has {_listed(data.classes)}; "
            "give data with the same classes in the same order"
        )
    if data.input_shape != shape:
        raise RunError(
            f"{run} was trained on samples of shape {shape}, but those of {data.name} have shape "
            f"{data.input_shape}; give data of the same shape"
        )


def _listed(classes: tuple[str, ...]) -> str:
    names = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
    return f"{len(classes)} classes ({names})"
