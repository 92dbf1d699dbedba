"""`vis_utils`: many pictures as one, laid out by `plaingrad.plots.tiles`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from plaingrad.errors import ShapeError
from plaingrad.plots.tiles import tile_grid

__all__ = ["vis_grid", "vis_nn", "visualize_grid"]

Array = np.ndarray


def visualize_grid(Xs: Array, ubound: float = 255.0, padding: int = 1) -> Array:
    """Images (N, H, W, C) in a square grid, each stretched to the range 0 to `ubound`."""
    grid = tile_grid(Xs, ubound=ubound, padding=padding)
    side = math.ceil(math.sqrt(len(Xs)))
    return _extended(grid, side * (Xs.shape[1] + padding) - padding, grid.shape[1])


def vis_grid(Xs: Array) -> Array:
    """Images (N, H, W, C) in a square grid with a border, together stretched to the range 0 to 1."""
    grid = tile_grid(Xs, ubound=1.0, together=True)
    side = math.ceil(math.sqrt(len(Xs)))
    return _extended(grid, side * (Xs.shape[1] + 1), side * (Xs.shape[2] + 1))


def vis_nn(rows: Sequence[Sequence[Array]]) -> Array:
    """Rows of images (H, W, C), as many in each, with a border, together stretched to the range 0 to 1."""
    if len({len(row) for row in rows}) != 1 or len({np.shape(image) for row in rows for image in row}) != 1:
        raise ShapeError("vis_nn needs rows of equally many images, all of one shape (H, W, C)")
    images = np.array([image for row in rows for image in row])
    grid = tile_grid(images, ubound=1.0, columns=len(rows[0]), together=True)
    return _extended(grid, grid.shape[0] + 1, grid.shape[1] + 1)


def _extended(grid: Array, height: int, width: int) -> Array:
    """The grid with black added below and to the right."""
    return np.pad(grid, ((0, height - grid.shape[0]), (0, width - grid.shape[1]), (0, 0)))
