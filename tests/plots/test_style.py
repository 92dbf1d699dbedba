"""Numbers and names as pictures show them."""

import pytest

from plaingrad.plots.style import PerCent, known, short_number, shortened


@pytest.mark.parametrize(
    ("value", "text"), [(0.001, "0.001"), (1e-5, "1e-5"), (1e38, "1e38"), (0, "0"), (12.5, "12.5")]
)
def test_short_numbers(value, text):
    assert short_number(value) == text


def test_per_cent():
    assert [PerCent()(value) for value in (0, 0.5, 0.985, 1)] == ["0 %", "50 %", "98.5 %", "100 %"]


def test_only_what_the_font_has():
    assert known("naïve → 猫\n") == "naïve → ??"
    assert shortened("abcdefgh", 5) == "abcd…"
    assert shortened("abcde", 5) == "abcde"
