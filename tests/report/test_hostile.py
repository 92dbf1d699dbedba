"""Whatever a run, its classes and its files are called: the page shows it as it is, and takes none of it as HTML."""

import os

import numpy as np
import pytest
from PIL import Image

from plaingrad import report, training
from plaingrad.recipe import check
from plaingrad.report.drawing import script_safe

from .made import predictions, rewrite
from .parsed import Parsed, said, text

RUN = "window.hostile=1"
FOLDERS = (  # of classes: no "/" in them
    f"<img src=x onerror={RUN}>",
    f'" onmouseover="{RUN}" x="',
    f"' onfocus='{RUN}' autofocus '",
    "{{ 7*7 }}{% raw %}${7*7}#{7*7}",
    "</title></style></script>".replace("/", "\u2215") + "<!--",
    "&lt;b&gt;&amp;&#60;",
    "猫 🐈 \u202eright to left",
)
ANYTHING = (
    f"</script><script>{RUN}</script>",
    f"]]></style></title></svg><script>{RUN}</script><!--",
    f"javascript:{RUN}",
    "url(https://example.org/x.png)",
    "{{ 7*7 }}",
    "$x^2_1$ \\frac{1}{2}",
)
NETWORK = {"name": "three-layer-conv", "filters": 2, "size": 3, "hidden": 4}
DESCRIPTION = f"</p></title><script>{RUN}</script> \"quoted\" & 'so' {{{{ 7*7 }}}} \x07\x1b[31m"


def trained(out, data):
    recipe = {
        "name": "<b>bold & co", "description": DESCRIPTION, "network": NETWORK,
        "data": {**data, "validation": 14, "test": 28, "normalize": "symmetric"},
        "training": {"epochs": 2, "batch_size": 20},
    }  # fmt: skip
    training.train(check(recipe), out)
    return Parsed((out / "report.html").read_text("utf-8")).check()


@pytest.fixture(scope="module")
def on_files(tmp_path_factory):
    """The page of a run on a folder of images with such names."""
    folder = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(0)
    for own in FOLDERS:
        (folder / "data" / own).mkdir(parents=True)
        for number in range(12):
            picture = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            picture.save(folder / "data" / own / f"{number} {FOLDERS[number % 7]}.png")
    return trained(folder / "a <script>'\"&amp; run #1?", {"name": "images", "path": str(folder / "data")})


@pytest.fixture(scope="module")
def on_arrays(tmp_path_factory):
    """The page of a run on a file with such classes."""
    folder = tmp_path_factory.mktemp("hostile")
    images = np.random.default_rng(0).integers(0, 256, (120, 1, 8, 8), dtype=np.uint8)
    labels = np.arange(120) % len(ANYTHING)
    np.savez(folder / "x.npz", images=images, labels=labels, classes=np.array(ANYTHING))
    return trained(folder / "<b>", {"name": "npz", "path": str(folder / "x.npz")})


def test_the_names_of_the_run(on_files):
    assert text(on_files.one(".//h1")) == "a <script>'\"&amp; run #1?"
    assert on_files.one("head/title").text.startswith("a <script>'\"&amp; run #1? · ")
    assert "recipe <b>bold & co," in said(on_files.one(".//p[@class='kind']"))
    assert text(on_files.one(".//p[@class='description']")) == DESCRIPTION
    assert "&lt;script&gt;" in on_files.text
    assert "49" not in text(on_files.one(".//p[@class='description']")), "no template runs twice"


@pytest.mark.parametrize("name", ["on_files", "on_arrays"])
def test_the_names_of_classes(name, request):
    page, classes = request.getfixturevalue(name), FOLDERS if name == "on_files" else ANYTHING
    table = page.one(".//table[@class='classes sortable wide']/tbody")
    assert sorted(text(own) for own in table.findall("tr/th")) == sorted(classes)
    matrix = page.one(".//table[@class='matrix']")
    heads = [text(own) for own in matrix.findall("thead/tr[2]/th")[1:]]
    assert sorted(heads) == sorted(classes)
    for link in matrix.findall(".//td/a"):
        true, predicted = int(link.attrib["data-true"]), int(link.attrib["data-predicted"])
        wanted = f"{heads[true]} " + (f"taken for {heads[predicted]}" if true != predicted else "named right")
        assert link.attrib["data-told"] == wanted
        assert link.attrib["title"] == link.attrib["aria-label"]
        assert link.attrib["title"].startswith(f"{wanted}: {text(link)} of ")
    told = [text(own) for own in page.all(".//div[@class='of-class']/h3")]
    assert all(own.startswith(f"{name}: ") for own, name in zip(told, heads, strict=True))


def test_the_names_of_files(on_files):
    names = {own.attrib["title"] for own in on_files.section("mistakes").iter("li")}
    assert names <= {f"{own}/{number} {FOLDERS[number % 7]}.png" for own in FOLDERS for number in range(12)}
    assert len(names) > 5


@pytest.mark.parametrize("name", ["on_files", "on_arrays"])
def test_nothing_else_is_on_the_page(name, run, request):
    """No element and no attribute that is not on the page of a run with plain names."""
    page, plain = request.getfixturevalue(name), Parsed((run / "report.html").read_text("utf-8"))
    assert {own.tag for own in page.root.iter()} <= {own.tag for own in plain.root.iter()}
    known = {own for element in plain.root.iter() for own in element.attrib}
    assert {own for element in page.root.iter() for own in element.attrib} <= known
    assert len([own for own in page.root.iter("script") if "type" not in own.attrib]) == 1


def test_what_a_watch_noted_is_text(copy, page):
    evil = f"</text></svg><script>{RUN}</script>"

    def change(lines):
        for line in lines:
            if line["type"] == "look":
                for own in line["layers"] + line["parameters"]:
                    own["name"] = evil + own["name"]
        return [*(line for line in lines if line["type"] != "end"),
                {"type": "non_finite", "step": 3, "where": evil},
                {"type": "time", "step": 3, "seconds": {evil: 100.0}}]  # fmt: skip

    rewrite(copy, change)
    shown = page(copy)
    assert evil in shown.headline
    assert shown.rows(".//section[@id='time']//table")[0][0] == evil
    assert f"<script>{RUN}" not in shown.text
    assert len([own for own in shown.root.iter("script") if "type" not in own.attrib]) == 1


def test_a_lone_surrogate_in_a_name(copy):
    rewrite(copy, lambda lines: [*(line for line in lines if line["type"] != "end"),
                                 {"type": "non_finite", "step": 3, "where": "a\ud800b"}])  # fmt: skip
    assert "a value in a\\ud800b was" in report.write(copy).read_text("utf-8")


@pytest.mark.parametrize(
    "name", [b"caf\xe9 \xff<b>", b"new\nline\tand \x01\x7f", b"-rf --set x", b"$(touch x) `y` ;&"]
)
def test_the_name_of_a_folder_that_is_no_text(run, tmp_path, name):
    folder = os.fsencode(tmp_path) + b"/" + name
    os.mkdir(folder)
    for file in ("recipe.toml", "history.jsonl"):
        with open(run / file, "rb") as old, open(folder + b"/" + file.encode(), "wb") as new:
            new.write(old.read())
    written = report.write(os.fsdecode(folder))
    shown = Parsed(written.read_bytes().decode("utf-8")).check()
    wanted = os.fsdecode(name).encode("utf-8", "backslashreplace").decode()
    assert text(shown.one(".//h1")) == wanted
    assert len(shown.all(".//h1")) == 1


def test_json_in_a_script_ends_no_script():
    values = {"</script>": ["<!--", "-->", "&amp;", "]]>", "\u2028"]}
    made = script_safe(values)
    assert not set("<>&\u2028") & set(made)


def test_pictures_of_predictions_that_anybody_wrote(copy, page):
    from plaingrad import predictions as files

    own = predictions(
        [0, 1], [1, 1], classes=[f"<i>{n}</i>" for n in range(10)], files=("../../<b>", '"\n\x00')
    )
    files.save(copy / "predictions.safetensors", {"test": own})
    for file in (copy / "checkpoints").iterdir():
        file.unlink()
    shown = page(copy)
    names = [text(li.find("span[@class='is name']")) for li in shown.section("samples").iter("li")]
    assert names[0] == "../../<b>"
    assert names[1].startswith('"')
