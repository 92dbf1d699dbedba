"""What a page shows of a split's samples."""

import numpy as np
import pytest

from plaingrad.report.samples import FEW, MATRIX, MISTAKES, PAIRS, Shown

from .made import picture_of, predictions


def test_a_row_for_each_class_the_worst_first():
    shown = Shown(predictions([0, 0, 0, 0, 1, 1, 2], [1, 1, 2, 0, 1, 1, 0], classes="abcd"))
    rows = [(own.name, own.samples, own.accuracy, own.taken_for, own.share) for own in shown.by_class]
    assert rows == [
        ("c", 1, 0.0, "a", 1.0), ("a", 4, 0.25, "b", 0.5), ("b", 2, 1.0, "", None), ("d", 0, None, "", None),
    ]  # fmt: skip
    assert [own.number for own in shown.by_class] == [2, 0, 1, 3]


@pytest.mark.parametrize(("samples", "said"), [(7, "6 of 7"), (FEW - 1, "18 of 19"), (FEW, "95.0 %")])
def test_a_share_of_few_samples_is_counted(samples, said):
    worst = Shown(predictions([0] * samples, [1] + [0] * (samples - 1))).by_class[0]
    assert worst.written(worst.accuracy) == said
    assert worst.written(None) == "–"


def test_small_shares_are_left_white():
    labels, taken = [0] * 100, [1] * 2 + [2] * 3 + [0] * 95
    assert [cell.shade for cell in Shown(predictions(labels, taken, classes="abc")).rows[0]] == [
        0.95,
        0,
        0.075,
    ]


def test_a_class_and_a_cell_in_words():
    shown = Shown(predictions([0, 0, 0, 1], [0, 1, 1, 1], chosen=[0, 1]))
    assert [shown.told(own) for own in (0, 1)] == [
        "a: 1 of 3 right; pictures of 1 mistake and 1 other", "b: 1 of 1 right; pictures of 0 mistakes and 0 others",
    ]  # fmt: skip
    assert shown.cell_told(shown.rows[0][1]) == ("a taken for b", "a taken for b: 2 of 3, 66.7 %")
    assert shown.cell_told(shown.rows[1][1]) == ("b named right", "b named right: 1 of 1, 100.0 %")


@pytest.mark.parametrize(
    ("file", "name"),
    [("a/x.png", "x.png"), ("b/x.png", "b/x.png"), ("a/b/x.png", "b/x.png"), ("a/" + 24 * "x", 24 * "x"),
     ("a/IMG_2024-05-17 holidays, in the morning 0033.png", "IMG_2024-0…ning 0033.png")],
)  # fmt: skip
def test_a_file_is_named_without_the_folder_of_its_class_and_not_at_length(file, name):
    tile = Shown(predictions([0], [1], files=(file,))).mistakes[0]
    assert (tile.name, tile.file) == (name, file)


def test_long_names_have_wider_columns():
    assert [Shown(predictions([0], [0], classes=(own,))).wide for own in (16 * "a", 17 * "a")] == [
        False,
        True,
    ]


def test_the_confusion_matrix():
    shown = Shown(predictions([0, 0, 0, 0, 1, 1], [1, 0, 0, 0, 1, 1], classes="abc"))
    assert shown.matrix
    assert [[cell.count for cell in row] for row in shown.rows] == [[3, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert [[cell.share for cell in row] for row in shown.rows] == [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 0]]
    for true, row in enumerate(shown.rows):
        assert [(cell.true, cell.predicted) for cell in row] == [(true, own) for own in range(3)]
        for cell in row:
            assert cell.share <= cell.shade <= 1
    assert shown.rows[0][1].shade > 2 * shown.rows[0][1].share, "mistakes stand out"


@pytest.mark.parametrize("classes", [MATRIX, MATRIX + 1, 100])
def test_many_classes_have_pairs_in_place_of_a_matrix(classes):
    labels = np.arange(classes)
    taken = np.where(labels % 2, labels, (labels + 3) % classes)  # the even ones are wrong
    more = [5] * 7 + [2] * 4, [1] * 7 + [0] * 4
    own = predictions(
        [*labels, *more[0]], [*taken, *more[1]], classes=map(str, range(classes)), chosen=[],
        images=np.zeros((0, 1, 1, 1), dtype=np.uint8),
    )  # fmt: skip
    shown = Shown(own)
    assert shown.matrix == (classes <= MATRIX)
    pairs = shown.pairs
    assert [(cell.true, cell.predicted, cell.count) for cell in pairs[:2]] == [(5, 1, 7), (2, 0, 4)]
    assert pairs[0].share == 7 / 8
    assert len(pairs) == min(PAIRS, 2 + (classes + 1) // 2)
    assert all(cell.true != cell.predicted and cell.count for cell in pairs)


def test_the_surest_mistakes_come_first():
    confidence = [0.4, 0.9, 0.95, 0.6, 0.8]
    shown = Shown(predictions([0, 0, 0, 1, 1], [1, 1, 0, 0, 1], confidence))
    assert [(own.true, own.predicted, own.confidence) for own in shown.mistakes] == [
        ("a", "b", "90.0 %"), ("b", "a", "60.0 %"), ("a", "b", "40.0 %"),
    ]  # fmt: skip
    assert all(own.wrong for own in shown.mistakes)
    assert [own.name for own in shown.mistakes] == ["test 1", "test 3", "test 0"]
    many = Shown(predictions([0] * 99, [1] * 99, np.linspace(0, 1, 99)))
    assert [own.name for own in many.mistakes[:2]] == ["test 98", "test 97"]
    assert len(many.mistakes) == MISTAKES


def test_the_samples_of_a_class_are_its_pictures_mistakes_first():
    confidence = [0.4, 0.9, 0.95, 0.6, 0.8, 0.7]
    own = predictions([0, 0, 0, 0, 1, 0], [1, 1, 0, 0, 1, 1], confidence, chosen=[0, 1, 2, 3, 4])
    shown = Shown(own)
    assert [tile.name for tile in shown.of_class(0)] == ["test 1", "test 0", "test 2", "test 3"]
    assert [tile.wrong for tile in shown.of_class(0)] == [True, True, False, False]
    assert [tile.name for tile in shown.of_class(1)] == ["test 4"]
    assert all(tile.place is not None for tile in shown.of_class(0))


def test_a_tile_shows_the_picture_of_its_sample():
    chosen = [1, 4, 6]
    shown = Shown(predictions([0] * 8, [1] * 8, np.linspace(0.9, 0.1, 8), chosen=chosen))
    assert shown.sheet is not None
    whole = np.asarray(picture_of(shown.sheet.url).convert("L"))
    for tile in shown.mistakes:
        number = int(tile.name.removeprefix("test "))
        assert (tile.place is not None) == (number in chosen)
        if tile.place is not None:
            x, y = (round(own) for own in (tile.place[0], tile.place[1]))
            assert whole[3 * y, 2 * x] == number  # as `made.predictions` painted it


def test_samples_as_they_come_are_spread_over_the_split():
    own = predictions([0] * 400, [0] * 400)
    numbers = [int(tile.name.removeprefix("test ")) for tile in Shown(own).as_it_comes]
    assert numbers[0] == 0
    assert numbers[-1] == 399
    assert numbers == sorted(numbers)
    assert max(np.diff(numbers)) <= 11
    assert not any(tile.wrong for tile in Shown(own).as_it_comes)


def test_a_file_has_its_name_and_another_sample_its_number():
    own = predictions([0] * 3, [1, 0, 1], chosen=[0, 1], files=("cat/a.png", "cat/b.png"))
    shown = Shown(own)
    assert {tile.name for tile in shown.mistakes} == {"cat/a.png", "test 2"}
    assert [tile.name for tile in shown.of_class(0)] == ["cat/a.png", "cat/b.png"]
    numbered = predictions([0] * 1501, [0] * 1500 + [1], chosen=[1500], part="validation")
    assert Shown(numbered).mistakes[0].name == "validation 1,500"


@pytest.mark.parametrize(
    ("confidence", "said"),
    [(0.0, "0.0 %"), (1.0, "100.0 %"), (0.9999, "99.9 %"), (0.99999994, "99.9 %"), (0.4567, "45.6 %"), (0.9, "90.0 %"),
     (0.123, "12.3 %")],
)  # fmt: skip
def test_a_confidence_is_rounded_down(confidence, said):
    assert Shown(predictions([0], [1], [confidence])).mistakes[0].confidence == said


def test_scores_that_are_no_probabilities_have_no_confidence():
    shown = Shown(predictions([0], [1], probabilistic=False))
    assert shown.mistakes[0].confidence == ""


def test_samples_that_are_no_images():
    own = predictions([0, 1], [1, 1], chosen=[], images=np.zeros((0, 1, 1, 1), dtype=np.uint8))
    shown = Shown(own)
    assert shown.sheet is None
    assert shown.as_it_comes == []
    assert shown.of_class(0) == []
    assert [(tile.name, tile.place) for tile in shown.mistakes] == [("test 0", None)]


def test_one_class_and_one_sample():
    shown = Shown(predictions([0], [0]))
    assert shown.matrix
    assert shown.pairs == shown.mistakes == []
    assert [(own.name, own.accuracy, own.taken_for) for own in shown.by_class] == [("a", 1.0, "")]
    assert [tile.name for tile in shown.as_it_comes] == ["test 0"]
    assert shown.of_class(0)[0].place == (0, 0)


def test_a_split_without_samples():
    shown = Shown(predictions([], [], classes="ab"))
    assert shown.sheet is None
    assert shown.mistakes == shown.as_it_comes == shown.pairs == []
    assert [own.accuracy for own in shown.by_class] == [None, None]
