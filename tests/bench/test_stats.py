from __future__ import annotations

import dataclasses
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilekit.bench.environment import Environment
from mobilekit.bench.stats import Facts, beat_seconds, doubts, percentile, summarize
from mobilekit.results.bench import Provenance

QUIET = Environment(
    cpu="Test CPU",
    flags=("avx2",),
    cores=8,
    governor="performance",
    virtual=False,
    memory_mb=16000.0,
    cache_mb=32.0,
    load_average=0.1,
    steal_percent=0.0,
    kernel="Linux 6 x86_64",
    python="CPython 3.11",
    numpy="2",
    mobilekit="0",
    runtime="ai-edge-litert 2",
)
STEADY = summarize("inference", Provenance.MEASURED, [10.0, 10.1] * 600)
SURE = Facts(
    environment=QUIET,
    fps=29.97,
    refresh_hz=60.0,
    threads=1,
    delivered=STEADY,
    steady=(STEADY,),
    phase_p50_ms=(59.7, 59.8),
    camera_late=summarize("camera thread late", Provenance.MEASURED, [0.05]),
    drift_percent=0.0,
    blank_ms=0.0,
    ring_mb=68.0,
    torch_loaded=False,
)


def test_no_doubt_where_there_is_none() -> None:
    assert doubts(SURE) == ()


UNSTABLE = summarize("inference", Provenance.MEASURED, [1.0, 2.0, 3.0])
LATE = summarize("camera thread late", Provenance.MEASURED, [0.1] * 97 + [3.4, 3.5, 7.9])
DEFAULT_RUN = summarize("delivered", Provenance.MIXED, [60.0] * 509)


# The texts are what people read, and grep for: a change here is a change of the interface.
@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (
            replace(SURE, environment=replace(QUIET, governor=None)),
            "the CPU governor cannot be read here: the clock may change unseen",
        ),
        (
            replace(SURE, environment=replace(QUIET, governor="powersave")),
            "the CPU governor is 'powersave', not 'performance': the clock may change during the run",
        ),
        (
            replace(SURE, environment=replace(QUIET, virtual=True)),
            "this is a virtual machine: its neighbours are unknown",
        ),
        (
            replace(SURE, environment=replace(QUIET, steal_percent=2.34)),
            "the hypervisor took 2.3 % of the CPU time during the run: stalls may be its doing",
        ),
        (
            replace(SURE, environment=replace(QUIET, load_average=1.7)),
            "the machine was loaded before the run: load average 1.70 on 8 cores",
        ),
        (
            replace(SURE, environment=replace(QUIET, cores=2)),
            "2 cores shared by the camera, the worker and everything else: stalls may be the machine's",
        ),
        (
            replace(SURE, environment=replace(QUIET, cores=4), threads=6),
            "6 inference threads on 4 cores: they wait for each other",
        ),
        (
            replace(SURE, environment=replace(QUIET, cache_mb=256.0)),
            "the ring of frames (68 MB) is less than twice the last-level cache (256 MB): frames may not be cold",
        ),
        (
            replace(SURE, torch_loaded=True),
            "torch is loaded in this process: the peak RSS includes it",
        ),
        (
            replace(SURE, steady=(UNSTABLE,)),
            "inference may be unstable: its deviation is 50 % of its mean",
        ),
        (
            replace(SURE, delivered=DEFAULT_RUN),
            "only 5 of 509 delivered frames lie behind the p99: at least 10 need --seconds 34",
        ),
        (
            replace(SURE, fps=30.0, phase_p50_ms=(54.0, 66.7)),
            "the phase of the display alone moves the p50 from 54.0 to 66.7 ms: "
            "30 fps and 60 Hz are locked in phase, take --fps 29.97",
        ),
        (
            replace(SURE, phase_p50_ms=(58.0, 64.7)),
            "the phase of the display alone moves the p50 from 58.0 to 64.7 ms: "
            "29.97 fps and 60 Hz beat once in 16.7 s, run a whole number of beats with --seconds",
        ),
        (
            replace(SURE, camera_late=LATE),
            "the camera thread handed frames over up to 7.9 ms late "
            "(p99 3.5 ms, counted as mailbox wait): the machine was busy",
        ),
        (
            replace(SURE, drift_percent=12.0),
            "the last tenth of the run was 12 % slower than the first: "
            "throttling, too little warm-up, or other work on the machine",
        ),
        (
            replace(SURE, drift_percent=-12.0),
            "the last tenth of the run was 12 % faster than the first: "
            "throttling, too little warm-up, or other work on the machine",
        ),
        (
            replace(SURE, blank_ms=250.0),
            "the screen had no result to show for the first 250 ms of the run",
        ),
    ],
)
def test_each_doubt_in_its_words(facts: Facts, text: str) -> None:
    assert doubts(facts) == (text,)


def test_a_phone_has_no_modelled_phase_and_no_camera_thread() -> None:
    assert doubts(replace(SURE, phase_p50_ms=None, camera_late=None)) == ()


class TestPercentile:
    @pytest.mark.parametrize(
        ("percent", "expected"), [(0, 1), (1, 1), (50, 50), (50.5, 51), (90, 90), (99, 99), (99.1, 100), (100, 100)]
    )
    def test_nearest_rank(self, percent: float, expected: int) -> None:
        assert percentile(list(range(100, 0, -1)), percent) == expected

    def test_of_two_the_median_is_the_lower(self) -> None:
        assert percentile([2.0, 1.0], 50) == 1.0

    @given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
    def test_is_a_value_that_occurred_and_covers_its_share(self, values: list[float], percent: float) -> None:
        found = percentile(values, percent)
        assert found in values
        # 1e-9: percent / 100 * n is a float product and may land a rounding above a whole number.
        assert sum(v <= found for v in values) >= percent / 100 * len(values) - 1e-9


class TestSummarize:
    def test_by_hand(self) -> None:
        summary = summarize("x", Provenance.MEASURED, [4.0, 1.0, 2.0, 3.0])
        assert (summary.count, summary.mean_ms, summary.p50_ms, summary.max_ms) == (4, 2.5, 2.0, 4.0)
        assert summary.stdev_ms == pytest.approx(math.sqrt(5 / 3))
        assert summary.values_ms == (4.0, 1.0, 2.0, 3.0)  # in the order of time

    def test_one_value_has_no_deviation(self) -> None:
        assert summarize("x", Provenance.MEASURED, [3.0]).stdev_ms == 0.0

    def test_figures_follow_from_the_values_kept(self) -> None:
        summary = summarize("x", Provenance.MEASURED, [1 / 3, 2 / 3, 1.0])
        again = summarize("x", Provenance.MEASURED, summary.values_ms)
        assert dataclasses.asdict(summary) == dataclasses.asdict(again)


@pytest.mark.parametrize(
    ("fps", "refresh", "expected"),
    [(29.97, 60, 1 / 0.06), (30, 60, math.inf), (60, 60, math.inf), (24, 60, 1 / 12), (30, 59.94, 1 / 0.06)],
)
def test_beat(fps: float, refresh: float, expected: float) -> None:
    assert beat_seconds(fps, refresh) == pytest.approx(expected)
