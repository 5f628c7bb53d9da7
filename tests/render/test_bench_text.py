from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from mobilekit.render.bench_text import bench_text
from mobilekit.results.bench import BenchReport
from tests.bench.samples import bench_report


def text(report: BenchReport, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(bench_text(report))
    written = console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue()


def test_every_figure_says_whether_it_was_measured_or_modelled() -> None:
    shown = text(bench_report())
    _, figures = shown.split("camera to screen, ms", 1)
    # A figure is a number with a unit's or a table's own spacing around it: every line with one is judged.
    lines = [line for line in figures.splitlines() if re.search(r"\d", line) and not line.strip().startswith("p50")]
    judged = [line for line in lines if not re.search(r"measured|modelled", line)]
    assert len(lines) > 25
    # What is left are continuations of sources that were wrapped: they follow a line that says "modelled".
    for line in judged:
        assert line.startswith(" " * 30), line


def test_doubts_come_before_the_numbers() -> None:
    shown = text(bench_report())
    assert shown.index("doubt: the CPU governor cannot be read") < shown.index("camera to screen, ms")
    assert shown.index("Test CPU, 4 cores, governor unknown, 1 thread") < shown.index("camera to screen, ms")


@pytest.mark.parametrize(
    "line",
    [
        r"delivered frames +\S+ +\S+ +\S+ +\S+ measured \+ modelled",
        r"age of what is shown +\S+ +\S+ +\S+ +\S+ measured \+ modelled",
        r"preprocess +0\.20 +0\.20 +0\.20 +0\.20 measured",
        r"latch wait .* modelled",
        r"frame in memory -> result +2\.25 +2\.50 +2\.50 +2\.50 measured",
        r"frames +30 of 30 delivered +measured \+ modelled",
        r"throughput +812\.5 frames a second, 2 pipelines +measured",
        r"model load +3\.50 ms +measured",
        r"first inference +12\.2 ms +measured",
        r"warm-up +100 runs +measured",
        r"peak RSS +224 MB, 220 of it before the model +measured",
        r"p50 over phases +54\.0 to 66\.7 ms +measured \+ modelled",
        r"readout \+ ISP +15\.0 ms modelled: preset phone: an assumption",
    ],
)
def test_lines(line: str) -> None:
    assert re.search(line, text(bench_report()))


def test_what_a_phone_measured_has_no_modelled_constants() -> None:
    shown = text(bench_report(assumptions=(), phase_p50_ms=None, camera_late=None))
    assert "modelled constants" not in shown
    assert "camera thread late" not in shown


def test_it_fits_a_narrow_terminal() -> None:
    lines = text(bench_report(), width=80).splitlines()
    assert max(len(line) for line in lines) <= 80
    # No figure is torn into two lines.
    assert not [line for line in lines if line.strip() == "superseded)"]
