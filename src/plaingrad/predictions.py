"""What a network says of each sample of a split, and pictures of some: one file of a run, read without trust."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plaingrad import checkpoint, metrics, ops
from plaingrad.callbacks import Callback
from plaingrad.data import Split
from plaingrad.errors import DataError, PlaingradError, RunError
from plaingrad.network import NegativeLogLikelihood, SoftmaxCrossEntropy

Array = np.ndarray

PARTS = ("validation", "test")
SIDE = 64  # pixels of a picture at most: it is looked at beside hundreds of others
MOST_CLASSES = 4096  # of more, a page could not show which are taken for which
MOST_PICTURES = 1000  # of a file: more than are ever kept

# Pictures kept of a split, some 600 in all: the surest of each cell of the confusion matrix, as many as there is
# room for; the surest mistakes; and samples as they come.
_IN_A_CELL = 12
_IN_CELLS = 500
_MISTAKES = 60
_AS_IT_COMES = 40

_ARRAYS = ("labels", "predicted", "confidence", "truth", "chosen", "images")


# eq=False: arrays do not compare to one truth value.
@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of the samples of one split, and pictures of some of them.

    part: "validation" or "test".  labels, predicted (N,): int64 numbers of `classes`.  confidence, truth (N,):
    float32, the probabilities of the predicted and of the true class, by softmax of the scores; 0 where scores
    are not finite.  probabilistic: whether the network was trained to give probabilities; else these only rank.
    chosen (K,): int64, ascending, the samples whose pictures are kept, none of samples that are no grey or
    colour images.  images (K, C, H, W): uint8, C 1 or 3, at most 64 pixels a side.  files: K names of the
    pictures' files, relative to the data folder; () where the data has none.  step: of the checkpoint whose best
    weights said this; None if not known.

    Raises DataError for arrays that do not belong together.
    """

    part: str
    classes: tuple[str, ...]
    labels: Array
    predicted: Array
    confidence: Array
    truth: Array
    probabilistic: bool
    chosen: Array
    images: Array
    files: tuple[str, ...] = ()
    step: int | None = None

    def __post_init__(self) -> None:
        count, kept = self.labels.shape, self.chosen.shape
        for name, kind, shape in (
            ("labels", np.int64, count[:1]),
            ("predicted", np.int64, count),
            ("confidence", np.float32, count),
            ("truth", np.float32, count),
            ("chosen", np.int64, kept[:1]),
            ("images", np.uint8, (*kept, *self.images.shape[1:4])),
        ):
            array = getattr(self, name)
            if array.dtype != kind or array.shape != shape:
                raise DataError(f"{name} must be {np.dtype(kind)} {shape}, got {array.dtype} {array.shape}")
        for name, end in (
            ("labels", len(self.classes)),
            ("predicted", len(self.classes)),
            ("chosen", len(self.labels)),
        ):
            array = getattr(self, name)
            if array.size and not 0 <= array.min() <= array.max() < end:
                raise DataError(f"{name} must be from 0 to {end - 1}, got {array.min()} to {array.max()}")
        for name in ("confidence", "truth"):
            array = getattr(self, name)
            if not ((array >= 0) & (array <= 1)).all():
                raise DataError(f"{name} must be from 0 to 1")
        if (np.diff(self.chosen) <= 0).any():
            raise DataError("chosen must be ascending")
        pixels = self.images.shape[1:]
        if len(pixels) != 3 or pixels[0] not in (1, 3) or not 1 <= min(pixels) <= max(pixels) <= SIDE:
            raise DataError(f"images must be (K, 1 or 3, H, W), 1 to {SIDE} a side, got {self.images.shape}")
        if self.files and len(self.files) != len(self.chosen):
            raise DataError(f"{len(self.files)} file names for {len(self.chosen)} pictures")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def accuracy(self) -> float:
        """The share of samples that are right; NaN of none."""
        return int((self.predicted == self.labels).sum()) / len(self) if len(self) else np.nan

    @property
    def confusion(self) -> Array:
        """How many samples of each class were taken for which: int64 (C, C), rows true, columns predicted."""
        return metrics.confusion_matrix(self.labels, self.predicted, len(self.classes))

    @property
    def per_class(self) -> Array:
        """The accuracy of each class, float64 (C,); NaN for a class without samples."""
        return metrics.per_class_accuracy(self.confusion)

    @property
    def calibration(self) -> Array:
        """Samples, right answers and sum of confidences in each bin of confidence, float64 (bins, 3)."""
        return metrics.confidence_bins(self.confidence, self.predicted == self.labels)

    @property
    def calibration_error(self) -> float | None:
        """The expected calibration error; None where scores make no probabilities, or there is no sample."""
        return metrics.calibration_error(self.calibration) if self.probabilistic and len(self) else None

    def mistakes(self, true: int | None = None, predicted: int | None = None) -> Array:
        """The samples (n,) that are wrong, the most confident first: all, or of one true or predicted class."""
        wrong = self.predicted != self.labels
        if true is not None:
            wrong &= self.labels == true
        if predicted is not None:
            wrong &= self.predicted == predicted
        return _surest_first(np.flatnonzero(wrong), self.confidence)

    def as_they_come(self, count: int = _AS_IT_COMES) -> Array:
        """At most `count` samples (n,) at even distances; of the usual number, pictures are kept of all."""
        return _evenly(len(self), count)

    def pictured(self, samples: Array) -> tuple[Array, Array]:
        """Those of the samples (n,) whose pictures are kept, in the same order, and where in `images`."""
        place = np.searchsorted(self.chosen, samples)
        kept = np.isin(samples, self.chosen)
        return samples[kept], place[kept]


class Collector(Callback):
    """Gathers what the scores of a split say, batch by batch and in order; no scores are kept.

    It is a callback of a solver while that measures an accuracy; or `add` is called with batches.
    """

    counted_as = "evaluation"

    def __init__(self) -> None:
        self._batches: list[tuple[Array, ...]] = []

    def on_scores(self, solver: Any, split: Split, scores: Any, y: Any) -> None:
        """Gather a batch."""
        self.add(scores, y)

    def add(self, scores: Array, y: Array) -> None:
        """Gather a batch: scores (n, C), logits or log-probabilities, of samples with labels y (n,)."""
        rows, predicted = np.arange(len(y)), scores.argmax(axis=1)
        with np.errstate(all="ignore"):
            probabilities = np.nan_to_num(ops.softmax_forward(scores)[0], nan=0.0).clip(0, 1)
        self._batches.append((y, predicted, probabilities[rows, predicted], probabilities[rows, y]))

    def predictions(
        self, part: str, split: Split, classes: Sequence[str], objective: object, step: int | None = None
    ) -> Predictions | None:
        """What was gathered, with pictures; None without scores of all samples, and of more than MOST_CLASSES classes.

        objective: what the network was trained towards, which tells whether its scores make probabilities.
        """
        gathered = sum(len(batch[0]) for batch in self._batches)
        if not gathered or gathered != len(split) or len(classes) > MOST_CLASSES:
            return None
        labels, predicted, confidence, truth = (
            np.concatenate(own) for own in zip(*self._batches, strict=True)
        )
        chosen = _chosen(labels, predicted, confidence) if _shown(split.images) else np.zeros(0, np.int64)
        return Predictions(
            part=part,
            classes=tuple(classes),
            labels=labels.astype(np.int64),
            predicted=predicted.astype(np.int64),
            confidence=confidence.astype(np.float32),
            truth=truth.astype(np.float32),
            probabilistic=isinstance(objective, SoftmaxCrossEntropy | NegativeLogLikelihood),
            chosen=chosen,
            images=_pictures(split, chosen),
            files=tuple(split.files[index] for index in chosen) if split.files else (),
            step=step,
        )


def save(path: Path, parts: Mapping[str, Predictions]) -> None:
    """Write predictions by part, whole or not at all.  Raises OSError if the disk does not take the file."""
    arrays = {f"{part}/{name}": getattr(own, name) for part, own in parts.items() for name in _ARRAYS}
    values = {
        part: {
            "classes": own.classes,
            "probabilistic": own.probabilistic,
            "files": own.files,
            "step": own.step,
        }
        for part, own in parts.items()
    }
    checkpoint.save(path, arrays, values)


def read(path: Path) -> dict[str, Predictions]:
    """The predictions in a file, by part.  Raises RunError if it is damaged, or was not written by `save`."""
    try:
        held = checkpoint.load(path)
        return {part: _of(part, held.part(part), held.values[part]) for part in PARTS if part in held.values}
    except (PlaingradError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RunError(
            f"{path} is damaged or no file of predictions: {error}; delete it, and have it made again by: "
            "plaingrad report RUN --data-dir DATA"
        ) from None


def _of(part: str, arrays: dict[str, Array], values: dict[str, Any]) -> Predictions:
    for name in ("classes", "files"):
        if not isinstance(values[name], list) or not all(isinstance(own, str) for own in values[name]):
            raise DataError(f"{name} must be a list of names")
    for name, kinds in (("probabilistic", (bool,)), ("step", (int, type(None)))):
        if type(values[name]) not in kinds:
            raise DataError(f"{name} cannot be {reprlib.repr(values[name])}")
    counts = len(values["classes"]), len(arrays["images"])
    if not 1 <= counts[0] <= MOST_CLASSES or counts[1] > MOST_PICTURES:
        raise DataError("there cannot be {:,} classes, or {:,} pictures".format(*counts))
    return Predictions(
        part=part,
        classes=tuple(values["classes"]),
        probabilistic=values["probabilistic"],
        files=tuple(values["files"]),
        step=values["step"],
        **{name: arrays[name] for name in _ARRAYS},
    )


def _shown(images: Array) -> bool:
    """Whether these are images that a screen can show."""
    return images.ndim == 4 and images.shape[1] in (1, 3) and images.size > 0


def _chosen(labels: Array, predicted: Array, confidence: Array) -> Array:
    """The samples whose pictures are kept, ascending."""
    surest = _surest_first(np.arange(len(labels)), confidence)
    _, cell, sizes = np.unique(
        np.stack([labels, predicted])[:, surest], axis=1, return_inverse=True, return_counts=True
    )
    by_cell = np.argsort(cell, kind="stable")  # within a cell the surest first
    rank = np.empty(len(cell), dtype=np.int64)
    rank[by_cell] = np.arange(len(cell)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    # The first of every cell, then the second of every cell, and so on; large cells before small ones.
    order = np.lexsort((-sizes[cell], rank))
    in_cells = surest[order[rank[order] < _IN_A_CELL][:_IN_CELLS]]
    mistakes = surest[(labels != predicted)[surest]][:_MISTAKES]
    return np.unique(np.concatenate([in_cells, mistakes, _evenly(len(labels), _AS_IT_COMES)]))


def _surest_first(samples: Array, confidence: Array) -> Array:
    return samples[np.argsort(-confidence[samples], kind="stable")]


def _evenly(total: int, count: int) -> Array:
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(np.int64))


def _pictures(split: Split, chosen: Array) -> Array:
    """The stored images at `chosen` as uint8, small enough to be looked at beside others."""
    if not len(chosen):
        return np.zeros((0, 1, 1, 1), dtype=np.uint8)
    images = split.images
    low, high = 0.0, 255.0
    if images.dtype != np.uint8:
        full = split.normalization and split.normalization.full
        # Of images on no known scale, the brightest and the darkest value that is shown are white and black.
        shown = images[chosen]
        low, high = (0.0, full) if full else (float(shown.min()), float(shown.max()))
    return np.stack([_picture(images[index], low, high) for index in chosen])


def _picture(image: Array, low: float, high: float) -> Array:
    """One image (C, H, W), its values from `low` to `high` brought to 0 to 255, shrunk if it is large."""
    if image.dtype != np.uint8:
        unit = (image.astype(np.float64) - low) / ((high - low) or 1.0)
        image = (255 * unit.clip(0, 1)).round().astype(np.uint8)
    height, width = image.shape[1:]
    if max(height, width) <= SIDE:
        return image
    from PIL import Image  # takes a while to import, and few images are large

    factor = SIDE / max(height, width)
    size = (max(1, round(factor * width)), max(1, round(factor * height)))
    planes = [Image.fromarray(plane).resize(size, Image.Resampling.BOX) for plane in image]
    return np.stack([np.asarray(plane) for plane in planes])
