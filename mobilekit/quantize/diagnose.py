"""``debug``: everything that says why a quantized graph is worse than its float graph, in one answer."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from mobilekit.errors import InputError
from mobilekit.quantize.calibrate import Progress
from mobilekit.quantize.engine import QuantizeResult
from mobilekit.quantize.layers import first_bad_layer, layer_errors
from mobilekit.quantize.sensitivity import sensitivity
from mobilekit.quantize.statistics import TensorStatistics
from mobilekit.results.debugging import DebugReport, Histogram

_SOURCES, _HISTOGRAMS, _BINS = 10, 5, 64


class Debuggable(Protocol):
    """What ``mobilekit.convert`` returns."""

    def debug(self, data: Any, *, progress: Progress | None = None) -> DebugReport: ...


def debug(result: QuantizeResult | Debuggable, data: Any, *, progress: Progress | None = None) -> DebugReport:
    """SQNR of every tensor on ``data``, weights' and activations' shares of the noise, and the first bad layer.

    ``result``: what :func:`mobilekit.convert` returned (``data``: in any form its ``calibration=`` takes), or what
    :func:`~mobilekit.quantize.engine.quantize` did (``data``: samples in the file's layout). Raises
    ``InputError`` for a result whose activations are float, and ``CalibrationError`` without data.
    """
    if not isinstance(result, QuantizeResult):
        return result.debug(data, progress=progress)
    if result.calibration is None:
        raise InputError(f"recipe '{result.recipe.name}' leaves activations in float: there is nothing to compare")
    layers = layer_errors(result.reference, result, data)
    sources = sensitivity(result, progress=progress)
    weights = sum(share.noise for share in sources if share.kind == "weights")
    total = sum(share.noise for share in sources)
    noisiest = sorted(layers, key=lambda layer: layer.sqnr_db)[:_HISTOGRAMS]
    statistics = result.calibration.statistics
    return DebugReport(
        layers,
        first_bad_layer(result.reference, layers),
        weights / total if total else 0.0,
        1.0 - weights / total if total else 0.0,
        sources[:_SOURCES],
        tuple(_histogram(layer.name, statistics[layer.name]) for layer in noisiest if layer.name in statistics),
    )


def _histogram(name: str, statistics: TensorStatistics) -> Histogram:
    """The calibration's own histogram in fewer bins; exact zeros, which cost no rounding error, are left out."""
    centres, counts = statistics.points()
    low, high = (statistics.minimum, statistics.maximum) if centres.size else (0.0, 0.0)
    values, edges = np.histogram(centres, _BINS, (low, high if high > low else low + 1.0), weights=counts)
    return Histogram(name, tuple(map(float, edges)), tuple(int(v) for v in values))
