"""Results of checking a graph against targets."""

from __future__ import annotations

from dataclasses import dataclass

from mobilekit.source import SourceLocation


@dataclass(frozen=True)
class Finding:
    """One op that a target refuses, or whose rules could not all be evaluated."""

    op_index: int
    """Position in the graph; -1 for an op that has no lowering yet."""
    kind: str
    name: str
    supported: bool
    reasons: tuple[str, ...]
    """Why it is refused; empty for an op that is taken."""
    unchecked: tuple[str, ...]
    """Rules in words that cannot be evaluated here; never counted as passed."""
    source: SourceLocation | None = None
    suggestion: str | None = None


@dataclass(frozen=True)
class TargetReport:
    """What one target takes of one graph."""

    target: str
    title: str
    table_version: str
    """Where and when the table was read from."""
    ops_total: int
    ops_supported: int
    ops_unchecked: int
    """Of the supported ones, how many carry a rule that could not be evaluated."""
    mac_share: float | None
    """Share of the multiply-accumulates in supported ops; None when the graph has none."""
    partitions: tuple[int, ...]
    """Ops in each piece that the target takes as a whole, in graph order."""
    findings: tuple[Finding, ...]

    @property
    def coverage(self) -> float:
        """Share of the ops that the target takes, 1.0 for an empty graph."""
        return self.ops_supported / self.ops_total if self.ops_total else 1.0


@dataclass(frozen=True)
class CompatReport:
    """One graph against every target asked for."""

    model: str
    targets: tuple[TargetReport, ...]
    min_runtime_version: str
    """Lowest TFLite runtime that has every op at the version used."""
    op_counts: dict[str, int]
