"""Reading single images of every kind and in every state."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from plaingrad.data import read_image
from plaingrad.data.image import describe_image
from plaingrad.errors import DataError

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = RANDOM.integers(0, 256, (5, 7), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm"])
def test_lossless_formats(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(COLOUR).save(path)
    image = read_image(path)
    np.testing.assert_array_equal(image, COLOUR.transpose(2, 0, 1))
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert describe_image(path) == ((5, 7), False)


@pytest.mark.parametrize("suffix", ["jpg", "webp", "gif"])
def test_lossy_formats(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (7, 5), (200, 100, 50)).save(path)
    np.testing.assert_allclose(read_image(path).mean(axis=(1, 2)), [200, 100, 50], atol=3)


def test_channels(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    Image.fromarray(COLOUR).save(tmp_path / "colour.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), GREY[None])
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png", channels=3), [GREY] * 3)
    assert read_image(tmp_path / "colour.png", channels=1).shape == (1, 5, 7)
    with pytest.raises(DataError, match="1 or 3 channels, not 4"):
        read_image(tmp_path / "grey.png", channels=4)


def test_grey_of_16_bits_is_scaled_not_clipped(tmp_path):
    deep = np.array([[0, 256, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert read_image(tmp_path / "deep.png").tolist() == [[[0, 1, 128, 255]]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode(tmp_path, mode):
    path = tmp_path / ("a.tiff" if mode == "CMYK" else "a.png")
    Image.new("RGB", (4, 3), (255, 255, 255)).convert(mode).save(path)
    image = read_image(path)
    assert image.shape == ((1 if mode in ("1", "L", "LA") else 3), 3, 4)
    np.testing.assert_array_equal(image, 255)
    assert describe_image(path)[1] == (image.shape[0] == 1)


def test_a_transparent_palette(tmp_path):
    image = Image.new("RGB", (4, 3), (9, 80, 200)).quantize(4)
    image.save(tmp_path / "a.png", transparency=b"\x00\x80")
    assert read_image(tmp_path / "a.png")[:, 0, 0].tolist() == [9, 80, 200]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    upright = np.zeros((4, 6), np.uint8)
    upright[0, 0], upright[0, -1] = 255, 128
    transforms = {  # what a camera held that way stores
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.T,
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].T,
        8: lambda a: np.rot90(a, -1),
    }
    stored = Image.fromarray(np.ascontiguousarray(transforms[orientation](upright)))
    exif = stored.getexif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), upright[None])
    assert describe_image(tmp_path / "a.png") == ((4, 6), True)


def test_resizing(tmp_path):
    Image.new("RGB", (8, 4), (10, 20, 30)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", size=(6, 3))
    assert image.shape == (3, 6, 3)
    assert image[:, 0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize("name", ["empty.png", "text.jpg", "truncated.png", "truncated.jpg", "folder"])
def test_what_is_no_image_is_named(tmp_path, name):
    path = tmp_path / name
    whole = tmp_path / f"whole.{name[-3:]}"
    if name == "folder":
        path.mkdir()
    elif name.startswith("truncated"):
        Image.fromarray(RANDOM.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(whole)
        path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    else:
        path.write_bytes({"empty.png": b"", "text.jpg": b"no image"}[name])
    with pytest.raises(DataError, match=name):
        read_image(path)


def test_rare_formats_are_not_tried(tmp_path):
    # Pillow would read this one itself, but hand others, such as PostScript, to further programs.
    Image.fromarray(COLOUR).save(tmp_path / "a.pcx")
    (tmp_path / "a.pcx").rename(tmp_path / "a.png")
    with pytest.raises(DataError, match="cannot be read as an image"):
        read_image(tmp_path / "a.png")


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="there is no such image"):
        read_image(tmp_path / "none.png")


@pytest.mark.parametrize("limit", [30, 10], ids=["a warning of Pillow", "an error of Pillow"])
def test_decompression_bombs(tmp_path, monkeypatch, limit):
    Image.fromarray(COLOUR).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # the image has 35
    with pytest.raises(DataError, match=r"bomb\.png: .*decompression bomb"):
        read_image(tmp_path / "bomb.png")


def test_floating_point_pixels_have_no_known_scale(tmp_path):
    Image.fromarray(np.full((4, 3), 0.7, dtype=np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(DataError, match=r"a\.tiff: .*floating-point numbers of unknown scale"):
        read_image(tmp_path / "a.tiff")
