"""Results of quantizing beyond the graph itself: where noise comes from, and what more precision buys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NoiseShare:
    """The noise that quantizing one thing alone adds at the graph's outputs."""

    name: str
    """Name of the tensor; of the op's first output for weights."""
    kind: str
    """ "activation" or "weights"."""
    noise: float
    """Share of the noise at the outputs, mean over outputs; the shares of all sources add up to 1."""
    ops: tuple[str, ...]
    """Names of the ops that would have to be more precise to be rid of it; none for an input or output of the graph
    whose integer dtype was asked for."""


@dataclass(frozen=True)
class TradeOff:
    """One quantization that was tried: what it costs and what it gives."""

    label: str
    """e.g. ``int8`` or ``int8, 12 ops in float32``."""
    metric: float
    size_bytes: int
    latency_ms: float
    """Median of a few runs on this machine, one thread, XNNPACK."""
    full_integer: bool
    meets_bar: bool


@dataclass(frozen=True)
class SearchReport:
    """What ``quantize="auto"`` looked for, tried and chose."""

    metric: str
    """Name of the user's metric, or what was measured in its place."""
    max_drop: float
    float_metric: float
    chosen: str
    """The label of the point of ``curve`` that the file is."""
    curve: tuple[TradeOff, ...]
    """In the order in which they were tried, float first."""
