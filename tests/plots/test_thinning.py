"""Thinning: few points, and no peak or gap lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaingrad.plots.thinning import running_mean, thinned

values = st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), max_size=400).map(np.array)


@given(values, st.integers(8, 60))
def test_peaks_ends_and_gaps_stay(y, most):
    kept = thinned(y, most)
    assert len(kept) <= max(most, min(len(y), most))
    assert (np.diff(kept) > 0).all()
    if len(y):
        assert (kept[0], kept[-1]) == (0, len(y) - 1)
    if np.isfinite(y).any():
        assert np.nanmax(y[kept]) == np.nanmax(y)
        assert np.nanmin(y[kept]) == np.nanmin(y)
    assert np.isnan(y[kept]).any() == np.isnan(y).any()


def test_few_points_are_all_kept():
    assert thinned(np.arange(600.0)).tolist() == list(range(600))


def test_every_peak_of_a_long_curve():
    y = np.zeros(1_000_000)
    peaks = np.arange(5_000, 1_000_000, 10_000)
    y[peaks] = 1.0
    kept = thinned(y, 600)
    assert len(kept) <= 600
    assert set(peaks) <= set(kept.tolist())


def test_a_gap_between_two_stretches_of_values_stays():
    y = np.ones(10_000)
    y[5_000] = np.nan
    assert np.isnan(y[thinned(y, 100)]).sum() == 1


@pytest.mark.parametrize("window", [1, 2, 5, 100])
def test_running_mean(window):
    y = np.random.default_rng(0).standard_normal(40)
    y[7] = np.nan
    expected = [np.nanmean(y[max(i - window // 2, 0) : i + (window + 1) // 2] if window > 1 else [y[i], np.nan])
                if window > 1 or i != 7 else np.nan for i in range(40)]  # fmt: skip
    np.testing.assert_allclose(running_mean(y, window), expected)


def test_running_mean_of_nothing():
    assert running_mean(np.empty(0), 3).shape == (0,)
    assert np.isnan(running_mean(np.full(4, np.nan), 2)).all()


def test_running_mean_forgets_an_enormous_value():
    y = np.ones(1000)
    y[100] = 1e30
    mean = running_mean(y, 16)
    assert mean[100] == pytest.approx(1e30 / 16)
    np.testing.assert_allclose(mean[120:], 1)
