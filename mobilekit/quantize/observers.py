"""From statistics to a range: the interval of real values that the integers will stand for.

An observer is a function ``(statistics, levels) -> (low, high)``; ``levels`` is 256 for int8. Values outside are
clipped. A narrower range rounds finer and clips more; each observer weighs the two in its own way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mobilekit.quantize.statistics import TensorStatistics

Range = tuple[float, float]
Array = NDArray[np.float64]

# Candidates a side for the mean-square search: steps of 1/128 of the range, half a percent of a typical optimum.
_CANDIDATES = 128


def min_max(statistics: TensorStatistics, levels: int = 256) -> Range:
    """All that was seen: nothing clips, outliers cost resolution."""
    return statistics.minimum, statistics.maximum


def percentile(statistics: TensorStatistics, levels: int = 256, kept: float = 99.99) -> Range:
    """The middle ``kept`` percent of the values."""
    values, counts = statistics.points()
    counts = counts + np.where(np.abs(values) == np.abs(values).min(initial=np.inf), statistics.zeros, 0)
    total = np.cumsum(counts)
    tail = (100.0 - kept) / 200.0 * total[-1]
    low = values[np.searchsorted(total, tail, side="right")]
    high = values[min(np.searchsorted(total, total[-1] - tail), values.size - 1)]
    return float(low), float(high)


def mse(statistics: TensorStatistics, levels: int = 256) -> Range:
    """The range with the least mean square error of clipping and rounding together.

    Rounding to steps of s costs s^2/12 a value (uniform error), an exact zero nothing; clipping costs the squared
    distance. With cumulative sums each candidate pair (low, high) costs constant time.
    """
    values, counts = statistics.points()
    low, high = min(statistics.minimum, 0.0), max(statistics.maximum, 0.0)
    if values.size == 0 or high == low:
        return statistics.minimum, statistics.maximum
    shares = np.linspace(1.0 / _CANDIDATES, 1.0, _CANDIDATES)
    highs = high * shares if high > 0 else np.zeros(1)
    lows = low * shares if low < 0 else np.zeros(1)
    above = _clip_cost(values, counts, highs)
    below = _clip_cost(-values[::-1], counts[::-1], -lows)
    count_above, count_below = _outside(values, counts, highs), _outside(-values[::-1], counts[::-1], -lows)
    inside = counts.sum() - count_above[None, :] - count_below[:, None]
    step = (highs[None, :] - lows[:, None]) / (levels - 1)
    cost = inside * step**2 / 12 + above[None, :] + below[:, None]
    # Ties go to the widest range: it clips least on data not seen.
    best = int(np.flatnonzero(cost.ravel() <= cost.min())[-1])
    row, column = np.unravel_index(best, cost.shape)
    return float(lows[row]), float(highs[column])


def _clip_cost(values: Array, counts: Array, limits: Array) -> Array:
    """Sum of counts * (value - limit)^2 over the values above each limit; ``values`` ascending."""
    start = np.searchsorted(values, limits, side="right")
    n, first, second = (_suffix_sums(counts * values**power)[start] for power in (0, 1, 2))
    cost: Array = np.maximum(second - 2 * limits * first + limits**2 * n, 0.0)
    return cost


def _outside(values: Array, counts: Array, limits: Array) -> Array:
    outside: Array = _suffix_sums(counts)[np.searchsorted(values, limits, side="right")]
    return outside


def _suffix_sums(terms: Array) -> Array:
    return np.concatenate([np.cumsum(terms[::-1])[::-1], [0.0]])


def entropy(statistics: TensorStatistics, levels: int = 256) -> Range:
    """The clipping threshold whose quantized histogram is nearest to the clipped one (Kullback-Leibler divergence).

    Method: S. Migacz, "8-bit Inference with TensorRT", GTC 2017: the counts beyond the threshold are put into the last
    bin of the reference only, so that clipping many values costs. Both sides are scaled by one share of the range.
    """
    values, counts = statistics.points()
    low, high = min(statistics.minimum, 0.0), max(statistics.maximum, 0.0)
    if values.size == 0 or high == low:
        return statistics.minimum, statistics.maximum
    best: tuple[float, Range] | None = None
    for share in np.linspace(1.0, 16 / _CANDIDATES, _CANDIDATES - 15):
        lo, hi = low * share, high * share
        cost = _divergence(values, counts, lo, hi, levels)
        if best is None or cost < best[0]:
            best = (cost, (float(lo), float(hi)))
    assert best is not None
    return best[1]


def _divergence(values: Array, counts: Array, low: float, high: float, levels: int) -> float:
    inside = (values >= low) & (values <= high)
    if not inside.any():
        return np.inf
    kept = counts[inside]
    reference = kept.copy()
    reference[0] += counts[values < low].sum()
    reference[-1] += counts[values > high].sum()
    level = np.rint((values[inside] - low) / (high - low) * (levels - 1)).astype(np.int64)
    filled = (kept > 0).astype(np.float64)
    per_level = np.bincount(level, kept, minlength=levels)
    bins_in_level = np.maximum(np.bincount(level, filled, minlength=levels), 1)
    quantized = (per_level / bins_in_level)[level] * filled
    if quantized.sum() == 0 or reference.sum() == 0:
        return np.inf
    p, q = reference / reference.sum(), quantized / quantized.sum()
    used = p > 0
    # An edge bin that only holds clipped values has q = 0: a small share of mass keeps the divergence finite.
    return float(np.sum(p[used] * np.log(p[used] / np.maximum(q[used], 1e-9))))


OBSERVERS: dict[str, Callable[[TensorStatistics, int], Range]] = {
    "min_max": min_max,
    "mse": mse,
    "percentile": percentile,
    "entropy": entropy,
}
