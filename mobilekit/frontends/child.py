"""Run a foreign converter in a process of its own, with a time limit, a memory limit and a readable end.

Somebody else's converter may crash, hang, eat all memory, print a success that is none, or look for the network: in
a child process each of these is one clear :class:`~mobilekit.errors.BackendError`, and nothing is left behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobilekit.errors import BackendError

CHILDREN = Path(__file__).parent / "children"

Progress = Callable[[str, int, int | None], None]
"""Called as progress(step, done, total); total is None while it is not known."""

# Lines of a log that say nothing about why it failed.
_NOISE = re.compile(r"^\s*$|^INFO|^WARNING|^W0000|^I0000|^E0000|UserWarning|FutureWarning|DeprecationWarning|^\s+warn")
_POLL_S = 0.2


@dataclass(frozen=True)
class Limits:
    """What a child may use."""

    timeout_s: float = 900.0
    memory_mb: float = 12_000.0
    """Resident memory of the child and its children together."""


def run_child(
    backend: str,
    python: Path,
    script: str,
    folder: Path,
    arguments: Sequence[str] = (),
    *,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> None:
    """Run ``children/<script>`` with ``python`` in ``folder`` (which is its working directory).

    Raises :class:`BackendError` when it fails, naming the cause from the end of its log.
    """
    limits = limits or Limits()
    log = folder / "child.log"
    command = [str(python), str(CHILDREN / script), *arguments]
    # The interpreter's own folder first: onnx2tf calls the command onnxsim, which lies there.
    environment = os.environ | {
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        "PYTHONUNBUFFERED": "1",
    }
    start = time.monotonic()
    with log.open("wb") as sink:
        try:
            # A session of its own, so that a limit ends the child's children too.
            child = subprocess.Popen(
                command, cwd=folder, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, env=environment,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise BackendError(f"backend '{backend}' cannot start {python}: {error.strerror or error}") from error
        try:
            reason = _wait(child, start, limits, lambda seconds: progress and progress(backend, int(seconds), None))
        except BaseException:
            _kill(child)
            raise
    if reason is None and child.returncode == 0:
        return
    if reason is None:
        reason = _ending(child.returncode)
    raise BackendError(f"backend '{backend}' {reason}: {cause_of(log.read_text(errors='replace'))}")


def _wait(child: subprocess.Popen[bytes], start: float, limits: Limits, tick: Callable[[float], object]) -> str | None:
    """Wait for the end; the limit that was passed in words, or None."""
    while True:
        try:
            child.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            pass
        else:
            return None
        seconds = time.monotonic() - start
        tick(seconds)
        if seconds > limits.timeout_s:
            _kill(child)
            return f"did not finish in {limits.timeout_s:.0f} s"
        used = _group_rss_mb(child.pid)
        if used > limits.memory_mb:
            _kill(child)
            return f"used {used:.0f} MB of memory, {limits.memory_mb:.0f} are allowed"


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _ending(code: int) -> str:
    if code >= 0:
        return f"failed (exit {code})"
    try:
        return f"crashed ({signal.Signals(-code).name})"
    except ValueError:
        return f"crashed (signal {-code})"


def _group_rss_mb(group: int) -> float:
    """Resident memory of every process of the session; 0 where /proc cannot tell."""
    pages = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # Behind the command's name in brackets: state, parent, process group...
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                pages += int((folder / "statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cause_of(log: str) -> str:
    """The last line of a log that says something: of a traceback its final line, else the last one with content."""
    lines = [line.strip() for line in log.splitlines() if not _NOISE.search(line)]
    if not lines:
        return "it printed nothing"
    errors = [line for line in lines if re.match(r"^[\w.]*(Error|Exception|Interrupt|ERROR)\b", line)]
    return (errors or lines)[-1][:400]


def python_for(backend: str, variable: str, module: str) -> Path | None:
    """The interpreter that has ``module``: named by an environment variable, else this one; None if there is none."""
    named = os.environ.get(variable)
    if named:
        path = Path(named)
        if not path.exists():
            raise BackendError(f"backend '{backend}': {variable} names {named}, which does not exist")
        return path
    import importlib.util

    return Path(sys.executable) if importlib.util.find_spec(module) is not None else None
