"""Pictures on one sheet: each of them where the page looks for it."""

import numpy as np
import pytest

from plaingrad.report.sheet import Sheet

from .made import picture_of


def tiles_of(sheet, height, width):
    """The tiles where the page finds them: at x and y of all that the sheet is larger than one tile."""
    whole = np.asarray(picture_of(sheet.url).convert("RGB"))
    assert whole.shape == (sheet.rows * height, sheet.columns * width, 3)

    def tile(number):
        x, y = sheet.place(number)
        assert 0 <= x <= 1
        assert 0 <= y <= 1
        left, top = round(x * (sheet.columns - 1) * width), round(y * (sheet.rows - 1) * height)
        return whole[top : top + height, left : left + width].transpose(2, 0, 1)

    return tile


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9, 10, 12, 17])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (16, 9), (1, 1), (3, 16)])
def test_small_pictures_come_back_as_they_were(count, channels, size):
    images = np.random.default_rng(count).integers(0, 256, (count, channels, *size), dtype=np.uint8)
    sheet = Sheet.of(images)
    tile = tiles_of(sheet, *size)
    for number, image in enumerate(images):
        np.testing.assert_array_equal(tile(number), np.broadcast_to(image, (3, *size)))
    assert sheet.columns * sheet.rows >= count
    assert sheet.aspect == size[1] / size[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_larger_pictures_come_back_nearly_as_they_were(channels):
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 60, 32)[:, None] + np.linspace(0, 60, 24)
    levels = rng.permuted(np.tile(np.arange(0, 126, 18), (channels, 1)), axis=1).T  # of 7 pictures
    images = (levels[:, :, None, None] + ramp).astype(np.uint8)
    tile = tiles_of(Sheet.of(images), 32, 24)
    for number, image in enumerate(images):
        difference = np.abs(tile(number)[:, 2:-2, 2:-2].astype(int) - image[:, 2:-2, 2:-2])
        assert difference.mean() < 6  # any two pictures differ by 18 and more


def test_a_sheet_is_about_square_and_pictures_stand_row_by_row():
    sheet = Sheet.of(np.zeros((10, 1, 4, 4), dtype=np.uint8))
    assert (sheet.columns, sheet.rows) == (4, 3)
    assert [sheet.place(number) for number in (0, 3, 4, 9)] == [(0, 0), (1, 0), (0, 0.5), (1 / 3, 1)]
    assert Sheet.of(np.zeros((1, 1, 4, 4), dtype=np.uint8)).place(0) == (0, 0)
    two = Sheet.of(np.zeros((2, 1, 4, 4), dtype=np.uint8))
    assert [two.place(0), two.place(1)] == [(0, 0), (1, 0)]


def test_the_same_pictures_give_the_same_bytes():
    images = np.random.default_rng(0).integers(0, 256, (30, 3, 32, 32), dtype=np.uint8)
    assert Sheet.of(images) == Sheet.of(images.copy())
