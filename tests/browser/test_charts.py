"""A chart is read off with the mouse and with the keyboard, and its curves are switched off and on."""

import math

import pytest
from selenium.webdriver import Keys

from plaingrad.run_folder import RunFolder

from .reading import drawn, hover, percent, reading, said


@pytest.fixture
def history(page, run):
    """What the run recorded, which is in the page that is open."""
    page.open(run("digits") / "report.html")
    return RunFolder.open(run("digits")).history()


def test_the_mouse_reads_off_what_the_history_says(page, history):
    for record in history.records:
        hover(page, "accuracy", record.epoch)
        shown = reading(page, "accuracy")
        assert said(shown, "training") == percent(record.train_accuracy)
        assert said(shown, "validation") == percent(record.val_accuracy)
        assert float(said(shown, "epoch")) == pytest.approx(record.epoch)
    page.picture("hover", whole=False)


def test_the_loss_of_each_step_can_be_read_off(page, history):
    steps = len(history.losses)
    per_epoch = steps / history.records[-1].epoch
    for step in (2, steps // 3, steps - 1):
        hover(page, "loss", step / per_epoch)
        shown = reading(page, "loss")
        found = round(float(said(shown, "epoch")) * per_epoch)
        assert abs(found - step) <= 0.01 * steps
        assert float(said(shown, "each step")) == pytest.approx(history.losses[found - 1], rel=1e-3)


def test_the_panel_beneath_is_read_off_with_the_one_above(page, history):
    record = history.records[len(history.records) // 2]
    hover(page, "loss", record.epoch, panel=1)
    shown = reading(page, "loss")
    assert float(said(shown, "learning rate")) == pytest.approx(record.lr, rel=0.05)
    assert math.isfinite(float(said(shown, "mean of")))


def test_the_mouse_that_leaves_takes_the_reading_away(page, history):
    hover(page, "accuracy", history.records[0].epoch)
    assert page.all("#accuracy .dot, #accuracy .cross")
    page.point(page.one("h1"))
    assert reading(page, "accuracy") == {}
    assert not page.all("#accuracy .dot, #accuracy .cross")


def test_arrow_keys_read_off_the_same(page, history):
    page.run("document.querySelector('#accuracy .canvas').focus()")
    for record in history.records[:3]:
        page.press(Keys.ARROW_RIGHT)
        assert said(reading(page, "accuracy"), "validation") == percent(record.val_accuracy)
    page.press(Keys.ARROW_LEFT)
    assert said(reading(page, "accuracy"), "validation") == percent(history.records[1].val_accuracy)
    page.press(Keys.END)
    assert said(reading(page, "accuracy"), "validation") == percent(history.records[-1].val_accuracy)
    page.press(Keys.HOME)
    assert said(reading(page, "accuracy"), "training") == percent(history.records[0].train_accuracy)
    page.press(Keys.ESCAPE)
    assert reading(page, "accuracy") == {}


def test_every_chart_with_curves_can_be_read_off(page, history):
    charts = [own for own in ("loss", "accuracy", "calibration", "layers") if drawn(page, own)]
    assert charts[:3] == ["loss", "accuracy", "calibration"]
    for chart in charts:
        page.run(f"document.querySelector('#{chart} .canvas').focus()")
        page.press(Keys.ARROW_RIGHT)
        assert len(reading(page, chart)) >= 2, f"{chart} says nothing"
        assert page.one(f"#{chart} .reading").is_displayed()


@pytest.mark.parametrize("chart", ["loss", "accuracy"])
def test_a_legend_entry_switches_its_curve_off_and_on(page, history, chart):
    entries = page.all(f"#{chart} .legend button")
    assert len(entries) >= 2
    for entry in entries:
        key = entry.get_attribute("data-series")
        curves = page.all(f"#{chart} svg [data-series='{key}']")
        assert curves
        assert all(curve.is_displayed() for curve in curves)
        assert entry.get_attribute("aria-pressed") == "true"
        entry.click()
        assert entry.get_attribute("aria-pressed") == "false"
        assert not any(curve.is_displayed() for curve in curves)
        assert page.faults() == []
        entry.send_keys(Keys.ENTER)
        assert entry.get_attribute("aria-pressed") == "true"
        assert all(curve.is_displayed() for curve in curves)


def test_what_is_switched_off_is_not_read_off(page, history):
    page.one("#accuracy .legend button[data-series='train']").click()
    hover(page, "accuracy", history.records[0].epoch)
    names = " ".join(reading(page, "accuracy"))
    assert "validation" in names
    assert "training" not in names


def test_the_colors_of_the_legend_are_those_of_the_curves(page, history):
    for dark in (False, True):
        page.look(dark=dark)
        for entry in page.all("#accuracy .legend button"):
            key = entry.get_attribute("data-series")
            swatch, curve = page.run(
                "const [entry, key] = arguments;"
                "const curve = document.querySelector(`#accuracy svg [data-series='${key}'] path`);"
                "return [getComputedStyle(entry.querySelector('i')), getComputedStyle(curve)].map("
                "  (style, i) => i ? style.stroke : style.backgroundColor)",
                entry, key,
            )  # fmt: skip
            assert swatch == curve
