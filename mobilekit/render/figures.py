"""The plots of the report, each one function from results to the text of an SVG.

Colours are Okabe and Ito's, which people with colour-blindness tell apart; nothing is said by colour alone.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

from mobilekit.errors import InputError
from mobilekit.results.bench import LatencySummary, Provenance, Stage
from mobilekit.results.conversion import LayerError
from mobilekit.results.debugging import Histogram
from mobilekit.results.quantization import SearchReport

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#767676"

_STYLE = {
    "svg.fonttype": "none",  # text stays text: small, sharp, and found by a search in the page
    "svg.hashsalt": "mobilekit",  # the same results give the same bytes
    "font.family": "sans-serif",
    "font.sans-serif": ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.axisbelow": True,
}

# Noise of an ideal 8-bit quantizer over a full-scale sine; layers far below it lose range. 6.02 * 8 + 1.76 dB.
_IDEAL_8_BIT_DB = 49.9


def _new_figure(height: float) -> tuple[Any, Any]:
    """A figure 9 inches wide, without pyplot: it would choose a display and keep figures alive."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _to_svg(figure: Any) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def _styled() -> Any:
    try:
        import logging

        import matplotlib
    except ImportError as error:
        raise InputError(
            f"an HTML report needs jinja2 and matplotlib: pip install 'mobilekit[report]' ({error})"
        ) from error
    # The fonts named above are the reader's, not this machine's; that they are missing here is no news.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    return matplotlib.rc_context(_STYLE)


def sqnr_per_layer(layers: Sequence[LayerError]) -> str:
    """One dot a layer in the order of the graph; the five noisiest are named."""
    with _styled():
        figure, axes = _new_figure(3.4)
        finite = [(i, layer) for i, layer in enumerate(layers) if math.isfinite(layer.sqnr_db)]
        worst = sorted(finite, key=lambda item: item[1].sqnr_db)[:5]
        axes.plot([i for i, _ in finite], [layer.sqnr_db for _, layer in finite], color=BLUE, lw=1, alpha=0.5)
        axes.scatter([i for i, _ in finite], [layer.sqnr_db for _, layer in finite], color=BLUE, s=14)
        axes.scatter(
            [i for i, _ in worst], [layer.sqnr_db for _, layer in worst], color=ORANGE, marker="v", s=45, zorder=3
        )
        for rank, (i, layer) in enumerate(worst, start=1):
            axes.annotate(
                str(rank), (i, layer.sqnr_db), xytext=(0, -14), textcoords="offset points", ha="center", color=ORANGE
            )
        axes.set_xlabel("tensor, in the order of the graph")
        axes.set_ylabel("SQNR against float (dB)")
        top = max([_IDEAL_8_BIT_DB, *(layer.sqnr_db for _, layer in finite)])
        axes.set_ylim(min([0.0, *(layer.sqnr_db - 5 for _, layer in worst)]), top + 3)
        axes.axhline(_IDEAL_8_BIT_DB, color=GREY, lw=1, ls=":")
        axes.text(0, _IDEAL_8_BIT_DB + 0.5, "an ideal 8-bit quantizer, full scale", color=GREY, fontsize=8, va="bottom")
        axes.grid(axis="y", color="#dddddd", lw=0.6)
        return _to_svg(figure)


def trade_off(search: SearchReport) -> str:
    """Metric against size, a dot a try; the dashed line is the bar, and the chosen file is a triangle."""
    with _styled():
        figure, axes = _new_figure(3.4)
        for point in search.curve:
            chosen = point.label == search.chosen
            colour = GREEN if chosen else BLUE if point.meets_bar else ORANGE
            marker = "^" if chosen else "o" if point.meets_bar else "x"
            axes.scatter([point.size_bytes / 1e6], [point.metric], color=colour, marker=marker, s=45, zorder=3)
            axes.annotate(
                point.label,
                (point.size_bytes / 1e6, point.metric),
                xytext=(6, 4),
                textcoords="offset points",
                fontsize=8,
            )
        axes.axhline(search.float_metric - search.max_drop, color=GREY, lw=1, ls="--")
        axes.margins(x=0.15, y=0.15)
        axes.set_xlabel("file (MB)")
        axes.set_ylabel("metric (dashed: the bar)")
        axes.grid(color="#dddddd", lw=0.6)
        return _to_svg(figure)


def histograms(tensors: Sequence[Histogram]) -> str:
    """One row a tensor, its values on a scale of its own: a thin peak in a wide range is range lost."""
    with _styled():
        figure, axes = _new_figure(0.8 + 0.7 * len(tensors))
        for row, tensor in enumerate(tensors):
            top, low, high = max([*tensor.counts, 1]), tensor.edges[0], tensor.edges[-1]
            places = [(edge - low) / (high - low) for edge in tensor.edges[:-1]]
            heights = [0.8 * count / top for count in tensor.counts]
            axes.bar(places, heights, 1 / len(places), bottom=-row, align="edge", color=BLUE)
            axes.text(1.02, 0.3 - row, f"{low:.3g} to {high:.3g}", fontsize=8, color=GREY)
        axes.set_yticks([0.3 - row for row in range(len(tensors))], [tensor.name[-40:] for tensor in tensors])
        axes.set_xticks([])
        axes.set_xlim(0, 1.25)
        return _to_svg(figure)


def latency_waterfall(stages: Sequence[Stage]) -> str:
    """Stages one below the other, each starting where the median of the one before ended; a whisker to its p90."""
    with _styled():
        figure, axes = _new_figure(0.9 + 0.34 * len(stages))
        start = 0.0
        for row, stage in enumerate(stages):
            measured = stage.provenance is Provenance.MEASURED
            median, high = stage.summary.p50_ms, stage.summary.p90_ms
            axes.barh(
                row,
                median,
                left=start,
                height=0.62,
                color=BLUE if measured else "white",
                edgecolor=BLUE if measured else ORANGE,
                hatch="" if measured else "////",
                lw=1,
            )
            axes.plot([start + median, start + high], [row, row], color="black", lw=1.2)
            axes.plot([start + high] * 2, [row - 0.15, row + 0.15], color="black", lw=1.2)
            label = f"{median:.2f} ms" if median < 10 else f"{median:.1f} ms"
            axes.annotate(
                label, (start + high, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9
            )
            start += median
        axes.set_yticks(range(len(stages)), [f"{stage.name} ({stage.provenance.value})" for stage in stages])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_xlim(left=0)
        axes.set_xlabel("ms after the middle of the exposure (bars: medians, whiskers: p90)")
        axes.grid(axis="x", color="#dddddd", lw=0.6)
        return _to_svg(figure)


def latency_histogram(delivered: LatencySummary, age: LatencySummary) -> str:
    """The two camera-to-screen metrics over one another, cut at the higher p99 so that the bulk can be seen."""
    import numpy as np

    with _styled():
        figure, axes = _new_figure(3.0)
        shown = [series for series in (delivered, age) if series.values_ms]
        # One slow frame in a thousand would squeeze all others into a single bar.
        end = 1.15 * max([series.p99_ms for series in shown], default=1.0)
        start = 0.9 * min([min(series.values_ms) for series in shown], default=0.0)
        edges = np.linspace(start, max(end, start + 1.0), 61)
        for series, color, filled in zip(shown, (BLUE, ORANGE), (True, False), strict=False):
            values = np.asarray(series.values_ms)
            beyond = int((values > edges[-1]).sum())
            label = f"{series.name}, {len(values)} values" + (f", {beyond} beyond the edge" if beyond else "")
            share = np.full(len(values), 100.0 / len(values))
            axes.hist(
                values, edges, weights=share, label=label, color=color, alpha=0.75 if filled else 1.0,
                histtype="stepfilled" if filled else "step", lw=1.6,
            )  # fmt: skip
            axes.axvline(series.p50_ms, color=color, lw=1.2, ls="--")
        axes.set_xlabel("ms (dashed: medians)")
        axes.set_ylabel("share of values (%)")
        if shown:
            axes.legend(frameon=False)
        return _to_svg(figure)
