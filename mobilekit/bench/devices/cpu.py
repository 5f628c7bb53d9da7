"""This machine: real preprocess, inference and postprocess; camera sensor and display are modelled.

Two threads take part, as in an app. The camera thread sleeps until a frame is due and puts it into the mailbox; the
worker takes the latest one. Kernels, runtime and sleeps release the GIL; what is left under it is some 50 us a frame.
"""

from __future__ import annotations

import contextlib
import gc
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from mobilekit.bench.accounting import FrameTimes, Recording, account, phase_p50_ms
from mobilekit.bench.camera import NS_PER_MS, NS_PER_S, Mailbox, Schedule, camera_model, run_camera
from mobilekit.bench.display import DisplayModel
from mobilekit.bench.environment import (
    cpu_ticks,
    environment,
    peak_rss_mb,
    reset_peak_rss,
    rss_mb,
    steal_percent,
    usable_cores,
)
from mobilekit.bench.frames import FrameRing, frame_ring
from mobilekit.bench.model import ModelFile
from mobilekit.bench.settings import BenchSettings, Progress
from mobilekit.bench.stages import Pipeline
from mobilekit.bench.stats import Facts, doubts, summarize
from mobilekit.errors import InputError
from mobilekit.results.bench import BenchReport, Provenance

# TFLite's benchmark_model: at least 50 runs and 1 s.
_CLOSED_LOOP_RUNS = 50
_CLOSED_LOOP_S = 1.0
# The pipeline is in its stride when the window opens: half a second of frames that do not count.
_LEAD_IN_S = 0.5
_PROGRESS_S = 0.25
# The most that a stopped worker may need for the frame in its hands before the process stops waiting for it.
_STOP_S = 5.0


@dataclass(frozen=True)
class _OpenLoop:
    recording: Recording
    late_ns: list[int]
    cpu_percent: float
    steal_percent: float | None
    phase_base_ns: int


def run(settings: BenchSettings, model: ModelFile, progress: Progress) -> BenchReport:
    """One run of the bench on this machine."""
    if settings.device != "cpu":
        raise InputError(f"--device is '{settings.device}', this machine is just cpu")
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    machine = environment()
    progress("making frames", 0.0)
    ring = frame_ring(settings.frame_width, settings.frame_height, settings.seed, machine.cache_mb)
    reset_peak_rss()
    baseline_mb = rss_mb()
    progress("loading the model", 0.0)
    started = time.perf_counter_ns()
    pipeline = _pipeline(settings, model)
    loaded = time.perf_counter_ns()
    pipeline.preprocess(ring[0])
    before_first = time.perf_counter_ns()
    pipeline.infer()
    first_inference_ns = time.perf_counter_ns() - before_first
    with _no_garbage_collection():
        warm_up_runs = _warm_up(settings, pipeline, ring, progress)
        processing_ns = _closed_loop(settings, pipeline, ring, progress)
        open_loop = _open_loop(settings, pipeline, ring, progress)
        workers = max(1, usable_cores() // settings.threads)
        throughput = _throughput(settings, model, ring, pipeline, workers, progress)
    machine = replace(machine, steal_percent=open_loop.steal_percent)
    camera = camera_model(settings.camera)
    # The vsync runs free of the camera: its phase is drawn, not aligned.
    display = DisplayModel(settings.refresh_hz)
    phase = round(random.Random(settings.seed).random() * display.period_ns)
    display = replace(display, phase_ns=open_loop.phase_base_ns + phase)
    figures = account(open_loop.recording, camera, display)
    phases = phase_p50_ms(open_loop.recording, camera, display)
    late = summarize("camera thread late", Provenance.MEASURED, [ns / NS_PER_MS for ns in open_loop.late_ns])
    processing = summarize("processing", Provenance.MEASURED, [ns / NS_PER_MS for ns in processing_ns])
    inference = next(stage.summary for stage in figures.stages if stage.name == "inference")
    facts = Facts(
        environment=machine,
        fps=settings.fps,
        refresh_hz=settings.refresh_hz,
        threads=settings.threads,
        delivered=figures.delivered,
        steady=(inference, processing),
        phase_p50_ms=phases,
        camera_late=late,
        drift_percent=figures.drift_percent,
        blank_ms=figures.blank_ms,
        ring_mb=ring.size_mb,
        torch_loaded="torch" in sys.modules,
    )
    return BenchReport(
        created=created,
        device="cpu",
        model=model.name,
        weights=model.weights,
        environment={**machine.as_dict(), "threads": settings.threads},
        doubts=(*pipeline.notes, *doubts(facts)),
        settings=settings.as_dict(),
        pipeline={"frames": f"{len(ring.frames)} NV21 frames of {ring.origin}", **pipeline.description},
        assumptions=(*camera.assumptions(), *display.assumptions()),
        delivered=figures.delivered,
        age=figures.age,
        stages=figures.stages,
        processing=processing,
        throughput_qps=throughput,
        throughput_workers=workers,
        frames_due=figures.frames_due,
        frames_delivered=figures.frames_delivered,
        frames_overwritten=figures.frames_overwritten,
        frames_superseded=figures.frames_superseded,
        dropped_percent=figures.dropped_percent,
        jank_percent=figures.jank_percent,
        result_fps=figures.result_fps,
        phase_p50_ms=phases,
        camera_late=late,
        model_load_ms=(loaded - started) / NS_PER_MS,
        first_inference_ms=first_inference_ns / NS_PER_MS,
        warm_up_runs=warm_up_runs,
        peak_rss_mb=peak_rss_mb(),
        baseline_rss_mb=baseline_mb,
        frame_ring_mb=ring.size_mb,
        cpu_percent=open_loop.cpu_percent,
        drift_percent=figures.drift_percent,
    )


def _pipeline(settings: BenchSettings, model: ModelFile) -> Pipeline:
    return Pipeline(
        model.data,
        model.sidecar,
        frame_size=(settings.frame_width, settings.frame_height),
        rotation=settings.rotation,
        threads=settings.threads,
        delegate=settings.delegate,
    )


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Python's collector stops all threads for milliseconds now and then; no phone would."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _warm_up(settings: BenchSettings, pipeline: Pipeline, ring: FrameRing, progress: Progress) -> int:
    """At least one run, and as many as fit into the time."""
    start = time.perf_counter_ns()
    runs = 0
    while runs < 1 or _seconds_since(start) < settings.warm_up:
        progress("warming up", min(1.0, _seconds_since(start) / max(settings.warm_up, 1e-9)))
        pipeline(ring[runs])
        runs += 1
    return runs


def _closed_loop(settings: BenchSettings, pipeline: Pipeline, ring: FrameRing, progress: Progress) -> list[int]:
    """Offline processing time: a frame in memory -> its result in memory, back to back, in ns."""
    start = time.perf_counter_ns()
    spent: list[int] = []
    while len(spent) < _CLOSED_LOOP_RUNS or _seconds_since(start) < _CLOSED_LOOP_S:
        if spent and _seconds_since(start) >= max(settings.seconds, _CLOSED_LOOP_S):
            break  # a slow model: the time that was asked for counts more than the number of runs
        progress("processing back to back", min(1.0, _seconds_since(start) / _CLOSED_LOOP_S))
        frame = ring[len(spent)]
        begin = time.perf_counter_ns()
        pipeline(frame)
        spent.append(time.perf_counter_ns() - begin)
    return spent


def _open_loop(settings: BenchSettings, pipeline: Pipeline, ring: FrameRing, progress: Progress) -> _OpenLoop:
    """Camera and worker for the lead-in and the time that was asked for."""
    lead_in = max(1, round(_LEAD_IN_S * settings.fps))
    count = lead_in + max(1, round(settings.seconds * settings.fps))
    # 50 ms to get both threads going before the first frame is due.
    schedule = Schedule(settings.fps, time.perf_counter_ns() + 50 * NS_PER_MS)
    mailbox: Mailbox[int] = Mailbox()
    stop = threading.Event()
    frames: list[FrameTimes] = []
    late_ns: list[int] = []

    def camera() -> None:
        late_ns.extend(run_camera(schedule, count, mailbox.put, stop.is_set))
        mailbox.close()

    def worker() -> None:
        for index in mailbox:
            if stop.is_set():
                return
            frames.append(_process(pipeline, ring, index, schedule.due_ns(index)))

    ticks, cpu_ns, wall_ns = cpu_ticks(), time.process_time_ns(), time.perf_counter_ns()
    with _threads([camera, worker], stop, mailbox.close) as wait:
        while wait(_PROGRESS_S):
            share = (time.perf_counter_ns() - schedule.start_ns) / (count * NS_PER_S / settings.fps)
            progress("camera to screen", min(1.0, max(0.0, share)))
    wall_ns = time.perf_counter_ns() - wall_ns
    cpu_ns = time.process_time_ns() - cpu_ns
    start_ns = schedule.due_ns(lead_in)
    recording = Recording(
        frames=tuple(frames),
        due_ns=tuple(schedule.due_ns(k) for k in range(count)),
        start_ns=start_ns,
        end_ns=schedule.due_ns(count),
    )
    return _OpenLoop(recording, late_ns, 100 * cpu_ns / wall_ns, steal_percent(ticks, cpu_ticks()), start_ns)


def _process(pipeline: Pipeline, ring: FrameRing, index: int, due_ns: int) -> FrameTimes:
    taken = time.perf_counter_ns()
    pipeline.preprocess(ring[index])
    preprocessed = time.perf_counter_ns()
    pipeline.infer()
    inferred = time.perf_counter_ns()
    pipeline.postprocess()
    return FrameTimes(index, due_ns, taken, preprocessed, inferred, time.perf_counter_ns())


def _throughput(
    settings: BenchSettings, model: ModelFile, ring: FrameRing, pipeline: Pipeline, workers: int, progress: Progress
) -> float:
    """Frames a second of ``workers`` pipelines back to back, each with its own interpreter."""
    pipelines = [pipeline, *(_pipeline(settings, model) for _ in range(workers - 1))]
    for each in pipelines[1:]:
        each(ring[0])  # the first run allocates; it is no throughput
    stop = threading.Event()
    done = [0] * workers
    finished_ns = [0] * workers
    start_line = threading.Barrier(workers + 1)

    def work(worker: int) -> None:
        start_line.wait()
        # Workers start apart in the ring, so that none reads what another has just brought into the cache.
        offset = worker * len(ring.frames) // workers
        while not stop.is_set():
            pipelines[worker](ring[offset + done[worker]])
            done[worker] += 1
        finished_ns[worker] = time.perf_counter_ns()

    def body(worker: int) -> Callable[[], None]:
        return lambda: work(worker)

    with _threads([body(w) for w in range(workers)], stop, start_line.abort) as wait:
        start_line.wait()
        start = time.perf_counter_ns()
        while wait(_PROGRESS_S):
            progress("throughput", min(1.0, _seconds_since(start) / _CLOSED_LOOP_S))
            if _seconds_since(start) >= _CLOSED_LOOP_S:
                stop.set()
    # Each worker's own rate over its own time: the last frame of a slow model would else be counted for nothing.
    return sum(n * NS_PER_S / (end - start) for n, end in zip(done, finished_ns, strict=True))


@contextlib.contextmanager
def _threads(
    bodies: list[Callable[[], None]], stop: threading.Event, release: Callable[[], None]
) -> Iterator[Callable[[float], bool]]:
    """Run ``bodies`` in threads; yields ``wait(seconds) -> still running``. An error in one is raised here.

    On the way out, also by Ctrl-C, all threads are told to stop and waited for, so that none runs into a process that
    is being taken down.
    """
    errors: list[BaseException] = []
    finished = threading.Event()
    running = len(bodies)
    lock = threading.Lock()

    def guarded(body: Callable[[], None]) -> None:
        nonlocal running
        try:
            body()
        except BaseException as error:
            errors.append(error)
            stop.set()
            release()
        finally:
            with lock:
                running -= 1
                if running == 0:
                    finished.set()

    threads = [threading.Thread(target=guarded, args=(body,), daemon=True) for body in bodies]
    try:
        for thread in threads:
            thread.start()
        yield lambda seconds: not finished.wait(seconds)
    except BaseException:
        stop.set()
        release()
        raise
    finally:
        deadline = time.monotonic() + _STOP_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
    if errors:
        raise errors[0]


def _seconds_since(start_ns: int) -> float:
    return (time.perf_counter_ns() - start_ns) / NS_PER_S
