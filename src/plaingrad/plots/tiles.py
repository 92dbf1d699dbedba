"""Many small pictures as one."""

from __future__ import annotations

import math

import numpy as np

from plaingrad.errors import ShapeError


def tile_grid(
    images: np.ndarray,
    *,
    ubound: float = 255.0,
    padding: int = 1,
    columns: int | None = None,
    together: bool = False,
) -> np.ndarray:
    """Lay images (N, H, W, C) out in a grid, `padding` pixels apart.

    The grid is nearly square unless `columns` says how many stand side by side.  Each image is
    stretched to its own full range, 0 to `ubound` (with `together`, all of them to their common one);
    a flat one becomes 0.  Returns float64 (rows·(H + padding) − padding, columns·(W + padding) −
    padding, C), black between tiles.  Raises ShapeError for anything but such images.
    """
    if images.ndim != 4 or not images.size:
        raise ShapeError(f"tiles need images of shape (N, H, W, C), got {images.shape}")
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    everything = images.min(), images.max()
    rows = math.ceil(count / columns)
    grid = np.zeros((rows * (height + padding), columns * (width + padding), channels))
    for i, image in enumerate(images):
        top, left = i // columns * (height + padding), i % columns * (width + padding)
        low, high = everything if together else (image.min(), image.max())
        stretch = ubound / (high - low) if high > low else 0.0
        grid[top : top + height, left : left + width] = (image - low) * stretch
    return grid[: grid.shape[0] - padding, : grid.shape[1] - padding]
