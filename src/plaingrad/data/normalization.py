"""Normalising inputs: from stored images to the numbers a network sees, batch by batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plaingrad.errors import DataError

CHUNK = 256  # images at a time; as float64, 256 CIFAR images are 6 MB


@dataclass(frozen=True, eq=False)
class Normalization:
    """The map x -> (x - shift) * scale, with float32 arrays that broadcast to one sample.

    `full` is the value of full intensity in the images that it was fitted to (see `full_intensity`), None
    if unknown: what an image file needs to be brought to their scale first.  `fit` computes all three from
    training images, `batch` applies the map, and `state`/`from_state` carry them through a checkpoint, so
    that prediction sees what training saw.
    """

    shift: np.ndarray
    scale: np.ndarray
    full: float | None = None
    # By the shape of the samples last met, what `_laid_out` made for it.
    _known: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        for name in ("shift", "scale"):
            with np.errstate(over="ignore"):  # infinity is looked for instead
                value = np.asarray(getattr(self, name), dtype=np.float32)
            if not np.isfinite(value).all():
                raise DataError(
                    f"normalization: its {name} holds NaN or infinity, so the training images hold one of "
                    "them, or values beyond the range of float32 (3.4e+38); repair, remove or scale them"
                )
            object.__setattr__(self, name, value)

    @classmethod
    def fit(cls, kind: str, images: np.ndarray) -> Normalization:
        """The normalisation `kind` for images (N, C, H, W) or feature rows (N, D), uint8 or float.

        - "none": the stored values as they are
        - "mean-image": the mean image is subtracted, as the course's experiments do
        - "unit": from 0 and full intensity to [0, 1]; "symmetric": to [-1, 1].  Floats must lie in [0, 1]
          already, where "unit" leaves them
        - "channels": each channel to mean 0 and standard deviation 1 (images only)
        - "standard": the mean image is subtracted, and the result divided by its one standard deviation

        Statistics are accumulated in float64, a few images at a time.  What never varies has no standard
        deviation to divide by and is only shifted.  Raises DataError for an unknown kind, no images, or
        images that do not fit the kind.
        """
        if kind not in _FITS:
            raise DataError(f"normalization {kind!r} is not known; choose one of {', '.join(_FITS)}")
        if not images.size:
            raise DataError(f"normalization {kind!r} needs at least one image, got shape {images.shape}")
        with np.errstate(over="ignore", invalid="ignore"):  # infinity is looked for instead
            shift, scale = _FITS[kind](images)
            return cls(shift, scale, full_intensity(images))

    def batch(self, images: np.ndarray, indices: Any = None, *, dtype: Any = np.float32) -> np.ndarray:
        """The normalised samples `images[indices]` (all of them for None), as a new array of `dtype`.

        Rows are gathered as they are stored, which for uint8 moves a quarter of the bytes; only then are
        they converted, once, and the arithmetic is done in place: in one pass where a compiled function
        takes the images.  Raises DataError if the samples do not have the shape that was fitted.
        """
        shift, scale = self._known.get(images.shape[1:]) or self._laid_out(images.shape[1:])
        if dtype is np.float32 and (compiled := _compiled()):
            out = compiled(images, indices, shift, scale)
            if out is not None:
                return out
        rows = images if indices is None else gathered(images, indices)
        out = rows.astype(dtype, copy=indices is None)  # gathered rows are a copy already
        # The usual cases, no shift or no scale, skip a pass over the batch.
        if self.shift.any():
            out -= self.shift.astype(out.dtype, copy=False)
        if (self.scale != 1).any():
            out *= self.scale.astype(out.dtype, copy=False)
        return out

    def state(self) -> dict[str, np.ndarray]:
        """The arrays to store in a checkpoint; "full" is among them if it is known."""
        known = {} if self.full is None else {"full": np.array(self.full, dtype=np.float32)}
        return {"shift": self.shift, "scale": self.scale, **known}

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> Normalization:
        """The normalisation whose `state` this is.  Raises DataError if an array is missing."""
        try:
            full = float(state["full"]) if "full" in state else None
            return cls(shift=state["shift"], scale=state["scale"], full=full)
        except KeyError as error:
            raise DataError(f"normalization: the stored state has no {error}") from error

    def _laid_out(self, sample: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The shift of each number of a sample of this shape, (D,), and the scale, (1,) if it is one for all."""
        if not (self._fits(self.shift, sample) and self._fits(self.scale, sample)):
            raise DataError(
                f"normalization was fitted to samples that broadcast with {self.shift.shape}, "
                f"got samples of {sample}"
            )
        scale = self.scale if self.scale.size == 1 else np.broadcast_to(self.scale, sample)
        made = np.broadcast_to(self.shift, sample).flatten(), scale.flatten()
        self._known.clear()
        self._known[sample] = made
        return made

    @staticmethod
    def _fits(array: np.ndarray, sample: tuple[int, ...]) -> bool:
        # Plain broadcasting would let a mean image of (3, 32, 32) pass for three images of (32, 32).
        return array.ndim in (0, len(sample)) and all(
            have in (1, want) for have, want in zip(array.shape, sample, strict=False)
        )


@functools.cache
def _compiled() -> Callable[..., np.ndarray | None] | None:
    """What gathers and normalises in one pass, unless `plain()` switched it off; None without Numba."""
    from plaingrad import kernels  # takes long, and is needed where batches are made alone
    from plaingrad.ops import is_plain

    if not kernels.available:
        return None
    from plaingrad.kernels import numba_gather

    return lambda *args: None if is_plain() else numba_gather.gathered(*args)


def gathered(images: np.ndarray, indices: Any) -> np.ndarray:
    """The samples `images[indices]`, as a new array."""
    # np.take is the faster of the two, but it first copies all that is not in C's order.
    return np.take(images, indices, axis=0) if images.flags.c_contiguous else images[indices]


def full_intensity(images: np.ndarray) -> float | None:
    """The value that stands for full intensity in `images` (not empty); None if it cannot be told.

    255 for uint8, 1 for floats in [0, 1], and another integer type's largest value, if the images come near
    it: bytes or 12-bit values kept in a wider type do not use its range.
    """
    if images.dtype == np.uint8:
        return 255.0
    if images.dtype.kind not in "iuf":
        return None
    low, high = images.min(), images.max()
    if images.dtype.kind == "f":
        return 1.0 if low >= 0 and high <= 1 else None
    top = np.iinfo(images.dtype).max
    return float(top) if low >= 0 and high > top // 2 else None


def _chunks(images: np.ndarray):
    for start in range(0, len(images), CHUNK):
        yield images[start : start + CHUNK].astype(np.float64)


def _mean_image(images: np.ndarray) -> np.ndarray:
    return sum((chunk.sum(axis=0) for chunk in _chunks(images)), np.zeros(images.shape[1:])) / len(images)


def _mean_square(images: np.ndarray, shift: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The mean over `axes` of (x - shift)²; a second pass over the data, because E[x²] - E[x]² cancels."""
    total = sum(
        (np.square(chunk - shift).sum(axis=axes, keepdims=True) for chunk in _chunks(images)), np.zeros(1)
    )
    count = np.prod([images.shape[axis] for axis in axes])
    return total[0] / count


def _inverse(deviation: np.ndarray) -> np.ndarray:
    # Rounding leaves a constant with a deviation of about 1e-16 of its value rather than 0.
    varies = deviation > 1e-7
    return np.where(varies, 1 / np.where(varies, deviation, 1), 1)


def _fit_none(images: np.ndarray) -> tuple[Any, Any]:
    return 0, 1


def _fit_mean_image(images: np.ndarray) -> tuple[Any, Any]:
    return _mean_image(images), 1


def _value_range(images: np.ndarray) -> float:
    full = full_intensity(images)
    if full is None:
        raise DataError(
            "normalization 'unit' and 'symmetric' take uint8 images or floats in [0, 1], or other integers "
            f"that use their type's range, got {images.dtype} from {images.min()} to {images.max()}; "
            "use 'standard', or scale them first"
        )
    return full


def _fit_unit(images: np.ndarray) -> tuple[Any, Any]:
    return 0, 1 / _value_range(images)


def _fit_symmetric(images: np.ndarray) -> tuple[Any, Any]:
    half = _value_range(images) / 2
    return half, 1 / half


def _fit_channels(images: np.ndarray) -> tuple[Any, Any]:
    if images.ndim != 4:
        raise DataError(
            f"normalization 'channels' needs images (N, C, H, W), got {images.shape}; use 'standard'"
        )
    mean = _mean_image(images).mean(axis=(1, 2), keepdims=True)
    return mean, _inverse(np.sqrt(_mean_square(images, mean, (0, 2, 3))))


def _fit_standard(images: np.ndarray) -> tuple[Any, Any]:
    mean = _mean_image(images)
    return mean, _inverse(np.sqrt(_mean_square(images, mean, tuple(range(images.ndim))))).reshape(())


_FITS: dict[str, Callable[[np.ndarray], tuple[Any, Any]]] = {
    "none": _fit_none,
    "mean-image": _fit_mean_image,
    "unit": _fit_unit,
    "symmetric": _fit_symmetric,
    "channels": _fit_channels,
    "standard": _fit_standard,
}
KINDS = tuple(_FITS)
