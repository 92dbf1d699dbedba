"""Where things lie in a study's pictures, what is written there, and in which shade."""

import itertools
from pathlib import Path

import numpy as np

from plaingrad.search import pictures
from plaingrad.search.results import StudyResult, TrialResult, ranked
from plaingrad.search.scales import SHADES, Range, Scale, wrapped


def placed(kind, values):
    trials = tuple(TrialResult(i, "waiting", {"f": value}) for i, value in enumerate(values))
    scale = Scale(kind, trials, "f")
    return [scale.place(value) for value in values], scale.ticks()


def test_labels_of_numbers_do_not_touch():
    trials = tuple(
        TrialResult(i, "complete", {"optimizer.lr": rate}, (0.5 + i / 100,))
        for i, rate in enumerate(np.geomspace(0.0011, 0.0088, 9).tolist())
    )
    scales = {"optimizer.lr": "log", "network.dropout": "linear", "network.reg": "linear"}
    figure = pictures.against(
        StudyResult("s", Path("s"), "digits", "tpe", "none", 1, scales, ranked([*trials]))
    )
    figure.canvas.draw()
    boxes = [own.get_window_extent() for own in figure.axes[0].get_xticklabels()]
    assert len(boxes) > 1
    assert all(one.x1 + 3 < other.x0 for one, other in itertools.pairwise(boxes))


def test_the_better_the_stronger_in_even_steps():
    lightness = SHADES(np.linspace(0, 1, 20))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert lightness[0] < 0.85, "seen on white"
    assert (np.diff(lightness) < -0.01).all()


def test_numbers_lie_by_their_size_or_logarithm():
    places, ticks = placed("log", [1e-4, 1e-2, 1e-3])
    np.testing.assert_allclose(places, [0, 1, 0.5])
    assert [text for _, text in ticks] == ["1e-4", "0.001", "0.01"]
    np.testing.assert_allclose([place for place, _ in ticks], [0, 0.5, 1], atol=1e-12)
    places, ticks = placed("linear", [16, 64, 32])
    np.testing.assert_allclose(places, [0, 1, 1 / 3])
    assert all("." not in text for _, text in ticks), "whole numbers have whole ticks"
    assert len(placed("log", [0.011, 0.012])[1]) > 1


def test_choices_stand_in_a_row_and_a_lone_value_in_the_middle():
    places, ticks = placed("choice", [[512, 512, 256], [64], "relu", True])
    assert [text for _, text in ticks] == ["true", "[64]", "[512, 512, 256]", "relu"]
    np.testing.assert_allclose(places, [2 / 3, 1 / 3, 1, 0])
    for kind, value, text in (("choice", "a", "a"), ("log", 1e-3, "0.001"), ("linear", 0.5, "0.5")):
        assert placed(kind, [value, value]) == ([0.5, 0.5], [(0.5, text)])


def test_a_few_that_learnt_nothing_do_not_press_the_others_together():
    def trials(*accuracies):
        return [TrialResult(i, "complete", {}, (own,)) for i, own in enumerate(accuracies)]

    many = trials(*np.linspace(0.9, 0.95, 60).tolist(), 0.1, 0.1)
    shown = Range.of(many, [])
    assert shown.low > 0.8
    assert shown.cut
    assert shown.place(shown.within(many[-1])) == 0
    few = Range.of(many[-5:], [])
    assert few.low == 0.1
    assert not few.cut
    assert Range.of(trials(0.9), trials(0.95)).high == 0.95, "a pruned one may be ahead of all others yet"


def test_long_names_are_broken_and_cut():
    assert wrapped("weight_decay", 16) == "weight_decay"
    assert wrapped("weight_decay", 11) == "weight_\ndecay"
    assert wrapped("[512, 512, 256]", 11) == "[512, 512,\n256]"
    assert wrapped("abcdefgh", 5) == "abcd…"
    assert wrapped("a_b_c_d", 2, lines=2).endswith("…")
    assert wrapped("漢\x1b", 5) == "??"
