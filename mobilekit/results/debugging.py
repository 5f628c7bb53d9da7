"""Where a quantized graph loses precision, and to what."""

from __future__ import annotations

from dataclasses import dataclass

from mobilekit.results.conversion import LayerError
from mobilekit.results.quantization import NoiseShare


@dataclass(frozen=True)
class Histogram:
    """Values of one float tensor on the calibration data."""

    name: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    """One less than edges."""


@dataclass(frozen=True)
class DebugReport:
    """SQNR of every tensor, what the noise at the outputs comes from, and how the noisiest tensors are spread."""

    layers: tuple[LayerError, ...]
    first_bad: LayerError | None
    """The first tensor that lost more than one bit against what its op reads."""
    weights_share: float
    """Of the noise at the outputs, each source measured alone; the two shares add up to 1."""
    activations_share: float
    sources: tuple[NoiseShare, ...]
    """The ten largest."""
    histograms: tuple[Histogram, ...]
    """Of the five noisiest tensors."""
