"""From the times of every frame to the two metrics. Simulated and real runs both end here.

    light --exposure--> --readout + ISP--> due --mailbox wait--> taken --preprocess--> --inference--> --postprocess-->
          --draw--> --latch wait--> --composition--> present --half a scan-out--> seen

All times are nanoseconds of one monotonic clock. The latency of a frame runs from the mid exposure of its centre row
(SENSOR_TIMESTAMP + exposure/2 + skew/2) to the present time plus half a scan-out, and is the sum of its stages exactly.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mobilekit.bench.camera import NS_PER_MS, NS_PER_S, CameraModel
from mobilekit.bench.display import DisplayModel
from mobilekit.bench.stats import percentile, summarize
from mobilekit.errors import InputError
from mobilekit.results.bench import LatencySummary, Provenance, Stage

# Enough to see a locked phase: with 16 steps the extremes of the p50 are missed by at most 1/16 of a period (1 ms).
_PHASE_STEPS = 16
# A tenth of the run needs this many frames before its median says anything about drift.
_DRIFT_FRAMES = 20

_MEASURED, _MODELLED = Provenance.MEASURED, Provenance.MODELLED


@dataclass(frozen=True)
class FrameTimes:
    """When a processed frame passed each point."""

    index: int
    due_ns: int
    taken_ns: int
    preprocessed_ns: int
    inferred_ns: int
    postprocessed_ns: int


@dataclass(frozen=True)
class Recording:
    """What a run, real or simulated, leaves behind."""

    frames: tuple[FrameTimes, ...]
    """The processed ones, in the order of processing."""
    due_ns: tuple[int, ...]
    """Of every frame that the camera handed over, processed or not."""
    start_ns: int
    """Frames due from here on count (what came before filled the pipeline) ..."""
    end_ns: int
    """... and until here, exclusively; vsyncs likewise."""


@dataclass(frozen=True)
class Shown:
    """A frame that reached the screen."""

    times: FrameTimes
    drawn_ns: int
    present_ns: int


@dataclass(frozen=True)
class Account:
    """The figures of one recording on one display."""

    delivered: LatencySummary
    age: LatencySummary
    stages: tuple[Stage, ...]
    frames_due: int
    frames_delivered: int
    frames_overwritten: int
    frames_superseded: int
    dropped_percent: float
    jank_percent: float
    result_fps: float
    blank_ms: float
    """How long, from the start of the window, the screen had nothing to show yet."""
    drift_percent: float | None


def account(recording: Recording, camera: CameraModel, display: DisplayModel) -> Account:
    """Every figure of a recording; :class:`InputError` if no counted frame reached the screen."""
    shown = _shown(recording.frames, display)
    counted = [s for s in shown if recording.start_ns <= s.times.due_ns < recording.end_ns]
    due = sum(recording.start_ns <= t < recording.end_ns for t in recording.due_ns)
    processed = sum(recording.start_ns <= f.due_ns < recording.end_ns for f in recording.frames)
    if not counted:
        seconds = (recording.end_ns - recording.start_ns) / NS_PER_S
        raise InputError(f"no frame reached the screen in {seconds:g} s: the model is too slow for so short a run")
    ages, blank_ns = _ages_ns(shown, recording, camera, display)
    latencies = [_latency_ns(s, camera, display) / NS_PER_MS for s in counted]
    # Both numbers of a rate are taken over the same window: presents inside it, divided by its length.
    presents = sum(recording.start_ns <= s.present_ns < recording.end_ns for s in shown)
    return Account(
        delivered=summarize("camera to screen, delivered frames", Provenance.MIXED, latencies),
        age=summarize("age of what the screen shows, every vsync", Provenance.MIXED, [a / NS_PER_MS for a in ages]),
        stages=_stages(counted, camera, display),
        frames_due=due,
        frames_delivered=len(counted),
        frames_overwritten=due - processed,
        frames_superseded=processed - len(counted),
        dropped_percent=100 * (due - len(counted)) / due,
        jank_percent=100 * _janky(counted, display) / len(counted),
        result_fps=presents * NS_PER_S / (recording.end_ns - recording.start_ns),
        blank_ms=blank_ns / NS_PER_MS,
        drift_percent=_drift_percent([s.times.postprocessed_ns - s.times.taken_ns for s in counted]),
    )


def phase_p50_ms(recording: Recording, camera: CameraModel, display: DisplayModel) -> tuple[float, float]:
    """Lowest and highest p50 of the delivered frames over the phases that the display could have had.

    A recording that samples all phases evenly gives two equal numbers; rates that are locked, or a run shorter than
    their beat, do not: then the p50 says more about the phase than about the pipeline.
    """
    medians = []
    for step in range(_PHASE_STEPS):
        shifted = replace(display, phase_ns=display.phase_ns + round(step * display.period_ns / _PHASE_STEPS))
        latencies = [
            _latency_ns(s, camera, shifted)
            for s in _shown(recording.frames, shifted)
            if recording.start_ns <= s.times.due_ns < recording.end_ns
        ]
        if latencies:
            medians.append(percentile(latencies, 50) / NS_PER_MS)
    if not medians:
        raise InputError("no frame reached the screen: there is no p50 to compare")
    return min(medians), max(medians)


def _shown(frames: Sequence[FrameTimes], display: DisplayModel) -> list[Shown]:
    """The frames that reached the screen: of several ready for one vsync, the last."""
    by_vsync: dict[int, Shown] = {}
    for times in frames:
        drawn = times.postprocessed_ns + display.draw_ns
        present = display.present_ns(drawn)
        by_vsync[present] = Shown(times, drawn, present)
    return list(by_vsync.values())


def _start_ns(times: FrameTimes, camera: CameraModel) -> int:
    return times.due_ns - camera.start_to_due_ns


def _latency_ns(shown: Shown, camera: CameraModel, display: DisplayModel) -> int:
    return shown.present_ns + display.half_scan_out_ns - _start_ns(shown.times, camera)


def _ages_ns(
    shown: Sequence[Shown], recording: Recording, camera: CameraModel, display: DisplayModel
) -> tuple[list[int], int]:
    """Age of the middle row at every vsync of the window, and how long the screen was blank before the first."""
    ages: list[int] = []
    blank_ns = max(0, min(shown[0].present_ns, recording.end_ns) - recording.start_ns)
    latest = -1
    number = display.first_vsync_at_or_after(recording.start_ns)
    while (vsync := display.vsync_ns(number)) < recording.end_ns:
        while latest + 1 < len(shown) and shown[latest + 1].present_ns <= vsync:
            latest += 1
        if latest >= 0:
            ages.append(vsync + display.half_scan_out_ns - _start_ns(shown[latest].times, camera))
        number += 1
    if not ages:
        raise InputError("no frame reached the screen before the run ended: run longer with --seconds")
    return ages, blank_ns


def _stages(counted: Sequence[Shown], camera: CameraModel, display: DisplayModel) -> tuple[Stage, ...]:
    columns: tuple[tuple[str, Provenance, list[int]], ...] = (
        ("exposure", _MODELLED, [camera.exposure_stage_ns for _ in counted]),
        ("readout + ISP", _MODELLED, [camera.readout_isp_stage_ns for _ in counted]),
        ("mailbox wait", _MEASURED, [s.times.taken_ns - s.times.due_ns for s in counted]),
        ("preprocess", _MEASURED, [s.times.preprocessed_ns - s.times.taken_ns for s in counted]),
        ("inference", _MEASURED, [s.times.inferred_ns - s.times.preprocessed_ns for s in counted]),
        ("postprocess", _MEASURED, [s.times.postprocessed_ns - s.times.inferred_ns for s in counted]),
        ("draw", _MODELLED, [s.drawn_ns - s.times.postprocessed_ns for s in counted]),
        ("latch wait", _MODELLED, [s.present_ns - display.lead_ns - s.drawn_ns for s in counted]),
        ("composition", _MODELLED, [display.lead_ns for _ in counted]),
        ("scan-out", _MODELLED, [display.half_scan_out_ns for _ in counted]),
    )
    return tuple(
        Stage(name=name, provenance=provenance, summary=summarize(name, provenance, [v / NS_PER_MS for v in values]))
        for name, provenance, values in columns
    )


def _janky(counted: Sequence[Shown], display: DisplayModel) -> int:
    """How many frames were presented later than predicted.

    As Android's FrameTimeline has it, jank is present != predicted present. Predicted is the vsync that the frame would
    have made had it taken the run's median time from due to drawn; being early is no jank.
    """
    usual = round(statistics.median(s.drawn_ns - s.times.due_ns for s in counted))
    return sum(s.present_ns > display.present_ns(s.times.due_ns + usual) for s in counted)


def _drift_percent(work_ns: Sequence[int]) -> float | None:
    """p50 of the work on a frame, last tenth against first. Not of the latency: that one drifts with the vsync too."""
    tenth = len(work_ns) // 10
    if tenth < _DRIFT_FRAMES:
        return None
    first, last = percentile(work_ns[:tenth], 50), percentile(work_ns[-tenth:], 50)
    return 100 * (last - first) / first
