"""A DebugReport as text that fits a screen."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilekit.render import units
from mobilekit.results.debugging import DebugReport

_MOST = 8


def debug_text(report: DebugReport) -> RenderableType:
    """Shares, the first bad layer, the largest sources of noise, the noisiest tensors."""
    shares = f"noise at the outputs: {units.percent(report.weights_share)} from weights, "
    parts: list[RenderableType] = [Text(shares + f"{units.percent(report.activations_share)} from activations")]
    bad = report.first_bad
    parts.append(
        Text("no tensor loses more than a bit against what its op reads")
        if bad is None
        else Text(
            f"first bad layer: {bad.kind} {bad.name}, {units.decibel(bad.sqnr_db)} {units.source_text(bad.source)}"
        )
    )
    sources = _table("largest sources of noise, each alone", "kind", "share")
    for share in report.sources[:_MOST]:
        sources.add_row(Text(share.name), share.kind, units.percent(share.noise))
    noisiest = _table("noisiest tensors, all together", "made by", "SQNR")
    for layer in sorted(report.layers, key=lambda layer: layer.sqnr_db)[:_MOST]:
        noisiest.add_row(Text(layer.name), layer.kind, units.decibel(layer.sqnr_db))
    return Group(*parts, sources, noisiest)


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for number, title in enumerate(titles):
        table.add_column(title, justify="right" if number == 2 else "left", overflow="fold")
    return table
