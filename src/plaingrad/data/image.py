"""Reading one image file, as training and prediction both do."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from plaingrad.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
# Pillow tries these only: some of its other formats start further programs.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
_ORIENTATION = 0x0112  # the EXIF tag; values 5 to 8 exchange height and width


def read_image(
    path: str | Path, *, channels: int | None = None, size: tuple[int, int] | None = None
) -> np.ndarray:
    """The image at `path` as uint8 (C, H, W), upright (its EXIF orientation is applied).

    `channels` is 1 for grey, 3 for RGB, or None for 1 if the file is grey and 3 if not.  `size` (H, W)
    resizes an image of another size, bilinear with antialiasing, without keeping its aspect ratio.
    Transparency is dropped, 16-bit grey is reduced to 8 bits, and of an animation the first frame is read;
    floating-point pixels are refused.
    Raises DataError naming the file if it is missing, no image, damaged, or so large that it may be a
    decompression bomb (Pillow's limit, about 90 million pixels).
    """
    if channels not in (None, 1, 3):
        raise DataError(f"{path}: an image has 1 or 3 channels, not {channels}")
    if size is not None and min(size) < 1:
        raise DataError(f"{path}: cannot be resized to {size[0]}x{size[1]}; give a height and width above 0")
    from PIL import ImageOps
    from PIL.Image import Resampling

    def decode(image: Image) -> np.ndarray:
        grey = image.mode in _GREY_MODES if channels is None else channels == 1
        upright = _to_8_bits(ImageOps.exif_transpose(image)).convert("L" if grey else "RGB")
        if size is not None:
            height, width = size
            if upright.size != (width, height):
                upright = upright.resize((width, height), Resampling.BILINEAR)
        pixels = np.asarray(upright)
        return np.ascontiguousarray(pixels[None] if grey else pixels.transpose(2, 0, 1))

    return _with_image(Path(path), decode)


def describe_image(path: Path) -> tuple[tuple[int, int], bool]:
    """The upright size (H, W) of the image at `path` and whether it is grey, from its header alone.

    Raises DataError as `read_image` does.
    """

    def describe(image: Image) -> tuple[tuple[int, int], bool]:
        width, height = image.size
        turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        return ((width, height) if turned else (height, width)), image.mode in _GREY_MODES

    return _with_image(path, describe)


def _with_image(path: Path, use: Callable[[Image], T]) -> T:
    """`use(image)` on the opened file; whatever Pillow raises or warns of becomes a DataError."""
    from PIL import Image as pillow

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", pillow.DecompressionBombWarning)
            with pillow.open(path, formats=_FORMATS) as image:
                return use(image)
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise DataError(f"{path}: {error}; reduce the image first") from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such image") from error
    # A damaged file makes Pillow raise nearly anything: OSError, SyntaxError, struct.error, ...
    except Exception as error:
        raise DataError(f"{path}: cannot be read as an image ({error}); repair or remove it") from error


def _to_8_bits(image: Image) -> Image:
    """Grey images of 16 bits scaled to 8, where `convert` would clip them; palettes resolved."""
    from PIL import Image as pillow

    if image.mode == "F":  # nothing says which value is white; `convert` would clip [0, 1] to black
        raise ValueError("its pixels are floating-point numbers of unknown scale")
    if image.mode.startswith("I"):
        return pillow.fromarray((np.asarray(image).clip(0, 65535) / 257).round().astype(np.uint8))
    if image.mode == "P":
        return image.convert("RGBA")
    return image
