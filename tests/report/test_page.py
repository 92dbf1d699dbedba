"""The page of a run: complete in itself, the same each time, and everything on it that it promises."""

import json
import re
import shutil
import tomllib

import numpy as np
import pytest

from plaingrad import report, training
from plaingrad.errors import RunError
from plaingrad.predictions import read
from plaingrad.recipe import read_recipe
from plaingrad.report.page import CALLED, render
from plaingrad.report.words import duration
from plaingrad.run_folder import RunFolder

from .made import lines_of, picture_of
from .parsed import Parsed, said, text

SECTIONS = ["findings", "learning", "classes", "confusion", "mistakes", "samples", "trust", "weights", "signal",
            "network", "time", "again"]  # fmt: skip


@pytest.fixture(scope="module")
def shown(run):
    return Parsed((run / "report.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def known(run):
    return read(run / "predictions.safetensors")["test"]


def test_it_is_complete_in_itself(shown):
    shown.check()
    assert shown.text.startswith("<!doctype html>\n")
    assert shown.problems == []
    assert shown.one("head/meta[@charset]").attrib["charset"] == "utf-8"
    assert shown.root.attrib["lang"] == "en"
    assert "connect-src" not in shown.text
    assert len(shown.text) < 1_000_000


def test_its_sections_have_headings(shown):
    assert shown.sections == SECTIONS
    for section in shown.all(".//section"):
        heading = section.find(f".//h2[@id='{section.attrib['aria-labelledby']}']")
        assert heading is not None
        assert said(heading)
    assert len(shown.all(".//h1")) == 1
    assert shown.one("head/title").text == "a run · plaingrad"
    assert said(shown.one(".//h1")) == "a run"


def test_the_same_run_gives_the_same_page(run, tmp_path):
    before = (run / "report.html").read_bytes()
    assert report.write(run) == run / "report.html"
    assert (run / "report.html").read_bytes() == before


def test_the_result_comes_first(shown, run, known):
    assert shown.headline.startswith(
        f"{100 * known.accuracy:.1f} % of 300 test images are named right after 6 epochs, in "
    )
    numbers = {said(own.find("dt")): said(own.find("dd")) for own in shown.all(".//dl[@class='numbers']/div")}
    best = max(line["val_accuracy"] for line in lines_of(run) if line["type"] == "epoch")
    assert numbers["best validation accuracy"] == f"{100 * best:.1f} %"
    assert numbers["parameters"] == "703"
    assert numbers["steps"] == "30"
    assert set(numbers) == {"best validation accuracy", "parameters", "steps", "training time", "peak memory"}


def test_the_doctor_speaks_before_all_else(shown):
    finding = shown.all(".//section[@id='findings']//ol/li")[0]
    assert "not scaled" in said(finding.find("h3"))
    assert re.fullmatch(r"\d+ % sure", said(finding.find("h3/small")))
    assert text(finding.find("pre")).endswith("recipe.toml' --set data.normalize=standard")
    assert len(finding.findall("ul/li")) >= 2


def test_the_curves_are_those_of_the_history(shown, run):
    lines = lines_of(run)
    epochs = [line for line in lines if line["type"] == "epoch"]
    measured = [line for line in lines if line["type"] == "measured"]
    x, y = shown.curve("loss", "step")
    np.testing.assert_allclose(x, np.arange(1, 31) / 5)
    np.testing.assert_allclose(y, [line["loss"] for line in lines if line["type"] == "step"], rtol=1e-3)
    for chart, key, wanted in (
        ("loss", "train-loss", [line["train_loss"] for line in measured]),
        ("loss", "val-loss", [line["val_loss"] for line in measured]),
        ("accuracy", "train", [line["train_accuracy"] for line in epochs]),
        ("accuracy", "val", [line["val_accuracy"] for line in epochs]),
    ):
        x, y = shown.curve(chart, key)
        np.testing.assert_allclose(x, range(1, 7))
        np.testing.assert_allclose(y, wanted, rtol=1e-3)
    _, rates = shown.curve("loss", "rate")
    assert max(rates) == pytest.approx(0.003, rel=1e-2)
    rows = shown.rows(".//section[@id='learning']//table")
    assert [[row[0], row[1], row[5]] for row in rows] == [
        [str(number), str(5 * number), f"{100 * line['val_accuracy']:.1f} %"]
        for number, line in enumerate(epochs, 1)
    ]


def test_every_curve_of_a_legend_is_in_the_drawing(shown):
    charts = shown.all(".//figure[@class='chart']")
    assert {own.attrib["id"] for own in charts} >= {"loss", "accuracy", "calibration", "layers"}
    for chart in charts:
        drawn = {own.attrib["data-series"] for own in chart.iter() if own.attrib.get("class") == "series"}
        legend = [own.attrib["data-series"] for own in chart.findall(".//ul[@class='legend']/li")]
        panels = shown.panels(chart.attrib["id"])
        assert {own["key"] for panel in panels for own in panel["series"]} <= drawn
        assert set(legend) <= drawn
        svg = chart.find(".//svg")
        title, description = (
            shown.one(f".//*[@id='{own}']") for own in svg.attrib["aria-labelledby"].split()
        )
        assert said(title)
        assert said(description)
        left, top, width, height = map(float, svg.attrib["viewbox"].split())
        for panel in panels:
            a, b, c, d = panel["box"]
            assert left <= a < c <= left + width
            assert top <= b < d <= top + height


def test_the_classes_and_what_they_are_taken_for(shown, known):
    rows = {row[0]: row for row in shown.rows(".//table[@class='classes sortable wide']")}
    assert sorted(rows) == list("0123456789")
    matrix = shown.rows(".//table[@class='matrix']")
    for number, counts in enumerate(known.confusion):
        assert [cell.replace("·", "0") for cell in matrix[number][1:]] == [str(own) for own in counts]
        accuracy, most = known.per_class[number], np.where(np.arange(10) == number, -1, counts)
        assert rows[str(number)][1] == f"{100 * accuracy:.1f} %"
        assert rows[str(number)][3] == str(most.argmax())
        assert rows[str(number)][5] == str(counts.sum())
    accuracies = [
        float(row[1].removesuffix(" %")) for row in shown.rows(".//table[@class='classes sortable wide']")
    ]
    assert accuracies == sorted(accuracies), "the worst first"


def test_a_cell_leads_to_the_pictures_of_its_class(shown, known):
    links = shown.all(".//table[@class='matrix']//td/a")
    assert len(links) == (known.confusion > 0).sum()
    for link in links:
        true, predicted = int(link.attrib["data-true"]), int(link.attrib["data-predicted"])
        assert int(said(link)) == known.confusion[true, predicted]
        assert link.attrib["href"] == f"#class-{true}"
        told = f"{true} taken for {predicted}" if true != predicted else f"{true} named right"
        of_class = known.confusion[true].sum()
        wanted = f"{told}: {said(link)} of {of_class}, {100 * int(said(link)) / of_class:.1f} %"
        assert link.attrib["aria-label"] == link.attrib["title"] == wanted
        block = shown.one(f".//div[@id='class-{true}']")
        assert any(own.attrib["data-predicted"] == str(predicted) for own in block.iter("li"))


def test_the_pictures_stand_on_one_sheet(shown, known):
    (sheet,) = [own for own in shown.all(".//div[@style]") if "--sheet" in own.attrib["style"]]
    style = dict(own.strip().split(": ", 1) for own in sheet.attrib["style"].split("; "))
    whole = np.asarray(picture_of(re.fullmatch(r"url\((.*)\)", style["--sheet"])[1]).convert("L"))
    columns, rows = int(style["--columns"]), int(style["--rows"])
    assert whole.shape == (8 * rows, 8 * columns)
    assert float(style["--aspect"]) == 1
    tiles = sheet.findall(".//ul/li")
    assert len(sheet.findall(".//section[@id='samples']//ul/li")) == 40
    assert len(sheet.findall(".//section[@id='mistakes']//ul/li")) == 24
    for tile in tiles:
        number = int(said(tile.find("span[@class='is name']")).removeprefix("test "))
        place = re.findall(r"[\d.]+", tile.find("i").attrib["style"])
        x, y = round(float(place[0]) * (columns - 1)), round(float(place[1]) * (rows - 1))
        wanted = known.images[list(known.chosen).index(number), 0]
        np.testing.assert_array_equal(whole[8 * y : 8 * y + 8, 8 * x : 8 * x + 8], wanted)
        assert said(tile.find("b")) == str(known.predicted[number])
        wrong = known.labels[number] != known.predicted[number]
        assert tile.attrib["class"] == ("wrong" if wrong else "right")
        truth = tile.find("span[@class='is truth']")
        assert (truth is not None) == wrong
        assert truth is None or said(truth) == f"is {known.labels[number]}"


def test_the_surest_mistakes(shown, known):
    names = [said(own.find("span[@class='is name']")) for own in shown.section("mistakes").iter("li")]
    wrong = np.flatnonzero(known.labels != known.predicted)
    surest = sorted(wrong, key=lambda own: -known.confidence[own])[:24]
    assert names == [f"test {own}" for own in surest]


def test_the_weights_before_and_after(shown):
    pictures = [picture_of(own.attrib["src"]) for own in shown.section("weights").iter("img")]
    assert len(pictures) == 2
    assert pictures[0].size == pictures[1].size
    assert pictures[0].tobytes() != pictures[1].tobytes()
    assert all(own.attrib["alt"] for own in shown.section("weights").iter("img"))


def test_the_network_and_the_time(shown, run):
    layers = shown.rows(".//section[@id='network']//table")
    assert [row[:3] for row in layers[:2]] == [["flatten1", "64", "0"], ["affine1", "9", "585"]]
    assert layers[-1][2] == "703"
    rows = shown.rows(".//section[@id='time']//table")
    spent = RunFolder.open(run).history().times
    assert rows[-1][0] == "in all"
    assert rows[-1][1] == duration(sum(spent.values()))
    longest = max(spent, key=lambda part: spent[part])
    assert rows[0][0] == CALLED.get(longest, longest)
    shares = [float(row[2].removesuffix(" %")) for row in rows if row[0] not in ("in all", "the rest")]
    assert shares == sorted(shares, reverse=True)
    assert sum(float(row[2].removesuffix(" %")) for row in rows[:-1]) == pytest.approx(100, abs=0.5)


def test_how_to_get_it_again(shown, run):
    facts = dict(shown.rows(".//table[@class='facts']") or [])
    table = tomllib.loads((run / "recipe.toml").read_text("utf-8"))
    assert facts["seed"] == "0"
    for name, value in table["run"].items():
        assert facts[name.replace("_", " ")] == str(value)
    assert {"plaingrad", "python", "numpy", "platform", "data sha256"} <= set(facts)
    assert facts["train it again"] == f"plaingrad train '{run / 'recipe.toml'}'"
    assert "continue it" not in facts
    (recipe,) = [text(own) for own in shown.section("again").iter("pre")]
    assert tomllib.loads(recipe) == table


def test_the_page_of_a_server_may_ask_it_alone(run):
    served = Parsed(render(RunFolder.open(run), live=True)).check()
    policy = served.one(".//meta[@http-equiv]").attrib["content"]
    assert "connect-src 'self'" in policy
    assert served.sections == SECTIONS


def test_a_run_on_samples_that_are_no_images(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    images = (rng.standard_normal((120, 1, 1, 6)) + labels[:, None, None, None]).astype(np.float32)
    np.savez(tmp_path / "table.npz", images=images[:, 0, 0], labels=labels)
    settings = ["data.name=npz", f"data.path={tmp_path / 'table.npz'}", "network.hidden=[5]", "training.epochs=2",
                "data.normalize=none"]  # fmt: skip
    training.train(read_recipe("digits", settings), tmp_path / "run")
    shown = Parsed((tmp_path / "run" / "report.html").read_text("utf-8")).check()
    assert "samples" in shown.headline
    assert shown.sections == [own for own in SECTIONS if own not in ("samples", "weights")]
    assert shown.all(".//i[@class='tile']") == []
    assert shown.all(".//table[@class='matrix']//a") == []
    assert "--sheet" not in shown.text.split("<main>")[1].split("<script>")[0]


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        report.write(tmp_path)


def test_a_folder_that_takes_no_file(copy, monkeypatch):
    before = sorted(copy.iterdir())
    (copy / "report.html").mkdir()
    with pytest.raises(OSError, match="report.html"):
        report.write(copy)
    assert sorted(copy.iterdir()) == sorted([*before, copy / "report.html"]), "nothing half-written stays"


LONG = 100_000


def test_a_long_run_has_a_small_page_and_keeps_its_peaks(copy):
    rng = np.random.default_rng(0)
    losses = 2.3 * np.exp(-np.arange(LONG) / 3e4) + 0.05 * rng.standard_normal(LONG)
    losses[61_234], losses[77_777] = 9.5, -1.25
    with (copy / "history.jsonl").open("w") as file:
        for step, loss in enumerate(losses, 1):
            file.write(json.dumps({"type": "step", "step": step, "loss": float(loss)}) + "\n")
            if step % 100 == 0:
                accuracy = 0.9 if step == 40_000 else 0.5 + 0.3 * step / LONG
                values = {"epoch": step / 100, "step": step, "lr": 0.1, "loss": 1.0, "seconds": step / 50}
                values |= {"train_accuracy": 0.5, "val_accuracy": accuracy}
                file.write(json.dumps({"type": "epoch", **values}) + "\n")
    (copy / "predictions.safetensors").unlink()
    shutil.rmtree(copy / "checkpoints")
    page = report.write(copy)
    assert page.stat().st_size < 1_000_000
    shown = Parsed(page.read_text("utf-8")).check()
    x, y = shown.curve("loss", "step")
    assert len(x) <= 600
    assert x[y.index(9.5)] == pytest.approx(612.35, abs=0.06)
    assert min(own for own in y if own is not None) == -1.25
    assert 0.9 in shown.curve("accuracy", "val")[1]
    assert max(x) == LONG / 100
