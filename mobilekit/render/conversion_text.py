"""A ConversionReport and a VerificationReport as text that fits a screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilekit.render import units
from mobilekit.results.conversion import ConversionReport, FloatIsland, LayerError, VerificationReport
from mobilekit.results.quantization import SearchReport
from mobilekit.source import SourceLocation

# A screen has 24 lines at the least; longer lists say how many entries they left out and where those are.
_MOST = 5


def conversion_text(report: ConversionReport, path: Path | None = None) -> RenderableType:
    """The whole answer to ``mobilekit convert``."""
    parts: list[RenderableType] = [_headline(report, path)]
    parts += [Text(f"warning: {warning}", style="bold yellow") for warning in report.warnings]
    parts.append(_facts(report))
    if report.search is not None:
        parts.append(_search(report.search))
    if report.verification is not None:
        parts.append(verification_text(report.verification))
    worst = _worst_layers(report)
    if worst:
        parts.append(_layers(worst))
    parts += [Text(f"note: {note}", style="dim") for note in report.notes]
    return Group(*parts)


def _headline(report: ConversionReport, path: Path | None) -> Text:
    kind = "float32" if report.quantize == "none" else report.quantize
    text = Text.assemble((report.model, "bold"), f" -> {kind}, {units.size(report.size_bytes)}")
    if path is not None:
        text.append(f", {path}")
    return text


def _facts(report: ConversionReport) -> Table:
    table = Table.grid(padding=(0, 2))
    for label, value in _fact_rows(report):
        table.add_row(Text(label, style="dim"), Text(value))
    return table


def _fact_rows(report: ConversionReport) -> Iterator[tuple[str, str]]:
    total = sum(report.op_counts.values())
    kinds = ", ".join(f"{kind} {number}" for kind, number in list(report.op_counts.items())[:_MOST])
    more = ", ..." if len(report.op_counts) > _MOST else ""
    yield "ops", f"{total}: {kinds}{more}"
    if report.quantize != "none" and report.float_weight_bytes > report.size_bytes:
        ratio = report.float_weight_bytes / report.size_bytes
        floats = units.size(report.float_weight_bytes)
        yield "size", f"{units.size(report.size_bytes)}, the weights in float are {floats} ({ratio:.1f}x)"
    if report.quantize != "none":
        yield "calibration", f"{report.calibration}, {units.count(report.calibration_samples, 'sample')}"
        yield "full integer", _islands(report)
    for number, stage in enumerate(report.stages):
        yield ("" if number else "stages"), stage
    yield "transposes", _transposes(report)
    yield "needs runtime", f"{report.min_runtime_version} or newer"
    for number, applied in enumerate(report.rewrites[:_MOST]):
        left_out = _left_out(len(report.rewrites)) if number == _MOST - 1 else ""
        yield ("" if number else "rewritten"), f"{applied.node}{_at(applied.source)} by {applied.rewrite}{left_out}"
    for origin in report.inferred_inputs:
        yield "input assumed", f"{origin.name}: {origin.dtype} {units.shape(origin.shape)} ({origin.reason})"
    if report.narrowed_int64:
        yield "int64 -> int32", ", ".join(report.narrowed_int64)
    for limits in report.integer_limits:
        yield f"values of {limits.input}", f"{limits.low} to {limits.high}, checked at every call here"
    steps = ", ".join(f"{step.step} {units.seconds(step.wall_s)}" for step in report.timings)
    yield "time", f"{units.seconds(sum(step.wall_s for step in report.timings))} ({report.backend}: {steps})"


def _islands(report: ConversionReport) -> str:
    if report.full_integer and not report.float_islands:
        return "yes, every tensor"
    named = [f"{i.kind} {i.name}{_at(i.source)}: {i.reason}{_cost(i)}" for i in report.float_islands[:_MOST]]
    return "no; in float: " + "; ".join(named) + _left_out(len(report.float_islands))


def _cost(island: FloatIsland) -> str:
    work = f"{units.percent(island.macs_share)} of the multiply-accumulates, " if island.macs_share else ""
    return f" ({work}{units.size(island.converted_bytes)} converted a run)"


def _transposes(report: ConversionReport) -> str:
    if not report.transposes:
        return "none"
    named = [f"{t.name} {units.shape(t.shape)}{_at(t.source)}: {t.reason}" for t in report.transposes[:_MOST]]
    return f"{len(report.transposes)}; " + "; ".join(named) + _left_out(len(report.transposes))


def _left_out(total: int) -> str:
    return f" and {total - _MOST} more (--json lists all)" if total > _MOST else ""


def _at(source: SourceLocation | None) -> str:
    return "" if source is None else f" ({units.place(source)})"


def _search(report: SearchReport) -> RenderableType:
    """What was tried, in that order; the one that the file is has an arrow."""
    bar = report.float_metric - report.max_drop
    head = Text.assemble(
        ("searched", "bold"), f" by {report.metric}: at least {bar:.4g} (float {report.float_metric:.4g})"
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("tried", overflow="fold")
    for title in ("metric", "size", "ms here", "meets the bar"):
        table.add_column(title, justify="right")
    for point in report.curve:
        table.add_row(
            "->" if point.label == report.chosen else "",
            Text(point.label),
            f"{point.metric:.4f}",
            units.size(point.size_bytes),
            f"{point.latency_ms:.2f}",
            "yes" if point.meets_bar else "no",
        )
    return Group(head, table)


def verification_text(report: VerificationReport) -> RenderableType:
    """The verdict, then one line an output."""
    verdict = Text("verified" if report.passed else "NOT verified", style="bold green" if report.passed else "bold red")
    verdict.append(
        f" on {units.count(report.samples, 'sample')} ({report.data}): {report.runtime} against {report.reference}",
        style="default not bold",
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("output", "shape"):
        table.add_column(title, overflow="fold")
    for title in ("SQNR median", "worst", "max |d|", "of max", "cosine", "same top-1"):
        table.add_column(title, justify="right")
    for output in report.outputs:
        top1 = "" if output.top1_agreement is None else units.percent(output.top1_agreement)
        worst = min(output.sqnr_db_per_sample, default=output.sqnr_db)
        table.add_row(
            Text(output.name),
            units.shape(output.shape),
            units.decibel(output.sqnr_db),
            units.decibel(worst),
            f"{output.max_abs_error:.3g}",
            f"{output.max_abs_reference:.3g}",
            f"{output.cosine:.5f}",
            top1,
        )
    failures = [Text(f"  {failure}", style="red") for failure in report.failures]
    return Group(verdict, table, Text(f"bar: {report.criterion}", style="dim"), *failures)


def _worst_layers(report: ConversionReport) -> list[LayerError]:
    return sorted(report.layer_errors, key=lambda layer: layer.sqnr_db)[:3]


def _layers(layers: list[LayerError]) -> Text:
    named = [f"{layer.kind} {layer.name}{_at(layer.source)} {units.decibel(layer.sqnr_db)}" for layer in layers]
    return Text.assemble(("layers with most quantization noise: ", "dim"), "; ".join(named))
