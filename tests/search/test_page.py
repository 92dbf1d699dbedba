"""The page of a study: complete in itself, safe whatever a study holds, and drawn for one trial or thousands."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from plaingrad.report.drawing import drawing
from plaingrad.search import pictures
from plaingrad.search.page import render, write_page
from plaingrad.search.results import Opening, StudyResult, TrialResult, ranked

SCALES = {
    "optimizer.lr": "log",
    "optimizer.weight_decay": "log",
    "network.dropout": "linear",
    "network.hidden": "choice",
    "training.batch_size": "choice",
    "schedule.name": "choice",
}
HIDDEN = [[512, 512, 256], [256, 128], [128], [64, 64]]


def curve_to(end, count, rng):
    x = np.arange(1, count + 1)
    values = end * (1 - 0.6 * np.exp(-x / 2.5)) + rng.normal(0, 0.004, count)
    return tuple((int(i), float(v)) for i, v in zip(x, values.clip(0, 1), strict=True))


def study(count, scales=None, *, seeds=1, prune=True, path=Path("runs/study"), **more):
    """A study as a search would leave it: a best rate, weak regularisation, and some that went wrong."""
    scales, rng = scales or SCALES, np.random.default_rng(count)
    trials = []
    for number in range(count):
        settings = {name: _value(name, kind, rng) for name, kind in scales.items()}
        rate = math.log10(settings.get("optimizer.lr", 3e-3))
        end = 0.965 - 0.035 * (rate + 2.6) ** 2 - 0.05 * settings.get("network.dropout", 0.2) ** 2
        end = float(np.clip(end + rng.normal(0, 0.006), 0.1, 0.995))
        given = {"number": number, "settings": settings, "samples": 5000, "weights": 4000 * (number + 1)}
        given |= {"runs": tuple(f"trials/{number}/seed-{i}" for i in range(seeds)), "seconds": 12.5 + number}
        if rate > -1.3 and number:
            given |= {"state": "diverged", "curve": curve_to(0.4, number % 4, rng),
                      "failure": "the loss was not a finite number at step 120 (epoch 1.2).",
                      "diagnosis": "The learning rate is too high: the update was 0.8 of the weights."}  # fmt: skip
        elif prune and number % 3 == 2:
            curve = curve_to(end - 0.03, 2 + number % 5, rng)
            given |= {"state": "pruned", "curve": curve, "accuracies": (max(a for _, a in curve),)}
        else:
            found = tuple(float(a) for a in (end + rng.normal(0, 0.002, seeds)).clip(0, 1))
            given |= {"state": "complete", "curve": curve_to(end, 20, rng), "accuracies": found}
        trials.append(TrialResult(**given))
    weights = rng.dirichlet([0.7] * len(scales))
    given = {"importance": dict(zip(scales, map(float, weights), strict=True)) if count > 10 else {}}
    given |= {"name": "a study", "recipe": "digits", "method": "tpe", "prune": "median" if prune else "none"}
    given |= {"seeds": seeds, "seconds": 61.0 * count, "path": path} | more
    return StudyResult(scales=dict(scales), trials=ranked(trials), **given)


def _value(name, kind, rng):
    if kind == "log":
        return float(10 ** rng.uniform(-5, -1))
    if kind == "linear":
        return float(rng.uniform(0, 0.6))
    options = {"network.hidden": HIDDEN, "training.batch_size": [32, 64, 128]}
    return options.get(name, ["constant", "one-cycle", "cosine"])[rng.integers(3)]


def an_opening(trial, **more):
    given = {"seeds": (10, 11, 12), "validation": (0.95, 0.96, 0.955), "test": (0.941, 0.943, 0.942)}
    given |= {"samples": 10000, "when": "2025-03-04T05:06:07"} | more
    return Opening(trial=trial, **given)


def pictures_of(page):
    return re.findall(r'<svg[^>]* class="drawing".*?</svg>', page, re.DOTALL)


def body_of(page):
    """The page without its style and its scripts."""
    return re.sub(r"<script.*?</script>", "", page.partition("</style>")[2], flags=re.DOTALL)


def trials_of(page):
    return re.search(r'<table class="sortable trials dense">.*?</table>', page, re.DOTALL)[0]


def text_of(page):
    text = re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", "", body_of(page), flags=re.DOTALL))
    return re.sub(r"\s([.,:])", r"\1", re.sub(r"\s+", " ", text))


@pytest.fixture(autouse=True)
def its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs/study").mkdir(parents=True)


def test_the_page_holds_everything():
    result = study(90, seeds=2)
    best = result.best
    assert best is not None
    path = write_page(result)
    assert path == result.path / "study.html"
    assert [own.name for own in result.path.iterdir()] == ["study.html"], "no temporary file is left"
    page = path.read_text("utf-8")
    assert len(pictures_of(page)) == 3
    told = text_of(page)
    for text in (
        "recipe digits: method tpe, pruning median, 2 seeds a trial, 6 fields",
        f"best validation accuracy, trial {best.number} {100 * best.accuracy:.2f} % ± {100 * best.spread:.2f}",
        f"Trial {best.number} is best on validation: {100 * best.accuracy:.2f} %",
        f"{result.count('complete')} complete, {result.count('pruned')} pruned",
        "The test set has not been opened.",
        "The learning rate is too high",
        f"Not drawn: {sum(own.state == 'diverged' and not own.curve for own in result.trials)} diverged before",
    ):
        assert text in told
    table = trials_of(page)
    assert table.count("<tr") == 91, "a head and a line for each trial"
    assert table.count('<i class="validation"') == 2 * result.count("complete"), "a dot for each seed"
    for name, share in result.importance.items():
        assert f"{name} {100 * share:.0f} %" in told
    for bad in ("http://", "https://", "<script", "nan", ">None<", "<img"):
        assert bad not in body_of(page).replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_a_table_sorts_by_numbers_and_not_by_what_stands_there():
    page = render(study(20))
    rows = re.findall(r"<tr.*?</tr>", trials_of(page), re.DOTALL)[1:]
    shown = [float(re.search(r'data-value="([^"]*)">[\d.]+ %', row)[1]) for row in rows if "complete" in row]
    assert shown == [own.accuracy for own in study(20).trials if own.state == "complete"]
    assert 'scope="row"' in rows[0]


def test_numbers_of_a_choice_are_aligned_as_numbers():
    table = trials_of(render(study(8)))
    heads = re.findall(r'<th scope="col" class="([^"]*)">(?:<small>\w+</small>)?(\w+)</th>', table)
    sides = {name: side for side, name in heads}
    assert sides["batch_size"] == sides["dropout"] == ""
    assert sides["hidden"] == sides["state"] == "left"


def test_a_long_table_opens_and_a_short_one_is_open():
    assert "<summary>All 30 trials</summary>" in render(study(30))
    assert "<summary>" not in render(study(8))


def test_a_state_can_be_switched_off_in_each_picture():
    result = study(60)
    for picture in pictures_of(render(result)):
        keys = set(re.findall(r'class="series" data-series="(\w+)"', picture))
        assert {"best", "complete", "pruned"} <= keys
    legends = re.findall(r'<li data-series="(\w+)">', render(result))
    assert legends.count("best") == legends.count("complete") == legends.count("pruned") == 3
    assert legends.count("diverged") == 2, "those have no place among all settings"


def test_best_first_and_those_that_cannot_be_told_apart_shaded():
    result = study(100)
    page = write_page(result).read_text("utf-8")
    links = re.findall(r'<a href="\./([^"]+)">(\d+)</a>', page)
    assert links == [(own.runs[0], str(own.number)) for own in result.trials]
    alike = sum(map(result.as_good, result.trials))
    assert alike > 1, "or this shows nothing"
    assert page.count('<tr class="good') == alike


def test_the_same_study_gives_the_same_page():
    assert write_page(study(12)).read_bytes() == write_page(study(12)).read_bytes()


def test_a_page_that_cannot_be_written_leaves_the_old_one(monkeypatch):
    write_page(study(1))
    before = Path("runs/study/study.html").read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_page(study(2))
    assert Path("runs/study/study.html").read_bytes() == before


def test_nothing_from_outside_is_taken_as_html_or_as_a_formula():
    evil = "<script>alert('$\\frac{1}$')</script>\u202e\x1b[31m\udcff漢\n"
    scales = {f"network.{evil}": "choice", "optimizer.lr": "log"}
    trials = tuple(
        TrialResult(i, "complete", {f"network.{evil}": [evil] * (i + 1), "optimizer.lr": 10.0**-i}, (0.5 + i / 10,),
                    ((1, 0.5),), 100, runs=(f"//evil.example/{evil}?#",), failure=evil, diagnosis=evil)
        for i in range(3)
    )  # fmt: skip
    importance = dict.fromkeys(scales, 0.5)
    result = StudyResult(evil, Path("runs/study"), evil, evil, evil, 1, scales, ranked([*trials]), importance)
    page = write_page(result).read_text("utf-8")
    assert page.count("<script") == page.count('<script type="application/json">') + 1, (
        "those of the page itself"
    )
    assert "<script" not in body_of(page)
    assert "&lt;script&gt;" in page
    links = re.findall(r'<a href="([^"]*)"', page)
    assert len(links) == 3
    assert all(re.fullmatch(r"\./[\w/%.~-]+", link) for link in links), links
    assert len(pictures_of(page)) == 3


@pytest.mark.parametrize("state", ["pruned", "diverged", "failed", "running", "waiting"])
def test_no_trial_complete_yet(state):
    measured = {"accuracies": (0.4,), "curve": ((1, 0.3), (2, 0.4))} if state in ("pruned", "running") else {}
    trial = TrialResult(0, state, {"optimizer.lr": 0.1}, **measured)
    result = StudyResult(
        "s", Path("runs/study"), "digits", "grid", "none", 1, {"optimizer.lr": "log"}, (trial,)
    )
    told = text_of(write_page(result).read_text("utf-8"))
    assert "none yet" in told
    assert f"1 {state}" in told
    assert "too few complete trials" in told


def test_no_trial_at_all():
    page = render(
        StudyResult("s", Path("runs/study"), "digits", "grid", "none", 1, {"optimizer.lr": "log"}, ())
    )
    assert "none yet" in page
    assert not pictures_of(page)


def test_the_test_set_opened_once():
    result = study(8)
    told = text_of(render(study(8, openings=(an_opening(result.best.number),))))
    assert (
        f"opened once, on 2025-03-04 05:06: trial {result.best.number}, retrained with 3 fresh seeds" in told
    )
    assert "94.20 % ± 0.10 on 10,000 test samples" in told
    assert f"test accuracy of trial {result.best.number}, retrained" in told
    headline = (
        f"94.20 % ± 0.10 on test: trial {result.best.number}, retrained with 3 fresh seeds. On validation"
    )
    assert headline in told, "what may be quoted comes first"
    assert "untouched" not in told


def test_the_test_set_opened_more_than_once_is_warned_of():
    result = study(8, openings=(an_opening(99), an_opening(98, seeds=(1,), test=(0.9,), validation=(0.91,))))
    page = render(result)
    told = text_of(page)
    assert len(re.findall("on 2025-03-04 05:06: trial 9", told)) >= 2, "each opening is told of"
    assert "opened 2 times" in told
    assert "no longer untouched" in told
    assert "1 fresh seed, reaches 90.00 % on" in told, "one seed has no spread"
    assert f"trial {result.best.number} is the best, and it has not been tested" in told
    assert f"Trial {result.best.number} is best on validation" in told, "its headline is not another trial's"


@pytest.mark.parametrize(("fields", "trials"), [(1, 1), (1, 2), (5, 40), (7, 3), (12, 150)])
def test_pictures_of_few_and_of_many(fields, trials):
    """Warnings are errors here, so what does not fit in a picture shows."""
    kinds = ["log", "linear", "choice"]
    scales = {f"section.field_{i}_{'long_' * (i % 5)}": kinds[i % 3] for i in range(fields)}
    result = study(trials, scales)
    for draw in (pictures.parallel, pictures.against, pictures.curves):
        assert drawing(draw(result), "a", "title", "description").svg.startswith("<svg")


def test_of_thousands_the_best_are_drawn():
    result = study(1700, {"optimizer.lr": "log"}, prune=False)
    drawn = pictures._drawn(result, "complete")
    assert len(drawn) == pictures.MOST < result.count("complete")
    assert drawn[:100] == list(result.trials[:100])
    assert len({own.number for own in drawn}) == len(drawn), "none twice"
    page = render(result)
    assert "at most 500 trials" in text_of(page)
    assert len(page) < 6e6
