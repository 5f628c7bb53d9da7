"""A CI run as text: one table, then what was missed and what could not be checked."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilekit.render.ci_words import figures_of, number, percent, summary, verdict
from mobilekit.results.compat import CiReport, TargetReport

_STYLES = {"ok": "green", "missed": "yellow", "error": "red"}


def ci_text(report: CiReport) -> RenderableType:
    names = list(dict.fromkeys(t.asked or t.target for o in report.outcomes if o.report for t in o.report.targets))
    table = Table(box=None, pad_edge=False)
    table.add_column("model")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("needs TFLite", justify="right")
    figures = figures_of(report)
    for title in figures:
        table.add_column(title, justify="right")
    table.add_column("result")
    for index, outcome in enumerate(report.outcomes):
        found = {} if outcome.report is None else {t.asked or t.target: t for t in outcome.report.targets}
        word = verdict(outcome)
        table.add_row(
            outcome.name,
            *(_cell(found.get(name)) for name in names),
            "" if outcome.report is None else outcome.report.min_runtime_version,
            *(number(values[index]) for values in figures.values()),
            Text(word + (" (cached)" if outcome.cached else ""), style=_STYLES[word]),
        )
    parts: list[RenderableType] = [table, Text("")]
    for outcome in report.outcomes:
        if outcome.error is not None:
            parts.append(Text(f"{outcome.name}: {outcome.error}", style="red"))
        parts += [Text(f"{outcome.name} on {miss.target}: {miss.message}") for miss in outcome.misses]
        parts += [Text(f"{outcome.name}: {note}", style="dim") for note in outcome.notes]
    parts += [Text(note, style="dim") for note in report.notes]
    parts.append(Text(summary(report.outcomes)))
    return Group(*parts)


def _cell(target: TargetReport | None) -> str:
    if target is None:
        return ""
    pieces = f" / {target.pieces}" if target.pieces > 1 else ""
    return f"{percent(target.coverage)}{pieces}"
