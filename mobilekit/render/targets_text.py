"""A CompatReport as text: one line a target, and on request one line a refused op."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilekit.render import units
from mobilekit.results.compat import CompatReport, Finding, TargetReport


def targets_text(report: CompatReport, *, details: bool = False) -> RenderableType:
    """The whole answer to ``mobilekit check``."""
    total = sum(report.op_counts.values())
    head = Text.assemble(
        (report.model, "bold"), f": {units.count(total, 'op')}, needs runtime {report.min_runtime_version}"
    )
    parts: list[RenderableType] = [head, targets_table(report)]
    if any(target.ops_unchecked for target in report.targets):
        parts.append(Text("unproven: ops with a rule that cannot be evaluated here (--json names them)", style="dim"))
    if details:
        for target in report.targets:
            parts += _details(target)
    elif any(target.ops_supported < target.ops_total for target in report.targets):
        parts.append(Text("--details lists every refused op", style="dim"))
    return Group(*parts)


def targets_table(report: CompatReport) -> Table:
    """Target, share of ops and of multiply-accumulates, pieces, and the first reason for a refusal."""
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("target", no_wrap=True, min_width=8)
    # Widths for four digits and "99.9 %": the reasons take what is left, and are cut before a figure is.
    for title, width in (("ops", 7), ("MACs", 6), ("pieces", 6), ("unproven", 8)):
        table.add_column(title, justify="right", no_wrap=True, min_width=width)
    table.add_column("refused, most frequent reason first", no_wrap=True, overflow="ellipsis", ratio=1)
    for target in report.targets:
        whole = target.ops_supported == target.ops_total
        table.add_row(
            Text(target.target, style="green" if whole else "yellow"),
            f"{target.ops_supported}/{target.ops_total}",
            "" if target.mac_share is None else units.percent(target.mac_share),
            str(target.pieces or len(target.partitions)),
            str(target.ops_unchecked or ""),
            Text(_summary(target)),
        )
    return table


def _summary(target: TargetReport) -> str:
    """``ADD 10: rank over 4; MEAN 1: ...``"""
    groups: dict[tuple[str, str], int] = {}
    for finding in _refused(target):
        key = (finding.kind, finding.reasons[0] if finding.reasons else "not supported")
        groups[key] = groups.get(key, 0) + 1
    ordered = sorted(groups.items(), key=lambda item: -item[1])
    reasons = "; ".join(f"{kind} {number}: {reason}" for (kind, reason), number in ordered)
    return f"({target.level}) {reasons}" if target.level else reasons


def _refused(target: TargetReport) -> Iterator[Finding]:
    return (finding for finding in target.findings if not finding.supported)


def _details(target: TargetReport) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for finding in _refused(target):
        where = "" if finding.source is None else f" ({units.place(finding.source)})"
        instead = "" if finding.suggestion is None else f"; instead: {finding.suggestion}"
        lines.append(Text(f"  {finding.kind} {finding.name}{where}: {'; '.join(finding.reasons)}{instead}"))
    return [Text(f"\n{target.title}", style="bold"), *lines] if lines else []
