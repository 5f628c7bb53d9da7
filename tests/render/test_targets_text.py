"""The table of targets: figures are never cut, reasons are grouped, details name every op."""

from __future__ import annotations

import pytest
from rich.console import Console

from mobilekit.render.targets_text import targets_text
from tests.render.samples import compat


def _text(width: int, *, details: bool = False) -> str:
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(targets_text(compat(), details=details))
    return capture.get()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_figures_are_whole_at_any_width(width: int) -> None:
    text = _text(width)
    for target in compat().targets:
        line = next(line for line in text.splitlines() if line.startswith(f"{target.target} "))
        assert f" {target.ops_supported}/{target.ops_total} " in line
    assert max(map(len, text.splitlines())) <= width
    assert len(text.splitlines()) <= 24


def test_reasons_are_grouped() -> None:
    line = next(line for line in _text(120).splitlines() if line.startswith("gpu "))
    assert "ADD 5: input 1 must be a constant" in line
    assert "--details lists every refused op" in _text(120)


def test_details_name_ops_lines_and_ways_out() -> None:
    text = _text(160, details=True)
    assert "ADD add_4 (net.py:12): input 1 must be a constant; rank over 4; instead: use a 1x1 convolution" in text
    assert text.count("ADD add_0 ") == sum(t.ops_supported < t.ops_total for t in compat().targets)
