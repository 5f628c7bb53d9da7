"""Work on models in processes apart, so that one that raises, or dies, takes no other with it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from typing import Generic, NamedTuple, TypeVar

from mobilekit.compat.config import ModelEntry
from mobilekit.errors import BarMissedError, MobilekitError, first_line

T = TypeVar("T")

# Safe to import where no error can be told; a user's own modules are left to the processes that check them.
_LIBRARIES = frozenset({"torchvision", "timm"})


class Done(NamedTuple, Generic[T]):
    """What came of one model: a value, or the reason why there is none, and the seconds it took."""

    value: T | None
    error: str | None
    seconds: float
    missed: bool = False
    """The error says that a bar was not met, such as the verification's; nothing is broken."""


def run_all(
    entries: Sequence[ModelEntry], work: Callable[[ModelEntry], T], jobs: int | None
) -> Iterator[tuple[str, Done[T]]]:
    """(label, what came of it) of every entry, in the order in which they are done.

    ``work`` must be picklable: a function of a module, or a ``functools.partial`` of one. ``jobs``: processes at once,
    by default one a core; 0 works in this process.
    """
    count = min(len(entries), os.cpu_count() or 1 if jobs is None else jobs)
    if not entries:
        return
    if count == 0:
        for entry in entries:
            yield entry.label, _guarded(work, entry)
        return
    left = list(entries)
    for label, done in _in_pool(left, work, count):
        left = [entry for entry in left if entry.label != label]
        yield label, done
    # A process died and took its pool along: one pool a model finds out which model it was.
    for entry in left:
        answered = list(_in_pool([entry], work, 1))
        yield answered[0] if answered else (entry.label, Done(None, "the process that checked it died", 0.0))


def _in_pool(
    entries: Sequence[ModelEntry], work: Callable[[ModelEntry], T], count: int
) -> Iterator[tuple[str, Done[T]]]:
    context = _context(entries)
    threads = max((os.cpu_count() or 1) // count, 1)
    with ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker, initargs=(threads,)) as pool:
        try:
            running: dict[Future[Done[T]], str] = {pool.submit(_guarded, work, entry): entry.label for entry in entries}
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


def _guarded(work: Callable[[ModelEntry], T], entry: ModelEntry) -> Done[T]:
    start = time.perf_counter()
    try:
        value = work(entry)
    except MobilekitError as error:
        return Done(None, str(error), time.perf_counter() - start, isinstance(error, BarMissedError))
    except Exception as error:  # A user's own code runs here and may raise anything; the other models still count.
        return Done(None, f"{type(error).__name__}: {first_line(error)}", time.perf_counter() - start)
    return Done(value, None, time.perf_counter() - start)
