"""Tables sort, and the confusion matrix shows its pictures."""

import pytest
from selenium.webdriver import Keys

from plaingrad.run_folder import RunFolder

from .reading import column, number, rows_of


@pytest.fixture
def predictions(page, run):
    page.open(run("digits") / "report.html")
    return RunFolder.open(run("digits")).predictions()["test"]


def sorting(page, table):
    """The state of each column that says how it is sorted."""
    states = page.run(f"return [...document.querySelectorAll('{table} thead th')].map(own => own.ariaSort)")
    return [state for state in states if state]


def test_numbers_sort_as_numbers_and_again_the_other_way_round(page, predictions):
    page.one("#learning summary").click()
    table = "#learning table"
    before = column(page, table, 1)
    assert max(map(number, before)) > 100 > min(map(number, before)), "as words these would sort otherwise"
    head = page.all(f"{table} thead button")[1]
    head.click()
    assert column(page, table, 1) == sorted(before, key=number)
    assert sorting(page, table) == ["ascending"]
    head.send_keys(Keys.ENTER)
    assert column(page, table, 1) == sorted(before, key=number, reverse=True)
    assert sorting(page, table) == ["descending"]


def test_a_row_stays_together_and_only_one_column_is_said_to_be_sorted(page, predictions):
    table = "#classes table"

    before = sorted(rows_of(page, table))
    share, name = page.all(f"{table} thead button")[1], page.all(f"{table} thead button")[0]
    share.click()
    assert list(map(number, column(page, table, 1))) == sorted(map(number, column(page, table, 1)))
    assert sorted(rows_of(page, table)) == before
    name.click()
    assert column(page, table, 0) == sorted(column(page, table, 0))
    assert len(sorting(page, table)) == 1
    assert sorted(rows_of(page, table)) == before


def test_the_tables_say_what_the_predictions_say(page, predictions):
    names, shares, samples = (column(page, "#classes table", place) for place in (0, 1, 5))
    for name, share, count in zip(names, shares, samples, strict=True):
        own = predictions.labels == predictions.classes.index(name)
        assert number(count) == own.sum()
        assert number(share) == pytest.approx(
            100 * (predictions.predicted == predictions.labels)[own].mean(), abs=0.06
        )
    cells = page.run("return [...document.querySelectorAll('.matrix tbody tr')].map("
                     "row => [...row.cells].slice(1).map(own => Number(own.textContent) || 0))")  # fmt: skip
    assert cells == predictions.confusion.tolist()


def shown(page):
    """The pictures that the matrix shows: their true class, the class taken for, whether there is a picture."""
    return page.run(
        "return [...document.querySelectorAll('.of-class .tiles li')].filter(own => own.checkVisibility()).map(own => ["
        "Number(own.closest('.of-class').dataset.true), Number(own.dataset.predicted), !!own.querySelector('.tile')])"
    )


def test_a_cell_of_the_matrix_shows_its_pictures(page, predictions):
    assert shown(page) == []
    true, predicted = next(
        zip(*((predictions.confusion > 0) & ~_diagonal(predictions)).nonzero(), strict=True)
    )
    cell = page.one(f".matrix a[data-true='{true}'][data-predicted='{predicted}']")
    cell.click()
    pictures = shown(page)
    assert pictures
    assert all(own == [true, predicted, True] for own in pictures)
    assert cell.get_attribute("aria-current") == "true"
    page.picture("confusion", whole=False)
    assert page.faults() == []
    cell.click()
    assert shown(page) == []
    assert cell.get_attribute("aria-current") is None


def test_a_class_of_the_matrix_shows_all_of_its_own(page, predictions):
    page.one(".matrix tbody th a[data-true='3']").click()
    kept = predictions.predicted[predictions.chosen[predictions.labels[predictions.chosen] == 3]]
    assert sorted(own[1] for own in shown(page)) == sorted(kept.tolist())
    assert {own[0] for own in shown(page)} == {3}
    page.one(".matrix tbody th a[data-true='4']").send_keys(Keys.ENTER)
    assert {own[0] for own in shown(page)} == {4}


def test_without_javascript_a_cell_leads_to_the_pictures_of_its_class(page, run):
    page.open(run("digits") / "report.html", script=False)
    assert shown(page) == []
    page.one(".matrix tbody th a[data-true='3']").click()
    assert {own[0] for own in shown(page)} == {3}


def test_a_tile_shows_the_picture_of_its_sample(page, predictions):
    """Read back from the screen: the picture of the mistake that the network was surest of."""
    import io

    import numpy as np
    from PIL import Image

    surest = int(predictions.mistakes()[0])
    kept = predictions.images[predictions.chosen.tolist().index(surest)][0]
    tile = page.one("#mistakes .tile")
    page.run("arguments[0].scrollIntoView({block: 'center'})", tile)
    with Image.open(io.BytesIO(tile.screenshot_as_png)) as picture:
        seen = np.asarray(picture.convert("L").resize(kept.shape[::-1], Image.Resampling.BOX))
    levels = kept * (255 / max(int(kept.max()), 1))
    assert np.corrcoef(seen.ravel(), levels.ravel())[0, 1] > 0.95


def visible(page, table):
    """How many rows of a table a reader sees."""
    return page.run(
        f"return [...document.querySelectorAll('{table} tbody tr')].filter(own => own.checkVisibility()).length"
    )


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("section", ["#classes", "#confusion"])
def test_of_a_long_table_the_rest_is_shown_when_it_is_asked_for(page, run, section, script):
    page.open(run("many classes") / "report.html", script=script)
    rows = len(rows_of(page, f"{section} table"))
    assert rows > 25
    assert visible(page, f"{section} table") == 15
    page.one(f"{section} summary").click()
    assert visible(page, f"{section} table") == rows
    assert page.faults() == []


def test_classes_of_few_samples_are_counted_and_sorted_by_their_share(page, run):
    page.open(run("many classes") / "report.html")
    shares = [own.split(" of ") for own in column(page, "#classes table", 1)]
    assert all(len(own) == 2 for own in shares)
    worth = [int(right) / int(count) for right, count in shares]
    assert worth == sorted(worth), "the worst first"
    for _ in range(2):
        page.all("#classes thead button")[1].click()
    again = [
        int(right) / int(count)
        for right, count in (own.split(" of ") for own in column(page, "#classes table", 1))
    ]
    assert again == sorted(worth, reverse=True)


def test_a_matrix_has_few_pictures_of_a_cell_and_says_of_how_many(page, predictions):
    counts = predictions.confusion
    cell = page.one(".matrix td.right a")
    cell.click()
    heading = page.text(".of-class.shown h3")
    kept = len(shown(page))
    assert heading == f"0 named right: {kept} of {counts[0, 0]}, the surest first"
    assert not page.all(".of-class.shown .truth")
    assert not any(own.is_displayed() for own in page.all(".of-class.shown b"))
    title = page.one(".matrix td.right a").get_attribute("title")
    assert title.startswith(f"0 named right: {counts[0, 0]} of {counts[0].sum()}, ")


def _diagonal(predictions):
    import numpy as np

    return np.eye(len(predictions.classes), dtype=bool)
