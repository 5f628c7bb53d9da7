from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilekit.quantize.observers import OBSERVERS, min_max, mse, percentile
from mobilekit.quantize.statistics import TensorStatistics

SETTINGS = settings(max_examples=40, deadline=None)
VALUES = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=200)


def statistics_of(*arrays):
    statistics = TensorStatistics()
    for array in arrays:
        statistics.add(np.asarray(array, np.float32))
    return statistics


@SETTINGS
@given(VALUES, VALUES)
def test_counts_do_not_depend_on_the_order_of_growth(first, second):
    grown, reverse = statistics_of(first, second), statistics_of(second, first)
    assert (grown.minimum, grown.maximum) == (reverse.minimum, reverse.maximum)
    assert grown.counts.sum() == reverse.counts.sum() == len(first) + len(second)
    assert grown.exponent == reverse.exponent


@SETTINGS
@given(VALUES)
def test_every_value_lies_in_its_bin(values):
    statistics = statistics_of(values)
    width = 2.0**statistics.exponent
    bins, counts = np.unique(np.floor(np.float32(values).astype(np.float64) / width), return_counts=True)
    found = {int(b) - statistics.first_bin: int(c) for b, c in zip(bins, counts, strict=True)}
    assert {int(i): int(statistics.counts[i]) for i in np.flatnonzero(statistics.counts)} == found


def test_sentinels_do_not_set_the_range():
    statistics = statistics_of([1.0, 2.0, -np.inf, np.finfo(np.float32).min])
    assert (statistics.minimum, statistics.maximum, statistics.has_sentinels) == (1.0, 2.0, True)


def test_nan_is_seen():
    assert statistics_of([1.0, np.nan]).has_nan


def test_all_channels_take_part_in_the_subsample():
    """A stride that the channel count divides would always land in one channel."""
    values = np.zeros((1, 512, 512, 4), np.float32)
    values[..., 3] = 5.0
    points, counts = statistics_of(values).points()
    assert counts[np.argmax(points)] == pytest.approx(counts.sum() + statistics_of(values).zeros, rel=0.8)


@pytest.mark.parametrize("name", OBSERVERS)
@pytest.mark.parametrize("values", [[0.0], [3.0], [-2.0, -2.0], [0.0, 1e-30], [-1e6, 1e6]])
def test_observers_take_degenerate_data(name, values):
    low, high = OBSERVERS[name](statistics_of(values), 256)
    assert low <= high
    assert np.isfinite([low, high]).all()


def test_mse_is_the_range_with_the_least_error():
    """Against brute force with real rounding, 4 bits, where one outlier of 40 must be clipped.

    Within 5 %: candidates are 1/128 of the range apart, and rounding noise is taken as uniform.
    """
    values = np.random.default_rng(0).laplace(0, 1, 8192).astype(np.float32)
    values[0] = 40.0

    def error(low, high):
        step = (high - low) / 15
        return np.mean((np.clip(np.rint((values - low) / step), 0, 15) * step + low - values) ** 2)

    low, high = mse(statistics_of(values), levels=16)
    shares = np.linspace(0.1, 1, 46)
    best = min(error(values.min() * a, values.max() * b) for a in shares for b in shares)
    assert error(low, high) <= 1.05 * best
    assert error(low, high) < 0.5 * error(*min_max(statistics_of(values)))


def test_percentile_keeps_the_share_that_it_says():
    values = np.random.default_rng(0).normal(0, 1, 16000)
    low, high = percentile(statistics_of(values), kept=99.0)
    assert np.mean((values < low) | (values > high)) == pytest.approx(0.01, abs=0.002)
