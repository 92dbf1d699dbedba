"""Pictures of samples on one sheet: a page holds it once and shows a place of it as often as it likes."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass

import numpy as np

_SMALL = 16  # pixels: where a picture is no larger, each of them counts, and none may be blurred
_QUALITY = 88


@dataclass(frozen=True)
class Sheet:
    """An image of `rows` by `columns` equal tiles, as a URL that needs no other file.

    aspect: width over height of a tile.
    """

    url: str
    columns: int
    rows: int
    aspect: float

    @classmethod
    def of(cls, images: np.ndarray) -> Sheet:
        """All of images (K, C, H, W), uint8, grey or colour, K above 0, in order."""
        from PIL import Image

        count, channels, height, width = images.shape
        columns = math.ceil(math.sqrt(count))
        rows = math.ceil(count / columns)
        whole = np.zeros((rows * columns, channels, height, width), dtype=np.uint8)
        whole[:count] = images
        pixels = whole.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
        pixels = pixels.reshape(rows * height, columns * width, channels)
        out = io.BytesIO()
        small = max(height, width) <= _SMALL
        Image.fromarray(pixels.squeeze(-1) if channels == 1 else pixels).save(
            out, "WEBP", lossless=small, quality=80 if small else _QUALITY, method=4
        )
        return cls(data_url(out.getvalue(), "webp"), columns, rows, width / height)

    def place(self, number: int) -> tuple[float, float]:
        """Where a picture stands, from 0 to 1, as CSS places a background: x, y."""
        row, column = divmod(number, self.columns)
        return column / max(self.columns - 1, 1), row / max(self.rows - 1, 1)


def data_url(data: bytes, kind: str) -> str:
    """An image of a kind such as "png" for a page that needs no other file."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
