"""The text of ``mobilekit info``."""

from __future__ import annotations

from rich.console import Console

from mobilekit.render.file_text import file_text
from tests.render.samples import file_summary


def test_facts_are_there() -> None:
    console = Console(width=100, no_color=True)
    with console.capture() as capture:
        console.print(file_text(file_summary()))
    text = capture.get()
    for part in (
        "net.tflite",
        "3.72 MB, of which weights 3.50 MB",
        "no, 1 op in float",
        "2.3.0 or newer",
        "1x224x224x3",
        "0.0186",
        "-14",
        "?x1000",
        "36 ops: CONV_2D 35, DEQUANTIZE 1",
    ):
        assert part in text, part
