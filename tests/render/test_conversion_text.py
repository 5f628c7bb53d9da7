"""The text of a conversion: what a user must see is there, and it fits a screen."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, RenderableType

from mobilekit.render.conversion_text import conversion_text, verification_text
from tests.render.samples import conversion, verification


def _text(renderable: RenderableType, width: int = 100) -> str:
    console = Console(width=width, file=None, record=True, quiet=False, no_color=True)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_a_good_conversion() -> None:
    text = _text(conversion_text(conversion(), Path("out/net.tflite")))
    for part in (
        "mobilenet_v2 -> int8, 3.72 MB, out/net.tflite",
        "66: CONV_2D 35, DEPTHWISE_CONV_2D 17",
        "given, 16 samples",
        "yes, every tensor",
        "2.3.0 or newer",
        "verified on 20 samples (held-out): ai-edge-litert 2.3.0",
        "15.5 dB",
        "12.0 dB",
        "exact",
        "bar: median SQNR",
        "(direct: capture 1.6 s, quantize 900 ms, write 40 ms)",
    ):
        assert part in text, part
    assert "warning" not in text
    assert len(text.splitlines()) <= 24, "must fit the smallest screen"


def test_a_bad_conversion_says_so_first() -> None:
    text = _text(conversion_text(conversion(clean=False)), width=200)
    lines = text.splitlines()
    assert lines[1] == "warning: calibrated on synthetic data: the int8 accuracy on real data is unknown"
    for part in (
        "synthetic, 16 samples",
        "no; in float: CUSTOM:Gelu softmax (net.py:12): no int8 kernel",
        "1; transpose_1 1x7x7x1280 (net.py:12): the model flattens NCHW",
        "x: float32 1x3x224x224 (first convolution takes 3 channels)",
        "NOT verified on 20 samples",
        "logits: SQNR 3.1 dB, the bar is 10 dB",
    ):
        assert part in text, part


def test_names_with_markup_are_shown_as_they_are() -> None:
    report = verification(passed=False)
    assert "[/red]" in _text(verification_text(_renamed(report, "out[/red]")))


def _renamed(report, name):  # type: ignore[no-untyped-def]
    import dataclasses

    outputs = (dataclasses.replace(report.outputs[0], name=name), *report.outputs[1:])
    return dataclasses.replace(report, outputs=outputs)
