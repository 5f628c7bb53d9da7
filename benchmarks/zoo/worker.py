"""One process of one environment that has imported what its tool needs, and forks a child for every job.

    python -m benchmarks.zoo.worker mobilekit|litert|onnx2tf|tflite-runtime

Reads a job a line, ``{"task", "network", "folder", "limit_s"}``, and answers each with a line of JSON: how the child
ended and what it used, as the operating system counted it. What the child found out lies in ``folder/<task>.json``.
All tools are measured alike: heavy imports are paid for once, before the fork, and told apart in the first line
(``torch_s``, then ``tool_s`` on top of it); a child that crashes or hangs costs one network.

Runs in the peers' environments too: imports nothing of mobilekit unless that is the tool.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

# tool -> modules that it needs beside torch, torchvision and timm, which the networks need
TOOLS: dict[str, tuple[str, ...]] = {
    "mobilekit": ("mobilekit.conversion.pipeline",),
    "litert": ("litert_torch",),
    "onnx2tf": ("onnx", "tensorflow", "onnx2tf"),
    "tflite-runtime": ("tflite_runtime.interpreter",),
}


def preload(tool: str) -> dict[str, float]:
    """Import everything; seconds for torch, and for the tool on top of it."""
    times = {"torch_s": 0.0}
    if tool != "tflite-runtime":
        start = time.perf_counter()
        importlib.import_module("torch")
        times["torch_s"] = time.perf_counter() - start
        for module in ("torchvision", "timm"):
            importlib.import_module(module)
    start = time.perf_counter()
    for module in TOOLS[tool]:
        importlib.import_module(module)
    times["tool_s"] = time.perf_counter() - start
    return times


def run_job(job: dict[str, Any]) -> dict[str, Any]:
    """Fork, do the job there, wait. The child's own output goes into ``<task>.log``."""
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        _in_child(job)
    _, status, usage = os.wait4(child, 0)
    # What the child started and left (a converter's own processes) is in its process group.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status)
    return {
        "ended": {0: "ok", -signal.SIGALRM: "timeout"}.get(code, f"crash ({code})"),
        "wall_s": time.perf_counter() - start,
        "peak_rss_mb": usage.ru_maxrss / 1024,
    }


def _in_child(job: dict[str, Any]) -> None:
    """Never returns."""
    os.setpgid(0, 0)
    # SIGALRM's default ends the process wherever it hangs, in C++ too.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(job["limit_s"]))
    log = os.open(Path(job["folder"], job["task"] + ".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    code = 1
    try:
        from benchmarks.zoo import jobs

        jobs.run(job)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    # Libraries print while they are imported: answers get a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    print(json.dumps(preload(sys.argv[1])), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(run_job(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
