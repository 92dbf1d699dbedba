"""What a notebook shows of runs and networks."""

import re
import shutil
from html.parser import HTMLParser

import pytest

import plaingrad as pg
from plaingrad.errors import RunError
from plaingrad.recipe import read_recipe

RECIPE = ["network.hidden=[9]", "training.epochs=3", "data.train=100"]
EVIL = "<script>alert(1)</script>"


class Reader(HTMLParser):
    """Elements and text; what is opened must be closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return pg.train(read_recipe("digits", RECIPE), tmp_path_factory.mktemp("runs") / "run")


def test_a_run_shows_its_result(result):
    run = pg.open_run(result.run)
    read = Reader(run._repr_html_())
    assert {"p", "table", "svg"} <= set(read.tags)
    text = " ".join(read.text)
    assert f"{100 * result.test_accuracy:.1f} %" in text
    assert "3 epochs" in text
    assert str(run.path) in text
    twice = [re.sub(r"run-\d+", "run", own._repr_html_()) for own in (result, run)]
    assert twice[0] == twice[1]
    ids = re.findall(r' id="([^"]+)"', result._repr_html_() + run._repr_html_())
    assert len(set(ids)) == len(ids), "a notebook may show a run twice"
    assert f"{100 * result.test_accuracy:.1f} %" in repr(run)


def test_a_run_opens_what_it_holds(result):
    run = pg.open_run(result.run)
    assert run.recipe.name == "digits"
    assert len(run.history.records) == 3
    assert run.network.input_shape == (1, 8, 8)
    assert run.predictions["test"].accuracy == pytest.approx(result.test_accuracy)


def test_names_are_not_taken_as_html(result, tmp_path):
    path = tmp_path / "<b>bold"
    shutil.copytree(result.run, path)
    recipe = path / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('name = "digits"', f'name = "{EVIL}"', 1))
    read = Reader(pg.open_run(path)._repr_html_())
    assert {"script", "b"}.isdisjoint(read.tags)
    assert str(path) in " ".join(read.text)


def test_two_runs_in_one_notebook_do_not_share_ids(result, tmp_path):
    import re

    shutil.copytree(result.run, tmp_path / "other")
    one, other = (
        set(re.findall(r' id="([^"]+)"', pg.open_run(path)._repr_html_()))
        for path in (result.run, tmp_path / "other")
    )
    assert one
    assert one.isdisjoint(other)


def test_a_run_that_has_only_begun(result, tmp_path):
    shutil.copy(f"{result.run}/recipe.toml", tmp_path)
    run = pg.open_run(tmp_path)
    assert "svg" not in Reader(run._repr_html_()).tags
    (tmp_path / "history.jsonl").write_text('{"type": "step", "step": 1, "loss": 2.3}\n')
    assert "1 step" in run._repr_html_()


def test_a_damaged_run_says_so(result, tmp_path):
    shutil.copy(f"{result.run}/recipe.toml", tmp_path)
    (tmp_path / "history.jsonl").write_text("<b>\n<i>\n")
    run = pg.open_run(tmp_path)
    assert "line 1 is not a record" in run._repr_html_()
    assert "line 1 is not a record" in repr(run)


def test_no_run(tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        pg.open_run(tmp_path)


def test_a_network_shows_its_layers():
    net = pg.Network(pg.Sequential(pg.Affine(3, name=EVIL), pg.ReLU()), 4)
    read = Reader(net._repr_html_())
    assert set(read.tags) == {"table", "tr", "th", "td"}
    assert read.tags.count("tr") == len(net.summary().splitlines()) - 2
    assert {EVIL, "relu1", "total", "15"} <= set(read.text)
