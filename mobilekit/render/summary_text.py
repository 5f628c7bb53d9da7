"""A whole run, from conversion to latency, on one screen of 80 x 40."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilekit.render import units
from mobilekit.render.html import Page
from mobilekit.render.targets_text import targets_table
from mobilekit.results.bench import BenchReport, LatencySummary
from mobilekit.results.conversion import ConversionReport
from mobilekit.results.photos import PhotoReport


def summary_text(page: Page, files: Sequence[Path], seconds: float) -> RenderableType:
    """What the page says, in short, and where the files are."""
    parts: list[RenderableType] = [Text(page.title, style="bold")]
    rows: list[tuple[str, str]] = []
    if page.conversion is not None:
        parts += [Text(f"warning: {warning}", style="bold yellow") for warning in page.conversion.warnings]
        rows += _conversion(page.conversion)
    if page.photos is not None:
        rows += _photos(page.photos)
    parts.append(_grid(rows))
    if page.compat is not None:
        parts += [Text(""), targets_table(page.compat)]
    if page.bench is not None:
        parts += [Text(""), _latency(page.bench), _grid(_bench(page.bench))]
    written = ", ".join(map(str, files))
    parts += [Text(""), Text(f"wrote {written} in {units.seconds(seconds)}", style="bold")]
    return Group(*parts)


def _grid(rows: Sequence[tuple[str, str]] | Iterator[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for label, value in rows:
        grid.add_row(Text(label, style="dim"), Text(value))
    return grid


def _conversion(report: ConversionReport) -> Iterator[tuple[str, str]]:
    kinds = units.count(sum(report.op_counts.values()), "op")
    integer = "full integer" if report.full_integer else f"{units.count(len(report.float_islands), 'op')} in float"
    moved = f"{len(report.transposes) or 'no'} transpose{'' if len(report.transposes) == 1 else 's'}"
    yield "file", f"{report.quantize}, {units.size(report.size_bytes)}, {kinds}, {integer}, {moved}"
    took = units.seconds(sum(step.wall_s for step in report.timings))
    yield "converted", f"in {took} through {report.backend}, calibrated on {report.calibration_samples} photos"
    verification = report.verification
    if verification is not None and verification.outputs:
        output = verification.outputs[0]
        verdict = "verified" if verification.passed else "NOT verified"
        worst = min(output.sqnr_db_per_sample, default=output.sqnr_db)
        yield (
            verdict,
            f"SQNR {units.decibel(output.sqnr_db)} median, {units.decibel(worst)} worst; {verification.runtime}",
        )


def _photos(report: PhotoReport) -> Iterator[tuple[str, str]]:
    total = len(report.photos)
    right = f"; labels right: {report.converted_right} (PyTorch {report.reference_right})"
    yield "photos", f"same answer as PyTorch on {report.agreement} of {total}" + (right if report.labelled else "")


def _latency(report: BenchReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("latency, ms", no_wrap=True)
    for title in ("p50", "p90", "p99", "max"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("how", no_wrap=True)
    stages = {stage.name: stage.summary for stage in report.stages}
    rows: list[tuple[str, LatencySummary]] = [
        ("camera to screen, delivered", report.delivered),
        ("age of what is shown", report.age),
        *((f"  {name}", stages[name]) for name in ("preprocess", "inference", "postprocess") if name in stages),
        ("offline, frame to result", report.processing),
    ]
    for name, series in rows:
        figures = (
            f"{value:.2f}" if value < 10 else f"{value:.1f}"
            for value in (series.p50_ms, series.p90_ms, series.p99_ms, series.max_ms)
        )
        table.add_row(name, *figures, series.provenance.value)
    return table


def _bench(report: BenchReport) -> Iterator[tuple[str, str]]:
    dropped = f"{report.dropped_percent:.1f} % dropped, {report.jank_percent:.1f} % jank"
    yield "frames", f"{report.frames_delivered} of {report.frames_due} delivered, {dropped}"
    facts = [report.environment.get(key) for key in ("cpu", "cores", "threads")]
    if all(fact is not None for fact in facts):
        yield "machine", f"{facts[0]}, {facts[1]} cores; inference on {units.count(int(facts[2] or 0), 'thread')}"
