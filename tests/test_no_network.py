"""Nothing reaches for the network while running: every command works, and opens no connection, with sockets cut off.

A Python audit hook sees every socket that Python code makes, also those of libraries (hubs, telemetry, version checks);
it raises, and it writes down what was tried, since a library may swallow the error.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

# Runs the words of the command line that follow, then fails loudly if anything was tried.
CHILD = """
import os, sys
tried = []
def cut_off(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"):
        tried.append((event, arguments[1:]))
        raise OSError("the network is cut off")
sys.addaudithook(cut_off)
from mobilekit.cli import main
code = main(sys.argv[1:])
sys.stdout.flush()
print("tried", tried, file=sys.stderr)
os._exit(99 if tried else code)
"""

NET = """
import torch

def make():
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.ReLU6(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(8, 5),
    )
    return net.eval()
"""


def run_cut_off(words: Sequence[str], folder: Path, code: str = CHILD) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """net.py, and net.tflite converted from it without a network."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "net.py").write_text(NET)
    words = "convert net.py:make -o net.tflite --input-shape 1,3,32,32 --quantize int8 --report report.html"
    assert_works(run_cut_off(words.split(), folder))
    assert (folder / "report.html").exists()
    return folder


def assert_works(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.endswith("tried []\n")


@pytest.mark.parametrize(
    "words",
    [
        "verify net.py:make net.tflite --input-shape 1,3,32,32",
        "check net.tflite --details",
        "info net.tflite --json",
        "bench net.tflite --seconds 1 --warm-up 0 --frame 320x240 --quiet",
    ],
    ids=lambda words: words.split()[0],
)
def test_every_command_works_without_a_network(folder: Path, words: str) -> None:
    assert_works(run_cut_off(words.split(), folder))


def test_the_hook_would_see_it(tmp_path: Path) -> None:
    """The check itself: a connection that is tried, and whose error is swallowed, is found."""
    attempt = "import contextlib, urllib.request\nwith contextlib.suppress(Exception): urllib.request.urlopen('http://localhost:9')"
    done = run_cut_off(["--version"], tmp_path, CHILD.replace("from mobilekit.cli", f"{attempt}\nfrom mobilekit.cli"))
    assert done.returncode == 99
    assert "urllib.Request" in done.stderr
