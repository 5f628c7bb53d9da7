"""Results of the camera-to-screen bench; the host and the Android app write the same document."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

# Read by pydantic when it makes or checks the JSON schema (bench/schema.py); a plain dict, so nothing is imported here.
# Unknown fields are refused: a report from a newer app must not be half understood.
_STRICT: dict[str, Any] = {"extra": "forbid", "use_attribute_docstrings": True}


class Provenance(str, Enum):
    """Whether a number was measured here or follows from a model of hardware that is not here."""

    MEASURED = "measured"
    MODELLED = "modelled"
    MIXED = "measured + modelled"
    """A sum with at least one modelled part; the stages say which."""


@dataclass(frozen=True, kw_only=True)
class LatencySummary:
    """Percentiles of one series, in milliseconds. Each percentile is a value that occurred (nearest rank)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    name: str
    provenance: Provenance
    count: int
    mean_ms: float
    stdev_ms: float
    """Of the sample (n - 1); 0 for a single value."""
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    values_ms: tuple[float, ...] = ()
    """Every raw value in the order of time, rounded to 0.1 us."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage on the way from exposure to scan-out."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    name: str
    provenance: Provenance
    summary: LatencySummary
    """Over the delivered frames, in their order: the stages of one frame add up to its latency."""


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """A constant that stands for hardware that is not here, and where it comes from."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    name: str
    value: float
    unit: str
    source: str


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """One run of the bench on one device."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    created: str
    """Start of the run, UTC, ISO 8601."""
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
    pipeline: dict[str, str]
    """What really ran, in words: frames, preprocess, inference, postprocess."""
    assumptions: tuple[Assumption, ...]
    """Every modelled constant; empty where everything was measured."""
    delivered: LatencySummary
    """Camera-to-screen latency of the frames that reached the screen."""
    age: LatencySummary
    """Age of what the screen shows, sampled at every vsync; drops cannot hide from it."""
    stages: tuple[Stage, ...]
    processing: LatencySummary
    """Offline processing time: frame in memory -> result in memory, back to back."""
    throughput_qps: float
    """Frames a second with ``throughput_workers`` pipelines back to back; neither camera nor screen is in it."""
    throughput_workers: int
    frames_due: int
    """Frames that the camera handed over in the window that counts."""
    frames_delivered: int
    frames_overwritten: int
    """Replaced in the mailbox by a newer frame before the worker was free."""
    frames_superseded: int
    """Processed, but a newer result was ready for the same vsync."""
    dropped_percent: float
    """Share of the due frames that never reached the screen."""
    jank_percent: float
    """Share of the delivered frames that were presented later than predicted from the run's own median."""
    result_fps: float
    """New results on the screen, a second."""
    phase_p50_ms: tuple[float, float] | None
    """Lowest and highest p50 of ``delivered`` when only the phase of the display against the camera is changed;
    None where the display was real."""
    camera_late: LatencySummary | None
    """How late the host's camera thread handed its frames over (part of the mailbox wait); None where it was real."""
    model_load_ms: float
    """File in the page cache -> tensors allocated."""
    first_inference_ms: float
    warm_up_runs: int
    peak_rss_mb: float
    """Of the whole process, frames and Python included."""
    baseline_rss_mb: float
    """Before the model was loaded: Python, libraries and the ring of frames."""
    frame_ring_mb: float
    cpu_percent: float
    """CPU time of the process over wall clock while the camera ran; 100 is one core."""
    drift_percent: float | None
    """p50 of the last tenth against the first tenth of the run; None when the run is too short to tell."""
