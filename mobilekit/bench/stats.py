"""Percentiles, summaries, and the doubts: what makes a number less certain, in words, said before the number."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mobilekit.bench.environment import Environment
from mobilekit.results.bench import LatencySummary, Provenance

# pyperf's rule: a benchmark whose deviation is over 10 % of its mean "may be unstable".
UNSTABLE_PERCENT = 10.0
# A percentile with fewer samples behind it is the luck of a few frames; MLPerf's 1024 samples leave ten behind a p99.
SAMPLES_BEHIND_P99 = 10
# Where more than a tenth of a refresh period hangs on a phase that nobody chose, the p50 is not the pipeline's.
PHASE_SHARE = 0.1
DRIFT_PERCENT = 5.0
# A late camera thread is a busy machine: awake in time it needs some 0.01 ms.
CAMERA_LATE_MS = 1.0
# Someone else's work: a tenth of a core before the run moves a p90, 1 % of stolen time a p99.
LOAD_PER_CORE = 0.1
STEAL_PERCENT = 1.0


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of the values do not exceed (nearest rank): one that occurred."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def summarize(name: str, provenance: Provenance, values_ms: Sequence[float]) -> LatencySummary:
    """Summary of at least one value."""
    # Rounded first, so that the figures can be recomputed from the values in the report.
    values = tuple(round(v, 4) for v in values_ms)
    return LatencySummary(
        name=name,
        provenance=provenance,
        count=len(values),
        mean_ms=statistics.fmean(values),
        stdev_ms=statistics.stdev(values) if len(values) > 1 else 0.0,
        p50_ms=percentile(values, 50),
        p90_ms=percentile(values, 90),
        p99_ms=percentile(values, 99),
        max_ms=max(values),
        values_ms=values,
    )


@dataclass(frozen=True)
class Facts:
    """What the doubts are judged by."""

    environment: Environment
    fps: float
    refresh_hz: float
    threads: int
    delivered: LatencySummary
    steady: tuple[LatencySummary, ...]
    """Series that should hardly vary: the inference stage, the offline processing."""
    phase_p50_ms: tuple[float, float] | None
    camera_late: LatencySummary | None
    drift_percent: float | None
    blank_ms: float
    ring_mb: float
    torch_loaded: bool


def doubts(facts: Facts) -> tuple[str, ...]:
    """One sentence a doubt, the machine's first. The texts are an interface: tests pin them."""
    return (*_machine_doubts(facts), *_run_doubts(facts))


def _machine_doubts(facts: Facts) -> Iterator[str]:
    env = facts.environment
    if env.governor is None:
        yield "the CPU governor cannot be read here: the clock may change unseen"
    elif env.governor != "performance":
        yield f"the CPU governor is '{env.governor}', not 'performance': the clock may change during the run"
    if env.virtual:
        yield "this is a virtual machine: its neighbours are unknown"
    if env.steal_percent is not None and env.steal_percent > STEAL_PERCENT:
        yield f"the hypervisor took {env.steal_percent:.1f} % of the CPU time during the run: stalls may be its doing"
    if env.load_average is not None and env.load_average > LOAD_PER_CORE * env.cores:
        yield f"the machine was loaded before the run: load average {env.load_average:.2f} on {_cores(env.cores)}"
    if env.cores <= 2:
        yield f"{_cores(env.cores)} shared by the camera, the worker and everything else: stalls may be the machine's"
    if facts.threads > env.cores:
        yield f"{facts.threads} inference threads on {_cores(env.cores)}: they wait for each other"
    if env.cache_mb is not None and facts.ring_mb < 2 * env.cache_mb:
        yield (
            f"the ring of frames ({facts.ring_mb:.0f} MB) is less than twice the last-level cache "
            f"({env.cache_mb:.0f} MB): frames may not be cold"
        )
    if facts.torch_loaded:
        yield "torch is loaded in this process: the peak RSS includes it"


def _run_doubts(facts: Facts) -> Iterator[str]:
    for series in facts.steady:
        deviation = 100 * series.stdev_ms / series.mean_ms if series.mean_ms > 0 else 0.0
        if deviation > UNSTABLE_PERCENT:
            yield f"{series.name} may be unstable: its deviation is {deviation:.0f} % of its mean"
    count = facts.delivered.count
    behind = count // 100
    if behind < SAMPLES_BEHIND_P99:
        seconds = math.ceil(100 * SAMPLES_BEHIND_P99 / facts.fps)
        yield (
            f"only {behind} of {count} delivered frames lie behind the p99: "
            f"at least {SAMPLES_BEHIND_P99} need --seconds {seconds}"
        )
    yield from _phase_doubt(facts)
    if facts.camera_late is not None and facts.camera_late.p99_ms > CAMERA_LATE_MS:
        yield (
            f"the camera thread handed frames over up to {facts.camera_late.max_ms:.1f} ms late "
            f"(p99 {facts.camera_late.p99_ms:.1f} ms, counted as mailbox wait): the machine was busy"
        )
    if facts.drift_percent is not None and abs(facts.drift_percent) > DRIFT_PERCENT:
        direction = "slower" if facts.drift_percent > 0 else "faster"
        yield (
            f"the last tenth of the run was {abs(facts.drift_percent):.0f} % {direction} than the first: "
            "throttling, too little warm-up, or other work on the machine"
        )
    if facts.blank_ms > 0:
        yield f"the screen had no result to show for the first {facts.blank_ms:.0f} ms of the run"


def _phase_doubt(facts: Facts) -> Iterator[str]:
    if facts.phase_p50_ms is None:
        return
    low, high = facts.phase_p50_ms
    if high - low <= PHASE_SHARE * 1000 / facts.refresh_hz:
        return
    beat_s = beat_seconds(facts.fps, facts.refresh_hz)
    head = f"the phase of the display alone moves the p50 from {low:.1f} to {high:.1f} ms: "
    if math.isinf(beat_s):
        yield head + f"{facts.fps:g} fps and {facts.refresh_hz:g} Hz are locked in phase, take --fps 29.97"
    else:
        yield head + (
            f"{facts.fps:g} fps and {facts.refresh_hz:g} Hz beat once in {beat_s:.1f} s, "
            "run a whole number of beats with --seconds"
        )


def beat_seconds(fps: float, refresh_hz: float) -> float:
    """Time in which the camera's phase against the vsync goes once around; infinite where it stands still."""
    difference = abs(refresh_hz - round(refresh_hz / fps) * fps)
    return 1 / difference if difference > 1e-9 * refresh_hz else math.inf


def _cores(count: int) -> str:
    return f"{count} core" if count == 1 else f"{count} cores"
