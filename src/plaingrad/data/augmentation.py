"""Augmentation: training images changed a little, differently in each epoch, so that a network sees more of them.

A transform is a value: what it does is a function of the images, their indices, the epoch and a generator,
which `Augmentation` makes from seed and step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from plaingrad.errors import DataError, RecipeError, require_count, require_kind, require_number, suggestion

# Told apart from the other draws that start from the same seed, which sampling.py and the solver make.
_STREAM = 3
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio
_LUMA = np.array([0.299, 0.587, 0.114]).reshape(3, 1, 1)  # ITU-R BT.601


class Transform(ABC):
    """Base of the transforms."""

    @abstractmethod
    def transform(
        self, images: np.ndarray, *, indices: np.ndarray, epoch: int, rng: np.random.Generator
    ) -> np.ndarray:
        """The changed images, as a new array of the same shape and dtype.

        images: (N, C, H, W), as they are stored: uint8, or float.
        indices: (N,), where they stand in the training set.
        epoch: counted from 0.
        rng: what all random numbers are drawn from.
        """


@dataclass(frozen=True)
class Flip(Transform):
    """Images mirrored left-right: half of them in each epoch.

    "random": each image with probability ½.  "alternating": each image in every other epoch, a hash of its
    index says in which, so that any two epochs in a row show both sides of all images.
    Source: Jordan 2024, arXiv:2404.00498, section 3.6.
    """

    kind: str = "random"

    def __post_init__(self) -> None:
        kinds = ("random", "alternating")
        if self.kind not in kinds:
            raise RecipeError(f"Flip: kind cannot be {self.kind!r}; {suggestion(str(self.kind), kinds)}")

    def transform(
        self, images: np.ndarray, *, indices: np.ndarray, epoch: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Some of the images, mirrored; the others as they are."""
        chosen = rng.random(len(images)) < 0.5 if self.kind == "random" else _odd(indices) ^ bool(epoch % 2)
        out = images.copy()
        out[chosen] = images[chosen, :, :, ::-1]
        return out


@dataclass(frozen=True)
class Crop(Transform):
    """Images moved by up to `padding` pixels each way, at random: padded, then cropped back to their size.

    The padding is the image's reflection, without repeating its edge.  Raises DataError for images that are
    not larger than `padding`.
    """

    padding: int = 4

    def __post_init__(self) -> None:
        require_count("Crop: padding", self.padding, 1)

    def transform(
        self, images: np.ndarray, *, indices: np.ndarray, epoch: int, rng: np.random.Generator
    ) -> np.ndarray:
        """A window of the padded images, for each image at a place of its own."""
        size, p = images.shape[2:], self.padding
        if min(size) <= p:
            raise DataError(
                f"Crop: images of {size[0]}×{size[1]} pixels have no reflection {p} pixels wide; "
                "choose a smaller padding"
            )
        padded = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)), mode="reflect")
        top, left = rng.integers(2 * p + 1, size=(2, len(images)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(2, 3))
        return windows[np.arange(len(images)), :, top, left]


@dataclass(frozen=True)
class Cutout(Transform):
    """A square of `size` pixels in each image replaced by the image's mean, channel by channel.

    Its centre is a pixel drawn at random, so it may hang over the edge.  The paper fills with the mean of
    the data set instead.  Source: DeVries & Taylor 2017, arXiv:1708.04552, section 3.2.
    """

    size: int = 8

    def __post_init__(self) -> None:
        require_count("Cutout: size", self.size, 1)

    def transform(
        self, images: np.ndarray, *, indices: np.ndarray, epoch: int, rng: np.random.Generator
    ) -> np.ndarray:
        """The images, each with its hole."""
        rows, columns = (self._within(length, len(images), rng) for length in images.shape[2:])
        mean = _stored(images.mean(axis=(2, 3), keepdims=True), images.dtype)
        out = images.copy()
        np.copyto(out, mean, where=rows[:, None, :, None] & columns[:, None, None, :])
        return out

    def _within(self, length: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """Which of the pixels along one axis the square covers; (count, length)."""
        first = rng.integers(length, size=(count, 1)) - self.size // 2
        pixels = np.arange(length)
        return (first <= pixels) & (pixels < first + self.size)


@dataclass(frozen=True)
class ColorJitter(Transform):
    """Brightness, contrast and saturation, in this order, each times a factor drawn from [1 − a, 1 + a].

    For each image x:  x ← y + factor · (x − y),  where y is black (0), the mean of the image's grey version,
    or its grey version, as torchvision defines them.  Grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601); in
    images of one channel there is no saturation to change.  After each, values are clipped to the range of
    an integer type, or to [0, 1] if all images of the batch are floats within it; other floats have no
    range that is known, and are not clipped.  Integers are rounded once, at the end.

    Raises DataError for contrast or saturation in images of neither 1 nor 3 channels.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            require_number(f"ColorJitter: {name}", getattr(self, name), lambda a: 0 <= a <= 1, "from 0 to 1")

    def transform(
        self, images: np.ndarray, *, indices: np.ndarray, epoch: int, rng: np.random.Generator
    ) -> np.ndarray:
        """The images with colours changed, each by factors of its own."""
        low, high = _value_range(images)
        out = images.astype(np.result_type(images.dtype, np.float32))
        for amount, reference in (
            (self.brightness, np.zeros_like),
            (self.contrast, lambda x: _grey(x).mean(axis=(1, 2, 3), keepdims=True)),
            (self.saturation, _grey),
        ):
            if amount:
                factor = rng.uniform(1 - amount, 1 + amount, (len(images), 1, 1, 1)).astype(out.dtype)
                y = reference(out)
                out = np.clip(y + factor * (out - y), low, high)
        return _stored(out, images.dtype)


@dataclass(frozen=True, init=False)
class Augmentation:
    """Transforms one after the other; what is random in them is a function of seed and step alone.

    >>> augmentation = Augmentation(Flip(), Crop(padding=4), Cutout(size=8), seed=0)
    >>> X = augmentation(images, indices=indices, epoch=3, step=1234)
    """

    transforms: tuple[Transform, ...]
    seed: int

    def __init__(self, *transforms: Transform, seed: int = 0) -> None:
        for transform in transforms:
            require_kind("each transform of an Augmentation", transform, Transform, "such as Flip()")
        require_count("Augmentation: seed", seed, 0)
        object.__setattr__(self, "transforms", transforms)
        object.__setattr__(self, "seed", seed)

    def __call__(self, images: np.ndarray, *, indices: np.ndarray, epoch: int, step: int) -> np.ndarray:
        """The batch of `step`, changed: (N, C, H, W) and dtype stay, `images` itself is left alone.

        Raises DataError for anything but images, and for images that do not fit a transform.
        """
        if images.ndim != 4:
            raise DataError(
                f"augmentation takes images (N, C, H, W), got an array of shape {images.shape}; "
                "train without it"
            )
        rng = np.random.default_rng((self.seed, _STREAM, step))
        for transform in self.transforms:
            images = transform.transform(images, indices=indices, epoch=epoch, rng=rng)
        return images


def _odd(indices: Any) -> np.ndarray:
    """Whether an index is hashed to an odd number: half of any arithmetic progression is (Knuth, TAOCP 6.4)."""
    return (np.asarray(indices).astype(np.uint64) * _GOLDEN >> np.uint64(63)).astype(bool)


def _grey(images: np.ndarray) -> np.ndarray:
    """The luma of float images; (N, 1, H, W)."""
    channels = images.shape[1]
    if channels not in (1, 3):
        raise DataError(
            f"ColorJitter: images of {channels} channels have no grey version; "
            "leave contrast and saturation at 0"
        )
    return images if channels == 1 else (images * _LUMA.astype(images.dtype)).sum(axis=1, keepdims=True)


def _value_range(images: np.ndarray) -> tuple[float, float]:
    """What values may be: what an integer type holds, [0, 1] for floats that are within it, else anything."""
    if images.dtype.kind in "iu":
        limits = np.iinfo(images.dtype)
        return float(limits.min), float(limits.max)
    within = images.size and images.min() >= 0 and images.max() <= 1
    return (0.0, 1.0) if within else (-np.inf, np.inf)


def _stored(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats as an array of `dtype`, rounded if that has only integers."""
    return (np.rint(values) if dtype.kind in "iu" else values).astype(dtype, copy=False)
