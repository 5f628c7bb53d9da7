"""Catching what is written past Python, in a process of its own: pytest itself catches descriptors."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, sys
from mobilekit.streams import filtered
print("before")
with filtered({descriptor}, lambda line: b"keep" in line):
    os.write({descriptor}, b"noise from C++\\n")
    os.write({descriptor}, b"keep this\\n")
    print("printed noise", file=sys.{name})
print("after")
"""


def run(descriptor: int, name: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(descriptor=descriptor, name=name)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)


def test_standard_output_keeps_what_is_wanted_in_order() -> None:
    assert run(1, "stdout").stdout == "before\nkeep this\nafter\n"


def test_standard_error_too() -> None:
    done = run(2, "stderr")
    assert done.stdout == "before\nafter\n"
    assert done.stderr == "keep this\n"


def test_a_process_without_the_stream_runs_all_the_same() -> None:
    program = "import os; os.close(2)\n" + PROGRAM.format(descriptor=2, name="stdout").replace(
        "    os.write", "    0 and os.write"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "before\nprinted noise\nafter\n"
