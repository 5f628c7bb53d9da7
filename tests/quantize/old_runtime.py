"""Runs files on tflite-runtime 2.14 for the tests: one child process in the classic environment, many files.

Started as ``python -m tests.quantize.old_runtime`` with MOBILEKIT_RUNTIME=tflite-runtime. Each message is a pickle: in,
a list of (bytes of a file, its inputs, delegate); out, a list of outputs, or the runtime's refusal as a string.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mobilekit import runtime
from mobilekit.errors import RuntimeUnavailableError

Job = tuple[bytes, Sequence[Any], str]
ROOT = Path(__file__).parent.parent.parent


class OldRuntime:
    """The child, as a context."""

    def __init__(self, python: Path) -> None:
        environment = {**os.environ, "MOBILEKIT_RUNTIME": "tflite-runtime"}
        command = [str(python), "-m", "tests.quantize.old_runtime"]
        self._child = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> OldRuntime:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait()

    def run(self, jobs: Sequence[Job]) -> list[Any]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        pickle.dump(list(jobs), self._child.stdin, protocol=4)
        self._child.stdin.flush()
        answer: list[Any] = pickle.load(self._child.stdout)
        return answer


def run_one(job: Job) -> Any:
    data, inputs, delegate = job
    try:
        return runtime.Interpreter(data, delegate=delegate).run(inputs)
    except RuntimeUnavailableError as refusal:
        return str(refusal)


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What the runtime prints must not stand between the answers.
    while True:
        try:
            jobs = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump([run_one(job) for job in jobs], answers, protocol=4)
        answers.flush()


if __name__ == "__main__":
    main()
