"""Results -> one self-contained HTML page: no script, no font and no picture comes from anywhere else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mobilekit._version import __version__
from mobilekit.errors import InputError
from mobilekit.render import figures, units
from mobilekit.results.bench import BenchReport
from mobilekit.results.compat import CompatReport, TargetReport
from mobilekit.results.conversion import ConversionReport, VerificationReport
from mobilekit.results.debugging import DebugReport
from mobilekit.results.photos import PhotoReport


@dataclass(frozen=True)
class Page:
    """What a report shows; each part that is None is left out."""

    title: str
    conversion: ConversionReport | None = None
    verification: VerificationReport | None = None
    photos: PhotoReport | None = None
    compat: CompatReport | None = None
    bench: BenchReport | None = None
    debug: DebugReport | None = None


@dataclass(frozen=True)
class Cell:
    """One kind of op on one target: how many of its ops are taken."""

    mark: str
    """One of "yes", "partly", "no"."""
    text: str
    reason: str


def render_page(page: Page) -> str:
    """The text of the page. :class:`InputError` where jinja2 or matplotlib is missing."""
    try:
        import jinja2
    except ImportError as error:
        raise InputError(
            f"an HTML report needs jinja2 and matplotlib: pip install 'mobilekit[report]' ({error})"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mobilekit", "render/templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text: str = environment.get_template("report.html.j2").render(
        page=page,
        plots=_plots(page),
        op_rows=[] if page.compat is None else op_rows(page.compat),
        unchecked=[] if page.compat is None else unchecked_rules(page.compat),
        units=units,
        data_uri=_jpeg_uri,
        version=__version__,
        worst_layers=_worst_layers(page.conversion),
    )
    return text


def _plots(page: Page) -> dict[str, str]:
    plots = {}
    if page.conversion is not None and page.conversion.layer_errors:
        plots["layers"] = _svg_uri(figures.sqnr_per_layer(page.conversion.layer_errors))
    if page.conversion is not None and page.conversion.search is not None:
        plots["search"] = _svg_uri(figures.trade_off(page.conversion.search))
    if page.debug is not None:
        plots["debug_layers"] = _svg_uri(figures.sqnr_per_layer(page.debug.layers))
        plots["histograms"] = _svg_uri(figures.histograms(page.debug.histograms))
    if page.bench is not None:
        plots["waterfall"] = _svg_uri(figures.latency_waterfall(page.bench.stages))
        plots["histogram"] = _svg_uri(figures.latency_histogram(page.bench.delivered, page.bench.age))
    return plots


def _svg_uri(svg: str) -> str:
    """As an image: identifiers inside one plot cannot meet those of another, as they would inline."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _jpeg_uri(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def _worst_layers(report: ConversionReport | None) -> list[Any]:
    return [] if report is None else sorted(report.layer_errors, key=lambda layer: layer.sqnr_db)[:5]


def op_rows(report: CompatReport) -> list[tuple[str, int, list[Cell]]]:
    """(kind, how often, one cell a target), most frequent kind first."""
    return [
        (kind, total, [_cell(kind, total, target) for target in report.targets])
        for kind, total in report.op_counts.items()
    ]


def _cell(kind: str, total: int, target: TargetReport) -> Cell:
    of_kind = [finding for finding in target.findings if finding.kind == kind]
    refused = [finding for finding in of_kind if not finding.supported]
    unchecked = [finding for finding in of_kind if finding.supported and finding.unchecked]
    if refused:
        mark = "no" if len(refused) == total else "partly"
        return Cell(mark, f"{total - len(refused)}/{total}", _first([r for f in refused for r in f.reasons]))
    return Cell("yes", "yes*" if unchecked else "yes", _first([u for f in unchecked for u in f.unchecked]))


def unchecked_rules(report: CompatReport) -> list[tuple[TargetReport, dict[str, list[str]]]]:
    """For each target with such rules: the rule in words -> the kinds of op that carry it."""
    found = []
    for target in report.targets:
        rules: dict[str, list[str]] = {}
        for finding in target.findings:
            for rule in finding.unchecked if finding.supported else ():
                kinds = rules.setdefault(rule, [])
                if finding.kind not in kinds:
                    kinds.append(finding.kind)
        if rules:
            found.append((target, rules))
    return found


def _first(reasons: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(reasons))
    return "; ".join(distinct[:3]) + (f"; and {len(distinct) - 3} more" if len(distinct) > 3 else "")
