"""Numbers and names as pictures show them."""

import pytest

from plaingrad.plots.style import PerCent, fitted, known, short_number, shortened, styled, text_width


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001, "0.001"),
        (0.000223, "2.23e-4"),
        (1e-5, "1e-5"),
        (1e38, "1e38"),
        (0, "0"),
        (12.5, "12.5"),
        (999.6, "1000"),
        (12345, "12345"),
        (1e5, "1e5"),
        (-1e5, "-1e5"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_short_numbers(value, text):
    assert short_number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(69.3, "69"), (0.00564, "0.0056"), (234, "234"), (17608, "1.8e4"), (0.99999, "1")]
)
def test_two_digits(value, text):
    assert short_number(value, 2) == text


def test_per_cent():
    assert [PerCent()(value) for value in (0, 0.5, 0.985, 1)] == ["0 %", "50 %", "98.5 %", "100 %"]


def test_only_what_the_font_has():
    assert known("naïve → 猫\n") == "naïve → ??"
    assert shortened("abcdefgh", 5) == "abcd…"
    assert shortened("abcde", 5) == "abcde"


@styled
def test_names_are_cut_in_their_middle_to_fit():
    assert fitted("cat", 7, 60) == "cat"
    for name in ("Golden-crowned kinglet, adult", "w" * 5000):
        shown = fitted(name, 7, 60)
        assert text_width(shown, 7) <= 60
        assert shown.startswith(name[:4])
        assert shown.endswith(name[-4:])
    assert fitted("anything", 7, 0) == "a…"
