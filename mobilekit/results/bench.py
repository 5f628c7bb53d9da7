"""Results of the camera-to-screen bench."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Provenance(str, Enum):
    """Whether a number was measured here or follows from a model of hardware that is not here."""

    MEASURED = "measured"
    MODELLED = "modelled"


@dataclass(frozen=True)
class LatencySummary:
    """Percentiles of one series, in milliseconds; ``values_ms`` keeps every raw value."""

    name: str
    provenance: Provenance
    count: int
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    values_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class Stage:
    """One stage on the way from exposure to scan-out."""

    name: str
    provenance: Provenance
    summary: LatencySummary


@dataclass(frozen=True)
class BenchReport:
    """One run of the bench on one device."""

    device: str
    model: str
    weights: str
    """Which weights ran, in words: the user's file, "ImageNet weights from <package>", or "random, seed 0"."""
    environment: dict[str, Any]
    """Machine facts: CPU name, flags, governor, cores, memory, versions, threads."""
    doubts: tuple[str, ...]
    """What makes these numbers less certain, in words; printed before them."""
    settings: dict[str, Any]
    """fps, refresh rate, duration, frame size, format, rotation, seed."""
    delivered: LatencySummary
    """Camera-to-screen latency of the frames that reached the screen."""
    age: LatencySummary
    """Age of what the screen shows, sampled at every vsync; drops cannot hide from it."""
    stages: tuple[Stage, ...]
    processing: LatencySummary
    """Offline processing time: frame in memory -> result in memory, back to back."""
    throughput_qps: float
    frames_due: int
    frames_delivered: int
    dropped_percent: float
    jank_percent: float
    result_fps: float
    model_load_ms: float
    first_inference_ms: float
    warm_up_runs: int
    peak_rss_mb: float
    cpu_percent: float
    drift_percent: float | None
    """p50 of the last tenth against the first tenth of the run; None when the run is too short to tell."""
