"""Many small pictures as one."""

import numpy as np
import pytest

from plaingrad.errors import ShapeError
from plaingrad.plots.tiles import tile_grid


def test_tiles():
    images = np.zeros((5, 2, 3, 1))
    images[1] = np.arange(6).reshape(2, 3, 1) - 2.0
    grid = tile_grid(images, ubound=10.0, padding=1)
    assert grid.shape == (2 * 3 - 1, 3 * 4 - 1, 1)
    np.testing.assert_allclose(grid[:2, 4:7, 0], [[0, 2, 4], [6, 8, 10]])
    assert grid.sum() == 30, "flat tiles and the gaps are black"


def test_only_images():
    with pytest.raises(ShapeError, match="tiles need images"):
        tile_grid(np.zeros((2, 3, 4)))
