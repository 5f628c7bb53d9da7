"""A FileSummary as text."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilekit.render import units
from mobilekit.results.file import FileSummary, TensorSummary


def file_text(summary: FileSummary) -> RenderableType:
    integer = "yes" if summary.full_integer else f"no, {units.count(len(summary.float_ops), 'op')} in float"
    facts = Table.grid(padding=(0, 2))
    for label, value in (
        ("size", f"{units.size(summary.size_bytes)}, of which weights {units.size(summary.weight_bytes)}"),
        ("full integer", integer),
        ("needs runtime", f"{summary.min_runtime_version} or newer" if summary.min_runtime_version else "unknown"),
        ("signatures", ", ".join(summary.signatures)),
        ("metadata", ", ".join(summary.metadata)),
        ("description", summary.description),
    ):
        if value:
            facts.add_row(Text(label, style="dim"), Text(value))
    return Group(Text(summary.name, style="bold"), facts, Text(""), _tensors(summary), Text(""), _ops(summary))


def _tensors(summary: FileSummary) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("", "name", "shape", "dtype", "scale", "zero point"):
        table.add_column(title, overflow="fold")
    for kind, tensors in (("input", summary.inputs), ("output", summary.outputs)):
        for tensor in tensors:
            table.add_row(kind, *map(Text, _cells(tensor)))
    return table


def _cells(tensor: TensorSummary) -> tuple[str, ...]:
    scale = "" if tensor.scale is None else f"{tensor.scale:.6g}"
    zero_point = "" if tensor.zero_point is None else str(tensor.zero_point)
    return tensor.name, units.shape(tensor.shape), tensor.dtype, scale, zero_point


def _ops(summary: FileSummary) -> Text:
    total = sum(summary.op_counts.values())
    where = f" in {summary.subgraphs + 1} graphs" if summary.subgraphs else ""
    kinds = ", ".join(f"{kind} {number}" for kind, number in summary.op_counts.items())
    return Text.assemble((f"{units.count(total, 'op')}{where}: ", "bold"), kinds)
