from __future__ import annotations

import dataclasses
import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mobilekit.bench import bench, frames
from mobilekit.bench.devices import cpu
from mobilekit.bench.model import ModelFile
from mobilekit.bench.settings import BenchSettings, Progress, no_progress
from mobilekit.errors import InputError, MobilekitError, ModelLoadError
from mobilekit.results.bench import BenchReport, Provenance
from tests.bench.samples import adder, image_classifier

SHORT: dict[str, Any] = {"seconds": 0.6, "warm_up": 0.0, "frame_width": 64, "frame_height": 48}


@pytest.fixture(scope="module", autouse=True)
def short_closed_loops() -> Iterator[None]:
    """Rings of 100 kB and closed loops of 0.1 s: the tests are about the bookkeeping, not about the figures."""
    real = cpu.environment
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "MIN_RING_BYTES", 100_000)
        patch.setattr(cpu, "environment", lambda: dataclasses.replace(real(), cache_mb=None))
        patch.setattr(cpu, "_CLOSED_LOOP_S", 0.1)
        yield


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, short_closed_loops: None) -> BenchReport:
    path = tmp_path_factory.mktemp("bench") / "classifier.tflite"
    path.write_bytes(image_classifier())
    before = threading.active_count()
    made = bench(path, **SHORT)
    assert threading.active_count() == before
    assert gc.isenabled()
    return made


class TestRealRun:
    def test_every_frame_has_a_fate(self, report: BenchReport) -> None:
        assert report.frames_due == 18  # 0.6 s at 29.97 fps
        assert report.frames_delivered + report.frames_overwritten + report.frames_superseded == 18
        assert report.frames_delivered > 0

    def test_stages_add_up_to_the_latency(self, report: BenchReport) -> None:
        for number, latency in enumerate(report.delivered.values_ms):
            parts = [stage.summary.values_ms[number] for stage in report.stages]
            assert sum(parts) == pytest.approx(latency, abs=1e-3)  # ten roundings to 0.1 us

    def test_what_was_done_is_measured_and_what_is_not_here_is_modelled(self, report: BenchReport) -> None:
        assert {stage.name: stage.provenance.value for stage in report.stages} == {
            "exposure": "modelled",
            "readout + ISP": "modelled",
            "mailbox wait": "measured",
            "preprocess": "measured",
            "inference": "measured",
            "postprocess": "measured",
            "draw": "modelled",
            "latch wait": "modelled",
            "composition": "modelled",
            "scan-out": "modelled",
        }
        assert report.processing.provenance is Provenance.MEASURED

    def test_times_are_real(self, report: BenchReport) -> None:
        for stage in report.stages:
            if stage.provenance is Provenance.MEASURED:
                assert min(stage.summary.values_ms) > 0, stage.name
        assert report.processing.count >= 50
        assert report.model_load_ms > 0
        assert report.first_inference_ms > 0
        assert report.throughput_qps > 0
        assert report.warm_up_runs == 1
        assert report.peak_rss_mb >= report.baseline_rss_mb * 0.9

    def test_settings_are_kept(self, report: BenchReport) -> None:
        assert report.settings["seconds"] == 0.6
        assert report.settings["frame_width"] == 64
        assert report.settings["camera"] == "phone"


class _Slow:
    """A pipeline that needs 50 ms a frame: three camera periods of 60 fps."""

    def preprocess(self, _frame: Any) -> None:
        time.sleep(0.01)

    def infer(self) -> None:
        time.sleep(0.035)

    def postprocess(self) -> None:
        time.sleep(0.005)

    def __call__(self, frame: Any) -> None:
        self.preprocess(frame)
        self.infer()
        self.postprocess()


def open_loop(pipeline: Any, progress: Progress = no_progress, **settings: Any) -> cpu._OpenLoop:
    return cpu._open_loop(BenchSettings(**{**SHORT, **settings}), pipeline, frames.frame_ring(64, 48), progress)


def test_a_slow_worker_loses_frames_and_the_camera_does_not_wait() -> None:
    recording = open_loop(_Slow(), fps=60.0).recording
    due = recording.due_ns
    # The schedule is absolute: the last frame is due when it always was.
    assert due[-1] - due[0] == pytest.approx((len(due) - 1) * 1e9 / 60, abs=1)
    # 50 ms of work at 60 fps: at most one frame in three is processed, and a loaded machine processes fewer.
    assert len(due) / 8 <= len(recording.frames) <= len(due) / 3 + 1
    for frame in recording.frames:
        # The latest frame is taken: it waits for one period at most, and 150 ms for what else a loaded machine does.
        # Were they queued, the last of these would wait for 700 ms.
        assert frame.taken_ns - frame.due_ns < 16.7e6 + 150e6
        assert frame.inferred_ns - frame.preprocessed_ns >= 35e6


class _Failing(_Slow):
    def infer(self) -> None:
        raise ModelLoadError("it broke")


def test_an_error_in_the_worker_ends_the_run_at_once() -> None:
    start = time.monotonic()
    with pytest.raises(ModelLoadError, match="it broke"):
        open_loop(_Failing(), seconds=60.0)
    assert time.monotonic() - start < 10


def test_ctrl_c_stops_camera_and_worker() -> None:
    before = threading.active_count()

    def interrupt(_what: str, _share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_loop(_Slow(), interrupt, seconds=60.0)
    assert threading.active_count() == before


def test_throughput_counts_all_workers() -> None:
    settings = BenchSettings(**SHORT)
    nothing = ModelFile("m", b"", "", None)
    slow: Any = _Slow()
    qps = cpu._throughput(settings, nothing, frames.frame_ring(64, 48), slow, 1, no_progress)
    # 50 ms a frame is 20 a second at most; sleeps on a loaded machine may take twice as long.
    assert 8 < qps <= 20


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: adder(((1, 8, 8, 3), (1, 8, 8, 3))), "takes 2 inputs"),
        (lambda: adder(((1, 128),)), "no image"),
        (lambda: b"no model at all", "is not a .tflite file"),
    ],
)
def test_files_that_cannot_be_benched(tmp_path: Path, make: Any, text: str) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(make())
    with pytest.raises(MobilekitError, match=text):
        bench(path, **SHORT)


def test_there_is_one_cpu(classifier_path: Path) -> None:
    with pytest.raises(InputError, match="--device is 'cpu:1', this machine is just cpu"):
        bench(classifier_path, device="cpu:1")


def test_unknown_device(classifier_path: Path) -> None:
    with pytest.raises(InputError, match="there is no device 'gpu', known are cpu, android"):
        bench(classifier_path, device="gpu")
