"""The page of a run: complete in itself, and safe whatever a run is called."""

import base64
import io
import re

import numpy as np
import pytest

from plaingrad import report, training
from plaingrad.errors import RunError
from plaingrad.recipe import check, read_recipe
from plaingrad.report.figures import weight_grid
from plaingrad.report.tiles import tile_grid

OVERRIDES = ["network.hidden=[9]", "training.epochs=3", "data.train=100"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "a run"
    training.train(read_recipe("digits", OVERRIDES), out)
    return out


def test_the_page_holds_everything(run):
    page = (run / "report.html").read_text("utf-8")
    assert len(re.findall(r'src="data:image/svg\+xml;base64,', page)) == 2
    png = re.search(r'src="data:image/png;base64,([^"]+)"', page)[1]
    assert base64.b64decode(png).startswith(b"\x89PNG")
    for text in ("a run", "test accuracy", "best validation accuracy", "affine1", "checkpoint_seconds"):
        assert text in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page


def test_the_same_run_gives_the_same_page(run):
    before = (run / "report.html").read_bytes()
    assert report.write(run) == run / "report.html"
    assert (run / "report.html").read_bytes() == before


def test_nothing_from_outside_is_taken_as_html(tmp_path):
    evil = "<script>alert(1)</script>"
    table = read_recipe("digits", OVERRIDES).model_dump(exclude_none=True) | {"description": evil}
    training.train(check(table), tmp_path / "<b>bold")
    page = (tmp_path / "<b>bold" / "report.html").read_text("utf-8")
    assert "<script" not in page
    assert "<b>bold" not in page
    assert "&lt;script&gt;" in page


def test_a_run_that_has_not_ended(run, tmp_path):
    (tmp_path / "recipe.toml").write_bytes((run / "recipe.toml").read_bytes())
    assert "unfinished" in report.write(tmp_path).read_text("utf-8")
    lines = (run / "history.jsonl").read_bytes().splitlines(True)
    (tmp_path / "history.jsonl").write_bytes(next(line for line in lines if b'"type": "step"' in line))
    assert "svg" in report.write(tmp_path).read_text("utf-8")


def test_not_a_run(tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        report.write(tmp_path)


def test_tiles():
    images = np.zeros((5, 2, 3, 1))
    images[1] = np.arange(6).reshape(2, 3, 1) - 2.0
    grid = tile_grid(images, ubound=10.0, padding=1)
    assert grid.shape == (2 * 3 - 1, 3 * 4 - 1, 1)
    np.testing.assert_allclose(grid[:2, 4:7, 0], [[0, 2, 4], [6, 8, 10]])
    assert grid.sum() == 30, "flat tiles and the gaps are black"


def test_weight_grid_only_for_images():
    from PIL import Image

    weight = np.random.default_rng(0).standard_normal((3 * 4 * 5, 7))
    picture = Image.open(io.BytesIO(weight_grid(weight, (3, 4, 5))))
    assert picture.mode == "RGB"
    assert weight_grid(weight, (60,)) is None
    assert weight_grid(weight, (2, 6, 5)) is None
    assert weight_grid(weight[:-1], (3, 4, 5)) is None


def test_weight_grid_of_filters():
    from PIL import Image

    filters = np.zeros((4, 3, 2, 2))
    filters[3, 0, 1, 0] = 1  # the last of four in a row: red, lower left
    picture = np.asarray(Image.open(io.BytesIO(weight_grid(filters, (3, 8, 8)))))
    scale = len(picture) // 24  # four tiles of 24 pixels, and gaps of one
    assert picture.shape == (24 * scale, (4 * 24 + 3) * scale, 3)
    rows, columns = np.nonzero(picture.any(axis=-1))
    assert (rows.min(), rows.max()) == (12 * scale, 24 * scale - 1)
    assert (columns.min(), columns.max()) == (3 * 25 * scale, (3 * 25 + 12) * scale - 1)
    assert tuple(picture[-1, 3 * 25 * scale]) == (255, 0, 0)
    assert weight_grid(filters, (1, 8, 8)) is None
