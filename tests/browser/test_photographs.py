"""The page of a run on CIFAR-10: whole, with its photographs, and small enough to be sent by mail."""

import io

import numpy as np
import pytest
from PIL import Image

from plaingrad.run_folder import RunFolder

from . import runs
from .page import DESK, PHONE


@pytest.fixture(scope="module")
def photographs(data_dir, tmp_path_factory):
    return runs.photographs(data_dir, tmp_path_factory.mktemp("photographs") / "run")


def test_the_page_is_small_and_nothing_is_wrong_with_it(page, photographs):
    assert (photographs / "report.html").stat().st_size < 3e6
    page.open(photographs / "report.html")
    for width in (PHONE, DESK):
        for dark in (False, True):
            page.look(width=width, dark=dark)
            page.picture(f"photographs-{width}-{'dark' if dark else 'light'}")
            assert page.faults() == []
    assert page.barriers() == []
    assert "of 10,000 test images" in page.text(".headline")


@pytest.mark.parametrize("dark", [False, True])
def test_a_photograph_is_the_one_of_its_sample(page, photographs, dark):
    predictions = RunFolder.open(photographs).predictions()["test"]
    page.open(photographs / "report.html", dark=dark)
    for place in (0, 11, 23):
        tile = page.all("#mistakes .tile")[place]
        page.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", tile)
        surest = int(predictions.mistakes()[place])
        kept = predictions.images[predictions.chosen.tolist().index(surest)]
        with Image.open(io.BytesIO(tile.screenshot_as_png)) as picture:
            seen = np.asarray(picture.convert("RGB").resize(kept.shape[:0:-1], Image.Resampling.BOX))
        assert np.corrcoef(seen.ravel(), np.moveaxis(kept, 0, -1).ravel())[0, 1] > 0.95
