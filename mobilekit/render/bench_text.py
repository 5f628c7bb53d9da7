"""A BenchReport as text: machine and doubts first, then every figure with *measured* or *modelled* beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mobilekit.render import units
from mobilekit.results.bench import BenchReport, LatencySummary, Provenance

_MEASURED, _MODELLED, _MIXED = (p.value for p in (Provenance.MEASURED, Provenance.MODELLED, Provenance.MIXED))
_INDENT = (0, 0, 0, 2)


def bench_text(report: BenchReport) -> RenderableType:
    """The whole answer to ``mobilekit bench``."""
    parts: list[RenderableType] = [
        Text.assemble((report.model, "bold"), f" on {report.device}, weights: {report.weights}"),
        Text(_machine(report), style="dim"),
        *(Text(f"{what}: {how}", style="dim") for what, how in report.pipeline.items()),
        *(Text(f"doubt: {doubt}", style="yellow") for doubt in report.doubts),
        Text(),
        Text("camera to screen, ms", style="bold"),
        _series([("delivered frames", report.delivered), ("age of what is shown", report.age)]),
        Text("its stages, ms", style="bold"),
        _series((stage.name, stage.summary) for stage in report.stages),
        Text("offline, ms", style="bold"),
        _series([("frame in memory -> result", report.processing)]),
        Text(),
        _facts(report),
    ]
    if report.assumptions:
        parts += [Text(), Text("modelled constants and their sources", style="bold"), _assumptions(report)]
    return Group(*parts)


def _machine(report: BenchReport) -> str:
    machine = report.environment
    governor = machine.get("governor") or "unknown"
    words = [
        str(machine.get("cpu", "unknown CPU")),
        units.count(int(machine.get("cores", 0)), "core"),
        f"governor {governor}",
        units.count(int(machine.get("threads", 1)), "thread"),
        *(str(machine[key]) for key in ("runtime", "kernel") if machine.get(key)),
    ]
    return ", ".join(words)


def _series(rows: Iterable[tuple[str, LatencySummary]]) -> RenderableType:
    """One line a series: its percentiles and where they come from."""
    table = Table.grid(padding=(0, 1))
    table.add_column(min_width=25, no_wrap=True)
    for _ in range(4):
        table.add_column(min_width=7, justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_row("", *(Text(head, style="dim") for head in ("p50", "p90", "p99", "max")), "")
    for name, summary in rows:
        values = (summary.p50_ms, summary.p90_ms, summary.p99_ms, summary.max_ms)
        table.add_row(name, *map(_number, values), _source(summary.provenance.value))
    return Padding(table, _INDENT)


def _facts(report: BenchReport) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(min_width=18, no_wrap=True)
    table.add_column()
    table.add_column(no_wrap=True)
    for name, value, source in _fact_rows(report):
        table.add_row(name, value, _source(source))
    return Padding(table, _INDENT)


def _fact_rows(report: BenchReport) -> Iterator[tuple[str, str, str]]:
    # On a phone nothing is modelled, and drops, jank and rate are measured as well.
    shown = report.delivered.provenance.value
    lost = f"{report.frames_overwritten} overwritten, {report.frames_superseded} superseded"
    yield "frames", f"{report.frames_delivered} of {report.frames_due} delivered", shown
    yield "dropped", f"{report.dropped_percent:.1f} % ({lost})", shown
    yield "jank", f"{report.jank_percent:.1f} % later than predicted", shown
    yield "results", f"{report.result_fps:.2f} a second", shown
    workers = units.count(report.throughput_workers, "pipeline")
    yield "throughput", f"{report.throughput_qps:.1f} frames a second, {workers}", _MEASURED
    yield "model load", units.milliseconds(report.model_load_ms), _MEASURED
    yield "first inference", units.milliseconds(report.first_inference_ms), _MEASURED
    yield "warm-up", units.count(report.warm_up_runs, "run"), _MEASURED
    yield "peak RSS", f"{report.peak_rss_mb:.0f} MB, {report.baseline_rss_mb:.0f} of it before the model", _MEASURED
    yield "ring of frames", f"{report.frame_ring_mb:.0f} MB", _MEASURED
    yield "CPU", f"{report.cpu_percent:.0f} % of a core while the camera ran", _MEASURED
    if report.drift_percent is not None:
        yield "drift", f"{report.drift_percent:+.1f} %, last tenth against first", _MEASURED
    if report.camera_late is not None:
        late = report.camera_late
        yield "camera thread late", f"p50 {_number(late.p50_ms)} ms, p99 {_number(late.p99_ms)} ms", _MEASURED
    if report.phase_p50_ms is not None:
        low, high = report.phase_p50_ms
        yield "p50 over phases", f"{_number(low)} to {_number(high)} ms", _MIXED


def _assumptions(report: BenchReport) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(min_width=20, no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for item in report.assumptions:
        table.add_row(item.name, f"{item.value:.1f} {item.unit}", Text(f"{_MODELLED}: {item.source}", style="dim"))
    return Padding(table, _INDENT)


def _number(value: float) -> str:
    """Three digits or a tenth of a millisecond, whichever is more."""
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _source(words: str) -> Text:
    return Text(words, style="green" if words == _MEASURED else "cyan" if words == _MODELLED else "blue")
