"""The summary of the demo fits the screen it promises, with every verdict on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from mobilekit.render.html import Page
from mobilekit.render.summary_text import summary_text
from tests.render.samples import bench, compat, conversion, photos

pytest.importorskip("PIL")


def _text(page: Page) -> str:
    console = Console(width=80, no_color=True)
    files = [Path("out/mobilenet_v2_int8.tflite"), Path("out/mobilenet_v2_int8.json"), Path("out/report.html")]
    with console.capture() as capture:
        console.print(summary_text(page, files, 21.5))
    return capture.get()


def test_one_screen() -> None:
    text = _text(Page("MobileNetV2", conversion(), None, photos(), compat(), bench()))
    lines = text.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    for part in (
        "int8, 3.72 MB, 66 ops, full integer, no transposes",
        "verified",
        "SQNR 15.5 dB median, 12.0 dB worst",
        "same answer as PyTorch on 4 of 5; labels right: 3 (PyTorch 4)",
        "camera to screen, delivered",
        "measured + modelled",
        "296 of 299 delivered, 1.0 % dropped, 2.5 % jank",
        "out/report.html",
    ):
        assert part in text, part


def test_failures_are_on_it() -> None:
    text = _text(Page("MobileNetV2", conversion(clean=False)))
    assert "NOT verified" in text
    assert "warning: calibrated on synthetic data" in text
    assert "1 op in float, 1 transpose" in text
