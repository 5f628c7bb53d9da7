"""All models of a configuration, checked in parallel, held against their bars and the baseline.

Models are checked in processes apart, so that one that raises, or dies, takes no other with it.
What turns an entry into a report is a function that the caller may replace, to convert and verify too (it must be
importable, since it runs in other processes).
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from mobilekit.compat import cache
from mobilekit.compat.baseline import falls, news, read_baseline
from mobilekit.compat.check import check
from mobilekit.compat.config import Bars, CiConfig, ModelEntry
from mobilekit.compat.tables import TENSORRT, parse_release, resolve
from mobilekit.errors import InputError, MobilekitError
from mobilekit.loading import zeros_of
from mobilekit.results.compat import BarMiss, CiReport, CompatReport, ModelOutcome, percent

# Safe to import where no error can be told; a user's own modules are left to the processes that check them.
_LIBRARIES = frozenset({"torchvision", "timm"})

CheckModel = Callable[[ModelEntry, tuple[str, ...], Path], CompatReport]
"""(entry, targets, folder that paths are relative to) -> report; may raise a :class:`MobilekitError`."""
Progress = Callable[[str, int, int], None]
"""(name of the model that is done, how many are, of how many)."""

Checked = tuple["CompatReport | None", "str | None", float]
"""Report or error, and the seconds it took."""


def check_entry(entry: ModelEntry, targets: tuple[str, ...], root: Path) -> CompatReport:
    """Check one entry without converting it. Paths are relative to ``root``."""
    return check(
        located(entry.model, root),
        _tables(targets, root),
        example_inputs=zeros_of(entry.input_shapes) if entry.input_shapes else None,
        quantize=entry.quantize,
        name=entry.label,
    )


def located(model: str, root: Path) -> str:
    """``model`` with its path relative to ``root`` made whole; names of packages stay as they are."""
    place, colon, attribute = model.rpartition(":")
    if colon and attribute.isidentifier():
        return f"{root / place}:{attribute}" if place.endswith(".py") else model
    return str(root / model)


def _tables(targets: Sequence[str], root: Path) -> list[str]:
    return [str(root / word) if word.endswith(".json") else word for word in targets]


def run_ci(
    config: CiConfig,
    root: str | Path,
    *,
    check_model: CheckModel = check_entry,
    jobs: int | None = None,
    cache_folder: str | Path | None = None,
    progress: Progress | None = None,
) -> CiReport:
    """Check every model of ``config``; paths are relative to ``root``.

    ``jobs``: processes at once, by default one a core; 0 works in this process.
    ``cache_folder``: where reports are kept for the next run; None keeps none. A model that cannot be checked is an
    outcome with an error, never an exception;
    :class:`BaselineError` is raised for a baseline that cannot be read.
    """
    base = Path(root)
    baseline = None if config.baseline is None else read_baseline(base / config.baseline)
    folder = None if cache_folder is None else Path(cache_folder)
    keys = {entry.label: _key(config, entry, base, folder) for entry in config.models}
    kept = _from_cache(folder, keys)
    found: dict[str, Checked] = {label: (report, None, 0.0) for label, report in kept.items()}
    waiting = [entry for entry in config.models if entry.label not in kept]
    for label, checked in _check_all(waiting, config, base, check_model, jobs):
        found[label] = checked
        report, key = checked[0], keys[label]
        if folder is not None and key is not None and report is not None:
            cache.store(folder, key, report)
        if progress is not None:
            progress(label, len(found), len(config.models))
    return CiReport(
        tuple(_outcome(config, entry, found[entry.label], entry.label in kept, baseline) for entry in config.models)
    )


def _from_cache(folder: Path | None, keys: Mapping[str, str | None]) -> dict[str, CompatReport]:
    """Reports of earlier runs that still hold, by label."""
    if folder is None:
        return {}
    loaded = {label: cache.load(folder, key) for label, key in keys.items() if key is not None}
    return {label: report for label, report in loaded.items() if report is not None}


def judged(report: CompatReport, bars: Bars, model: str = "", baseline: Mapping[str, Any] | None = None) -> CiReport:
    """One report of a single check against bars, in the form of a run; for ``check`` with bars or report files.

    ``baseline``: what :func:`read_baseline` gave, or None for none.
    """
    misses, notes = _held(report, bars, baseline, report.model)
    return CiReport((ModelOutcome(report.model, model or report.model, report, None, misses, notes, 0.0, False),))


def _key(config: CiConfig, entry: ModelEntry, root: Path, folder: Path | None) -> str | None:
    if folder is None:
        return None
    return cache.key_of(entry.model, root, config.targets_of(entry), entry.label, entry.input_shapes, entry.quantize)


def _check_all(
    entries: Sequence[ModelEntry], config: CiConfig, root: Path, check_model: CheckModel, jobs: int | None
) -> Iterator[tuple[str, Checked]]:
    count = min(len(entries), os.cpu_count() or 1 if jobs is None else jobs)
    if not entries:
        return
    if count == 0:
        for entry in entries:
            yield entry.label, _guarded(check_model, entry, config.targets_of(entry), root)
        return
    left = list(entries)
    for label, checked in _in_pool(left, config, root, check_model, count):
        left = [entry for entry in left if entry.label != label]
        yield label, checked
    # A process died and took its pool along: one pool a model finds out which model it was.
    for entry in left:
        answered = list(_in_pool([entry], config, root, check_model, 1))
        yield answered[0] if answered else (entry.label, (None, "the process that checked it died", 0.0))


def _in_pool(
    entries: Sequence[ModelEntry], config: CiConfig, root: Path, check_model: CheckModel, count: int
) -> Iterator[tuple[str, Checked]]:
    context = _context(entries)
    threads = max((os.cpu_count() or 1) // count, 1)
    with ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker, initargs=(threads,)) as pool:
        try:
            running: dict[Future[Checked], str] = {
                pool.submit(_guarded, check_model, entry, config.targets_of(entry), root): entry.label
                for entry in entries
            }
            for future in concurrent.futures.as_completed(running):
                with contextlib.suppress(BrokenProcessPool):
                    yield running[future], future.result()
        except BaseException:  # Ctrl-C: leaving the pool would wait for the models that are still at work.
            _end_all(pool)
            raise


def _end_all(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool, and the fork server, which may still be loading and would fork for nobody."""
    # Private names, since the public way (terminate_workers) came with Python 3.14 and leaves the server.
    for process in list((pool._processes or {}).values()):
        process.terminate()
    from multiprocessing import forkserver

    server = getattr(getattr(forkserver, "_forkserver", None), "_forkserver_pid", None)
    if server is not None:
        with contextlib.suppress(OSError):
            os.kill(server, signal.SIGKILL)


def _context(entries: Sequence[ModelEntry]) -> BaseContext:
    """Processes that do not inherit the threads of this one (a plain fork could hang on their locks).

    A fork server loads torch and its exporter once for all of them, and the libraries of models that it may meet:
    some 10 s of CPU a process saved. It is there on Linux and macOS.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    if any(not entry.model.lower().endswith(".tflite") for entry in entries):
        packages = {entry.model.partition(":")[0].partition(".")[0] for entry in entries}
        context.set_forkserver_preload(["mobilekit.compat.warm", *sorted(packages & _LIBRARIES)])
    _start_fork_server()
    return context


def _start_fork_server() -> None:
    """Start it with Ctrl-C blocked, which its children inherit: this process answers it, and ends them."""
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # Unblocks the signal when it starts, so it starts first.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(threads: int) -> None:
    """Each process gets its share of the cores, and leaves Ctrl-C to the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # Read by torch when it is imported,
    torch = sys.modules.get("torch")
    if torch is not None:  # which the fork server may have done already.
        torch.set_num_threads(threads)


def _guarded(check_model: CheckModel, entry: ModelEntry, targets: tuple[str, ...], root: Path) -> Checked:
    start = time.perf_counter()
    try:
        report = check_model(entry, targets, root)
    except MobilekitError as error:
        return None, str(error), time.perf_counter() - start
    except Exception as error:  # A user's own code runs here and may raise anything; the other models still count.
        lines = str(error).strip().splitlines()
        return None, f"{type(error).__name__}: {lines[0] if lines else ''}", time.perf_counter() - start
    return report, None, time.perf_counter() - start


def _outcome(
    config: CiConfig, entry: ModelEntry, checked: Checked, cached: bool, baseline: Mapping[str, Any] | None
) -> ModelOutcome:
    report, error, seconds = checked
    misses, notes = ((), ()) if report is None else _held(report, config.bars_of(entry), baseline, entry.label)
    return ModelOutcome(entry.label, entry.model, report, error, misses, notes, seconds, cached)


def _held(
    report: CompatReport, bars: Bars, baseline: Mapping[str, Any] | None, label: str
) -> tuple[tuple[BarMiss, ...], tuple[str, ...]]:
    """(what fails, what is worth knowing) of a report against its bars and its entry in the baseline."""
    misses = tuple(_misses(report, bars))
    if baseline is None:
        return misses, ()
    known = baseline.get(label)
    return (*misses, *falls(report, known)), tuple(news(report, known))


def _misses(report: CompatReport, bars: Bars) -> Iterator[BarMiss]:
    for target in report.targets:
        names = _names(target.target, target.asked)
        for name, share in bars.min_coverage.items():
            if name in names and target.coverage < share:
                missing = target.ops_total - target.ops_supported
                yield BarMiss(
                    target.target,
                    f"takes {percent(target.coverage)} of the ops ({missing} refused), {percent(share)} is the bar",
                )
        for name, most in bars.max_pieces.items():
            if name in names and target.pieces > most:
                yield BarMiss(target.target, f"cuts the graph in {target.pieces} pieces, {most} is the bar")
    if bars.runtime_min is not None:
        if report.min_runtime_version == "unknown":
            yield BarMiss("runtime", f"no known TFLite release runs it, {bars.runtime_min} is the oldest to run on")
        elif parse_release(report.min_runtime_version) > parse_release(bars.runtime_min):
            yield BarMiss(
                "runtime", f"needs TFLite {report.min_runtime_version}, {bars.runtime_min} is the oldest to run on"
            )


def _names(target: str, asked: str) -> set[str]:
    return {target, asked}


def bars_from_words(coverage: Sequence[str], targets: str | Sequence[str], runtime_min: str | None = None) -> Bars:
    """Bars as a command line gives them: ``gpu=0.95``, or ``all=0.95`` for each of ``targets``.

    Raises :class:`InputError` for what is no share or no target.
    """
    found = [(target.name, target.shown) for target in resolve(targets)] if targets != TENSORRT else [(TENSORRT,) * 2]
    known = {name for names in found for name in names}
    shares: dict[str, float] = {}
    for word in coverage:
        name, equals, number = word.partition("=")
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if not equals or not 0 <= share <= 1:
            raise InputError(f"'{word}': write a target and a share from 0 to 1, such as gpu=0.95")
        if name == "all":
            shares |= {shown: share for _, shown in found}
        elif name in known:
            shares[name] = share
        else:
            raise InputError(f"a bar for '{name}', which is not among the targets ({', '.join(sorted(known))})")
    if runtime_min is not None:
        parse_release(runtime_min)
    return Bars(min_coverage=shares, runtime_min=runtime_min)
