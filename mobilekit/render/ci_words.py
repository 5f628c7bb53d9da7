"""What the renderers of a CI run share: how an outcome, a target and a place are put in words."""

from __future__ import annotations

import math
from pathlib import Path

from mobilekit.results.compat import CiReport, Finding, ModelOutcome, TargetReport, percent
from mobilekit.source import SourceLocation

__all__ = [
    "figures_of",
    "finding_line",
    "number",
    "percent",
    "place",
    "refused",
    "summary",
    "target_line",
    "verdict",
]


def verdict(outcome: ModelOutcome) -> str:
    """``error``, ``missed`` or ``ok``."""
    if outcome.error is not None:
        return "error"
    return "missed" if outcome.misses else "ok"


FIGURES = ("MB", "SQNR dB", "inference ms", "processing ms", "camera to screen p90 ms")
"""Columns for models that were converted or timed."""


def _figures(outcome: ModelOutcome) -> tuple[float | None, ...]:
    """The numbers under :data:`FIGURES`, None where the run did not go so far."""
    made, timed = outcome.conversion, outcome.latency
    file = (None, None) if made is None else (made.size_bytes / 1e6, made.sqnr_db)
    if timed is None:
        return (*file, None, None, None)
    return (*file, timed.inference_ms, timed.processing_ms, timed.camera_to_screen_p90_ms)


def figures_of(report: CiReport) -> dict[str, list[float | None]]:
    """The columns of :data:`FIGURES` that hold a number for at least one model, model by model."""
    rows = [_figures(outcome) for outcome in report.outcomes]
    columns = {title: [row[column] for row in rows] for column, title in enumerate(FIGURES)}
    return {title: values for title, values in columns.items() if any(value is not None for value in values)}


def number(value: float | None) -> str:
    """Three digits are what such a figure is good for; "equal" computes bit by bit what the model does."""
    if value is None:
        return ""
    return "equal" if math.isinf(value) else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def target_line(target: TargetReport) -> str:
    """One target of one model in a line: coverage, pieces, what stays open."""
    words = [f"{percent(target.coverage)} of {target.ops_total} ops"]
    if target.pieces > 1:
        words.append(f"{target.pieces} pieces")
    if target.ops_unchecked:
        words.append(f"{target.ops_unchecked} unchecked")
    return ", ".join(words)


def finding_line(finding: Finding) -> str:
    """A refused op in a line, with what to do instead."""
    text = f"{finding.kind} ({finding.name}): {'; '.join(finding.reasons)}"
    return f"{text}. Instead: {finding.suggestion}" if finding.suggestion else text


def refused(target: TargetReport) -> list[Finding]:
    return [finding for finding in target.findings if not finding.supported]


def place(outcome: ModelOutcome, source: SourceLocation | None, root: str | None = None) -> tuple[str, int]:
    """(file, line) of a finding: the user's own line, else the model's file; relative to ``root`` if below it."""
    if source is not None:
        return _relative(source.file, root), source.line
    file, colon, attribute = outcome.model.rpartition(":")
    return (file if colon and attribute.isidentifier() and file.endswith(".py") else outcome.model), 1


def _relative(file: str, root: str | None) -> str:
    path = Path(file)
    base = Path(root) if root is not None else Path.cwd()
    try:
        return path.resolve().relative_to(base.resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def summary(outcomes: tuple[ModelOutcome, ...]) -> str:
    """``3 models: 1 ok, 1 missed a bar, 1 could not be checked``."""
    counts = {word: sum(1 for outcome in outcomes if verdict(outcome) == word) for word in ("ok", "missed", "error")}
    head = f"{len(outcomes)} model{'s' if len(outcomes) != 1 else ''}"
    parts = [f"{counts['ok']} ok"]
    if counts["missed"]:
        parts.append(f"{counts['missed']} missed a bar")
    if counts["error"]:
        parts.append(f"{counts['error']} could not be checked")
    return f"{head}: {', '.join(parts)}"
