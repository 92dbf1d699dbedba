"""Several runs side by side: what may be said of the best, and the page."""

import math
import re

import pytest

from plaingrad import report
from plaingrad.errors import RunError
from plaingrad.report.comparison import MOST, compare
from plaingrad.report.comparison_page import render
from plaingrad.report.strip import Strip

from .folders import a_run, the_runs
from .parsed import Parsed, text


class Page(Parsed):
    """A page that may lead to the reports of its runs, which lie at a place relative to it."""

    @staticmethod
    def _check_element(own, ids):
        if own.tag == "a" and own.attrib["href"].startswith("./"):
            assert set(own.attrib) == {"href"}
            assert re.fullmatch(r"[\w./%~-]+", own.attrib["href"])
        else:
            Parsed._check_element(own, ids)


@pytest.mark.parametrize(
    ("reached", "told"),
    [
        ({0.1: [0.70, 0.71, 0.72], 0.01: [0.90, 0.91, 0.92]}, "more than chance would explain"),
        ({0.1: [0.89, 0.90, 0.91], 0.01: [0.895, 0.905, 0.915]}, "chance could explain it"),
        ({0.1: [0.5], 0.01: [0.9]}, "more than so few samples explain, but one seed does not tell"),
        ({0.1: [0.90, 0.92], 0.01: [0.94, 0.96]}, "2.2 standard errors: too few seeds to tell"),
        ({0.1: [0.89], 0.01: [0.9]}, "chance could explain it"),
        ({0.1: [0.90], 0.01: [0.9, 0.9, 0.9]}, "lr 0.1 has the same mean, and is less certain: 90.00 % with one seed"),
        ({0.1: [0.905], 0.01: [0.9, 0.9, 0.9]}, "lr 0.1 has a mean 0.50 points higher, and is less certain"),
    ],
)  # fmt: skip
def test_whether_the_best_is_more_than_lucky(tmp_path, reached, told):
    made = compare(the_runs(tmp_path, reached))
    best = "lr 0.01" if any(len(own.runs) > 1 for own in made.settings) else "“lr0.01-s0” (lr 0.01)"
    assert made.headline.startswith(f"{best} is best on validation: 9")
    assert told in made.how_sure


def test_single_seeds_of_which_nobody_knows_the_samples(tmp_path):
    made = compare(the_runs(tmp_path, {0.1: [0.5], 0.01: [0.9]}, validates=None))
    assert "single seeds do not tell whether that is chance" in made.how_sure


def test_of_many_the_best_may_be_lucky(tmp_path):
    made = compare(the_runs(tmp_path, {10**-i: [0.9 - 0.02 * i] for i in range(6)}))
    assert (
        "3 of the 5 other settings cannot be told from it. The best of several is also partly luck."
        in made.how_sure
    )


def test_the_same_run_twice_is_no_second_witness(tmp_path):
    runs = [a_run(tmp_path / "a", 0.9), a_run(tmp_path / "b", 0.8), a_run(tmp_path / "c", 0.7, seed=1)]
    made = compare([*runs, tmp_path / "x" / ".." / "a"])
    assert len(made.runs) == 3, "a folder named twice is one run"
    assert made.settings[0].accuracies == (0.9, 0.7)
    assert any(own.startswith("b has the settings and the seed of another run") for own in made.cautions)
    assert "Named more than once, counted once: a." in made.cautions
    assert "Named" not in " ".join(compare(runs).cautions)


def test_other_data_is_another_setting_and_pointed_out(tmp_path):
    runs = [a_run(tmp_path / "a", 0.9), a_run(tmp_path / "b", 0.5, seed=1, data_sha256="b" * 64)]
    made = compare(runs)
    assert [own.values for own in made.settings] == ["digest aaaaaaaa", "digest bbbbbbbb"]
    assert made.headline == "These runs were measured on different data: their accuracies cannot be compared."
    assert (made.best, made.how_sure) == (None, ""), "nothing is ranked"
    assert "best validation accuracy" not in render(made, tmp_path).partition("<main>")[0]
    assert any("1 on digits (aaaaaaaa), 1 on digits (bbbbbbbb)" in own for own in made.cautions)


def test_other_versions_machines_and_objectives_are_pointed_out(tmp_path):
    runs = [
        a_run(tmp_path / "a"),
        a_run(tmp_path / "b", changes=("network.label_smoothing=0.2",), plaingrad="0.0.9", processors=64),
    ]
    told = " ".join(compare(runs).cautions)
    assert "versions of plaingrad: 0.0.9, 0.1.0" in told
    assert "times do not compare" in told
    assert "training losses are not on one scale" in told
    assert "same samples" not in told
    assert compare(runs[:1]).cautions == ()


def test_broken_runs_stay_with_a_note(tmp_path):
    good = the_runs(tmp_path, {0.1: [0.9, 0.8]})
    unfinished = a_run(tmp_path / "unfinished", 0.99, seed=7, ended=False)
    burst = a_run(tmp_path / "burst", 0.2, ended=False, losses=(2.0, 3.0, math.inf))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "recipe.toml").touch()
    fresh = a_run(tmp_path / "fresh", ended=False)
    (fresh / "history.jsonl").unlink()
    damaged = a_run(tmp_path / "damaged")
    (damaged / "history.jsonl").write_text('{"type": "step"\n{"type": "end"}\n{"type": "end"}\n')
    older = a_run(tmp_path / "older")
    (older / "recipe.toml").write_text('[network]\nname = "of-old"\n')
    odd = a_run(tmp_path / "odd")
    with (odd / "history.jsonl").open("a") as file:
        file.write('{"type": "end", "best_val_accuracy": "<b>", "test_accuracy": [1], "seconds": null}\n')
    runs = [*good, unfinished, burst, tmp_path / "empty", fresh, damaged, older, odd]
    made = compare(runs)
    notes = {own.name: own.note for own in made.runs}
    assert notes["lr0.1-s0"] == ""
    assert notes["unfinished"] == "has not ended: 20 steps so far"
    assert notes["burst"] == "broke off at step 3: the loss was not finite"
    assert notes["empty"].startswith("empty")
    assert notes["fresh"] == "has recorded nothing yet"
    assert "line 1 is not a record" in notes["damaged"]
    assert "of-old" in notes["older"]
    assert notes["odd"] == "was measured on no samples"
    assert made.best is not None
    assert [own.name for own in made.best.counted] == ["lr0.1-s0", "lr0.1-s1"], (
        "what has not ended cannot win"
    )
    page = Page(render(made, tmp_path)).check()
    rows = page.rows(".//table[@class='sortable runs dense']")
    assert len(rows) == len(runs)
    assert len({len(row) for row in rows}) == 1, "a cell for each column, also of what cannot be read"
    assert sorted(row[0] for row in rows) == sorted(f"{own.name} {own.note}".strip() for own in made.runs)
    assert [row[0] for row in rows[:2]] == ["lr0.1-s0", "lr0.1-s1"]
    unreadable = {own.name for own in made.runs if not own.readable}
    assert {row[0].split()[0] for row in rows[-len(unreadable) :]} == unreadable, "they come last"


def test_what_cannot_be_compared_is_an_error(tmp_path):
    (tmp_path / "nothing").mkdir()
    run = a_run(tmp_path / "run")
    with pytest.raises(RunError, match="nothing is not a run folder: it holds no recipe.toml"):
        compare([run, tmp_path / "nothing"])
    with pytest.raises(RunError, match="nothing to compare"):
        report.compare([])
    (run / "history.jsonl").unlink()
    with pytest.raises(RunError, match="nothing to compare: .*run has recorded nothing yet"):
        compare([run])
    many = [a_run(tmp_path / f"run-{i}", epochs=1) for i in range(MOST + 1)]
    with pytest.raises(RunError, match=f"{MOST + 1} runs are more than one page compares"):
        compare(many)


def test_a_study_stands_for_its_trials_that_have_ended(tmp_path):
    study = tmp_path / "study"
    the_runs(study / "trials", {0.1: [0.9], 0.01: [0.8]})
    a_run(study / "trials" / "pruned", ended=False)
    a_run(study / "final" / "best")
    (study / "study.toml").touch()
    other = a_run(tmp_path / "other", ended=False)
    assert [own.name for own in compare([study, other]).runs] == ["lr0.01-s0", "lr0.1-s0", "other"]
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "study.toml").touch()
    with pytest.raises(RunError, match="nothing to compare: no trial has ended"):
        compare([tmp_path / "new"])


def test_the_page_holds_everything(tmp_path):
    runs = the_runs(tmp_path, {0.1: [0.8, 0.82], 0.01: [0.9, 0.91]}, test=0.75)
    (runs[0] / "report.html").touch()
    path = report.compare(runs)
    assert path == tmp_path / "comparison.html"
    page = Page(path.read_text("utf-8")).check()
    assert page.headline.startswith(
        "lr 0.01 is best on validation: 90.50 % on average over 2 seeds (standard deviation 0.71 points)."
    )
    assert page.sections == ["settings", "curves", "runs", "differences"]
    rows = page.rows(".//table[@class='sortable runs dense']")
    assert [row[0] for row in rows] == ["lr0.01-s1", "lr0.01-s0", "lr0.1-s1", "lr0.1-s0"], "best first"
    assert rows[3][:5] == ["lr0.1-s0", "lr 0.1", "0", "80.00 %", "75.00 %"]
    links = [own.attrib["href"] for own in page.all(".//table[@class='sortable runs dense']//a")]
    assert links[2:] == ["./lr0.1-s1", "./lr0.1-s0/report.html"]
    # Two full dots and two hollow ones for each setting.
    assert len(page.all(".//i[@class='validation']")) == len(page.all(".//i[@class='test']")) == 4
    marked = page.all(".//table[@class='fields dense']//td[@class='left differs']")
    assert not marked, "half of them is not most"
    x, y = page.curve("accuracy", "setting-1")
    assert x == [1, 2, 3, 4]
    assert y[-1] == pytest.approx(0.905), "the mean of the seeds"
    assert report.compare(runs).read_bytes() == path.read_bytes() == page.text.encode()


def test_curves_of_a_hundred_runs_thin_and_the_best_six_coloured(tmp_path):
    runs = the_runs(tmp_path, {round(0.01 * i, 3): [0.5 + 0.004 * i] * 5 for i in range(1, 21)}, epochs=30)
    page = Page(render(compare(runs), tmp_path)).check()
    legend = [own.attrib["data-series"] for own in page.all(".//figure[@id='accuracy']//li")]
    assert legend == [f"setting-{i}" for i in range(1, 7)] + ["others"]
    assert len(page.rows(".//table[@class='sortable runs dense']")) == 100
    assert [text(own) for own in page.all(".//details[@class='fold']/summary")] == ["All 100 runs"]
    assert len(page.text) < 3e6


def test_nothing_from_outside_is_taken_as_html(tmp_path):
    evil = "<script>alert('$\\frac1$')</script>\u202e\udcff"
    runs = [
        a_run(tmp_path / "<img src=x onerror=alert(1)>" / "&'\"", name="<b>"),
        a_run(
            tmp_path / "b" / "&'\"",
            changes=("data.name=<i>evil</i>",),
            plaingrad=evil.encode("ascii", "replace").decode(),
        ),
    ]
    written = report.compare(runs, tmp_path / "page.html").read_text("utf-8")
    page = Page(written).check()
    assert "<i>evil" not in written
    assert "&lt;i&gt;evil" in written
    for escaped in ("&lt;img src=x onerror=alert(1)&gt;", "\\u003cimg src=x onerror=alert(1)\\u003e"):
        written = written.replace(escaped, "")  # as HTML, and in the data behind a picture
    assert not re.search("<img|onerror=a", written)
    assert [own.attrib["href"] for own in page.all(".//tbody//a")] == [
        "./%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E/%26%27%22", "./b/%26%27%22",
    ]  # fmt: skip


def test_a_scale_for_all():
    strip = Strip.of([0.90, 0.95, 0.95])
    assert 0 < strip.place(0.90) < strip.place(0.95) < 1
    assert strip.place(0.1) == 0
    assert strip.dots([0.95, 0.9, 0.95])[2] == (strip.place(0.95), 1), "an equal one stands before it"
    assert strip.bar([0.9]) is None
    low, high = strip.bar([0.91, 0.93])
    assert low < strip.place(0.92) < high
    assert all(0 < at < 1 for at, _ in strip.ticks)
    assert Strip.of([0.5]).place(0.5) == 0.5


@pytest.mark.parametrize(
    "losses", [(math.nan,), (math.inf, math.nan), (0.0,), (1e300, -1e300), (1e-300,) * 7]
)
@pytest.mark.parametrize("reached", [None, 0.0, 1.0])
def test_odd_numbers_have_a_page(tmp_path, losses, reached):
    """Warnings are errors here."""
    runs = [a_run(tmp_path / name, reached, losses=losses, ended=name == "a") for name in "ab"]
    page = Page(render(compare(runs), tmp_path)).check()
    assert len(page.rows(".//table[@class='sortable runs dense']")) == 2


def test_equal_settings_are_equally_sure(tmp_path):
    made = compare(the_runs(tmp_path, {0.1: [0.9, 0.9], 0.01: [0.9, 0.9]}))
    assert "has the same mean: 90.00 %" in made.how_sure
    assert "less certain" not in made.how_sure
