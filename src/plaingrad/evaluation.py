"""What a trained run is worth: how right and how sure it is on its data, classes for new images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from plaingrad import metrics, ops, predictions, report
from plaingrad.data import Dataset, Normalization, Split, read_image
from plaingrad.errors import DataError, NonFiniteError, PlaingradError, RunError, ShapeError
from plaingrad.network import NegativeLogLikelihood, Network, SoftmaxCrossEntropy
from plaingrad.predictions import PARTS, Collector, Predictions
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
    run: str | Path,
    *,
    data_path: str | None = None,
    top_k: int | None = None,
    flip: bool = False,
    warn: Warn = silent,
) -> dict[str, dict[str, Any]]:
    """What `measure` says of a run's best weights on its validation and its test set.

    `data_path` says where the data lies now, if not where the recipe says: the data folder or, for your own
    data, the folder of images or the .npz file itself (or the folder it was moved to).  `warn` hears if the
    data differs from what the run was trained on; it may, as long as it could have been trained on.

    Raises RunError for data with other classes or samples of another shape, and DataError if it is not
    there, damaged, or leaves nothing to measure on; and what `measure` raises.
    """
    folder = RunFolder.open(run)
    network, data = _with_data(folder, data_path, warn)
    if not _same_data(folder, data):
        warn(
            f"the data is not what {run} was trained on (the digests differ), so what was trained on may be "
            "among the samples measured"
        )
    measured = {
        part: measure(network, data.splits[part], data.classes, top_k=top_k, flip=flip)
        for part in PARTS
        if data.splits[part]
    }
    if not measured:
        raise DataError(
            f"{data.name}: all samples are training samples; there is nothing to measure {run} on"
        )
    return measured


def note_predictions(
    run: str | Path, *, data_path: str | None = None, warn: Warn = silent
) -> dict[str, Predictions]:
    """What a run's best weights say of each sample, written into its folder, where the report finds it.

    It is what training writes at its end, for a run that was made by an older version or has not ended.  The
    test set is left alone unless the run was tested.  `data_path` and `warn` are as in `evaluate`.

    Raises RunError for other data than the run was trained on, DataError if the data is not there, and OSError
    if the folder takes no file.
    """
    folder = RunFolder.open(run)
    network, data = _with_data(folder, data_path, warn)
    if not _same_data(folder, data):
        raise RunError(
            f"{data.name} is not the data that {run} was trained on (the digests differ): bring that back, or say "
            "where it lies"
        )
    tested = (folder.history().result or {}).get("test_accuracy") is not None
    step = folder.newest_checkpoint().values.get("step")
    made: dict[str, Predictions] = {}
    for part in PARTS if tested else PARTS[:1]:
        split, collector = data.splits[part], Collector()
        for start in range(0, len(split), BATCH):
            X, y = split.batch(np.arange(start, min(start + BATCH, len(split))))
            collector.add(_mean_scores(network, [X]), y)
        if own := collector.predictions(part, split, data.classes, network.objective, step):
            made[part] = own
    predictions.save(folder.predictions_file, made)
    return made


def write_report(run: str | Path, *, data_path: str | None = None, warn: Warn = silent) -> Path:
    """Write the page of a run anew and return its path.

    What the network says of each sample is noted first where that is missing, damaged or older than the newest
    checkpoint, or `data_path` says where the data lies.  Without the data the page lacks its samples, and `warn`
    hears of it.  Raises what `report.write` raises; with `data_path` also what `note_predictions` raises.
    """
    folder = RunFolder.open(run)
    if data_path is not None or _wants_predictions(folder, warn):
        try:
            note_predictions(run, data_path=data_path, warn=warn)
        except PlaingradError as error:
            if data_path is not None:
                raise
            warn(f"the page shows no samples of the newest weights: {error}")
    return report.write(run)


def _wants_predictions(folder: RunFolder, warn: Warn) -> bool:
    """Whether there are weights that nobody has asked about each sample yet."""
    try:
        step = folder.newest_checkpoint().values["step"]
    except (RunError, KeyError):
        return False
    try:
        known = folder.predictions()
    except RunError:
        warn(f"{folder.predictions_file} is damaged; it is made anew")
        return True
    return not known or any(own.step != step for own in known.values())


def measure(
    network: Network,
    split: Split,
    classes: Sequence[str],
    *,
    top_k: int | None = None,
    flip: bool = False,
    batch_size: int = BATCH,
) -> dict[str, Any]:
    """How good a network is on the samples of a split, in evaluation mode, as plain values by name.

    - accuracy (a fraction), loss (the mean, without L2), samples
    - top_k and top_k_accuracy, with k = `top_k`; without it k = 5, or neither for five classes or fewer
    - ece: the expected calibration error, None if the objective makes no probabilities of the scores
    - per_class: the accuracy by the name of the class, None for a class without samples
    - confusion: row for row, how many samples of each class were taken for which
    - flip: with `flip`, the scores are the mean of those of the image and of its left-right mirror, as in
      airbench (Jordan 2024, arXiv:2404.00498): logits are averaged, not probabilities, and log-probabilities
      are normalised again, so that a network means the same with softmax in its loss or at its end

    No more than `batch_size` samples are in work at a time.  Raises DataError for an empty split, ShapeError
    for `flip` without images, RecipeError for a k beyond the classes, NonFiniteError if a score is not finite.
    """
    if not len(split):
        raise DataError("the split is empty; there is nothing to measure")
    if flip and split.images.ndim != 4:
        raise ShapeError(
            f"flip mirrors images (C, H, W), but these samples have shape {split.images.shape[1:]}: "
            "measure without it"
        )
    k = (5 if len(classes) > 5 else None) if top_k is None else top_k
    probabilistic = isinstance(network.objective, SoftmaxCrossEntropy | NegativeLogLikelihood)
    views = [split, replace(split, images=split.images[..., ::-1])] if flip else [split]
    loss, hits = 0.0, 0
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    bins = np.zeros((metrics.BINS, 3))
    for start in range(0, len(split), batch_size):
        indices = np.arange(start, min(start + batch_size, len(split)))
        y = split.labels[indices]
        scores = _mean_scores(network, [view.batch(indices)[0] for view in views])
        loss += float(network.objective.forward(scores, y)[0]) * len(y)
        confusion += metrics.confusion_matrix(y, scores.argmax(axis=1), len(classes))
        if k is not None:
            hits += round(metrics.top_k_accuracy(scores, y, k) * len(y))
        if probabilistic:
            bins += metrics.calibration_bins(_softmax(scores), y)
    per_class = metrics.per_class_accuracy(confusion).tolist()
    return {
        "accuracy": int(confusion.trace()) / len(split),
        "loss": loss / len(split),
        "samples": len(split),
        **({} if k is None else {"top_k": k, "top_k_accuracy": hits / len(split)}),
        "ece": metrics.calibration_error(bins) if probabilistic else None,
        "per_class": {
            name: None if np.isnan(own) else own for name, own in zip(classes, per_class, strict=True)
        },
        "confusion": confusion.tolist(),
        "flip": flip,
    }


def predict(
    run: str | Path,
    images: str | Path | Sequence[str | Path],
    *,
    flip: bool = False,
    warn: Warn = silent,
) -> list[Prediction]:
    """The class of each image file, resized to the network's input and brought to its scale if need be.

    With `flip`, the scores are averaged over the image and its left-right mirror, as `measure` does.
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
    made: list[Prediction] = []
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        pixels = np.stack([read_image(path, channels=shape[0], size=(shape[1], shape[2])) for path in batch])
        scaled = pixels if full == 255 else pixels / 255 * full
        views = [scaled, scaled[..., ::-1]] if flip else [scaled]
        scores = _mean_scores(network, [normalization.batch(view) for view in views])
        for path, row in zip(batch, _softmax(scores), strict=True):
            named = {name: float(p) for name, p in zip(classes, row, strict=True)}
            made.append(Prediction(str(path), classes[int(row.argmax())], float(row.max()), named))
    return made


def _mean_scores(network: Network, views: Sequence[np.ndarray]) -> np.ndarray:
    """The scores (N, C) of one batch, averaged over what it looks like in several views."""
    with np.errstate(all="ignore"):  # what is not finite is looked for instead
        scores = sum((network.scores(X) for X in views[1:]), network.scores(views[0])) / len(views)
    if not np.isfinite(scores).all():
        raise NonFiniteError(
            "the network's scores hold NaN or infinity: its weights, or these samples, are too large to "
            "compute with; look at the samples, and train again with a lower learning rate"
        )
    if len(views) > 1 and isinstance(network.objective, NegativeLogLikelihood):
        return ops.log_softmax_forward(scores)[0]  # a mean of log-probabilities does not sum to 1
    return scores


def _softmax(scores: np.ndarray) -> np.ndarray:
    return ops.softmax_forward(scores)[0]


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


def _with_data(folder: RunFolder, data_path: str | None, warn: Warn) -> tuple[Network, Dataset]:
    """A run's best network, and data that fits it, normalised as in training."""
    settings = folder.recipe().data
    network, normalization, classes = folder.load(warn)
    data = (_moved(settings, data_path) if data_path else settings).build()
    _check_fits(str(folder.path), data, network.input_shape, classes)
    splits = {part: replace(split, normalization=normalization) for part, split in data.splits.items()}
    return network, replace(data, **splits)


def _same_data(folder: RunFolder, data: Dataset) -> bool:
    return folder.facts().get("data_sha256") in (None, data.sha256)


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
