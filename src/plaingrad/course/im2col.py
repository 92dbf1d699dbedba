"""`im2col`: patches of images as the columns of one matrix, by `plaingrad.ops.unfold` and `fold`.

A row belongs to a channel and a cell of the window, a column to a place of the window and, the fastest
changing, an image: (C · height · width, H' · W' · N).
"""

from __future__ import annotations

import numpy as np

from plaingrad.ops import Window, fold, unfold

__all__ = ["col2im_indices", "get_im2col_indices", "im2col_indices"]

Array = np.ndarray


def im2col_indices(x: Array, field_height: int, field_width: int, padding: int = 1, stride: int = 1) -> Array:
    """The patches of x (N, C, H, W), with zeros around it, as columns."""
    patches = unfold(x, Window.of((field_height, field_width), stride, padding, what="im2col"))
    return np.moveaxis(patches, 0, -1).reshape(x.shape[1] * field_height * field_width, -1)


def col2im_indices(
    cols: Array,
    x_shape: tuple[int, int, int, int],
    field_height: int = 3,
    field_width: int = 3,
    padding: int = 1,
    stride: int = 1,
) -> Array:
    """Columns added up into images of x_shape: each pixel gets the sum of all patches that hold it."""
    count, channels, *image = x_shape
    window = Window.of((field_height, field_width), stride, padding, what="col2im")
    patches = cols.reshape(channels, *window.size, *window.steps((image[0], image[1]), what="col2im"), count)
    return fold(np.moveaxis(patches, -1, 0), window, (image[0], image[1]))


def get_im2col_indices(
    x_shape: tuple[int, int, int, int],
    field_height: int,
    field_width: int,
    padding: int = 1,
    stride: int = 1,
) -> tuple[Array, Array, Array]:
    """(k, i, j): channel, row and column in the padded image of each element of one image's columns."""
    _, channels, height, width = x_shape
    places = np.indices((channels, height + 2 * padding, width + 2 * padding))
    k, i, j = unfold(places, Window.of((field_height, field_width), stride, what="im2col")).reshape(
        3, channels * field_height * field_width, -1
    )
    return k[:, :1], i, j
